from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nomos_contracts.clause import CONTRACTS_OF, Level, clauses_of
from nomos_mutants import all_mutants

TOOL = Path(__file__).parents[3] / "tools" / "kill_matrix.py"


@pytest.fixture(scope="module")
def matrix() -> ModuleType:
    if not TOOL.exists():
        pytest.skip("the tools are not installed")
    spec = importlib.util.spec_from_file_location("kill_matrix_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["kill_matrix_tool"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def target(**outcomes: str) -> dict[str, Any]:
    """A target of a report: clauses A, B and C passed, but for what is given; `blocked:B` is blocked by B."""
    clauses: list[dict[str, Any]] = []
    for clause in "ABC":
        outcome, _, by = outcomes.get(clause, "passed").partition(":")
        check = {"outcome": outcome, "reason": "", "expected": "one thing", "got": "another"}
        clauses.append(
            {"id": clause, "outcome": outcome, "blocked_by": [f"clause:{by}"] if by else [], "checks": [check]}
        )
    return {"clauses": clauses}


def problems(matrix: ModuleType, breaks: str, *, quick: bool = False, **outcomes: str) -> list[str]:
    job = matrix.Job("mutant:A", frozenset(breaks))
    found: list[str] = matrix.judge(job, target(**outcomes), 1.0, "", quick=quick).problems
    return found


@pytest.mark.parametrize(
    ("breaks", "outcomes"),
    [
        ("A", {"A": "failed"}),
        ("A", {"A": "warned", "B": "not_applicable"}),
        ("A", {"A": "failed", "B": "blocked:A", "C": "warned"}),
        ("AB", {"A": "failed", "B": "failed"}),
        ("", {}),
    ],
)
def test_what_breaks_as_listed_is_killed(matrix: ModuleType, breaks: str, outcomes: dict[str, str]) -> None:
    assert problems(matrix, breaks, **outcomes) == []


@pytest.mark.parametrize(
    ("breaks", "outcomes", "problem"),
    [
        ("A", {}, "A does not fail"),
        ("A", {"A": "failed", "B": "failed"}, "B fails as well: expected one thing, got another"),
        ("A", {"A": "failed", "B": "blocked:C"}, "B is blocked clause:C"),
        ("A", {"A": "failed", "B": "not_run"}, "B is not_run"),
        ("", {"C": "unexpected_pass"}, "C is unexpected_pass"),
        ("A", {"A": "not_run", "B": "not_run", "C": "not_run"}, "nothing was run: "),
    ],
)
def test_what_breaks_otherwise_is_a_problem(
    matrix: ModuleType, breaks: str, outcomes: dict[str, str], problem: str
) -> None:
    assert problems(matrix, breaks, **outcomes) == [problem]


def test_a_quick_run_does_not_miss_what_it_left_out(matrix: ModuleType) -> None:
    assert problems(matrix, "A", quick=True, A="failed", B="not_run") == []
    assert problems(matrix, "A", quick=True, A="failed", B="failed") != []


def test_a_defect_that_strikes_by_chance_breaks_what_it_lists_and_may_break_more(matrix: ModuleType) -> None:
    job = matrix.Job("mutant:A", frozenset("A"), by_chance=True)
    found = matrix.judge(job, target(A="failed", B="failed", C="blocked:B"), 1.0, "", quick=False)
    assert found.problems == []
    missed = matrix.judge(job, target(B="failed"), 1.0, "", quick=False)
    assert missed.problems == ["A does not fail"]


def test_six_mutants_strike_by_chance() -> None:
    found = {name for name, made in all_mutants().items() if made.by_chance}
    named = {"CFG-CHAOS-005/blocks", "CFG-CHAOS-010", "CFG-CONC-001", "CFG-FETCH-011", "CFG-SCHED-001"}
    assert found == named | {"CFG-VALUE-001/later"}


def test_each_target_is_in_one_batch(matrix: ModuleType) -> None:
    jobs = [matrix.Job(str(number), frozenset()) for number in range(3 * matrix.BATCH + 1)]
    dealt = list(matrix.batches(jobs, matrix.BATCH))
    assert sorted(int(job.target) for batch in dealt for job in batch) == list(range(len(jobs)))
    assert max(map(len, dealt)) <= matrix.BATCH
    assert list(matrix.batches([], matrix.BATCH)) == []


@pytest.mark.parametrize("prefix", ["mutant:CFG-NOTHING-001", "NOTHING"])
def test_a_name_that_no_mutant_has_is_refused(
    matrix: ModuleType, prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kill_matrix.py", "--only", prefix])
    with pytest.raises(SystemExit) as ended:
        matrix.main()
    assert ended.value.code == 2
    assert f"--only {prefix}: no mutant's name starts so" in capsys.readouterr().err


def test_every_testable_clause_has_a_mutant_and_every_mutant_breaks_clauses_that_exist() -> None:
    clauses = clauses_of(CONTRACTS_OF["config"])
    mutants = all_mutants(("process", "config")).values()
    broken = {clause for made in mutants for clause in made.breaks}
    assert {c.id for c in clauses.values() if c.testable} - broken == set()
    assert broken <= set(clauses)
    assert any(clauses[clause].level is not Level.MUST for clause in broken)
