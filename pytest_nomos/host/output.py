"""Output: what a provider prints, kept in part in memory and in a log file."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Final

KEPT: Final = 1024 * 1024
"""Bytes of each stream that are kept in memory."""
LINE_LIMIT: Final = 64 * 1024
"""A line of stderr is cut into tagged pieces of this many bytes."""


class LogFile:
    """A file that grows up to a limit; what follows is dropped, and the file says so. A full disk costs lines only."""

    def __init__(self, path: Path, limit: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._left = limit

    def write(self, data: bytes) -> None:
        """Append *data*, as far as the limit allows."""
        if self._left <= 0:
            return
        with contextlib.suppress(OSError):
            self._file.write(data[: self._left])
            self._left -= len(data)
            if self._left <= 0:
                self._file.write(b"\n(the log ends here: its limit is reached)\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Output:
    """One stream of a provider: counts all bytes, keeps the first or last MiB of them, writes them to its log.

    Thread-safe: one thread feeds, any thread reads.
    """

    def __init__(self, log: LogFile, *, keep_last: bool, tag: bytes = b"") -> None:
        self._log = log
        self._keep_last = keep_last
        self._tag = tag
        self._line = bytearray()
        self._kept = bytearray()
        self._total = 0
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        with self._lock:
            self._total += len(data)
            if self._keep_last:
                self._kept += data
                # Cut rarely: a cut moves the whole MiB.
                if len(self._kept) > 2 * KEPT:
                    del self._kept[:-KEPT]
            elif len(self._kept) < KEPT:
                self._kept += data[: KEPT - len(self._kept)]
        if self._tag:
            self._write_lines(data)
        else:
            self._log.write(data)

    def _write_lines(self, data: bytes) -> None:
        self._line += data
        pieces = self._line.split(b"\n")
        self._line = pieces.pop()
        while len(self._line) > LINE_LIMIT:
            pieces.append(self._line[:LINE_LIMIT])
            del self._line[:LINE_LIMIT]
        if pieces:
            self._log.write(b"".join(self._tag + b" " + piece + b"\n" for piece in pieces))

    def finish(self) -> None:
        """End the stream: write a last line that has no newline, close the log."""
        if self._line:
            self._log.write(self._tag + b" " + self._line + b"\n")
            self._line.clear()
        self._log.close()

    @property
    def total(self) -> int:
        """Bytes so far."""
        with self._lock:
            return self._total

    @property
    def kept(self) -> bytes:
        """The first or the last MiB so far."""
        with self._lock:
            return bytes(self._kept[-KEPT:])

    def last_lines(self, count: int) -> bytes:
        """Return the last *count* lines that are kept, at most 4 KiB."""
        lines = self.kept[-4096:].rstrip(b"\n").split(b"\n")
        return b"\n".join(lines[-count:])
