from __future__ import annotations

from dataclasses import replace

from nomos_contracts.verdict import Outcome
from pytest_nomos.attestation.consistency import inconsistencies
from pytest_nomos.report.build import build_report
from pytest_nomos.report.model import Samples
from pytest_nomos.report.rules import Rules
from unit.report import made

FIRST = made.due_ids()[0]


def test_clauses_that_were_blocked_for_want_of_a_sample_are_consistent() -> None:
    asking = {name: clause.samples[0] for name, clause in made.rules().clauses.items() if clause.samples}
    records = [
        made.record(r.clause, Outcome.BLOCKED, blocked_by=f"sample:{asking[r.clause]}") if r.clause in asking else r
        for r in made.records()
    ]
    report = build_report(made.run(), [made.target(samples=Samples())], records, finished=made.FINISHED)
    assert asking
    assert report.exit_code == 10
    assert inconsistencies(report, at=made.FINISHED) == []


def test_a_clause_judged_though_its_capability_is_not_declared_is_found() -> None:
    rules: Rules = made.rules()
    needing = rules.clauses[FIRST].model_copy(update={"capabilities": ("teleport",)})

    def rules_of(_edition: str, _interface: str, _program: bool) -> Rules:
        return replace(rules, clauses={**rules.clauses, FIRST: needing})

    def problems(*capabilities: str) -> list[str]:
        target = made.target(capabilities=capabilities)
        report = build_report(made.run(), [target], made.records(), finished=made.FINISHED, rules_of=rules_of)
        return inconsistencies(report, rules_of=rules_of, at=made.FINISHED)

    assert problems("teleport", "clock") == []
    (problem,) = problems("clock")
    assert "was judged though capability `teleport` is not declared" in problem


def test_a_report_of_another_release_is_judged_without_comparing_its_files() -> None:
    report = build_report(
        made.run(kit="0.0.9", kit_digest="1" * 64), [made.target()], made.records(), finished=made.FINISHED
    )
    assert inconsistencies(report, at=made.FINISHED) == []
