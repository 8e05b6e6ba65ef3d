"""Variations of the serving process that several mutants share; each lasts for a ``with`` block."""

from __future__ import annotations

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


@contextmanager
def serving(name: str, replacement: Any) -> Generator[None]:
    """Replace *name* in the module that serves."""
    with patch.object(serve, name, replacement):
        yield
