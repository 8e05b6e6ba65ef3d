"""What the two transports of a provider disagree about is found, and nothing else is."""

from __future__ import annotations

import pytest

from nomos_contracts.clause import Level, Profile, Tier, clauses_of
from nomos_contracts.verdict import Outcome
from pytest_nomos.report.model import CheckRecord, ClauseResult, TargetHeader
from pytest_nomos.report.parity import differences
from pytest_nomos.report.rules import shipped_rules

BOTH = next(one.id for one in clauses_of(("compute",)).values() if set(one.transports) == {"inproc", "wire"})
INSIDE = next(one.id for one in clauses_of(("compute",)).values() if set(one.transports) == {"inproc"})
RULES = {name: shipped_rules("2026-12", "compute") for name in ("a", "a+wire", "b")}


def header(name: str, transport: str, twin: str = "") -> TargetHeader:
    return TargetHeader(
        name=name, interface="compute", profile=Profile.STANDARD, tier=Tier.TESTING, edition="2026-12", seed=1,
        settings_digest="0" * 64, transport=transport, twin=twin,
    )  # fmt: skip


def result(clause: str, outcome: Outcome, target: str) -> ClauseResult:
    record = CheckRecord(
        node=f"x[{target}]", target=target, clause=clause, outcome=outcome, level=Level.MUST, got=f"{target} did so",
        blocked_by="kit" if outcome is Outcome.BLOCKED else "",
    ) if outcome is not Outcome.NOT_RUN else None  # fmt: skip
    return ClauseResult(
        id=clause, interface="compute", level=Level.MUST, tier=Tier.TESTING, due=(Profile.STANDARD,), sentence="s",
        sources=("x",), outcome=outcome, checks=(record,) if record else (),
    )  # fmt: skip


def between(one: Outcome, other: Outcome, clause: str = BOTH, twin: str = "a+wire") -> list[tuple[str, str]]:
    targets = (header("a", "inproc", twin), header("a+wire", "wire", "a"))
    results = {"a": [result(clause, one, "a")], "a+wire": [result(clause, other, "a+wire")]}
    return [(found.clause, found.got) for found in differences(targets, results, RULES)]


@pytest.mark.parametrize(
    ("one", "other", "whose"),
    [
        (Outcome.PASSED, Outcome.FAILED, "a+wire"),
        (Outcome.FAILED, Outcome.PASSED, "a"),
        (Outcome.PASSED, Outcome.WARNED, "a+wire"),
        (Outcome.NOT_APPLICABLE, Outcome.PASSED, "a+wire"),
    ],
)
def test_another_outcome_is_a_difference_and_shows_the_worse_one(one: Outcome, other: Outcome, whose: str) -> None:
    assert between(one, other) == [(BOTH, f"{whose} did so")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Outcome.PASSED, Outcome.PASSED),
        (Outcome.FAILED, Outcome.FAILED),
        (Outcome.BLOCKED, Outcome.PASSED),
        (Outcome.PASSED, Outcome.NOT_RUN),
    ],
)
def test_equal_outcomes_and_what_was_not_judged_are_none(one: Outcome, other: Outcome) -> None:
    assert between(one, other) == []


def test_a_clause_of_one_transport_is_compared_with_nothing() -> None:
    assert between(Outcome.PASSED, Outcome.NOT_APPLICABLE, INSIDE) == []


def test_targets_that_are_no_twins_are_compared_with_nothing() -> None:
    assert between(Outcome.PASSED, Outcome.FAILED, twin="") == []
    assert between(Outcome.PASSED, Outcome.FAILED, twin="c") == []
