"""A pytest plugin for one measured run: writes down every process start, call and signal, with their times.

Loaded with ``-p tracing``; the trace goes to the file that ``NOMOS_TRACE`` names. What it wraps is the host's own edge:
the process, and the call on the wire.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_nomos.host.exchange import Caller, Pending, Reply
from pytest_nomos.host.external import ExternalProvider
from pytest_nomos.host.process import Command, ProviderProcess


class Trace:
    """What happened, in order; each event is a dict of plain types."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._numbers = itertools.count()
        self._processes: dict[int, int] = {}
        self._lock = threading.Lock()

    def begin(self, key: object) -> int:
        """Number a process by its object; an object at the same address was another process."""
        with self._lock:
            number = self._processes[id(key)] = next(self._numbers)
            return number

    def process(self, key: object) -> int | None:
        """Return the number of a process by its object, None for one that was never started."""
        with self._lock:
            return self._processes.get(id(key))

    def add(self, kind: str, began: float, **facts: Any) -> None:
        """Note an event that ends now."""
        self.events.append({"kind": kind, "began": began, "ended": time.perf_counter(), **facts})


def _wrap(owner: type, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    setattr(owner, name, make(getattr(owner, name)))


def trace_into(trace: Trace) -> None:
    """Wrap the host's edge so that *trace* sees it."""
    pools: dict[int, int | None] = {}

    def start(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: ProviderProcess, command: Command, reaping: Any) -> None:
            number = trace.begin(self)
            began = time.perf_counter()
            try:
                original(self, command, reaping)
            finally:
                trace.add("start", began, process=number, argv=list(command.argv), env=dict(command.env))

        return wrapped

    def connect(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: ExternalProvider, *args: Any) -> None:
            original(self, *args)
            pools[id(self.channel)] = trace.process(self.process)

        return wrapped

    def end(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: ProviderProcess) -> None:
            began = time.perf_counter()
            original(self)
            trace.add("end", began, process=trace.process(self))

        return wrapped

    def signalled(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: ProviderProcess, number: int, *, group: bool = False) -> Any:
            trace.add("signal", time.perf_counter(), process=trace.process(self), number=int(number))
            return original(self, number, group=group)

        return wrapped

    def unary(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Caller, method: str, request: bytes, seconds: float, *further: Any) -> Reply:
            began = time.perf_counter()
            reply: Reply = original(self, method, request, seconds, *further)
            _call(self, method, request, seconds, began)
            return reply

        return wrapped

    def stream(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Caller, method: str, request: bytes, seconds: float) -> Iterator[Reply]:
            began = time.perf_counter()
            yield from original(self, method, request, seconds)
            _call(self, method, request, seconds, began, stream=True)

        return wrapped

    def begin(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(
            self: Caller, method: str, request: bytes, seconds: float, finish: Any, *, patient: bool = False
        ) -> Pending:
            began = time.perf_counter()

            def finished(reply: Reply) -> Any:
                _call(self, method, request, seconds, began, cancelled=reply.code == "CANCELLED")
                return finish(reply)

            pending: Pending = original(self, method, request, seconds, finished, patient=patient)
            return pending

        return wrapped

    def _call(caller: Caller, method: str, request: bytes, seconds: float, began: float, **facts: Any) -> None:
        number = pools.get(id(caller.pool))
        if number is not None:
            encoded = base64.b64encode(request).decode()
            trace.add("call", began, process=number, method=method, request=encoded, seconds=seconds, **facts)

    _wrap(ProviderProcess, "start", start)
    _wrap(ProviderProcess, "signal", signalled)
    _wrap(ProviderProcess, "close", end)
    _wrap(ExternalProvider, "connect", connect)
    _wrap(Caller, "unary", unary)
    _wrap(Caller, "stream", stream)
    _wrap(Caller, "begin", begin)


def pytest_configure(config: pytest.Config) -> None:
    """Trace this run, and write the trace at its end."""
    trace = Trace()
    trace_into(trace)
    file = Path(os.environ["NOMOS_TRACE"])

    def write() -> None:
        file.write_text(json.dumps(trace.events), encoding="utf-8")

    config.add_cleanup(write)
