"""Invariants of all clause tables and checks: what stands there is tried, and what is tried stands there."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator

import pytest

import nomos_contracts
from nomos_contracts.clause import CONTRACTS_OF, INTERFACES, Clause, Level, Tier, clauses_of
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import GOOD_INIT, REPEATED_START, START_CLAUSES
from nomos_contracts.provider import StartFailure
from nomos_contracts.samples import sample_kinds

FIXTURES = {
    "nomos_provider",
    "nomos_fresh",
    "nomos_configured",
    "nomos_start",
    "nomos_chaos",
    "nomos_vendor",
    "nomos_spawn",
    "nomos_samples",
    "nomos_target",
    "nomos_scratch",
    "nomos_observe",
    "nomos_random",
}
OWN = {"nomos_chaos", "nomos_vendor", "nomos_fresh", "nomos_configured", "nomos_spawn"}
RUNNING = {"nomos_provider", "nomos_start"} | OWN
ROWS = [
    *(f"A{number}" for number in ("1", "1b", "2", "2b", "3", "4", "5", "6", "7", "8", "9", "9b", 10, 11, 12, 13, 14)),
    *(f"B{number}" for number in range(1, 8)),
    *(f"C{number}" for number in (*range(1, 8), "7b", *range(8, 17))),
    *(f"D{number}" for number in (*range(1, 14), "13b", *range(14, 23))),
    *(f"E{number}" for number in range(1, 9)),
    *(f"F{number}" for number in range(1, 9)),
    *(f"G{number}" for number in range(1, 13)),
    *(f"H{number}" for number in range(1, 8)),
]
"""Every row of the table of provider obligations that speaks of a provider process."""

CLAUSES = [(interface, clause) for interface in INTERFACES for clause in clauses_of((interface,)).values()]
BY_ID = {clause.id: (interface, clause) for interface, clause in CLAUSES}


def checks() -> Iterator[tuple[str, type[Contract], str, str]]:
    """Yield (interface, class, method, clause id) of every check in the tree."""
    for interface in INTERFACES:
        package = importlib.import_module(f"nomos_contracts.{interface}")
        for entry in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"nomos_contracts.{interface}.{entry.name}")
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, Contract) and value.__module__ == module.__name__:
                    for name, clause_id in value.checks():
                        yield interface, value, name, clause_id


CHECKS = list(checks())


def asked_for(clause_id: str) -> list[set[str]]:
    """Return the fixtures of each check of a clause."""
    return [
        set(inspect.signature(getattr(contract, name)).parameters) - {"self"}
        for _, contract, name, found in CHECKS
        if found == clause_id
    ]


def every_clause(*, testable: bool = True) -> pytest.MarkDecorator:
    chosen = [clause for _, clause in CLAUSES if clause.testable is testable]
    return pytest.mark.parametrize("clause", chosen, ids=[clause.id for clause in chosen])


every_check = pytest.mark.parametrize(
    ("interface", "contract", "name", "clause_id"), CHECKS, ids=[f"{c.__name__}.{n}" for _, c, n, _ in CHECKS]
)


def test_there_are_clauses_and_checks() -> None:
    assert len(CLAUSES) > 80
    assert len(CHECKS) > 80


def test_an_id_stands_once_in_the_whole_tree() -> None:
    assert [name for name, count in Counter(clause.id for _, clause in CLAUSES).items() if count > 1] == []


def test_an_id_has_the_prefix_of_its_interface() -> None:
    prefixes = {interface: {c.interface_prefix for i, c in CLAUSES if i == interface} for interface in INTERFACES}
    assert all(len(found) == 1 for found in prefixes.values()), prefixes
    assert len(set.union(*prefixes.values())) == len(INTERFACES)


@every_clause()
def test_a_testable_clause_has_a_check(clause: Clause) -> None:
    assert asked_for(clause.id), f"{clause.id} says that it can be tested, and no check names it"


@every_clause(testable=False)
def test_a_clause_that_cannot_be_tested_has_no_check(clause: Clause) -> None:
    assert not asked_for(clause.id)


@every_check
def test_a_check_names_a_clause_of_its_own_interface(
    interface: str, contract: type[Contract], name: str, clause_id: str
) -> None:
    assert clause_id in BY_ID, f"{contract.__name__}.{name} names {clause_id}, which is in no table"
    assert BY_ID[clause_id][0] == interface


@every_check
def test_a_check_says_what_it_does(interface: str, contract: type[Contract], name: str, clause_id: str) -> None:
    assert contract.__name__.endswith("Contract")
    assert name.startswith("test_")
    assert (getattr(contract, name).__doc__ or "").strip().endswith("."), f"{contract.__name__}.{name} has no sentence"
    own = vars(contract).get("__doc__") or ""
    assert len(own.strip().splitlines()) >= 1
    assert own.strip().endswith("."), f"{contract.__name__} has no docstring"


@every_check
def test_a_check_asks_for_known_fixtures_only(
    interface: str, contract: type[Contract], name: str, clause_id: str
) -> None:
    signature = inspect.signature(getattr(contract, name))
    assert set(signature.parameters) - {"self"} <= FIXTURES
    assert all(parameter.default is parameter.empty for parameter in signature.parameters.values())


@every_clause()
def test_the_process_of_a_clause_is_the_one_its_checks_get(clause: Clause) -> None:
    asked = set[str]().union(*asked_for(clause.id))
    if asked & OWN:
        expected = {"own", "uninitialised"}
    elif asked & RUNNING:
        expected = {"shared"}
    else:
        expected = {"none"}
    assert clause.process.value in expected, f"{clause.id} says process = {clause.process}, its checks want {expected}"


@every_clause()
def test_samples_that_a_clause_needs_exist_and_are_asked_for(clause: Clause) -> None:
    interface = BY_ID[clause.id][0]
    kinds = {kind.name for target in CONTRACTS_OF if interface in CONTRACTS_OF[target] for kind in sample_kinds(target)}
    assert set(clause.samples) <= kinds
    if clause.samples:
        assert any("nomos_samples" in asked for asked in asked_for(clause.id)), clause.id


def test_clauses_are_written_in_full_sentences() -> None:
    for _, clause in CLAUSES:
        assert re.match(r"[A-Z`]", clause.sentence), clause.id
        for text in filter(None, (clause.sentence, clause.mend, clause.reason)):
            assert text.endswith("."), f"{clause.id}: {text}"
            assert "  " not in text, f"{clause.id}: {text}"


def test_every_row_is_a_clause() -> None:
    covered = {row for _, clause in CLAUSES for row in clause.rows}
    assert [row for row in ROWS if row not in covered] == []
    assert sorted(covered - set(ROWS)) == []


def test_a_row_stands_among_the_sources_of_its_clause() -> None:
    for _, clause in CLAUSES:
        assert all(f"nomos-clauses {row}" in clause.sources for row in clause.rows), clause.id


def test_the_smallest_tier_holds_no_recommendation() -> None:
    testing = [clause for _, clause in CLAUSES if clause.tier is Tier.TESTING and clause.testable]
    assert testing
    assert {clause.level for clause in testing} == {Level.MUST}


def test_every_failure_of_a_start_breaks_one_clause() -> None:
    assert set(START_CLAUSES) == set(StartFailure) - {StartFailure.CANCELLED}
    for clause_id in {*START_CLAUSES.values(), REPEATED_START, GOOD_INIT}:
        assert BY_ID[clause_id][1].level is Level.MUST
        assert BY_ID[clause_id][1].testable


def test_the_package_holds_a_folder_for_each_interface_that_it_names() -> None:
    folders = {entry.name for entry in pkgutil.iter_modules(nomos_contracts.__path__) if entry.ispkg}
    assert set(INTERFACES) <= folders
