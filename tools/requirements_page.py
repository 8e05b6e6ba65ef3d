"""Write docs/requirements.md: every row of the registry and compute documents, and what shows that it is kept.

Usage: ``python tools/requirements_page.py`` writes the page; with ``--check`` nothing is written, and a page that
differs ends with exit code 1. A row that no clause names, no test shows and nobody declares open is an error.
"""

from __future__ import annotations

import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nomos_contracts.clause import Clause, clauses_of

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "requirements.md"
TABLE = ROOT / "tools" / "requirements.toml"
TITLES = {"R003": "Provider registry (003)", "R004": "Compute providers (004)"}


class UntracedRowError(ValueError):
    """A row that nothing shows, a test that is not there, or a clause that names an unknown row."""


def rows() -> dict[str, Mapping[str, Any]]:
    """Return the rows by id."""
    return {row["id"]: row for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["row"]}


def traced(known: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Clause]]:
    """Return the clauses of each row.

    Raises:
        UntracedRowError: see there.
    """
    found: defaultdict[str, list[Clause]] = defaultdict(list)
    for clause in clauses_of().values():
        for source in clause.sources:
            if source[:4] not in TITLES:
                continue
            if source not in known:
                raise UntracedRowError(f"{clause.id} names row {source}, which is not in {TABLE.name}")
            found[source].append(clause)
    for row in known.values():
        missing = [test for test in row.get("tests", ()) if not (ROOT / test).is_file()]
        if missing:
            raise UntracedRowError(f"row {row['id']}: there is no {missing[0]}")
        tried = any(clause.testable for clause in found[row["id"]])
        if not (tried or row.get("tests") or row.get("open")):
            raise UntracedRowError(f"row {row['id']} has neither a clause nor a test nor a reason")
    return found


def lines() -> Iterator[str]:
    """Yield the lines of the page."""
    known = rows()
    found = traced(known)
    yield "# Requirements and what shows them"
    yield ""
    yield "Made by `tools/requirements_page.py` from `tools/requirements.toml` and the clause tables. A clause"
    yield "is tried on every provider of its interface, and by mutants; a test is one of the kit's own."
    for prefix, title in TITLES.items():
        head = "| row | what is asked for | clauses | tests of the kit, or what is open |"
        yield from ("", f"## {title}", "", head, "| --- | --- | --- | --- |")
        for name, row in known.items():
            if name.startswith(prefix):
                clauses = ", ".join(f"[{one.id}](clauses.md#{one.id})" for one in found[name])
                shown = [f"`{test}`" for test in row.get("tests", ())]
                shown += [f"open: {row['open']}"] if row.get("open") else []
                yield f"| {name} | {row['text']} | {clauses} | {', '.join(shown)} |"


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        text = "\n".join(lines()) + "\n"
    except UntracedRowError as error:
        print(f"{PAGE.name}: {error}", file=sys.stderr)
        return 1
    if not arguments:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/requirements.md differs from its sources; run python tools/requirements_page.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
