"""Turns: checks that bear others beside them, and exclusive ones that do not, over all workers of a run."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path


class Turns:
    """Two lock files in a folder that all workers share; the kernel frees the locks of a worker that dies.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._gate = folder / "gate.lock"
        self._room = folder / "room.lock"

    @contextmanager
    def shared(self) -> Generator[None]:
        """Run the block beside others, but beside no exclusive one."""
        # Whoever waits for an empty room holds the gate: without it those who share would never let him in.
        with ExitStack() as room:
            with _held(self._gate, fcntl.LOCK_EX):
                room.enter_context(_held(self._room, fcntl.LOCK_SH))
            yield

    @contextmanager
    def alone(self) -> Generator[None]:
        """Run the block with no other beside it."""
        with _held(self._gate, fcntl.LOCK_EX), _held(self._room, fcntl.LOCK_EX):
            yield


@contextmanager
def _held(path: Path, kind: int) -> Generator[None]:
    with path.open("a") as file:
        fcntl.flock(file, kind)
        yield
