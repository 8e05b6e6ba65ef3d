"""Mutants that shortages break: no memory, little processor time, a clock that jumps."""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext

ROOM = 64 * 1024 * 1024
"""Bytes for the document of a call, reserved before it is read; the system gives them when they are written to."""


def _no_room() -> bool:
    try:
        mmap.mmap(-1, ROOM, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return True
    return False


def _nothing_at(path: Sequence[str]) -> ProviderError:
    return ProviderError(f"nothing at {path[-1][:80] if path else 'the root'!r}", "NOT_FOUND")


@mutant("CFG-CHAOS-020", defect="what there is no memory to read is told not to be there")
class ReadsNothing(Original):
    """Takes every failure of reading for an absent file."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing."""
        if self._current is not None and _no_room():
            raise _nothing_at(path)
        return super().fetch(path, context=context)


@mutant("CFG-CHAOS-020", "tired", defect="once there was no memory it refuses everything for good, and says it is well")
class Tired(Original):
    """Goes into a mode that nothing ends."""

    _tired = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Refuse."""
        if self._current is not None and (self._tired or _no_room()):
            self._tired = True
            raise ProviderError("there is no memory", "CAPACITY_ERROR")
        return super().fetch(path, context=context)


class _Working(Original):
    """Makes its index anew once a second, which takes processor time, and answers meanwhile from what it has."""

    WORK = 0.03
    EVERY = 0.5
    BREAK = 0.06

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Lock()
        self._next = 0.0

    def breaks(self) -> int:
        """Work where it is time to; return how often that was broken off for a while.

        A twentieth of a processor comes in pieces, with the rest of each tenth of a second between them. A busy machine
        makes the same work as long, and does not break it off again and again.
        """
        with self._turn:
            latest = time.monotonic()
            if latest < self._next:
                return 0
            found = 0
            end = time.thread_time() + self.WORK
            while time.thread_time() < end:
                now = time.monotonic()
                found += now - latest > self.BREAK
                latest = now
            self._next = time.monotonic() + self.EVERY
            return found


@mutant("CFG-CHAOS-021", defect="what it had to begin to look up a fourth time is told not to be there")
class Hasty(_Working):
    """Gives up an index that was broken off three times."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing in an index that is not ready."""
        if self._current is not None and self.breaks() >= 3:
            raise _nothing_at(path)
        return super().fetch(path, context=context)


@mutant("CFG-CHAOS-022", defect="a call whose line cannot be written to its log fails")
class Clerk(Original):
    """Writes down every call before it answers."""

    _log: IO[bytes] | None = None

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Write it down first."""
        if self._current is not None:
            self._log = self._log or Path("access.log").open("ab", buffering=0)  # noqa: SIM115 # open for as long as it serves
            try:
                self._log.write(b"fetch\n")
            except OSError as error:
                raise ProviderError(f"access.log: {error.strerror}") from error
        return super().fetch(path, context=context)

    def shutdown(self) -> None:
        """Take the log away."""
        if self._log is not None:
            self._log.close()
            Path("access.log").unlink(missing_ok=True)
        super().shutdown()


@mutant("CFG-CHAOS-023", defect="values expire by the time of day, and what expired is not read anew")
class Expires(Original):
    """Keeps what it read for an hour."""

    _read_at = 0.0

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Note when."""
        super().init(alias, config, source_file_path, context=context)
        self._read_at = time.time()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing that is older."""
        if self._current is not None and time.time() - self._read_at > 3600:
            raise _nothing_at(path)
        return super().fetch(path, context=context)


@mutant(
    "CFG-CHAOS-023", "lease", defect="once the time of day went back it waits for the time at which it was last called"
)
class Waits(Original):
    """Takes a call that comes before the last one for a replay, and moves the limit further with each."""

    _latest = 0.0

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Refuse."""
        now = time.time()
        if self._current is not None and now < self._latest - 3600:
            raise ProviderError("a call from the past", "UNAVAILABLE")
        self._latest = max(self._latest, now)
        return super().fetch(path, context=context)


@mutant("CFG-CHAOS-009", "unread", defect="without a descriptor what it has not read before is not there")
class FindsWhatItRead(Original):
    """Keeps what it has read, and takes any error of an open for a missing file."""

    def __init__(self) -> None:
        super().__init__()
        self._read: dict[tuple[str, ...], Any] = {}

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Forget what was read."""
        super().init(alias, config, source_file_path, context=context)
        self._read.clear()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Open what every call opens that reads."""
        try:
            Path(os.devnull).open("rb").close()
        except OSError:
            if tuple(path) in self._read:
                return self._read[tuple(path)]
            raise _nothing_at(path) from None
        found = self._read[tuple(path)] = super().fetch(path, context=context)
        return found
