"""Mutants that faults break for good: stops, slow and broken connections, used-up descriptors, kills."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nomos_mutants.front import CHUNK, Front, Hearing, behind
from nomos_mutants.mutant import mutant, serve_with
from nomos_mutants.original import Continued, Original
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, Health


def _left(context: CallContext) -> float:
    """Return the seconds that the caller waits on."""
    remaining = context.remaining()
    return float("inf") if remaining is None else remaining


@mutant("CFG-CHAOS-001", defect="once callers left while it stood still, it takes its source for lost, for good")
class NeverForgets(Continued):
    """Waits for somebody who repairs it."""

    _lost = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Refuse."""
        self._lost = self._lost or (self.stood_still() and _left(context) < 1)
        if self._lost and self._current is not None:
            raise ProviderError("the source was lost", "UNAVAILABLE")
        return super().fetch(path, context=context)


@mutant("CFG-CHAOS-002", defect="what was asked for while it stood still is not found")
class Dazed(Continued):
    """Has its index made anew, and answers from an empty one meanwhile."""

    _until = 0.0

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer from an empty index."""
        if self.stood_still():
            self._until = time.monotonic() + 0.2
        if time.monotonic() < self._until and _left(context) > 5 and self._current is not None:
            raise ProviderError(f"nothing at {path[-1][:80] if path else 'the root'!r}", "NOT_FOUND")
        return super().fetch(path, context=context)


class _Impatient(Front):
    """Gives a connection a tenth of a second for its first call."""

    def serve(self, client: socket.socket) -> None:
        """Expect preface and settings at once, and the call behind them."""
        client.settimeout(0.1)
        super().serve(client)

    def changed(self, source: socket.socket, data: bytes, inbound: bool) -> bytes:
        """After the first bytes there is time."""
        if inbound:
            source.settimeout(None)
        return data


@mutant("CFG-CHAOS-003", defect="connections whose first bytes take longer than a tenth of a second are closed")
def impatient(argv: Sequence[str]) -> int:
    """Serve behind an impatient front."""
    with behind(_Impatient):
        return serve_with(argv)


class _WholePreface(Front):
    """Reads the preface of HTTP/2 with one call, as tests on one machine allow."""

    PREFACE = 24

    def __init__(self, inner: int) -> None:
        super().__init__(inner)
        self._greeted: set[int] = set()

    def changed(self, source: socket.socket, data: bytes, inbound: bool) -> bytes:
        """Break off where the first bytes are fewer than the preface has."""
        if inbound and source.fileno() not in self._greeted:
            if len(data) < self.PREFACE:
                raise OSError(errno.EPROTO, "no preface")
            self._greeted.add(source.fileno())
        return data

    def serve(self, client: socket.socket) -> None:
        """Forget the connection afterwards."""
        number = client.fileno()
        super().serve(client)
        self._greeted.discard(number)


@mutant("CFG-CHAOS-004", defect="a preface that arrives in pieces is refused")
def whole_preface(argv: Sequence[str]) -> int:
    """Serve behind a front that expects whole packets."""
    with behind(_WholePreface):
        return serve_with(argv)


class _Hoarder(Front):
    """Keeps the sockets of connections that broke, to look at them later."""

    kept: list[socket.socket]

    def __init__(self, inner: int) -> None:
        super().__init__(inner)
        self.kept = []

    def broken(self, source: socket.socket, sink: socket.socket, inbound: bool) -> None:
        """Keep a copy."""
        if inbound:
            self.kept.append(source.dup())


@mutant("CFG-CHAOS-005", defect="a connection that is reset leaves a descriptor behind")
def hoarder(argv: Sequence[str]) -> int:
    """Serve behind a front that leaks."""
    with behind(_Hoarder):
        return serve_with(argv)


class _Sulking(Front):
    """Stops accepting for good once enough connections were reset."""

    resets = 0
    most = 6

    def accept(self) -> None:
        """Accept until then."""
        while True:
            client = self.next()
            if self.resets >= self.most:
                client.close()
                continue
            self.take(client)

    def broken(self, source: socket.socket, sink: socket.socket, inbound: bool) -> None:
        """Count."""
        self.resets += inbound


@mutant(
    "CFG-CHAOS-005",
    "blocks",
    defect="after six connections that were reset, callers are taken for attackers",
    by_chance=True,
)
def sulking(argv: Sequence[str]) -> int:
    """Serve behind a front that gives up."""
    with behind(_Sulking):
        return serve_with(argv)


class _Places(_Sulking):
    """Has places for connections; one that is reset keeps its place."""

    most = 80


@mutant("CFG-CHAOS-005", "places", defect="of eighty places for connections, one is lost with each that is reset")
def losing_places(argv: Sequence[str]) -> int:
    """Serve behind a front that runs out of places."""
    with behind(_Places):
        return serve_with(argv)


class _Waiting(Front):
    """Waits for the rest of a message with the lock in its hand."""

    def __init__(self, inner: int) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()

    def take(self, client: socket.socket) -> None:
        """Wait for the preface and what is behind it, one connection after the other, from its first word on."""
        threading.Thread(target=self._first, args=(client,), daemon=True).start()

    def _first(self, client: socket.socket) -> None:
        try:
            said = client.recv(1, socket.MSG_PEEK)
        except OSError:
            said = b""
        if not said:
            client.close()
            return
        with self._lock:
            head = b""
            try:
                # At the end of a connection recv answers nothing, again and again.
                while len(head) < self.HEAD and not self.enough(head):
                    piece = client.recv(CHUNK, socket.MSG_PEEK)
                    if len(piece) == len(head):
                        threading.Event().wait(0.01)
                    head = piece
            except OSError:
                client.close()
                return
        self.serve(client)

    HEAD = 40

    def enough(self, head: bytes) -> bool:
        """Whether there is more than a preface."""
        return False


@mutant(
    "CFG-CHAOS-006",
    defect="it waits for the rest of a message whose connection has ended, and nobody else gets in",
)
def waiting(argv: Sequence[str]) -> int:
    """Serve behind a front that takes the end of a connection for a pause."""
    with behind(_Waiting):
        return serve_with(argv)


class _OneByOne(Front):
    """Takes the next connection when the last one has said its first word."""

    def accept(self) -> None:
        """Accept, and listen."""
        while True:
            client = self.next()
            try:
                client.recv(1, socket.MSG_PEEK)
            except OSError:
                client.close()
                continue
            self.take(client)


@mutant("CFG-CHAOS-007", defect="a connection on which nothing is said keeps the next ones waiting")
def one_by_one(argv: Sequence[str]) -> int:
    """Serve behind a front without threads."""
    with behind(_OneByOne):
        return serve_with(argv)


class _Suspicious(Original):
    """Notes callers whose connections ended soon after their first word, until somebody asks for its health."""

    TAKEN = 10
    SOON = 0.4

    def __init__(self) -> None:
        super().__init__()
        self.suspects = 0

    def health(self) -> Health:
        """Forget them: those who ask for it connect and leave."""
        self.suspects = 0
        return super().health()


@mutant(
    "CFG-CHAOS-008",
    defect="after ten connections that were cut soon, callers are refused for good",
    also=("CFG-CHAOS-005", "CFG-CHAOS-006", "CFG-DEADLINE-001"),
)
def cautious(argv: Sequence[str]) -> int:
    """Serve behind a front that gives up."""
    provider = _Suspicious()

    class Cautious(Hearing):
        """Takes callers whose connections ended under a call for attackers."""

        def take(self, client: socket.socket) -> None:
            """Refuse all of them."""
            if provider.suspects >= provider.TAKEN:
                client.close()
                return
            super().take(client)

        def passing(self, source: socket.socket, sink: socket.socket, inbound: bool) -> None:
            """Count connections that their caller left soon, after a word."""
            began = time.monotonic()
            super().passing(source, sink, inbound)
            provider.suspects += inbound and source in self.heard and time.monotonic() - began < provider.SOON

    with behind(Cautious):
        return serve_with(argv, provider=provider)


class _Deaf(Front):
    """Its loop ends when there is no descriptor for a connection."""

    def accept(self) -> None:
        """Accept until that fails."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.take(client)


