"""Threads for calls: started when they are needed, gone when they have been idle for a while."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Task = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]

MAX_WORKERS: Final = 512
"""A hung call holds its thread until its deadline; Health has to find one even then."""
IDLE: Final = 2.0
"""Seconds after which a thread without work ends, so that a burst of calls leaves nothing behind."""


class Workers(Executor):
    """An executor for `grpc.server` whose threads never keep the process alive.

    An exception from `submit` ends the thread in which gRPC takes calls, and then nobody is answered any more. So a
    server keeps one thread: where the system has none to give, that one takes the calls one after the other.
    """

    def __init__(self, limit: int = MAX_WORKERS, idle: float = IDLE, keep: int = 0) -> None:
        """Start the threads that stay.

        Args:
            limit: how many threads there may be; further tasks wait.
            idle: seconds after which a thread without work ends.
            keep: how many stay until the executor is closed.

        Raises:
            RuntimeError: the system has no thread to give.
        """
        self._limit = limit
        self._keep = keep
        self._seconds = idle
        self._tasks: deque[Task] = deque()
        self._wake = threading.Condition()
        self._waiting = 0
        self._closing = False
        self._count = 0
        for _ in range(keep):
            self._start()

    def _start(self) -> None:
        self._count += 1
        try:
            threading.Thread(target=self._work, name="nomos-call", daemon=True).start()
        except RuntimeError:
            self._count -= 1
            raise

    @property
    def count(self) -> int:
        """How many threads there are."""
        return self._count

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a task in a thread that is free, in a new one, or later.

        Raises:
            RuntimeError: there is no thread, and the system has none to give.
        """
        future: Future[T] = Future()
        with self._wake:
            self._tasks.append((future, fn, args, kwargs))
            if self._waiting >= len(self._tasks):
                self._wake.notify()
            elif self._count < self._limit:
                try:
                    self._start()
                except RuntimeError:
                    if not self._count:
                        self._tasks.pop()
                        raise
        return future

    def close(self, timeout: float) -> bool:
        """Have each thread end as soon as it has nothing to do; return whether all ended within *timeout* seconds."""
        with self._wake:
            self._closing = True
            self._seconds = 0.0
            self._wake.notify_all()
            return self._wake.wait_for(lambda: self._count == 0, timeout)

    def _work(self) -> None:
        while (task := self._next()) is not None:
            future, fn, args, kwargs = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 # the future carries it to whoever asks
                future.set_exception(error)
            else:
                future.set_result(result)
            del task, future, fn, args, kwargs

    def _next(self) -> Task | None:
        with self._wake:
            while not self._tasks:
                self._waiting += 1
                awoken = self._wake.wait(self._seconds)
                self._waiting -= 1
                if not awoken and not self._tasks and (self._closing or self._count > self._keep):
                    self._count -= 1
                    if self._closing:
                        # Only then: it would make the others idle anew.
                        self._wake.notify_all()
                    return None
            return self._tasks.popleft()
