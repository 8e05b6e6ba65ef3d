"""The verdict is a pure function; clauses and contracts refuse what would make it hollow."""

import pytest

from nomos_contracts.clause import ClauseTableError, Level, Profile, Tier, clause, clauses_of, parse_clauses
from nomos_contracts.contract import Contract, ReplacedCheckError
from nomos_contracts.verdict import DueClause, Edition, Outcome, Ruling, UnknownEditionError, edition, freeze, verdict
from nomos_contracts.violation import Violation, expect_code, same


def made(*clauses: tuple[str, Level, Tier, tuple[Profile, ...]]) -> Edition:
    return Edition(
        name="t",
        clauses=tuple(
            DueClause(id=i, interface="config", level=level, tier=tier, profiles=p) for i, level, tier, p in clauses
        ),
    )


BOTH = (Profile.STANDARD, Profile.CLI)
ONE = made(
    ("CFG-AB-001", Level.MUST, Tier.TESTING, BOTH),
    ("CFG-AB-002", Level.SHOULD, Tier.REFERENCE, BOTH),
    ("CFG-AB-003", Level.MUST, Tier.TESTING, (Profile.CLI,)),
)


def rule(outcomes: dict[str, Outcome], profile: Profile = Profile.STANDARD, tier: Tier = Tier.TESTING) -> Ruling:
    return verdict(ONE, "config", profile, tier, outcomes).ruling


@pytest.mark.parametrize(
    ("outcome", "ruling"),
    [
        (Outcome.PASSED, Ruling.KEPT),
        (Outcome.WARNED, Ruling.KEPT),
        (Outcome.WAIVED, Ruling.KEPT),
        (Outcome.FAILED, Ruling.BROKEN),
        (Outcome.UNEXPECTED_PASS, Ruling.BROKEN),
        (Outcome.BLOCKED, Ruling.NOT_JUDGED),
        (Outcome.NOT_RUN, Ruling.NOT_JUDGED),
        (Outcome.NOT_APPLICABLE, Ruling.NOT_JUDGED),
    ],
)
def test_one_due_clause_rules(outcome: Outcome, ruling: Ruling) -> None:
    assert rule({"CFG-AB-001": outcome}) is ruling


def test_a_clause_of_another_profile_or_tier_counts_for_nothing() -> None:
    outcomes = {"CFG-AB-001": Outcome.PASSED, "CFG-AB-002": Outcome.BLOCKED, "CFG-AB-003": Outcome.FAILED}
    assert rule(outcomes) is Ruling.KEPT
    assert rule(outcomes, Profile.CLI) is Ruling.BROKEN
    assert rule(outcomes, tier=Tier.REFERENCE) is Ruling.NOT_JUDGED


def test_what_broke_outweighs_what_was_blocked() -> None:
    assert rule({"CFG-AB-001": Outcome.BLOCKED, "CFG-AB-003": Outcome.FAILED}, Profile.CLI) is Ruling.BROKEN


def test_a_clause_newer_than_the_edition_is_shown_and_not_counted() -> None:
    found = verdict(
        ONE, "config", Profile.STANDARD, Tier.TESTING, {"CFG-AB-001": Outcome.PASSED, "CFG-NEW-001": Outcome.FAILED}
    )
    assert found.ruling is Ruling.KEPT
    assert found.uncounted == {"CFG-NEW-001": Outcome.FAILED}


def test_an_unknown_edition_lists_those_there_are() -> None:
    with pytest.raises(UnknownEditionError, match="2026-12"):
        edition("2020-01")


def test_the_shipped_edition_is_the_one_that_the_tables_make() -> None:
    assert edition("2026-12") == freeze("2026-12")


def test_every_clause_of_the_tables_is_read() -> None:
    assert len(clauses_of()) > 90


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[clause]]\nid = 'CFG-AB-1'", "CFG-AB-1"),
        ("[[clause]]\nid = 'CFG-AB-001'\nlevel = 'MUST'\nsentence = 'It does so.'\nsources = ['x']", "how to mend"),
        (
            "[[clause]]\nid = 'CFG-AB-001'\nlevel = 'SHOULD'\nsentence = 'It does so.'\nsources = ['x']\nmend = 'x'",
            "MUST clauses only",
        ),
        ("[[clause", "table"),
    ],
)
def test_a_broken_table_names_table_and_clause(text: str, says: str) -> None:
    with pytest.raises(ClauseTableError) as caught:
        parse_clauses(text, "table")
    assert says in str(caught.value)


def test_an_id_stands_once() -> None:
    text = "[[clause]]\nid = 'CFG-AB-001'\nlevel = 'MUST'\nsentence = 'It does so.'\nsources = ['x']\nmend = 'x'\n"
    with pytest.raises(ClauseTableError, match="stands twice"):
        parse_clauses(text * 2, "table")


class BaseContract(Contract):
    @clause("CFG-FETCH-001")
    def test_it(self) -> None: ...


def test_a_replaced_check_is_refused_at_its_definition() -> None:
    with pytest.raises(ReplacedCheckError, match="CFG-FETCH-001"):
        type("Mine", (BaseContract,), {"test_it": lambda self: None})
    with pytest.raises(ReplacedCheckError):
        type("Mine", (BaseContract,), {"test_it": None})


def test_a_subclass_may_add_checks() -> None:
    class Mine(BaseContract):
        @clause("CFG-FETCH-002")
        def test_more(self) -> None: ...

    assert dict(Mine.checks()) == {"test_it": "CFG-FETCH-001", "test_more": "CFG-FETCH-002"}


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, True, False),
        (0, False, False),
        (None, False, False),
        (1, 1.0, True),
        ([], {}, False),
        ("1", 1, False),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, True),
        ({"a": None}, {}, False),
        ([1, 2], [2, 1], False),
        ("é", "é", True),
        ("\u00e9", "e\u0301", False),
    ],
)
def test_values_are_compared_with_their_types(left: object, right: object, equal: bool) -> None:
    assert same(left, right) is equal
    assert same(right, left) is equal


def test_an_unexpected_code_is_a_violation_that_shows_the_exchange() -> None:
    from nomos_contracts.provider import Answer

    answer = Answer("Fetch", {"path": ["x"]}, "UNKNOWN", "boom")
    with pytest.raises(Violation) as caught:
        expect_code(answer, "NOT_FOUND")
    assert caught.value.answers == (answer,)
    assert "UNKNOWN 'boom'" in caught.value.got
