"""A pytest plugin for one measured run: the process's own resident memory after each test.

Loaded with ``-p sampling``; the bytes go, as a JSON list, to the file that ``NOMOS_MEMORY`` names.
"""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

import psutil
import pytest


class Samples:
    """Resident bytes, one figure a test."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._process = psutil.Process()
        self._rss: list[int] = []

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        """Look, after what waits for the collector is gone; counted once in ten tests, for it costs time."""
        if len(self._rss) % 10 == 0:
            gc.collect()
        self._rss.append(self._process.memory_info().rss)

    def pytest_unconfigure(self) -> None:
        """Write the figures."""
        self._file.write_text(json.dumps(self._rss), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Sample this run."""
    config.pluginmanager.register(Samples(Path(os.environ["NOMOS_MEMORY"])), "nomos-samples")
