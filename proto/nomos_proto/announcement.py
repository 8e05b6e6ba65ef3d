"""How a provider tells its host where it listens."""

from __future__ import annotations

from typing import Final

LISTEN: Final = "NOMOS_LISTEN"
"""Environment variable in which a host asks for a Unix socket: ``unix:<absolute path>``."""
LIFELINE: Final = "NOMOS_LIFELINE_FD"
"""Environment variable with the number of an inherited pipe; its end of file means that the host is gone."""
UNIX_SCHEME: Final = "unix:"
MAX_UNIX_PATH: Final = 107
"""Bytes of a socket path: `sun_path` holds 108 with the final NUL."""


def announce_port(port: int) -> bytes:
    """Return the announcement of a TCP port: our own form first, then the one that the command line looks for."""
    return b"PORT=%d\nPROVIDER_PORT=%d\n" % (port, port)


def announce_unix(path: str) -> bytes:
    """Return the announcement of a Unix socket."""
    return b"UNIX=" + path.encode("utf-8", "surrogateescape") + b"\n"
