"""The spare: a process of a target that is started while an experiment on another one goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from nomos_contracts.provider import RunningProvider, Start


class Spare:
    """At most one process that nobody has called. Used by one thread at a time.

    Args:
        start: starts a process; called in a thread of its own, with what is set to have it given up.
        release: lets go of one.
    """

    def __init__(self, start: Callable[[threading.Event], Start], release: Callable[[RunningProvider], None]) -> None:
        self._start = start
        self._release = release
        self._coming: Future[Start] | None = None
        self._closing = threading.Event()

    def prepare(self) -> None:
        """Have one started, unless there is one; returns at once."""
        if self._coming is None and not self._closing.is_set():
            coming = self._coming = Future[Start]()
            threading.Thread(target=self._fulfil, args=(coming,), name="nomos-spare").start()

    def _fulfil(self, coming: Future[Start]) -> None:
        try:
            coming.set_result(self._start(self._closing))
        except BaseException as error:  # noqa: BLE001 # whoever takes it hears of that
            coming.set_exception(error)

    def wait(self) -> None:
        """Wait until no process is being started."""
        if self._coming is not None:
            self._coming.exception()

    def take(self) -> RunningProvider | None:
        """Return the one that was prepared; None where there is none, or where it is none any more."""
        coming, self._coming = self._coming, None
        # Why it did not start is told of the process that is started in its place.
        provider = None if coming is None or coming.exception() is not None else coming.result().provider
        if provider is None or provider.alive():
            return provider
        self._release(provider)
        return None

    def close(self) -> None:
        """Let go of the one that was prepared, or give its start up. Idempotent; none is prepared afterwards."""
        self._closing.set()
        provider = self.take()
        if provider is not None:
            self._release(provider)
