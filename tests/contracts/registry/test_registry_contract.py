"""The registry contract acquits the reference, and convicts each mutant of exactly what it breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from nomos_contracts.clause import Level, clauses_of
from nomos_contracts.registry import bench
from nomos_mutants import all_mutants
from nomos_reference.registry import MemoryRegistry

TABLE = clauses_of(("registry",))

LIMITS = {"load_operations": 30_000.0}
"""A load that convicts what a load can convict, on a busy machine too, in a third of the time."""

MUTANTS = all_mutants(("registry",))
CROWDED = {clause for clause in TABLE if clause.startswith("REG-THREAD")} | {"REG-STORE-004"}
"""Clauses whose checks need many threads; each is tried here on its own mutants, and by the kill matrix on all."""


def test_the_reference_keeps_every_clause(judge: Callable[..., Any]) -> None:
    judged = judge(MemoryRegistry)
    outcomes = judged.judge()
    assert {clause for clause, outcome in outcomes.items() if outcome != "passed"} == set(), judged.explained()
    assert outcomes.keys() == {clause_id for clause_id, clause in TABLE.items() if clause.testable}
    assert judged.observed["operations"] >= 100_000


@pytest.mark.parametrize("seed", range(3))
def test_the_verdict_on_threads_does_not_hang_on_the_seed(judge: Callable[..., Any], seed: int) -> None:
    judged = judge(MemoryRegistry, seed=seed)
    outcomes = judged.judge(*(clause for clause in TABLE if clause.startswith("REG-THREAD") and clause[-1] in "1234"))
    assert set(outcomes.values()) == {"passed"}, judged.explained()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_convicted_of_what_it_breaks_and_of_nothing_else(judge: Callable[..., Any], name: str) -> None:
    mutant = MUTANTS[name]
    judged = judge(lambda: mutant.make({}), limits=LIMITS)
    tried = {clause_id for clause_id, clause in TABLE.items() if clause.testable} - (CROWDED - mutant.breaks)
    outcomes = judged.judge(*tried)
    assert {clause for clause, outcome in outcomes.items() if outcome == "failed"} == mutant.breaks, judged.explained()
    blocked = {clause for clause, outcome in outcomes.items() if outcome == "blocked"}
    assert not blocked or mutant.clause == "REG-STORE-005", judged.explained("blocked")


def test_every_binding_clause_has_a_mutant() -> None:
    binding = {clause_id for clause_id, clause in TABLE.items() if clause.testable and clause.level is Level.MUST}
    assert binding - {mutant.clause for mutant in MUTANTS.values()} == set()


def test_every_requirement_of_the_registry_document_is_the_source_of_a_clause() -> None:
    sources = {source for clause in TABLE.values() for source in clause.sources}
    assert {f"R003-{number:02}" for number in range(1, 28)} - sources == set()


def test_a_registry_that_never_answers_is_convicted_and_does_not_hang_the_check(
    judge: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    class Mute(MemoryRegistry):
        def list_providers(self, package_name: str) -> list[str]:
            released.wait()
            return []

    monkeypatch.setattr(bench, "PATIENCE", 0.2)
    judged = judge(Mute)
    try:
        assert judged.judge("REG-LIST-001") == {"REG-LIST-001": "failed"}
        assert "nothing within 0.2 s" in judged.explained()
    finally:
        released.set()
