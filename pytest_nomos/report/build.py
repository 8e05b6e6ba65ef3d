"""From records to a report: outcomes of clauses, verdicts, waivers, exit codes. All of it can be computed again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from nomos_contracts.clause import Profile
from nomos_contracts.verdict import EXIT_CODES, Outcome, verdict
from pytest_nomos.report.model import (
    CheckRecord,
    ClauseResult,
    Report,
    RunHeader,
    TargetHeader,
    TargetReport,
    Untestable,
    VerdictRecord,
    WaiverRecord,
)
from pytest_nomos.report.parity import differences
from pytest_nomos.report.rules import Rules, RulesOf, shipped_rules
from pytest_nomos.report.waiver import WaiverState, audit_waivers

ExitCode = Literal[0, 1, 10]
SEVERITY = {outcome: rank for rank, outcome in enumerate(Outcome)}


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the worst of *outcomes*, not run where there are none."""
    return min(outcomes, key=SEVERITY.__getitem__, default=Outcome.NOT_RUN)


def outcome_of(records: Sequence[CheckRecord]) -> Outcome:
    """Return the outcome of a clause from the records of its checks.

    The worst of them; but a waiver is for the clause, so that a check that passes beside one that fails as waived is no
    unexpected pass.
    """
    outcomes = {record.outcome for record in records}
    if Outcome.WAIVED in outcomes:
        outcomes.discard(Outcome.UNEXPECTED_PASS)
    return worst(outcomes)


def unique(records: Iterable[CheckRecord]) -> list[CheckRecord]:
    """Return *records* with one for each node and target: the worst, where a check reported twice."""
    kept: dict[tuple[str, str], CheckRecord] = {}
    for record in records:
        key = (record.target, record.node)
        if key not in kept or SEVERITY[record.outcome] < SEVERITY[kept[key].outcome]:
            kept[key] = record
    return list(kept.values())


def build_report(
    run: RunHeader,
    targets: Sequence[TargetHeader],
    records: Iterable[CheckRecord],
    *,
    finished: datetime | None = None,
    complete: bool = True,
    rules_of: RulesOf = shipped_rules,
) -> Report:
    """Build the report of a run.

    Args:
        run: what made it.
        targets: what is known of the targets, as of the end of the run.
        records: the records of all checks, in any order.
        finished: when the run ended, None where it did not.
        complete: whether it came to its end.
        rules_of: finds the rules of a target.

    Raises:
        ValueError: a record names a target or clause that is not there, or an edition or interface is unknown.
    """
    mine: dict[str, list[CheckRecord]] = {target.name: [] for target in targets}
    for record in unique(records):
        if record.target not in mine:
            raise ValueError(f"{record.node}: the run has no target {record.target!r}")
        mine[record.target].append(record)
    rules = {target.name: rules_of(target.edition, target.interface, target.program) for target in targets}
    results = {target.name: clause_results(target, mine[target.name], rules[target.name]) for target in targets}
    outcomes = {name: outcomes_of(found) for name, found in results.items()}
    reports = tuple(
        _target_report(run, target, results[target.name], outcomes, rules[target.name]) for target in targets
    )
    unlike = tuple(differences(targets, results, rules))
    return Report(
        **_fields(run, RunHeader),
        finished=finished,
        complete=complete,
        targets=reports,
        differences=unlike,
        exit_code=1 if unlike else worst_exit_code(target.exit_code for target in reports),
    )


