"""docs/clauses.md is what the clause tables say."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType

import pytest

from components import ROOT
from nomos_contracts.clause import clauses_of


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("clauses_page", ROOT / "tools" / "clauses_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_the_one_that_the_clause_tables_make() -> None:
    command = [sys.executable, str(ROOT / "tools" / "clauses_page.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_page_that_was_edited_by_hand_is_refused(tool: ModuleType, tmp_path, monkeypatch, capsys) -> None:
    edited = tmp_path / "clauses.md"
    edited.write_text(tool.page().replace("MUST", "SHOULD", 1), encoding="utf-8")
    monkeypatch.setattr(tool, "PAGE", edited)
    assert tool.main(["--check"]) == 1
    assert "make clauses-page" in capsys.readouterr().err
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0


def test_every_row_is_traced_to_clauses_and_an_untested_one_to_a_reason(tool: ModuleType) -> None:
    traced = tool.trace(clauses_of())
    assert traced.keys() == tool.ROWS.keys()
    for row, (found, reason) in traced.items():
        assert any(clause.testable for clause in found) or reason, row


def test_a_row_without_a_clause_is_refused(tool: ModuleType) -> None:
    without = {name: clause for name, clause in clauses_of().items() if "D1" not in clause.rows}
    with pytest.raises(tool.UntracedRowError, match=r"row D1 .* has no clause"):
        tool.trace(without)


def test_a_clause_that_names_an_unknown_row_is_refused(tool: ModuleType) -> None:
    name, clause = next(iter(clauses_of().items()))
    with pytest.raises(tool.UntracedRowError, match="names row Z9"):
        tool.trace({**clauses_of(), name: clause.model_copy(update={"rows": ("Z9",)})})


def test_every_clause_stands_on_the_page_once(tool: ModuleType) -> None:
    lines = tool.page().splitlines()
    for clause_id in clauses_of():
        assert sum(line.startswith(f'| <a id="{clause_id}"></a>') for line in lines) == 1
