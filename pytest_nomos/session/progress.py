"""A line of progress for what takes long: behind what the terminal shows already, and gone when it is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

AFTER: Final = 0.7
"""Seconds after which something takes long."""
EVERY: Final = 0.2
NARROWEST: Final = 16
"""Columns below which nothing is shown."""
_KEEP, _BACK, _CLEAR = "\x1b7", "\x1b8", "\x1b[K"


class Progress:
    """Shows one thing at a time.

    Args:
        write: writes to the terminal at once.
        room: returns how many columns are free behind the cursor.
    """

    def __init__(self, write: Callable[[str], None], room: Callable[[], int]) -> None:
        self._write = write
        self._room = room

    @contextmanager
    def shown(self, what: Callable[[], str]) -> Generator[None]:
        """Show what *what* says and how long it has taken, until the end of the ``with``."""
        over = threading.Event()
        thread = threading.Thread(target=self._show, args=(what, over), name="nomos-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _show(self, what: Callable[[], str], over: threading.Event) -> None:
        began = time.monotonic()
        shown = False
        pause = AFTER
        while not over.wait(pause):
            pause = EVERY
            room = self._room()
            if room >= NARROWEST:
                text = f" {time.monotonic() - began:.0f} s: {what()}"
                self._write(f"{_KEEP}{text[:room]}{_CLEAR}{_BACK}")
                shown = True
        if shown:
            self._write(_CLEAR)
