"""Write docs/clauses.md: every clause, and each row of the table of provider obligations with what became of it.

Usage: ``python tools/clauses_page.py`` writes the page; with ``--check`` nothing is written, and a page that differs
from the clause tables ends with exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from nomos_contracts.clause import INTERFACES, Clause, clauses_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "clauses.md"

ROWS: Mapping[str, str] = {
    "A1": "`PROVIDER_PORT=<digits>` on stdout announces the port to the command line",
    "A1b": "`PORT=<n>` on stdout announces the port by the written protocol",
    "A2": "the announcement is the first line of stdout",
    "A2b": "the command line skips earlier lines, unless one is longer than 64 KiB",
    "A3": "nothing but digits stands after the `=`",
    "A4": "the line is flushed at once and ends in a newline",
    "A5": "the announcement comes within 5 s",
    "A6": "the provider listens on 127.0.0.1, on an ephemeral port",
    "A7": "the port lies in 1024-65535",
    "A8": "gRPC is served when the announcement appears",
    "A9": "logs go to stderr; stdout holds nothing else",
    "A9b": "what is written to stdout later is read by nobody and blocks the writer",
    "A10": "the provider starts without arguments, in any folder, with an inherited environment and no stdin",
    "A11": "two processes side by side have different ports",
    "A12": "a provider that cannot listen exits with a code other than 0",
    "A13": "TCP and Unix sockets are supported",
    "A14": "`--log-level` is understood",
    "B1": "the service serves its five methods",
    "B2": "an unknown method or service is UNIMPLEMENTED",
    "B3": "unknown and reserved fields are ignored",
    "B4": "malformed bytes give an error and the process lives",
    "B5": "server reflection and grpc.health are no part of the contract",
    "B6": "the configuration keys alias, type and version are not used",
    "B7": "one process tracks one instance",
    "C1": "Init validates all required keys",
    "C2": "an invalid configuration is INVALID_ARGUMENT",
    "C3": "an absent dependency is FAILED_PRECONDITION",
    "C4": "Init fails with four codes only",
    "C5": "the alias is for logs, not configuration",
    "C6": "an empty alias is INVALID_ARGUMENT",
    "C7": "Init is idempotent",
    "C7b": "a second Init is refused with FAILED_PRECONDITION (contradicts C7)",
    "C8": "a second Init with an empty configuration changes nothing",
    "C9": "a failed Init leaves the process usable",
    "C10": "what holds after a failed second Init is open",
    "C11": "the command line sends every scalar as a string",
    "C12": "relative paths start at the folder of `source_file_path`",
    "C13": "code in a configuration is not run",
    "C14": "external connections are made in Init",
    "C15": "an unset configuration does not crash",
    "C16": "concurrent first Inits do not corrupt",
    "D1": "Fetch before Init is FAILED_PRECONDITION",
    "D2": "a path that does not exist is NOT_FOUND",
    "D3": "a malformed path is INVALID_ARGUMENT",
    "D4": "an empty path is the provider's own affair",
    "D5": "directory traversal is prevented",
    "D6": "Fetch answers a Struct that is set",
    "D7": "values are JSON values",
    "D8": 'a bare scalar is `{"value": x}`',
    "D9": "concurrent Fetch is safe",
    "D10": "the same path gives the same value",
    "D11": "expensive fetches are cached",
    "D12": "no more than 10 levels of nesting",
    "D13": "no values over 10 MB",
    "D13b": "no answers over 4 MiB, the command line's limit",
    "D14": "`*` answers a map",
    "D15": "a list index stands inside its segment",
    "D16": "Unicode in segments and values survives",
    "D17": "very long paths do not crash",
    "D18": "the caller's deadline and cancellation are honoured",
    "D19": "the path does not hold the alias",
    "D20": "what may not be read is PERMISSION_DENIED",
    "D21": "malformed source data is an error and no crash",
    "D22": "values keep their types",
    "E1": "Info answers at any time",
    "E2": "`version` is strict semver",
    "E3": "`version` is the version that was built",
    "E4": "`type` is stable and matches the name of the binary",
    "E5": "`alias` is Init's after Init",
    "E6": "`alias` may be empty before Init",
    "E7": "`version` may hold build metadata",
    "E8": "`version` and `type` never change within a process",
    "F1": "Health answers before Init",
    "F2": "STATUS_OK when operational",
    "F3": "STATUS_DEGRADED when partly operational",
    "F4": "STATUS_STARTING during a long initialisation",
    "F5": "a message that one can act on",
    "F6": "Health looks at external dependencies",
    "F7": "the status is a known one",
    "F8": "repeated pings are answered",
    "G1": "Shutdown completes within 5 s",
    "G2": "Shutdown releases what is held",
    "G3": "Shutdown is idempotent",
    "G4": "Shutdown before Init is accepted",
    "G5": "the process exits after Shutdown",
    "G6": "Fetch after Shutdown is FAILED_PRECONDITION, or nobody is there",
    "G7": "Init after Shutdown is open",
    "G8": "SIGTERM ends the process in good order within 5 s",
    "G9": "SIGINT likewise",
    "G10": "no child process and no temporary file is left",
    "G11": "errors during clean-up may be ignored",
    "G12": "the command line leaves providers behind as orphans",
    "H1": "messages say what to do about",
    "H2": "messages hold no secrets",
    "H3": "messages name the path",
    "H4": "messages suggest a remedy",
    "H5": "allowlists rather than denylists",
    "H6": "codes come from the standard set; no UNKNOWN",
    "H7": "the binary is executable and not world-writable",
}
"""Row of the table of provider obligations to what it asks, in short."""


class UntracedRowError(ValueError):
    """A row that no clause covers, or a clause that names a row that there is not."""


def trace(clauses: Mapping[str, Clause]) -> dict[str, tuple[list[Clause], str]]:
    """Return, for each row, the clauses that cover it and, where none of them can be tested, why not.

    Raises:
        UntracedRowError: a row has no clause, or a clause names a row that does not exist.
    """
    covering: dict[str, list[Clause]] = {row: [] for row in ROWS}
    for clause in clauses.values():
        for row in clause.rows:
            if row in covering:
                covering[row].append(clause)
            else:
                raise UntracedRowError(f"{clause.id} names row {row}, which does not exist")
    traced: dict[str, tuple[list[Clause], str]] = {}
    for row, found in covering.items():
        if not found:
            raise UntracedRowError(f"row {row} ({ROWS[row]}) has no clause; one with `testable = false` gives a reason")
        reasons = [c.reason for c in found if not c.testable]
        traced[row] = (found, "; ".join(reasons) if len(reasons) == len(found) else "")
    return traced


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _clause_rows(clauses: Mapping[str, Clause]) -> Iterator[str]:
    yield "| clause | level | tier | profiles | sentence | rows | sources | samples |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for clause in clauses.values():
        sentence = clause.sentence if clause.testable else f"{clause.sentence} *Not tested: {clause.reason}*"
        cells = (
            f'<a id="{clause.id}"></a>{clause.id}',
            clause.level,
            clause.tier if clause.testable else "-",
            ", ".join(clause.profiles),
            sentence,
            ", ".join(clause.rows),
            "; ".join(clause.sources),
            ", ".join(f"`{name}`" for name in clause.samples),
        )
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |"


HEAD = """\
# The clauses

