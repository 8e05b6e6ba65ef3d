"""The tap: the last hop before an upstream, where what it answers is counted, looked at and changed.

No backend of proxies counts for certain (Toxiproxy counts nothing), and none knows what it carries.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Final, Self

from pytest_nomos.chaos.network.proxy import ProxyError, Upstream, read_upstream

CHUNK: Final = 65536
KEPT: Final = 4 * 1024 * 1024
"""Bytes of answers that are kept to be looked at."""
CONNECT_SECONDS: Final = 5.0
HELD_SECONDS: Final = 0.05
"""How long the beginning of a text that is to be changed is held back for its rest."""
END_SECONDS: Final = 2.0
"""For the threads to end."""

_CONDITION: Final = re.compile(rb"(?i)\bIf(-(?:none-match|modified-since|range):)")
_LENGTH: Final = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,12})[ \t]*\r?$")
_CHUNKED: Final = re.compile(rb"(?im)^transfer-encoding:[ \t]*chunked[ \t]*\r?$")
_LAST: Final = b"\r\n0\r\n\r\n"
"""How what is sent in chunks ends."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class Tap:
    """Listens on 127.0.0.1 and passes connections on to *upstream*, used in a ``with``. Thread-safe.

    Args:
        upstream: ``host:port`` or ``unix:/path``.

    Raises:
        ProxyError: *upstream* names nothing, or this machine has no port.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = read_upstream(upstream)
        self._lock = threading.Lock()
        self._answers: list[bytearray] = []
        self._room = KEPT
        self._connections = 0
        self._live: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._change: tuple[bytes, bytes] | None = None
        self._closed = False
        try:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        except OSError as error:
            raise ProxyError(f"no port for the tap before {upstream}: {error}") from error
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = self._spawn(self._accept)

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return self._connections

    def carried(self, text: bytes) -> bool:
        """Whether *text* came from the upstream as it stands, within one connection."""
        with self._lock:
            return any(text in answer for answer in self._answers)

    def change(self, old: bytes, new: bytes) -> None:
        """From now on pass *new* on where *old* comes, on connections that are opened from now on.

        Callers that ask whether something has changed since get the whole of it.

        Raises:
            ValueError: the two differ in length: that would have to be announced differently.
        """
        if len(old) != len(new) or not old:
            raise ValueError("what takes the place of a text is as long as the text")
        self._change = (old, new)

    def cuts(self) -> tuple[int, ...]:
        """Return numbers of bytes after which the longest answer of HTTP would be cut where its reader can tell.

        In its head, in the middle of what follows and before its last byte; none where no answer told its length.
        """
        best: tuple[int, int] | None = None
        with self._lock:
            for answer in self._answers:
                head, end, rest = bytes(answer).partition(b"\r\n\r\n")
                status, length = _STATUS.match(head), _length(head, rest)
                if end and status is not None and status[1] == b"200":
                    found = (length, len(head) + len(end))
                    best = max(best or found, found)
        if best is None or best[0] < 2:  # nothing lies between the first byte and the last
            return ()
        body, head_bytes = best
        return tuple(dict.fromkeys((head_bytes // 2, head_bytes + body // 2, head_bytes + body - 1)))

    def close(self) -> None:
        """Close everything. Idempotent."""
        with self._lock:
            self._closed = True
            live = tuple(self._live)
        for end in (self._listener, *live):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(END_SECONDS)  # the last that makes others
        with self._lock:
            threads = tuple(self._threads)
        for thread in threads:
            thread.join(END_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _spawn(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        def run() -> None:
            try:
                work(*arguments)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name="nomos-tap", daemon=True)
        with self._lock:  # or it could be waited for before it is started, or be forgotten before it is known
            thread.start()
            self._threads.add(thread)
        return thread

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                if self._closed:
                    return
                threading.Event().wait(HELD_SECONDS)  # no descriptor for it
                continue
            self._connections += 1
            self._spawn(self._serve, caller)

    def _serve(self, caller: socket.socket) -> None:
        with caller:
            try:
                upstream = _connected(self._upstream)
            except OSError:
                with contextlib.suppress(OSError):
                    # As a port on which nobody listens.
                    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            with upstream, self._known(caller, upstream):
                change = self._change
                answer = bytearray()
                with self._lock:
                    self._answers.append(answer)
                back = self._spawn(self._down, upstream, caller, answer, change)
                self._up(caller, upstream, change is not None)
                back.join()

    @contextlib.contextmanager
    def _known(self, *ends: socket.socket) -> Generator[None]:
        with self._lock:
            closed = self._closed
            self._live.update(ends)
        if closed:
            _break(*ends)
        try:
            yield
        finally:
            with self._lock:
                self._live.difference_update(ends)

    @staticmethod
    def _up(caller: socket.socket, upstream: socket.socket, changing: bool) -> None:
        try:
            while data := caller.recv(CHUNK):
                # Of the same length, and known to nobody: the answer then comes as a whole.
                upstream.sendall(_CONDITION.sub(rb"Xf\1", data) if changing else data)
            upstream.shutdown(socket.SHUT_WR)
        except OSError:
            _break(caller, upstream)

    def _down(
        self, upstream: socket.socket, caller: socket.socket, answer: bytearray, change: tuple[bytes, bytes] | None
    ) -> None:
        held = b""
        try:
            while True:
                upstream.settimeout(HELD_SECONDS if held else None)
                try:
                    data = upstream.recv(CHUNK)
                except TimeoutError:
                    caller.sendall(held)
                    held = b""
                    continue
                self._keep(answer, data)
                if not data:
                    break
                if change is not None:
                    data = (held + data).replace(*change)
                    held = _beginning(data, change[0])
                    data = data[: len(data) - len(held)]
                caller.sendall(data)
            caller.sendall(held)
            caller.shutdown(socket.SHUT_WR)
        except OSError:
            _break(caller, upstream)

    def _keep(self, answer: bytearray, data: bytes) -> None:
        with self._lock:
            piece = data[: self._room]
            answer += piece
            self._room -= len(piece)


def _length(head: bytes, rest: bytes) -> int:
    """Return how many bytes follow a head, 0 where it does not tell."""
    announced = _LENGTH.search(head)
    if announced is not None:
        return int(announced[1])
    last = rest.find(_LAST) if _CHUNKED.search(head) else -1
    return last + len(_LAST) if last >= 0 else 0


def _connected(place: Upstream) -> socket.socket:
    if not place.path:
        made = socket.create_connection((place.host, place.port), timeout=CONNECT_SECONDS)
    else:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(place.path)
        except OSError:
            made.close()
            raise
    made.settimeout(None)
    return made


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _beginning(data: bytes, text: bytes) -> bytes:
    """Return the end of *data* that may be the beginning of *text*."""
    for length in range(min(len(text) - 1, len(data)), 0, -1):
        if data.endswith(text[:length]):
            return text[:length]
    return b""
