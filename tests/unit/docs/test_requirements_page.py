"""docs/requirements.md says what shows each row, and no row is left without."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from components import ROOT


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("requirements_page", ROOT / "tools" / "requirements_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_the_one_that_its_sources_make(tool: ModuleType) -> None:
    assert tool.main(["--check"]) == 0


def test_every_row_of_both_documents_is_there(tool: ModuleType) -> None:
    wanted = {f"R003-{number:02}" for number in range(1, 28)} | {f"R004-{number:02}" for number in range(1, 38)}
    assert tool.rows().keys() == wanted


def test_a_row_that_nothing_shows_is_refused(tool: ModuleType) -> None:
    known = tool.rows()
    bare = {**known["R004-01"], "open": "", "tests": []}
    with pytest.raises(tool.UntracedRowError, match="R004-01 has neither"):
        tool.traced({**known, "R004-01": bare})


def test_a_test_that_is_not_there_is_refused(tool: ModuleType) -> None:
    known = tool.rows()
    with pytest.raises(tool.UntracedRowError, match=r"there is no tests/nowhere\.py"):
        tool.traced({**known, "R003-01": {**known["R003-01"], "tests": ["tests/nowhere.py"]}})


def test_a_clause_that_names_an_unknown_row_is_refused(tool: ModuleType) -> None:
    known = tool.rows()
    del known["R003-01"]
    with pytest.raises(tool.UntracedRowError, match=r"names row R003-01, which is not"):
        tool.traced(known)