This page is generated (`make clauses-page`) from the clause tables in `contracts/nomos_contracts`; a test compares.

{total} clauses, {testable} of them testable from outside. A MUST that is not kept fails the run, a SHOULD warns. The
tiers hold each other: `testing` in `additional` in `reference`. A clause is due in the profiles that it names:
`standard` is the written protocol, `cli` what today's `nomos` command line needs. Samples are what the author says in
`nomos.toml`; without them the clause is blocked.
"""

TRACE = """\
## Where each obligation of a provider went

The table of provider obligations was gathered from the protocol's documents and from what the command line does. Each
row has a clause; one that cannot be tried from outside has a reason. Clauses without a row are our own.

| row | obligation | clauses | why it is not tested |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the page, made from the clause tables.

    Raises:
        UntracedRowError: see `trace`.
    """
    everything = clauses_of()
    parts = [HEAD.format(total=len(everything), testable=sum(clause.testable for clause in everything.values()))]
    for interface in INTERFACES:
        rows = "\n".join(_clause_rows(clauses_of((interface,))))
        parts.append(f"## {interface.capitalize()}\n\n{rows}\n")
    traced: list[str] = []
    for row, (found, reason) in trace(everything).items():
        links = ", ".join(f"[{clause.id}](#{clause.id})" for clause in found)
        traced.append(f"| {row} | {_cell(ROWS[row])} | {links} | {_cell(reason)} |\n")
    return "\n".join([*parts, TRACE + "".join(traced)])


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        text = page()
    except UntracedRowError as error:
        print(f"docs/clauses.md: {error}", file=sys.stderr)
        return 1
    if not arguments:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/clauses.md differs from the clause tables; run `make clauses-page`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
