"""Mutants whose calls get in each other's way: callers at once, callers that leave, long calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, Health


@mutant("CFG-CONC-001", defect="callers at once may get each other's answers", by_chance=True)
class SharesState(Original):
    """Keeps the path of the call in itself."""

    _path: Sequence[str] = ()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Use whatever path is there a moment later."""
        self._path = path
        time.sleep(0.0005)
        return super().fetch(self._path, context=context)


@mutant("CFG-DEADLINE-001", defect="a Fetch whose caller has left keeps a lock")
class HoldsLock(Original):
    """Serves one slow source at a time, for as long as it takes."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Lock()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Wait for the slow source without a bound."""
        with self._turn:
            if path and path[0] == "slow":
                time.sleep(4.0)
            return super().fetch(path, context=context)


@mutant("CFG-DEADLINE-001", "burns", defect="for a caller who has left it goes on computing")
class Burns(Original):
    """Polls without a pause."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Burn CPU for ten seconds, whoever listens."""
        if path and path[0] == "slow":
            until = time.monotonic() + 10.0
            while time.monotonic() < until:
                sum(range(1000))
        return super().fetch(path, context=context)


@mutant("CFG-DEADLINE-001", "pooled", defect="callers of a slow path beyond the eighth are told that it is not there")
class Pooled(Original):
    """Has eight places for those who wait."""

    def __init__(self) -> None:
        super().__init__()
        self._places = threading.BoundedSemaphore(8)

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing where there is no place."""
        if not path or path[0] != "slow":
            return super().fetch(path, context=context)
        if not self._places.acquire(blocking=False):
            raise ProviderError(f"nothing at {path[-1]!r}", "NOT_FOUND")
        try:
            return super().fetch(path, context=context)
        finally:
            self._places.release()


@mutant("CFG-DEADLINE-002", defect="a call that is cancelled spoils the next one", also=("CFG-DEADLINE-001",))
class SpoiledByCancel(Original):
    """Reuses what a cancelled call left."""

    _spoiled = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer wrongly once after a caller has left."""
        context.on_cancel(lambda: self._note(context))
        spoiled, self._spoiled = self._spoiled, False
        return super().fetch(["nowhere", *path] if spoiled else path, context=context)

    def _note(self, context: CallContext) -> None:
        if context.remaining() == 0.0:
            self._spoiled = True


@mutant("CFG-HEALTH-009", defect="Health waits for the Fetch that runs")
class HealthWaits(Original):
    """Has one lock for everything."""

    places: ClassVar[int] = 1

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.BoundedSemaphore(self.places)

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Hold the lock."""
        with self._turn:
            return super().fetch(path, context=context)

    def health(self) -> Health:
        """Want the lock."""
        with self._turn:
            return super().health()


@mutant("CFG-HEALTH-009", "few", defect="Health waits while four Fetches run")
class HealthWaitsForFour(HealthWaits):
    """Has four threads for everything."""

    places: ClassVar[int] = 4
