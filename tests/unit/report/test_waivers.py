from __future__ import annotations

from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from nomos_contracts.verdict import Outcome
from pytest_nomos.report.build import build_report
from pytest_nomos.report.waiver import WaiverState, active_waiver, audit_waivers
from unit.report import made

TODAY = date(2025, 11, 20)
CLAUSE = made.due_ids()[0]
OTHER = made.due_ids()[1]


def state(outcome: Outcome, *, target: str = "provider", known: tuple[str, ...] = (), **changes: object) -> WaiverState:
    waiver = made.waiver(CLAUSE, **changes)
    (found,) = audit_waivers([waiver], {target: {CLAUSE: outcome}}, [CLAUSE, OTHER], TODAY, known)
    return found.state


def test_a_waiver_holds_through_its_last_day() -> None:
    waiver = made.waiver(CLAUSE, expires=TODAY)
    assert active_waiver([waiver], CLAUSE, "provider", TODAY) is waiver
    assert active_waiver([waiver], CLAUSE, "provider", TODAY + timedelta(days=1)) is None


def test_a_waiver_covers_its_clause_and_targets_only() -> None:
    waiver = made.waiver(CLAUSE, target="pay-*")
    assert active_waiver([waiver], CLAUSE, "pay-eu", TODAY) is waiver
    assert active_waiver([waiver], CLAUSE, "Pay-eu", TODAY) is None
    assert active_waiver([waiver], OTHER, "pay-eu", TODAY) is None


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.WAIVED, WaiverState.USED),
        (Outcome.UNEXPECTED_PASS, WaiverState.UNEXPECTED),
        (Outcome.BLOCKED, WaiverState.UNUSED),
        (Outcome.NOT_RUN, WaiverState.UNUSED),
    ],
)
def test_a_waiver_is_told_by_what_its_clause_did(outcome: Outcome, expected: WaiverState) -> None:
    assert state(outcome) is expected


def test_an_expired_waiver_is_expired_whatever_its_clause_did() -> None:
    assert state(Outcome.FAILED, expires=date(2025, 11, 19)) is WaiverState.EXPIRED
    assert state(Outcome.PASSED, expires=date(2025, 11, 19)) is WaiverState.EXPIRED


def test_a_waiver_of_no_clause_or_no_target_is_unmatched() -> None:
    waiver = made.waiver("CFG-MADEUP-001")
    (found,) = audit_waivers([waiver], {"provider": {}}, [CLAUSE], TODAY)
    assert found.state is WaiverState.UNMATCHED
    assert "there is no clause CFG-MADEUP-001" in found.sentence
    assert state(Outcome.FAILED, target="another") is WaiverState.UNMATCHED


def test_a_waiver_of_a_target_that_the_settings_name_is_not_stale_in_a_run_of_another() -> None:
    assert state(Outcome.FAILED, target="another", known=("provider",)) is WaiverState.ELSEWHERE
    assert not WaiverState.ELSEWHERE.fails


@pytest.mark.parametrize(
    ("outcome", "changes"),
    [
        (Outcome.PASSED, {"expires": date(2025, 11, 19)}),
        (Outcome.PASSED, {"target": "nobody"}),
        (Outcome.UNEXPECTED_PASS, {}),
    ],
)
def test_a_run_fails_for_an_expired_an_unmatched_or_an_unexpectedly_passing_waiver(
    outcome: Outcome, changes: dict[str, object]
) -> None:
    target = made.target(waivers=(made.waiver(CLAUSE, **changes),))
    report = build_report(made.run(), [target], made.records({CLAUSE: outcome}), finished=made.FINISHED)
    assert report.exit_code == 1
    assert report.targets[0].waiver_states[0].state.fails


def test_a_run_with_a_waiver_that_is_used_does_not_fail() -> None:
    target = made.target(waivers=(made.waiver(CLAUSE),))
    report = build_report(made.run(), [target], made.records({CLAUSE: Outcome.WAIVED}), finished=made.FINISHED)
    assert report.exit_code == 0
    assert "holds until 2025-12-31: rewritten next month" in report.targets[0].waiver_states[0].sentence


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("clause", "fetch"),
        ("reason", "  "),
        ("link", "see the wiki"),
        ("link", "javascript:alert(1)"),
        ("owner", ""),
        ("expires", "soon"),
        ("until", "2025-12-31"),
    ],
)
def test_a_waiver_without_reason_link_owner_or_end_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=field):
        made.waiver(CLAUSE, **{field: value})
