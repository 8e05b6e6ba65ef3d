"""``python -I -S attached.py PARENT WORD…`` becomes ``python WORD…``, which the kernel kills when PARENT ends.

A worker of pytest-xdist needs a second until it could attach itself: it imports pytest first. This is there at once,
so it imports as little as can be.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from typing import Never

PR_SET_PDEATHSIG = 1


def main(parent: int, words: list[str]) -> Never:
    """Attach this process, then become the interpreter that was asked for; end where *parent* has ended."""
    with contextlib.suppress(OSError, AttributeError):  # Linux has the call
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"process {parent} has ended")
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 # a process that nobody is asked about


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
