"""Attachment: a process of the kit ends with the one that started it, also when that one is killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Final

from pytest_nomos.sweep.owner import started_at

PR_SET_PDEATHSIG: Final = 1


def attached_python() -> str:
    """Return the words, as a shell takes them, that start this interpreter so that it never outlives this process.

    `attach` would come too late for a program that imports for a second before anything of ours runs in it.
    """
    script = Path(__file__).with_name("attached.py")
    return shlex.join([sys.executable, "-I", "-S", str(script), str(os.getpid())])


def attach(parent: int) -> None:
    """Have the kernel kill this process when the process *parent*, which started it, ends; at once if that has ended.

    What this process has started and made is swept by its own reapers. Nothing happens where *parent* is alive and did
    not start this process, and where the kernel has no such call (it is Linux's).
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # It may have ended before the call above, and then nobody would tell us.
    if os.getppid() != parent:
        if started_at(parent) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)
