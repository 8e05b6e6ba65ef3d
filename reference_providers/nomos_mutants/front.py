"""The front: what takes connections for a provider and passes their bytes on, so that it can do that badly."""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from unittest.mock import patch

import grpc

from nomos_proto import serve

CHUNK: Final = 65536


class Front:
    """A correct one: accepts for ever, and each connection has two threads of its own.

    Args:
        inner: the port of the server behind it.
    """

    def __init__(self, inner: int) -> None:
        self._inner = inner
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Begin to accept."""
        threading.Thread(target=self.accept, daemon=True, name="front").start()

    def accept(self) -> None:
        """Accept connections for ever."""
        while True:
            self.take(self.next())

    def next(self) -> socket.socket:
        """Return the next connection; when there is no descriptor for one, a moment later."""
        while True:
            try:
                return self._listener.accept()[0]
            except OSError:
                threading.Event().wait(0.05)

    def take(self, client: socket.socket) -> None:
        """Serve a connection in a thread of its own."""
        threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        """Serve a connection until one end has closed it."""
        try:
            server = socket.create_connection(("127.0.0.1", self._inner))
        except OSError:
            client.close()
            return
        back = threading.Thread(target=self.passing, args=(server, client, False), daemon=True)
        back.start()
        self.passing(client, server, True)
        back.join()
        for end in (client, server):
            end.close()

    def passing(self, source: socket.socket, sink: socket.socket, inbound: bool) -> None:
        """Pass on what arrives until it ends or breaks, then tell the other end."""
        try:
            while data := source.recv(CHUNK):
                sink.sendall(self.changed(source, data, inbound))
        except OSError:
            self.broken(source, sink, inbound)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def changed(self, source: socket.socket, data: bytes, inbound: bool) -> bytes:
        """Return what is passed on in the place of *data*."""
        return data

    def broken(self, source: socket.socket, sink: socket.socket, inbound: bool) -> None:
        """Note that a connection broke."""


class Hearing(Front):
    """Notes which callers have said something."""

    def __init__(self, inner: int) -> None:
        super().__init__(inner)
        self.heard = weakref.WeakSet[socket.socket]()

    def changed(self, source: socket.socket, data: bytes, inbound: bool) -> bytes:
        """Note who has said something."""
        if inbound:
            self.heard.add(source)
        return data


@contextmanager
def behind(kind: type[Front]) -> Generator[None]:
    """Serve behind a front of *kind*, which has the port that is announced; a Unix socket has none."""
    made = serve._new_server  # noqa: SLF001 # a mutant changes what is inside

    def new_server() -> grpc.Server:
        server = made()
        bind = server.add_insecure_port

        def add(address: str) -> int:
            inner = bind(address)
            if address.startswith("unix:"):
                return inner
            front = kind(inner)
            front.start()
            return front.port

        server.add_insecure_port = add  # type: ignore[method-assign] # as above
        return server

    with patch.object(serve, "_new_server", new_server):
        yield
