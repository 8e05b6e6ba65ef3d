"""Sweeps take what any run that has ended left on the engine, so tests that leave something take turns."""

from __future__ import annotations

import tempfile
from pathlib import Path

from filelock import BaseFileLock, FileLock


def one_sweeper() -> BaseFileLock:
    """Return a lock that all workers of the suite share; its file stays, since others may be waiting for it."""
    return FileLock(Path(tempfile.gettempdir(), "nomos-tests-sweep.lock"), timeout=300)