@mutant(
    "CFG-CHAOS-009",
    defect="once it had no descriptor for a connection it accepts none any more",
    also=("CFG-CHAOS-011",),
)
def deaf(argv: Sequence[str]) -> int:
    """Serve behind a front whose loop has an end."""
    with behind(_Deaf):
        return serve_with(argv)


class _Dying(Front):
    """Ends the process when there is no descriptor for a connection."""

    def accept(self) -> None:
        """Accept until that fails."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                os._exit(70)
            self.take(client)


@mutant("CFG-CHAOS-009", "dies", defect="it dies when it has no descriptor for a connection", also=("CFG-CHAOS-011",))
def dying(argv: Sequence[str]) -> int:
    """Serve behind a front that takes the process with it."""
    with behind(_Dying):
        return serve_with(argv)


@mutant("CFG-CHAOS-009", "absent", defect="what it cannot open for lack of a descriptor is not there")
class Absent(Original):
    """Takes any error of an open for a missing file."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Open what every call opens."""
        try:
            Path(os.devnull).open("rb").close()
        except OSError:
            raise ProviderError(f"nothing at {path[-1][:80] if path else 'the root'!r}", "NOT_FOUND") from None
        return super().fetch(path, context=context)


@mutant(
    "CFG-CHAOS-010",
    defect="after it was killed it refuses the next Init",
    by_chance=True,  # a check kills what does not come back from a lack of memory, which few do on a busy machine
)
class Unclean(Original):
    """Keeps a mark while it runs, and refuses once where it finds the mark of one that is gone."""

    def __init__(self) -> None:
        super().__init__()
        self._mark: Path | None = None

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Look for marks, then leave one."""
        super().init(alias, config, source_file_path, context=context)
        if not config.get("directory") or self._mark is not None:
            return
        place = Path(config["directory"]).parent
        for mark in place.glob(".running-*"):
            if not Path("/proc", mark.name.rpartition("-")[2]).exists():
                self._current = None
                mark.unlink(missing_ok=True)
                raise ProviderError("it was not shut down; look what is lost", "INVALID_STATE")
        self._mark = place / f".running-{os.getpid()}"
        self._mark.touch()

    def shutdown(self) -> None:
        """Take the mark away."""
        if self._mark is not None:
            self._mark.unlink(missing_ok=True)
        super().shutdown()
