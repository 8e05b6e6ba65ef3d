from __future__ import annotations

from nomos_contracts.clause import clauses_of
from nomos_contracts.verdict import Outcome
from pytest_nomos.report.build import build_report
from pytest_nomos.report.model import CheckRecord
from pytest_nomos.session.contradictions import contradictions
from unit.report import made

STARTS = "PROC-START-006"
VICTIM = "CFG-INIT-002"


def never(*_: str) -> bool:
    return False


def blocked(by: str, node: str = "b") -> CheckRecord:
    return made.record(VICTIM, Outcome.BLOCKED, node=node, blocked_by=by, reason="the provider does not start")


def test_a_clause_that_passed_and_blocked_others_failed() -> None:
    records = [made.record(STARTS, node="a"), blocked(f"clause:{STARTS}", "b"), blocked(f"clause:{STARTS}", "c")]
    (found,) = contradictions(records, clauses_of(), never)
    assert (found.clause, found.node, found.outcome) == (STARTS, "a", Outcome.FAILED)
    assert found.evidence == {"blocked": ["b", "c"]}
    assert "the provider does not start" in found.got
    report = build_report(made.run(), [made.target()], [*records, found], finished=made.FINISHED)
    assert report.exit_code == 1


def test_a_waived_one_is_waived() -> None:
    records = [made.record(STARTS, node="a"), blocked(f"clause:{STARTS}")]
    (found,) = contradictions(records, clauses_of(), lambda clause, target: (clause, target) == (STARTS, "provider"))
    assert found.outcome is Outcome.WAIVED


def test_a_clause_that_failed_or_did_not_run_is_left_as_it_is() -> None:
    for own in ([made.record(STARTS, Outcome.FAILED, node="a")], []):
        assert list(contradictions([*own, blocked(f"clause:{STARTS}")], clauses_of(), never)) == []


def test_what_no_clause_blocks_contradicts_none() -> None:
    records = [made.record(STARTS, node="a"), blocked("environment")]
    assert list(contradictions(records, clauses_of(), never)) == []


def test_targets_are_kept_apart() -> None:
    records = [made.record(STARTS, node="a", name="other"), blocked(f"clause:{STARTS}")]
    assert list(contradictions(records, clauses_of(), never)) == []
