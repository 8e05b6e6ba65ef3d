"""Mutants whose callers take something with them when they leave, and one whose Health waits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import grpc

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_proto.servicer import V1Servicer


def _slow(path: Sequence[str]) -> bool:
    return bool(path) and path[0] == "slow"


class _Reading:
    """A read that several callers wait for."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.error: ProviderError | None = None
        self.found: Any = None


@mutant("CFG-DEADLINE-001", "together", defect="who asks for what is being read fails when the first caller leaves")
class ReadsTogether(Original):
    """Reads once for all callers of a slow path, as long as the first of them waits."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._readings: dict[tuple[str, ...], _Reading] = {}

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Read, or wait for him who reads."""
        if not _slow(path):
            return super().fetch(path, context=context)
        with self._guard:
            known = self._readings.get(tuple(path))
            reading = known or self._readings.setdefault(tuple(path), _Reading())
        if known is None:
            try:
                reading.found = super().fetch(path, context=context)
            except ProviderError as error:
                reading.error = error
            with self._guard:
                del self._readings[tuple(path)]
            reading.over.set()
        elif not reading.over.wait(context.remaining()):
            context.check()
        if reading.error is not None:
            raise ProviderError("the source did not answer in time", "TIMEOUT_ERROR")
        return reading.found


@mutant("CFG-DEADLINE-001", "remembers", defect="that a caller of a slow Fetch has left is what the next one is told")
class RemembersLeaving(Original):
    """Remembers for once how a slow Fetch ended that was cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 0

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer from memory."""
        if not _slow(path):
            return super().fetch(path, context=context)
        if self._left == 1:
            self._left = 2
            raise ProviderError("the source did not answer in time", "TIMEOUT_ERROR")
        try:
            return super().fetch(path, context=context)
        except ProviderError:
            self._left = self._left or 1
            raise


@mutant("CFG-DEADLINE-001", "places", defect="each slow Fetch that is left keeps one of two hundred places")
class KeepsPlaces(Original):
    """Has two hundred places for calls."""

    def __init__(self) -> None:
        super().__init__()
        self._places = threading.BoundedSemaphore(200)

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Give the place back with the answer."""
        if not self._places.acquire(timeout=context.remaining()):
            raise ProviderError("too many calls", "TIMEOUT_ERROR")
        try:
            return super().fetch(path, context=context)
        finally:
            if not (_slow(path) and context.cancelled()):
                self._places.release()


@mutant("CFG-HEALTH-009", "stream", defect="Health waits for the Fetches of its own connection")
class OneStream(V1Servicer):
    """A service that serves connections side by side, and what comes over one in its order."""

    _turn = threading.Condition()
    _running: ClassVar[Counter[str]] = Counter()

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Count it."""
        peer = context.peer()
        with self._turn:
            self._running[peer] += 1
        try:
            return super().Fetch(request, context)
        finally:
            with self._turn:
                self._running[peer] -= 1
                self._turn.notify_all()

    def Health(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Wait for the others."""
        peer = context.peer()
        with self._turn:
            self._turn.wait_for(lambda: not self._running[peer])
        return super().Health(request, context)
