from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nomos_contracts.verdict import CURRENT_EDITION, UnknownEditionError, edition, freeze

TOOL = Path(__file__).parents[3] / "tools" / "freeze_edition.py"


def test_the_current_edition_holds_exactly_the_testable_clauses_of_the_tables() -> None:
    shipped, tables = edition(CURRENT_EDITION), freeze(CURRENT_EDITION)
    ours, theirs = {c.id: c for c in shipped.clauses}, {c.id: c for c in tables.clauses}
    assert ours == theirs, f"run python tools/freeze_edition.py {CURRENT_EDITION}"
    assert list(ours) == list(theirs)
    assert len(ours) > 50


@pytest.mark.skipif(not TOOL.is_file(), reason="the tools are in the source tree only")
def test_the_edition_file_is_what_the_tool_writes() -> None:
    run = subprocess.run(
        [sys.executable, str(TOOL), CURRENT_EDITION, "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(not TOOL.is_file(), reason="the tools are in the source tree only")
@pytest.mark.parametrize("name", ["2026-13", "../evil", "2026"])
def test_the_tool_refuses_a_name_that_is_no_year_and_month(name: str) -> None:
    run = subprocess.run([sys.executable, str(TOOL), name], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "is no year and month" in run.stderr
    assert "Traceback" not in run.stderr


def test_an_edition_that_is_not_shipped_is_named_with_those_that_are() -> None:
    with pytest.raises(UnknownEditionError, match=f"no edition '1999-01'; this release ships .*{CURRENT_EDITION}"):
        edition("1999-01")
