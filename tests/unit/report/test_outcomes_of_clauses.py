from __future__ import annotations

from itertools import product

import pytest

from nomos_contracts.clause import Profile, Tier
from nomos_contracts.verdict import Outcome, Ruling
from pytest_nomos.report.build import build_report, outcome_of, unique, worst, worst_exit_code
from pytest_nomos.report.model import Report
from unit.report import made

FIRST = made.due_ids()[0]


def test_a_clause_has_the_worst_outcome_of_its_checks() -> None:
    order = list(Outcome)
    for left, right in product(order, order):
        assert worst([left, right]) is order[min(order.index(left), order.index(right))]


def test_a_due_clause_without_a_record_was_not_run() -> None:
    assert outcome_of([]) is Outcome.NOT_RUN
    report = build_report(made.run(), [made.target()], [], finished=made.FINISHED)
    assert {clause.outcome for clause in report.targets[0].clauses} == {Outcome.NOT_RUN}
    assert report.exit_code == 10
    assert report.targets[0].verdicts[Profile.STANDARD].ruling is Ruling.NOT_JUDGED


def test_a_check_that_passes_beside_a_waived_one_is_no_unexpected_pass() -> None:
    waived = made.record(FIRST, Outcome.WAIVED, node="a")
    passed = made.record(FIRST, Outcome.UNEXPECTED_PASS, node="b")
    assert outcome_of([waived, passed]) is Outcome.WAIVED
    assert outcome_of([passed]) is Outcome.UNEXPECTED_PASS
    assert outcome_of([waived, passed, made.record(FIRST, Outcome.FAILED, node="c")]) is Outcome.FAILED


def test_a_check_that_reports_twice_keeps_the_worse_record() -> None:
    passed, blocked = made.record(FIRST), made.record(FIRST, Outcome.BLOCKED)
    assert unique([passed, blocked]) == [blocked] == unique([blocked, passed])
    other = made.record(FIRST, name="other")
    assert unique([passed, other]) == [passed, other]


def test_everything_passed_is_kept_in_both_profiles() -> None:
    report = made.kept_report()
    assert report.exit_code == 0
    for profile in Profile:
        verdict = report.targets[0].verdicts[profile]
        assert verdict.ruling is Ruling.KEPT
        assert verdict.due == verdict.counts[Outcome.PASSED] == len(made.due_ids(profile=profile))


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.FAILED, 1),
        (Outcome.UNEXPECTED_PASS, 1),
        (Outcome.BLOCKED, 10),
        (Outcome.WAIVED, 0),
        (Outcome.WARNED, 0),
        (Outcome.NOT_APPLICABLE, 0),
    ],
)
def test_one_outcome_beside_passes_settles_the_exit_code(outcome: Outcome, code: int) -> None:
    report = build_report(made.run(), [made.target()], made.records({FIRST: outcome}), finished=made.FINISHED)
    assert report.exit_code == code


def test_a_failure_outside_the_claimed_profile_is_shown_and_does_not_count() -> None:
    both = {p: set(made.due_ids(profile=p)) for p in Profile}
    only_cli = sorted(both[Profile.CLI] - both[Profile.STANDARD])
    if not only_cli:
        pytest.skip("the edition has no clause of profile cli alone")
    found = build_report(made.run(), [made.target()], made.records({only_cli[0]: Outcome.FAILED}))
    assert found.exit_code == 0
    assert found.targets[0].verdicts[Profile.CLI].ruling is Ruling.BROKEN
    claimed = build_report(made.run(), [made.target(profile=Profile.CLI)], made.records({only_cli[0]: Outcome.FAILED}))
    assert claimed.exit_code == 1


def test_a_smaller_tier_has_a_smaller_denominator_and_shows_what_else_ran() -> None:
    target = made.target(tier=Tier.TESTING)
    report = build_report(made.run(), [target], made.records(), finished=made.FINISHED)
    (found,) = report.targets
    assert found.verdicts[Profile.STANDARD].due < len(made.due_ids())
    beyond = [clause for clause in found.clauses if not clause.due]
    assert beyond
    assert all(clause.tier is not Tier.TESTING for clause in beyond)


def test_a_file_that_changed_while_it_was_tried_was_not_judged() -> None:
    changed = made.subject().model_copy(update={"sha256_after": "1" * 64})
    report = build_report(made.run(), [made.target(subject=changed)], made.records(), finished=made.FINISHED)
    assert report.exit_code == 10


def test_the_worst_target_settles_the_exit_code_of_the_run() -> None:
    assert [worst_exit_code(codes) for codes in ((), (0,), (0, 10), (10, 1, 0))] == [10, 0, 10, 1]
    targets = [made.target(), made.target("second")]
    records = [*made.records(), *made.records({FIRST: Outcome.FAILED}, name="second")]
    report = build_report(made.run(), targets, records, finished=made.FINISHED)
    assert [target.exit_code for target in report.targets] == [0, 1]
    assert report.exit_code == 1


@pytest.mark.parametrize("change", [{"target": "nobody"}, {"clause": "CFG-MADEUP-001"}])
def test_a_record_of_an_unknown_target_or_clause_is_an_error_of_the_caller(change: dict[str, str]) -> None:
    record = made.record(FIRST).model_copy(update=change)
    with pytest.raises(ValueError, match=r"no target 'nobody'|no clause CFG-MADEUP-001"):
        build_report(made.run(), [made.target()], [record])


def test_the_order_of_records_changes_nothing() -> None:
    def built(backwards: bool) -> Report:
        records = made.records({FIRST: Outcome.FAILED})
        return build_report(made.run(), [made.target()], records[::-1] if backwards else records)

    assert built(backwards=True) == built(backwards=False)
