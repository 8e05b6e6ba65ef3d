"""Records: the labels of machines, which `orb` itself has none of. One file for each machine, written whole."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from nomos_contracts.compute.interface import ProviderError
from nomos_reference.compute.orbstack_engine import home
from nomos_reference.compute.orbstack_settings import NAME


@dataclass(frozen=True)
class MachineRecord:
    """What is written down of one machine; its id is new for each machine, its name may come again."""

    id: str
    name: str
    labels: Mapping[str, str]


class Records:
    """The folder of records. Processes may share it.

    Args:
        folder: where they are; None for the user's own folder.
        seconds: how long to wait for another process that changes them.
    """

    def __init__(self, folder: str | None, seconds: float) -> None:
        state = os.environ.get("XDG_STATE_HOME") or str(home(os.environ) / ".local/state")
        self._folder = Path(folder) if folder else Path(state, "pytest-nomos/machines")
        self._seconds = seconds

    @contextmanager
    def changing(self) -> Generator[None]:
        """Keep other processes from changing records within the block.

        Raises:
            ProviderError: TIMEOUT_ERROR, another one does not end; INVALID_STATE, the folder cannot be used.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self._folder / ".lock", thread_local=False)
            held = lock.acquire(timeout=self._seconds)
        except Timeout as error:
            reason = f"another process has held {self._folder} for {self._seconds:g} s"
            raise ProviderError(reason, "TIMEOUT_ERROR", provider=NAME) from error
        except OSError as error:
            raise ProviderError(f"{self._folder}: {error.strerror}", "INVALID_STATE", provider=NAME) from error
        with held:
            yield

    def all(self) -> Sequence[MachineRecord]:
        """Return all records; a file that is none is passed over."""
        found: list[MachineRecord] = []
        for path in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(MachineRecord(**json.loads(path.read_text(encoding="utf-8"))))
        return found

    def named(self, name: str) -> MachineRecord | None:
        """Return the record of that name."""
        return next((one for one in self.all() if one.name == name), None)

    def write(self, record: MachineRecord) -> None:
        """Write *record*, whole or not at all.

        Raises:
            ProviderError: CAPACITY_ERROR, it cannot be written.
        """
        handle, path = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(record), file)
            Path(path).replace(self._folder / f"{record.name}.json")
        except OSError as error:
            Path(path).unlink(missing_ok=True)
            raise ProviderError(f"{self._folder}: {error.strerror}", "CAPACITY_ERROR", provider=NAME) from error

    def forget(self, record: MachineRecord) -> None:
        """Remove *record*, unless its name has another machine by now."""
        now = self.named(record.name)
        if now is not None and now.id == record.id:
            (self._folder / f"{record.name}.json").unlink(missing_ok=True)
