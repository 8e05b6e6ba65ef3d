"""A clock that moves only when it is told to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class SimulatedClock:
    """Starts at the present and moves by calls.

    Attributes:
        seconds: how far it has moved.
        start: where it started, in milliseconds since the epoch.
    """

    seconds: float = 0.0
    start: int = field(default_factory=lambda: int(time.time() * 1000))

    def advance(self, seconds: float) -> None:
        """Move it."""
        self.seconds += seconds

    def stamp(self, seconds: float | None = None) -> int:
        """Return a time of this clock, by default now, in milliseconds since the epoch."""
        return self.start + round(1000 * (self.seconds if seconds is None else seconds))
