from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from unit.attestation.bundle import Files, issued
from unit.report import made


@pytest.fixture(scope="session")
def issued_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return issued(tmp_path_factory.mktemp("issued"), made.mixed_report()).folder


@pytest.fixture
def files(issued_once: Path, tmp_path: Path) -> Files:
    """What was issued for a report in which one clause failed, one was waived and one warned of."""
    return Files(shutil.copytree(issued_once, tmp_path / "issued"))
