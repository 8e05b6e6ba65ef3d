"""Every chaos case is traced to clauses and tests that exist, or is called open."""

from __future__ import annotations

import re

from components import ROOT
from nomos_contracts.clause import clauses_of

PAGE = (ROOT / "docs" / "chaos-cases.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
TESTS = {
    name
    for file in ROOT.joinpath("tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))
}


def test_each_case_stands_once_and_in_order() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 53))


def test_each_leads_to_a_clause_or_a_test_that_exists_or_is_open() -> None:
    clauses = {clause.id for clause in clauses_of().values() if clause.testable}
    for number, _, where in ROWS:
        named = set(re.findall(r"\b[A-Z]+-[A-Z]+-\d{3}\b", where))
        tests = set(re.findall(r"`(test_\w+)`", where))
        assert named <= clauses, number
        assert tests <= TESTS, (number, tests - TESTS)
        assert bool(named or tests) != (where == "open"), number


def test_each_clause_of_chaos_names_its_cases_and_stands_at_them() -> None:
    for clause in clauses_of().values():
        for number in re.findall(r"chaos case (\d+)", " ".join(clause.sources)):
            (where,) = [where for case, _, where in ROWS if case == number]
            assert clause.id in where, (clause.id, number)
