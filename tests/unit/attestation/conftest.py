from __future__ import annotations

from pathlib import Path

import pytest

from unit.attestation.bundle import Files, issued
from unit.report import made


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return issued(tmp_path, made.mixed_report())
