"""The supervisor: starts a crashed provider again, at most three times."""

from __future__ import annotations

import threading
from collections.abc import Callable

from nomos_contracts.provider import Exit
from pytest_nomos.host.diagnosis import StartFailed
from pytest_nomos.host.external import ExternalProvider
from pytest_nomos.host.limits import Limits
from pytest_nomos.host.monitor import EventKind, Events
from pytest_nomos.host.reaping import ReaperError
from pytest_nomos.host.running import HostedProvider


class Supervisor:
    """Watches one provider; after a crash it starts another process and repeats Init with the same arguments.

    Calls in flight at a crash fail with UNAVAILABLE, and so do calls until the new process is ready. A start or an Init
    that fails counts as a crash.

    Args:
        provider: whose process is replaced.
        start: starts a new process and connects to it; obeys the cancellation of the stop.
        clear: removes the folders of a process that has ended.
        limits: how often.
        events: gets ``CRASHED``, ``RESTARTED`` and ``GAVE_UP``.
    """

    def __init__(
        self,
        provider: HostedProvider,
        start: Callable[[], ExternalProvider],
        clear: Callable[[ExternalProvider], None],
        limits: Limits,
        events: Events,
    ) -> None:
        self._provider = provider
        self._start = start
        self._clear = clear
        self._limits = limits
        self._events = events
        self._crashes = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Watch the provider's present process."""
        process = self._provider.external.process
        if process is None:
            return
        process.on_end = self._ended
        # It may have ended before we looked.
        if process.exit is not None:
            self._ended(process.exit)

    def join(self) -> None:
        """Wait until no restart is under way; `HostedProvider.stopping` has to be set before."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _ended(self, end: Exit) -> None:
        with self._lock:
            if self._provider.stopping or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(
                target=self._replace, args=(end,), name=f"nomos-restart-{self._provider.name}", daemon=True
            )
            self._thread.start()

    def _replace(self, end: Exit) -> None:
        alias = self._provider.name
        reason = f"its process {end.words}"
        while not self._provider.stopping:
            self._crashes += 1
            if self._crashes > self._limits.restarts:
                times = "once" if self._crashes == 1 else f"{self._crashes} times"
                message = f"provider {alias!r} crashed {times} and is not started again; the last time {reason}"
                self._provider.unavailable = message
                self._events.add(alias, EventKind.GAVE_UP, message)
                return
            count = f"restart {self._crashes} of {self._limits.restarts}"
            self._provider.unavailable = f"provider {alias!r} crashed ({reason}) and is being started again ({count})"
            self._events.add(alias, EventKind.CRASHED, f"provider {alias!r} crashed: {reason}")
            old = self._provider.external
            old.kill()
            self._clear(old)
            try:
                external = self._start()
            except StartFailed as failure:
                reason = f"its start failed: {failure.error.message}"
                continue
            except ReaperError as error:
                self._provider.unavailable = f"provider {alias!r} crashed and cannot be started again: {error}"
                return
            problem = self._provider.repeat_init(external)
            self._provider.external = external
            if problem:
                reason = problem
                continue
            self._provider.unavailable = None
            self._events.add(alias, EventKind.RESTARTED, f"provider {alias!r} runs again ({count})")
            with self._lock:
                # This thread is about to end, and may not be in the way of the next crash.
                self._thread = None
            self.watch()
            return
