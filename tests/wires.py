"""Wires: sockets on both sides of a proxy, in the hands of one test."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_nomos.chaos.network.proxy import Proxies, Proxy

SECONDS = 10.0
"""For what has to come; nothing waits that long unless it is broken."""
QUIET = 0.15
"""For what must not come."""


def read(end: socket.socket, size: int) -> bytes:
    """Read *size* bytes, or what comes before the end."""
    data = bytearray()
    while len(data) < size and (piece := end.recv(min(65536, size - len(data)))):
        data += piece
    return bytes(data)


def read_all(end: socket.socket) -> bytes:
    """Read until the end."""
    data = bytearray()
    while piece := end.recv(65536):
        data += piece
    return bytes(data)


def quiet(end: socket.socket, seconds: float = QUIET) -> bool:
    """Whether nothing comes, neither data nor an end."""
    return not select.select([end], [], [], seconds)[0]


def ending(end: socket.socket) -> str:
    """Read until it is over; return ``FIN`` or ``RST``."""
    try:
        read_all(end)
    except ConnectionResetError:
        return "RST"
    return "FIN"


@dataclass
class Wire:
    """One connection through a proxy."""

    caller: socket.socket
    served: socket.socket

    def ends(self, direction: str) -> tuple[socket.socket, socket.socket]:
        """Return who sends and who receives in that direction."""
        return (self.caller, self.served) if direction == "upstream" else (self.served, self.caller)

    def works(self) -> bool:
        """Whether bytes pass both ways."""
        for direction in ("upstream", "downstream"):
            sender, receiver = self.ends(direction)
            sender.sendall(b"ping")
            if read(receiver, 4) != b"ping":
                return False
        return True

    def close(self) -> None:
        """Close both sockets."""
        self.caller.close()
        self.served.close()


class Line:
    """A listener, a proxy in front of it, and what is connected."""

    def __init__(self, proxies: Proxies, name: str = "line", path: Path | None = None) -> None:
        if path is None:
            self.listener = socket.create_server(("127.0.0.1", 0))
            upstream = f"127.0.0.1:{self.listener.getsockname()[1]}"
        else:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen()
            upstream = f"unix:{path}"
        self.listener.settimeout(SECONDS)
        self.wires: list[Wire] = []
        try:
            self.proxy: Proxy = proxies.create(name, upstream)
        except BaseException:
            self.listener.close()
            raise

    @property
    def place(self) -> tuple[str, int]:
        """Where the proxy listens."""
        host, _, port = self.proxy.address.rpartition(":")
        return host, int(port)

    def dial(self) -> socket.socket:
        """Connect to the proxy."""
        made = socket.create_connection(self.place, SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def connect(self) -> Wire:
        """Connect, and accept what the proxy connects to."""
        caller = self.dial()
        served, _ = self.listener.accept()
        served.settimeout(SECONDS)
        wire = Wire(caller, served)
        self.wires.append(wire)
        return wire

    def close(self) -> None:
        """Close all sockets; the proxy is left to its backend."""
        for wire in self.wires:
            wire.close()
        self.listener.close()


@contextmanager
def line(proxies: Proxies, name: str = "line", path: Path | None = None) -> Iterator[Line]:
    """Have a line for a ``with``."""
    made = Line(proxies, name, path)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def sending(end: socket.socket, data: bytes) -> Iterator[list[int]]:
    """Send beside the test; yields a list whose one item is how many bytes the kernel has taken."""
    taken = [0]

    def send() -> None:
        with contextlib.suppress(OSError):
            while taken[0] < len(data):
                taken[0] += end.send(data[taken[0] : taken[0] + 65536])

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield taken
    finally:
        thread.join(SECONDS)
        assert not thread.is_alive()
