"""Starving: for how long a process could have run and found no processor free."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

PATIENCE: Final = 4
"""A limit that is lengthened by the time in which a process starved ends after so many times itself, all the same."""

_WAITED: Final = 1
_NANOSECONDS: Final = 1e9


def starved(processes: Iterable[psutil.Process]) -> float:
    """Return the seconds for which the threads of *processes* were ready to run, while others had the processors.

    The second number of ``/proc/PID/task/TID/schedstat``, added up; 0.0 where the kernel does not keep it. Processes
    and threads that have ended are not counted.
    """
    waited = 0
    for process in processes:
        for file in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            # A thread may end between the two; a kernel may write zeros or nothing.
            with suppress(OSError, ValueError, IndexError):
                waited += int(file.read_text(encoding="ascii").split()[_WAITED])
    return waited / _NANOSECONDS


def lengthened(limit: float, processes: Iterable[psutil.Process]) -> float:
    """Return *limit* seconds and the time for which *processes* starved, `PATIENCE` times *limit* at most."""
    return min(limit + starved(processes), PATIENCE * limit)
