"""Mutants that cannot be told the same thing twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

from nomos_mutants.mutant import mutant, serve_with
from nomos_mutants.variations import serving
from nomos_proto import serve

CLEARING = 0.4
"""Seconds for which it clears up after the first signal."""


class _Locking(serve._Ending):  # noqa: SLF001 # a mutant changes what is inside
    """Its handler takes a lock that is held while it clears up."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        self._terms = 0
        signal.signal(signal.SIGTERM, self._count)
        return entered

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self._terms += 1

    def wait(self, timeout: float | None = None) -> str:
        """Clear up after the first signal; a second one meanwhile waits for a lock that nobody gives back."""
        reason = super().wait(timeout)
        if reason != "asked" or timeout is not None or not self._terms:
            return reason
        end = time.monotonic() + CLEARING
        while time.monotonic() < end:
            time.sleep(0.02)
            if self._terms > 1:
                while super().wait(None) != "lifeline":
                    pass
                return "lifeline"
        return reason


@mutant("PROC-SIGNAL-006", defect="a second SIGTERM while it clears up waits for a lock that is never given back")
def locking(argv: Sequence[str]) -> int:
    """Handle every signal in full."""
    with serving("_Ending", _Locking):
        return serve_with(argv)
