"""Temporary folders of this process, gone with it however it ends."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from pytest_nomos.host import reaper
from pytest_nomos.host.reaping import Reaping


class TemporaryFolders:
    """Makes folders that a reaper removes, also when this process is killed at any moment. Thread-safe.

    Nothing is started and nothing is made before the first folder is asked for.
    """

    def __init__(self) -> None:
        self._root = Path(tempfile.gettempdir(), f"nomos-{uuid.uuid4().hex[:12]}").absolute()
        self._reaping = Reaping([self._root])
        self._owner = os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def make(self, prefix: str) -> Path:
        """Return a new empty folder that stays until the end.

        Raises:
            ReaperError: this machine cannot start processes.
        """
        self._reaping.start()
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self._root))

    @contextmanager
    def lend(self, prefix: str) -> Generator[Path]:
        """Lend a new empty folder that is removed at the end of the block.

        Raises:
            ReaperError: this machine cannot start processes.
        """
        folder = self.make(prefix)
        try:
            yield folder
        finally:
            reaper.remove(str(folder))

    def close(self) -> None:
        """Remove all of them. Idempotent; a fork of this process owns none."""
        if os.getpid() == self._owner:
            self._reaping.close()
