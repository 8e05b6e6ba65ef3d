"""Stopping: used-up processes are stopped beside the run, so that no check waits for the end of another's process."""

from __future__ import annotations

import threading
from typing import Final

from nomos_contracts.provider import RunningProvider

AT_ONCE: Final = 2
"""Processes that may be on their way out; a further one is waited for, so that a machine is never full of them."""


class Stopping:
    """Stops processes in the orderly way in threads of its own. Whether they end well is the business of clauses."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._slots = threading.Semaphore(at_once)
        self._threads: list[threading.Thread] = []

    def stop(self, provider: RunningProvider) -> None:
        """Stop *provider*; returns at once unless many are being stopped already."""
        self._slots.acquire()
        thread = threading.Thread(target=self._stop, args=(provider,), name=f"nomos-stop-{provider.alias}")
        self._threads = [other for other in self._threads if other.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _stop(self, provider: RunningProvider) -> None:
        try:
            provider.stop()
        finally:
            self._slots.release()

    def wait(self) -> None:
        """Wait until all of them have ended."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()