def clause_results(target: TargetHeader, records: Iterable[CheckRecord], rules: Rules) -> tuple[ClauseResult, ...]:
    """Return every clause that is due for *target* in any profile or was tried, in the order of the tables.

    Raises:
        ValueError: a record names a clause that is not in the tables or the edition.
    """
    grouped: dict[str, list[CheckRecord]] = {}
    for record in records:
        grouped.setdefault(record.clause, []).append(record)
    due = rules.due(target.tier)
    known = {clause.id: clause for clause in rules.edition.clauses}
    order = [
        *(i for i in rules.clauses if i in due or i in grouped),
        *(i for i in due if i not in rules.clauses),
        *(i for i in grouped if i not in rules.clauses and i not in due),
    ]
    results: list[ClauseResult] = []
    for clause_id in order:
        clause = rules.clauses.get(clause_id)
        frozen = known.get(clause_id)
        facts = frozen or clause
        if facts is None:
            raise ValueError(f"{grouped[clause_id][0].node}: there is no clause {clause_id}")
        checks = tuple(sorted(grouped.get(clause_id, ()), key=lambda record: record.node))
        outcome = outcome_of(checks)
        results.append(
            ClauseResult(
                id=clause_id,
                interface=frozen.interface if frozen else rules.homes[clause_id],
                level=facts.level,
                tier=facts.tier,
                due=due[clause_id][1] if clause_id in due else (),
                sentence=clause.sentence if clause else "",
                sources=clause.sources if clause else (),
                outcome=outcome,
                blocked_by=tuple(sorted({check.blocked_by for check in checks if check.blocked_by})),
                checks=checks,
            )
        )
    return tuple(results)


def outcomes_of(results: Iterable[ClauseResult]) -> dict[str, Outcome]:
    """Return the outcomes by clause id."""
    return {result.id: result.outcome for result in results}


def verdict_record(
    target: TargetHeader, profile: Profile, outcomes: Mapping[str, Outcome], rules: Rules
) -> VerdictRecord:
    """Return the verdict on *target* in *profile*."""
    found = verdict(rules.edition, target.interface, profile, target.tier, outcomes, program=target.program)
    return VerdictRecord(
        ruling=found.ruling,
        due=len(found.due),
        counts=dict(found.counts),
        broken=found.broken,
        unjudged=found.unjudged,
        uncounted=dict(found.uncounted),
    )


def waiver_records(
    run: RunHeader, target: TargetHeader, outcomes: Mapping[str, Mapping[str, Outcome]], rules: Rules
) -> tuple[WaiverRecord, ...]:
    """Return what became of the waivers of *target* on the day of the run."""
    findings = audit_waivers(target.waivers, outcomes, rules.clauses, run.started.date(), run.known_targets)
    return tuple(WaiverRecord(clause=f.waiver.clause, state=f.state, sentence=f.sentence) for f in findings)


def exit_code(
    target: TargetHeader, verdicts: Mapping[Profile, VerdictRecord], states: Iterable[WaiverState]
) -> ExitCode:
    """Return the exit code of a target: that of the profile claimed; 1 for a waiver that fails.

    A file that was another one at the end than at the start was not judged.
    """
    code = EXIT_CODES[verdicts[target.profile].ruling]
    if code == 1 or any(state.fails for state in states):
        return 1
    changed = target.subject is not None and target.subject.sha256_after is not None and not target.subject.unchanged
    return 10 if code or changed else 0


def worst_exit_code(codes: Iterable[int]) -> ExitCode:
    """Return the exit code of a run: 1 if anything broke, 10 if anything or all was not judged, else 0."""
    seen = set(codes)
    if 1 in seen:
        return 1
    return 10 if 10 in seen or not seen else 0


def _target_report(
    run: RunHeader,
    target: TargetHeader,
    results: tuple[ClauseResult, ...],
    outcomes: Mapping[str, Mapping[str, Outcome]],
    rules: Rules,
) -> TargetReport:
    verdicts = {profile: verdict_record(target, profile, outcomes[target.name], rules) for profile in Profile}
    waivers = waiver_records(run, target, outcomes, rules)
    return TargetReport(
        **_fields(target, TargetHeader),
        edition_digest=rules.edition_digest,
        clauses=results,
        untestable=untestable(rules),
        verdicts=verdicts,
        waiver_states=waivers,
        exit_code=exit_code(target, verdicts, (waiver.state for waiver in waivers)),
    )


def untestable(rules: Rules) -> tuple[Untestable, ...]:
    """Return the clauses that cannot be tried from outside."""
    return tuple(
        Untestable(id=c.id, sentence=c.sentence, reason=c.reason) for c in rules.clauses.values() if not c.testable
    )


def _fields(model: RunHeader | TargetHeader, kind: type[RunHeader | TargetHeader]) -> dict[str, Any]:
    return {name: getattr(model, name) for name in kind.model_fields}
