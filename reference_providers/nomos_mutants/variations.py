"""Variations of the serving process that several mutants share; each lasts for a ``with`` block."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import grpc

from nomos_proto import announcement, serve


@contextmanager
def announcing(line: Callable[[int], bytes]) -> Generator[None]:
    """Print what *line* makes of the port in place of the announcement."""
    with patch.object(announcement, "announce_port", line):
        yield


@contextmanager
def _binding(choose: Callable[[], str]) -> Generator[None]:
    made = serve._new_server  # noqa: SLF001 # a mutant changes what is inside

    def new_server() -> grpc.Server:
        server = made()
        bind = server.add_insecure_port

        def add(address: str) -> int:
            return bind(address if address.startswith("unix:") else choose())

        server.add_insecure_port = add  # type: ignore[method-assign] # as above
        return server

    with patch.object(serve, "_new_server", new_server):
        yield


@contextmanager
def fixed_port(port: int) -> Generator[None]:
    """Bind *port* in place of one that the system chooses."""
    with _binding(lambda: f"127.0.0.1:{port}"):
        yield


@contextmanager
def listening(host: str) -> Generator[None]:
    """Bind *host* in place of the loopback interface."""
    with _binding(lambda: f"{host}:0"):
        yield


def free_port(ports: range) -> int:
    """Return a port of *ports* that nobody listens on, tried from one that depends on the process."""
    for turn in range(len(ports)):
        port = ports[(os.getpid() + turn) % len(ports)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("every port of the range is taken")


@contextmanager
def patient() -> Generator[None]:
    """Wait without limit for running calls when a signal asks for the end; after Shutdown as ever."""
    made = serve._new_server  # noqa: SLF001 # a mutant changes what is inside
    by_shutdown = threading.Event()

    class Ending(serve._Ending):  # noqa: SLF001 # as above
        def request(self) -> None:
            by_shutdown.set()
            super().request()

    def new_server() -> grpc.Server:
        server = made()
        stop = server.stop
        server.stop = lambda grace: stop(grace if by_shutdown.is_set() or not grace else 3000.0)  # type: ignore[method-assign] # as above
        return server

    with patch.object(serve, "_Ending", Ending), patch.object(serve, "_new_server", new_server):
        yield


@contextmanager
def serving(name: str, replacement: Any) -> Generator[None]:
    """Replace *name* in the module that serves."""
    with patch.object(serve, name, replacement):
        yield
