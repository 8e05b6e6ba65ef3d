"""The end of a run: its exit code, and what the person is told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from nomos_contracts.clause import Profile
from nomos_contracts.samples import sample_kinds
from nomos_contracts.verdict import EXIT_CODES, Outcome, Ruling
from pytest_nomos.session.contradictions import contradictions
from pytest_nomos.session.reporting import target_header
from pytest_nomos.session.run import Run
from pytest_nomos.settings import NAMES
from pytest_nomos.targets.plan import TargetPlan

MOST_NAMES = 6
MOST_REASONS = 3
LONGEST_REASON = 300
NO_CONFIG = "the settings give no [config]"
"""What the reason of a check begins with that waits for a configuration."""
ANSWERED = f"{NO_CONFIG}, and Init without keys answers"
"""What it begins with where the check saw the answer."""
_KEPT = EXIT_CODES[Ruling.KEPT]
_BROKEN = EXIT_CODES[Ruling.BROKEN]
_NOT_JUDGED = EXIT_CODES[Ruling.NOT_JUDGED]


def conclude(run: Run, status: int, *, complete: bool) -> int:
    """Stop the providers, finish the report and return the exit code of a run that pytest would end with *status*.

    2 to 4 (interrupted, internal error, usage) stand. Else 1 if anything broke, a waiver failed, or a test of the
    author's failed; 10 if nothing broke but something due was not judged; 0 if all that was due was kept.

    Args:
        run: the run.
        status: pytest's own exit status.
        complete: False where the run was broken off.

    Raises:
        ReportError: the report cannot be written.
    """
    run.stop_providers()
    if run.stream is None:
        return status
    run.contradicted = tuple(
        contradictions(run.records, run.clauses, lambda clause, target: run.waiver(clause, target) is not None)
    )
    for record in run.contradicted:
        run.stream.append(record)
    run.report = run.stream.finish([target_header(run, p, ended=True) for p in run.plans.values()], complete=complete)
    if status in {2, 3, 4}:
        return status
    codes = {target.exit_code for target in run.report.targets}
    ours = {Outcome.FAILED, Outcome.UNEXPECTED_PASS, Outcome.BLOCKED}
    if (
        run.report.differences
        or _BROKEN in codes
        or (status == 1 and not any(record.outcome in ours for record in run.records))
    ):
        return _BROKEN
    if not run.records or any(run.ruling(name) is Ruling.NOT_JUDGED for name in run.plans):
        return _NOT_JUDGED
    return _NOT_JUDGED if _NOT_JUDGED in codes and not run.deselected else _KEPT


def waiver_problems(run: Run) -> list[str]:
    """Return a sentence for each waiver that fails the run."""
    report = run.report
    states = [state for target in report.targets for state in target.waiver_states] if report else []
    return list(dict.fromkeys(state.sentence for state in states if state.state.fails))


def summary(run: Run) -> Iterator[tuple[str, str]]:
    """Yield (style, line) of the closing block: the verdict of each target in both profiles, then what would unblock.

    Styles are ``good``, ``bad``, ``doubt`` and ``plain``.
    """
    styles = {Ruling.KEPT: "good", Ruling.BROKEN: "bad", Ruling.NOT_JUDGED: "doubt"}
    for name, plan in run.plans.items():
        claimed = run.profile(name)
        preview = run.previews.get(name)
        if preview is not None and preview.failure:
            yield (
                "bad",
                f"{name} does not start:"
                if preview.broke or not plan.is_function_interface
                else f"{name} cannot be made:",
            )
            yield from (("plain", f"  {line}") for line in preview.failure.splitlines())
        for profile in (claimed, *(p for p in Profile if p is not claimed)):
            found = run.verdict(name, profile)
            counts = ", ".join(
                f"{count} {outcome.replace('_', ' ')}" for outcome, count in found.counts.items() if count
            )
            mark = "claimed" if profile is claimed else "not claimed"
            scope = f"profile {profile} ({mark}), tier {plan.tier}, edition {found.edition}"
            yield styles[found.ruling], f"{name}: {found.ruling.upper()} in {scope}: {len(found.due)} due: {counts}"
            if found.broken and profile is claimed:
                yield "bad", f"  broken: {', '.join(found.broken)}"
            if profile is claimed:
                yield from _beside_the_checks(run, name)
        declared, written = run.capabilities(name), frozenset(plan.settings.capabilities)
        if written and written != declared and plan.is_function_interface:
            said, seen = (", ".join(sorted(names)) or "none" for names in (written, declared))
            yield "doubt", f"  capabilities: the settings say {said}; the provider declares {seen}, and that holds"
        yield from (("plain", line) for line in _unblocking(run, name))
    if run.shard is not None:
        yield (
            "plain",
            f"shard {run.shard} only: `pytest-nomos report merge` makes one verdict of the reports of all shards",
        )
    for unlike in run.report.differences if run.report else ():
        outcomes = " and ".join(f"{outcome.replace('_', ' ')} as {name}" for name, outcome in unlike.outcomes.items())
        yield "bad", f"{unlike.clause}: the transports disagree: {outcomes}" + (f"; {unlike.got}" if unlike.got else "")
    yield from (("bad", problem) for problem in waiver_problems(run))
    for target in run.report.targets if run.report else ():
        if target.subject is not None and not target.subject.unchanged:
            yield "bad", f"{target.name}: {target.subject.file} changed during the run, so nothing was judged"


def _beside_the_checks(run: Run, target: str) -> Iterator[tuple[str, str]]:
    """Yield what no check was shown to fail for: warnings, and clauses that broke in the checks of others."""
    warned = sorted({one.clause for one in run.records if one.target == target and one.outcome is Outcome.WARNED})
    if warned:
        yield "doubt", f"  warned: {', '.join(warned)}"
    for record in run.contradicted:
        if record.target == target:
            yield "plain", f"  {record.clause}: {record.expected}"
            yield "plain", f"    got       {record.got}"
            yield "plain", f"    mend      {record.mend}"


def _unblocking(run: Run, target: str) -> Iterator[str]:
    """Yield what the author would do to have the blocked clauses judged."""
    plan = run.plans[target]
    blocked: dict[str, set[str]] = {}
    reasons: dict[str, Counter[str]] = {}
    for record in run.records:
        if record.target == target and record.outcome is Outcome.BLOCKED:
            blocked.setdefault(record.blocked_by, set()).add(record.clause)
            reasons.setdefault(record.blocked_by, Counter())[record.reason] += 1
    for by, clauses in blocked.items():
        if not by.startswith("sample:"):
            yield f"  {len(clauses)} blocked by {by}: {_listed(clauses)}"
            # That of Init itself tells what was answered.
            told = sorted(reasons[by], key=lambda reason: (not reason.startswith(ANSWERED), -reasons[by][reason]))
            few = told[:1] if told[0].startswith(NO_CONFIG) else told[:MOST_REASONS]
            yield from (f"    {' '.join(reason.split())[:LONGEST_REASON]}" for reason in few)
    missing = {name.removeprefix("sample:"): clauses for name, clauses in blocked.items() if name.startswith("sample:")}
    count = len({clause for clauses in missing.values() for clause in clauses})
    if any(reason.startswith(NO_CONFIG) for reason in reasons.get("author", ())):
        if count:
            yield f"  {count} blocked for want of samples, which are asked for as soon as Init succeeds"
        force = " --force" if plan.source else ""
        yield f"  next: pytest-nomos init {plan.spec}{force} --config KEY=VALUE, with the keys that Init needs"
    elif missing:
        file = plan.source.name if plan.source else NAMES[0]
        yield f"  {count} blocked for want of samples. Paste into {file} and fill in:"
        yield ""
        yield from _to_paste(plan, missing)
        yield f"  next: fill in {file}, then pytest-nomos certify {plan.spec}"


def _listed(clauses: Collection[str]) -> str:
    names = sorted(clauses)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _to_paste(plan: TargetPlan, missing: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Yield the lines that give or decline the samples *missing*, each with the clauses that wait for it."""
    kinds = {kind.name: kind for kind in sample_kinds(plan.interface)}
    above = "tool.nomos." if plan.source and plan.source.name == NAMES[1] else ""
    try:
        text = plan.source.read_text(encoding="utf-8") if plan.source else ""
    except (OSError, UnicodeDecodeError):  # it went away, or changed, during the run
        text = ""

    def stands_there(table: str) -> bool:
        return re.search(rf"^\s*\[{re.escape(above + table)}\]", text, re.MULTILINE) is not None

    def header(table: str) -> str:
        # TOML does not take a table twice.
        below = f"    # Below the line [{above}{table}], which is there:"
        return below if stands_there(table) else f"    [{above}{table}]"

    plain = [kinds[name] for name in missing if kinds[name].plain]
    tables = [kinds[name] for name in missing if not kinds[name].plain]
    if plain:
        yield header("samples")
        for kind in plain:
            yield f"    # {kind.meaning} For {_listed(missing[kind.name])}."
            yield from (f"    {line}" for line in kind.lines.splitlines()[1:])
        yield ""
    if plain and tables and stands_there("samples"):
        yield "    # At the end of the file:"
    for kind in tables:
        yield f"    # {kind.meaning} For {_listed(missing[kind.name])}."
        yield from (f"    {line}".replace("[samples", f"[{above}samples", 1) for line in kind.lines.splitlines())
        yield ""
    declinable = [name for name in missing if kinds[name].declinable]
    if declinable:
        yield "  or, for what the provider has nothing of:"
        yield ""
        yield header("declined")
        yield from (f'    {name} = "why"' for name in declinable)
        yield ""
