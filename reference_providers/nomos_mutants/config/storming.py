"""Mutants that only faults in a certain order break, or faults that meet certain calls."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from nomos_mutants.front import Hearing, behind
from nomos_mutants.mutant import mutant, serve_with
from nomos_mutants.original import Continued
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_reference.config.provider import Current

JUST_NOW: Final = 0.5
"""Seconds within which a call and the end of its connection belong together."""


class _Noticing(Continued):
    """Is told when a connection broke under its caller, too."""

    def broken(self) -> None:
        """A connection broke."""


def _serve_noticing(argv: Sequence[str], provider: _Noticing) -> int:
    class Telling(Hearing):
        """Tells the provider of callers whose connections were reset."""

        def broken(self, source: socket.socket, sink: socket.socket, inbound: bool) -> None:
            """Tell of a reset, which whoever meets it first sees, and nobody after."""
            if isinstance(sys.exc_info()[1], ConnectionResetError) and {source, sink} & set(self.heard):
                provider.broken()

    with behind(Telling):
        return serve_with(argv, provider=provider)


class _Unlucky(_Noticing):
    """Looks for its callers after a pause, takes the first that is gone for all, and then forgets to read anew."""

    def __init__(self) -> None:
        super().__init__()
        self._step = 0
        self._blank = False
        self._lock = threading.Lock()

    def broken(self) -> None:
        """The second step, where the first was taken."""
        with self._lock:
            self._look()
            if self._step == 1:
                self._step = 2

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """The third: the configuration is taken, and its index stays empty."""
        super().init(alias, config, source_file_path, context=context)
        with self._lock:
            self._look()
            self._blank = self._step == 2
            self._step = 0

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing in an empty index."""
        with self._lock:
            self._look()
            blank = self._blank
        found = super().fetch(path, context=context)
        if blank:
            raise ProviderError(f"nothing at {path[-1][:80]!r}", "NOT_FOUND")
        return found

    def _look(self) -> None:
        if self.stood_still():
            self._step = 1


@mutant("CFG-CHAOS-011", defect="after a pause, then a reset, then an Init, it answers from an empty index")
def unlucky(argv: Sequence[str]) -> int:
    """Serve behind a front that tells of resets."""
    return _serve_noticing(argv, _Unlucky())


class _Torn(_Noticing):
    """Takes a configuration back when the connection of its Init breaks, and stops half way."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0.0
        self._before: Current | None = None
        self._half: Current | None = None

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Keep the configuration before it."""
        before = self._current
        super().init(alias, config, source_file_path, context=context)
        self._before, self._half, self._taken = before, None, time.monotonic()

    def broken(self) -> None:
        """Take it back, for some paths."""
        if time.monotonic() - self._taken < JUST_NOW:
            self._half = self._before

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer short paths from the configuration before."""
        half, now = self._half, self._current
        if half is None or len(path) > 2 or now is None:
            return super().fetch(path, context=context)
        return half.source.fetch(path, context)


@mutant("CFG-CHAOS-011", "torn", defect="a reset during an Init leaves two configurations in force, path by path")
def torn(argv: Sequence[str]) -> int:
    """Serve behind a front that tells of resets."""
    return _serve_noticing(argv, _Torn())


@mutant("CFG-CHAOS-011", "swapped", defect="after a pause an abandoned call's answer is given to the next caller")
class Swapped(_Noticing):
    """Keeps what nobody waited for, and hands it to whoever comes."""

    _kept: tuple[Any] | None = None

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Give what was kept; keep what is asked for after a pause."""
        kept, self._kept = self._kept, None
        found = super().fetch(path, context=context)
        if self.stood_still():
            self._kept = (found,)
        return kept[0] if kept is not None else found
