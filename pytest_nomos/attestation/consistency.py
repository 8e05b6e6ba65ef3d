"""Consistency: everything in a report that follows from something else is computed again and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from nomos_contracts.clause import Level
from nomos_contracts.verdict import Outcome
from pytest_nomos.report.build import build_report
from pytest_nomos.report.kit import kit_digest, kit_version
from pytest_nomos.report.model import (
    CheckRecord,
    ClauseResult,
    Report,
    RunHeader,
    TargetHeader,
    TargetReport,
    now,
)
from pytest_nomos.report.rules import Rules, RulesOf, shipped_rules
from pytest_nomos.report.waiver import active_waiver

CLOCKS_APART = timedelta(days=1)
"""By how much two clocks may differ before a report is taken to be from the future."""
JUDGED = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.WARNED, Outcome.WAIVED, Outcome.UNEXPECTED_PASS})


def inconsistencies(report: Report, *, rules_of: RulesOf = shipped_rules, at: datetime | None = None) -> list[str]:
    """Return what in *report* cannot be, one sentence each; empty for a report that agrees with itself and the release.

    Args:
        report: the report.
        rules_of: finds the rules of a target.
        at: the present moment, None takes it from the clock.
    """
    found = list(_run(report, at or now()))
    names = Counter(target.name for target in report.targets)
    found += [f"target {name} stands {count} times" for name, count in names.items() if count > 1]
    if not report.targets:
        found.append("it holds no target")
    rules: dict[str, Rules] = {}
    for target in report.targets:
        try:
            rules[target.name] = rules_of(target.edition, target.interface, target.program)
        except ValueError as error:
            found.append(f"{target.name}: {error}")
    if found:
        return found
    for target in report.targets:
        found += [f"{target.name}: {problem}" for problem in _target(report, target, rules[target.name])]
    if found:
        return found
    return list(_computed_again(report, rules_of))


def _run(report: Report, at: datetime) -> Iterator[str]:
    if not report.complete:
        yield "the run did not come to its end: the report is marked incomplete"
    elif report.finished is None:
        yield "the report is marked complete and names no end"
    if report.finished is not None and report.finished < report.started:
        yield f"it ended ({report.finished.isoformat()}) before it began ({report.started.isoformat()})"
    if report.started > at + CLOCKS_APART:
        yield f"it began in the future ({report.started.isoformat()})"
    if report.shard:
        yield f"it holds the shard {report.shard} only; merge all of them first"
    if report.kit == kit_version() and report.kit_digest != kit_digest():
        yield f"it was made by files that are not those of pytest-nomos {report.kit} as installed here"


def _target(report: Report, target: TargetReport, rules: Rules) -> Iterator[str]:
    if target.edition_digest != rules.edition_digest:
        yield f"the edition {target.edition} that it was judged by is not the one that this release ships"
    subject = target.subject
    if subject is not None and subject.sha256_after is None:
        yield f"{subject.file} was not hashed after the last stop"
    elif subject is not None and not subject.unchanged:
        yield f"{subject.file} was changed during the run"
    known = {clause.id for clause in rules.edition.clauses} | rules.clauses.keys()
    seen = Counter(clause.id for clause in target.clauses)
    yield from (f"clause {name} stands {count} times" for name, count in seen.items() if count > 1)
    yield from (f"there is no clause {name}" for name in seen if name not in known)
    due = rules.due(target.tier)
    yield from (f"clause {name} was due and is left out" for name in due if name not in seen)
    for clause in target.clauses:
        if clause.id in known:
            yield from _clause(report, target, clause, rules)
    nodes = Counter(record.node for record in target.records)
    yield from (f"the check {node} stands {count} times" for node, count in nodes.items() if count > 1)


def _clause(report: Report, target: TargetReport, clause: ClauseResult, rules: Rules) -> Iterator[str]:
    frozen = next((c for c in rules.edition.clauses if c.id == clause.id), None)
    level = frozen.level if frozen else rules.clauses[clause.id].level
    table = rules.clauses.get(clause.id)
    for record in clause.checks:
        name = f"clause {clause.id}: the check {record.node}"
        if record.target != target.name:
            yield f"{name} is of target {record.target}"
        if record.clause != clause.id:
            yield f"{name} is of clause {record.clause}"
        if record.level is not level:
            yield f"{name} has the level {record.level}, the clause {level}"
        yield from (f"{name} {problem}" for problem in _record(report, target, record, level))
        if table is None or record.outcome not in JUDGED:
            continue
        for kind in table.samples:
            if kind not in target.samples.given:
                yield f"{name} was judged without a sample `{kind}`"
        for capability in table.capabilities:
            if capability not in target.capabilities:
                yield f"{name} was judged though capability `{capability}` is not declared"


def _record(report: Report, target: TargetReport, record: CheckRecord, level: Level) -> Iterator[str]:
    if record.outcome is Outcome.WARNED and level is Level.MUST:
        yield "only warned of a MUST"
    if record.outcome in {Outcome.WAIVED, Outcome.UNEXPECTED_PASS}:
        waiver = active_waiver(target.waivers, record.clause, target.name, report.started.date())
        if waiver is None:
            expired = any(w.covers(record.clause, target.name) for w in target.waivers)
            held = "the waiver had expired" if expired else "no waiver covers it"
            yield f"is {record.outcome.value.replace('_', ' ')}, and {held}"
    if record.blocked_by.startswith("sample:") and record.blocked_by.removeprefix("sample:") in target.samples.given:
        yield f"is blocked by {record.blocked_by}, which was given"


def _computed_again(report: Report, rules_of: RulesOf) -> Iterator[str]:
    try:
        again = build_report(
            RunHeader(**{name: getattr(report, name) for name in RunHeader.model_fields}),
            [
                TargetHeader(**{name: getattr(target, name) for name in TargetHeader.model_fields})
                for target in report.targets
            ],
            [record for target in report.targets for record in target.records],
            finished=report.finished,
            complete=report.complete,
            rules_of=rules_of,
        )
    except (ValidationError, ValueError) as error:
        yield str(error)
        return
    for ours, theirs in zip(again.targets, report.targets, strict=True):
        yield from _differences(ours, theirs)
    if again.differences != report.differences:
        yield "where the transports disagree is not what its records say"
    if again.exit_code != report.exit_code:
        yield f"its exit code is {report.exit_code}; computed again it is {again.exit_code}"


def _differences(ours: TargetReport, theirs: TargetReport) -> Iterator[str]:
    name = theirs.name
    if [c.id for c in ours.clauses] != [c.id for c in theirs.clauses]:
        yield f"{name}: its clauses do not stand in the order of the tables"
    mine = {clause.id: clause for clause in ours.clauses}
    for clause in theirs.clauses:
        if clause.id not in mine:
            yield f"{name}: clause {clause.id} was neither due nor tried"
            continue
        for field in ClauseResult.model_fields:
            again, stated = getattr(mine[clause.id], field), getattr(clause, field)
            if again != stated:
                yield f"{name}: clause {clause.id}: {_says(field, stated, again)}"
    for profile, verdict in ours.verdicts.items():
        if profile not in theirs.verdicts:
            yield f"{name}: the verdict of profile {profile} is left out"
            continue
        for field in type(verdict).model_fields:
            again, stated = getattr(verdict, field), getattr(theirs.verdicts[profile], field)
            if again != stated:
                yield f"{name}: verdict of profile {profile}: {_says(field, stated, again)}"
    for field in ("untestable", "waiver_states", "exit_code"):
        if getattr(ours, field) != getattr(theirs, field):
            yield f"{name}: {_says(field, getattr(theirs, field), getattr(ours, field))}"


def _says(field: str, stated: Any, again: Any) -> str:
    words = field.replace("_", " ")
    if isinstance(stated, str | int):
        return f"its {words} is {str(stated)[:120]!r}; computed again it is {str(again)[:120]!r}"
    return f"its {words} is not what it is when computed again"
