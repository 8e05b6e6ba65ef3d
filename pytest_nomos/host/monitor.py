"""The monitor: pings each provider by its Health RPC and closes connections that nobody uses."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nomos_contracts.provider import Answer
from pytest_nomos.host.limits import Limits
from pytest_nomos.host.running import HostedProvider

REMEMBERED: Final = 1000


class EventKind(StrEnum):
    """What happened to a provider."""

    UNHEALTHY = "unhealthy"
    HEALTHY = "healthy again"
    CRASHED = "crashed"
    RESTARTED = "restarted"
    GAVE_UP = "not restarted again"
    KILLED = "killed after the grace"


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        alias: to which provider.
        kind: what.
        message: a sentence.
        at: when, on the monotonic clock.
    """

    alias: str
    kind: EventKind
    message: str
    at: float


class Events:
    """The latest events of a host, oldest first. Thread-safe.

    Args:
        listener: called with each event, in the thread in which it happened.
    """

    def __init__(self, listener: Callable[[Event], None] | None = None) -> None:
        self._listener = listener
        self._events: deque[Event] = deque(maxlen=REMEMBERED)

    def add(self, alias: str, kind: EventKind, message: str) -> None:
        """Record one event."""
        event = Event(alias, kind, message, time.monotonic())
        self._events.append(event)
        if self._listener is not None:
            self._listener(event)

    def all(self) -> tuple[Event, ...]:
        """Return the events."""
        return tuple(self._events)


class Monitor:
    """One thread that looks after the providers of a host.

    Args:
        providers: those that run now.
        limits: interval and timeout of pings; idle time of connections.
        events: gets ``UNHEALTHY`` and ``HEALTHY`` at each change.
        pings: whether to ping at all.
    """

    def __init__(
        self, providers: Callable[[], Iterable[HostedProvider]], limits: Limits, events: Events, *, pings: bool = True
    ) -> None:
        self._providers = providers
        self._limits = limits
        self._events = events
        self._pings = pings
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._unhealthy: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread unless it runs."""
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="nomos-monitor", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread. Idempotent."""
        self._stop.set()
        with self._lock:
            if self._thread is not None and self._thread is not threading.current_thread():
                self._thread.join(self._limits.ping_timeout + 1)

    @property
    def unhealthy(self) -> dict[str, str]:
        """The providers whose latest ping was not answered well, with the reason."""
        with self._lock:
            return dict(self._unhealthy)

    def _run(self) -> None:
        while not self._stop.wait(min(self._limits.ping_interval, self._limits.pool_idle)):
            self.look()

    def look(self) -> None:
        """Ping every provider once, all at the same time, and close idle connections."""
        providers = list(self._providers())
        for provider in providers:
            provider.close_idle()
        if not self._pings:
            return
        pending = [(provider, provider.ping(self._limits.ping_timeout)) for provider in providers]
        for provider, ping in pending:
            try:
                problem = _problem(ping.answer(self._limits.ping_timeout + 1))
            except TimeoutError:
                problem = "its Health call did not end at its deadline"
            if not provider.stopping:
                self._judge(provider.name, problem)

    def _judge(self, alias: str, problem: str) -> None:
        with self._lock:
            before = self._unhealthy.pop(alias, "")
            if problem:
                self._unhealthy[alias] = problem
        if problem and not before:
            self._events.add(alias, EventKind.UNHEALTHY, f"provider {alias!r} is unhealthy: {problem}")
        elif before and not problem:
            self._events.add(alias, EventKind.HEALTHY, f"provider {alias!r} is healthy again")

    def forget(self, alias: str) -> None:
        """Drop what is known of a provider that was stopped."""
        with self._lock:
            self._unhealthy.pop(alias, None)


def _problem(answer: Answer) -> str:
    """Return what is wrong with the answer to a ping, empty where nothing is."""
    if not answer.ok:
        return answer.summary
    status = answer.value["status"]
    return "" if status == "STATUS_OK" else f"{status}: {answer.value['message']}"
