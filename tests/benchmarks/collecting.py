"""A pytest plugin for one measured run: how many items there are, and the processor time that collecting them took.

Loaded with ``-p collecting``; the figures go, as JSON, to the file that ``NOMOS_COLLECTED`` names.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Take the time."""
    began = time.process_time()
    result = yield
    seconds = time.process_time() - began
    figures = {"items": len(session.items), "seconds": seconds}
    Path(os.environ["NOMOS_COLLECTED"]).write_text(json.dumps(figures), encoding="utf-8")
    return result
