"""One event loop on one background thread, for provider objects whose methods are coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

STOP: float = 2.0
"""Seconds that tasks have to end after they were cancelled."""


class BackgroundLoop:
    """Runs coroutines for callers in any thread. Its thread starts with the first one and ends with `close`.

    A coroutine that blocks the thread itself cannot be ended by anyone; its thread is then left behind as a daemon,
    which ends with the process.
    """

    def __init__(self, name: str = "nomos-loop") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start *coroutine*; the future's `cancel` cancels it.

        Raises:
            RuntimeError: the loop was closed.
        """
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._running())
        except RuntimeError:
            coroutine.close()
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise RuntimeError("the loop was closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._work, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop

    @staticmethod
    def _work(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        # What a lost task has to say is no news: whoever asked has its answer or its deadline.
        loop.set_exception_handler(lambda _loop, _context: None)
        try:
            loop.run_forever()
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def close(self, timeout: float = STOP) -> bool:
        """Cancel what runs and end the thread; return whether it ended within *timeout* seconds. Idempotent."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return True
        if threading.current_thread() is thread:
            raise RuntimeError("a coroutine cannot close the loop that runs it")
        with contextlib.suppress(RuntimeError):  # closed by an earlier call
            loop.call_soon_threadsafe(self._begin_end, loop, timeout / 2)
        thread.join(timeout)
        return not thread.is_alive()

    @staticmethod
    def _begin_end(loop: asyncio.AbstractEventLoop, patience: float) -> None:
        async def end() -> None:
            mine = asyncio.current_task()
            others = [task for task in asyncio.all_tasks() if task is not mine]
            for task in others:
                task.cancel()
            if others:
                await asyncio.wait(others, timeout=patience)
            await loop.shutdown_asyncgens()
            loop.stop()

        ending = loop.create_task(end())
        ending.add_done_callback(lambda done: done.cancelled() or done.exception())
