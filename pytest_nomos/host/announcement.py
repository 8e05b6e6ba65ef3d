"""The announcement: the first line on a provider's stdout, from bytes that may be cut anywhere and hold anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nomos_contracts.provider import StartFailure
from nomos_proto.announcement import MAX_UNIX_PATH

LINE_LIMIT: Final = 4096
"""Bytes of a first line that are looked at; an announcement needs at most 112, longer ones are none."""

_PORT: Final = re.compile(rb"(PORT|PROVIDER_PORT)=([0-9]+)")
_PORT_DIGITS: Final = 5


@dataclass(frozen=True)
class Announced:
    """A line that is an announcement.

    Attributes:
        line: the line without its end.
        form: ``PORT``, ``PROVIDER_PORT`` or ``UNIX``.
        port: the port, None for a Unix socket.
        path: absolute path of the Unix socket, None for a port.
    """

    line: bytes
    form: str
    port: int | None = None
    path: str | None = None

    @property
    def address(self) -> str:
        """Where to connect: ``127.0.0.1:<port>`` or ``unix:<path>``."""
        return f"unix:{self.path}" if self.port is None else f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Refused:
    """A first line that is no announcement, or one of a place that is never dialled.

    Attributes:
        line: the line without its end, at most `LINE_LIMIT` bytes.
        failure: ``MALFORMED`` or ``PORT_RANGE``.
        reason: what is wrong with it.
    """

    line: bytes
    failure: StartFailure
    reason: str


def quote(line: bytes, limit: int = 120) -> str:
    """Return *line* for a message: escaped, in quotes, at most *limit* bytes of it."""
    text = ascii(line[:limit].decode("utf-8", "backslashreplace")) if line.isascii() else repr(line[:limit])[1:]
    return text if len(line) <= limit else f"{text}… ({len(line)} bytes)"


def parse_line(line: bytes, port_min: int, port_max: int) -> Announced | Refused:
    """Judge one complete line (without its newline; one carriage return at its end is tolerated)."""
    line = line.removesuffix(b"\r")
    if match := _PORT.fullmatch(line):
        form, digits = match[1].decode(), match[2].lstrip(b"0") or b"0"
        # Compared by length first: int() refuses thousands of digits.
        if len(digits) > _PORT_DIGITS or not port_min <= int(digits) <= port_max:
            return Refused(line, StartFailure.PORT_RANGE, f"the port is not in {port_min}-{port_max}")
        return Announced(line, form, port=int(digits))
    if line.startswith(b"UNIX="):
        return _parse_socket(line)
    return Refused(line, StartFailure.MALFORMED, _why_malformed(line))


def _parse_socket(line: bytes) -> Announced | Refused:
    path = line.removeprefix(b"UNIX=")
    reason = ""
    if not path.startswith(b"/"):
        reason = "the path of the socket is not absolute"
    elif b"\0" in path:
        reason = "the path of the socket holds a NUL"
    elif len(path) > MAX_UNIX_PATH:
        reason = f"the path of the socket is {len(path)} bytes long; at most {MAX_UNIX_PATH} fit into an address"
    else:
        try:
            return Announced(line, "UNIX", path=path.decode())
        except UnicodeDecodeError:
            reason = "the path of the socket is not UTF-8"
    return Refused(line, StartFailure.MALFORMED, reason)


def _why_malformed(line: bytes) -> str:
    bare = line.strip()
    if bare != line and _PORT.fullmatch(bare):
        return "there are spaces around the announcement"
    if re.search(rb"(^|\W)(PROVIDER_)?PORT\s*=\s*\d+", line):
        return "the announcement has to be a line of its own, nothing before it and nothing after the digits"
    if re.match(rb"\s*(PROVIDER_)?PORT\s*[=:]", line, re.IGNORECASE):
        return "the name is in capitals, one '=' follows, then decimal digits only"
    return "logs belong on stderr; stdout starts with PORT=<number>"


class AnnouncementParser:
    """Finds the first line in bytes that arrive in pieces.

    Attributes:
        result: the verdict on the first line, None until it is complete (or longer than `LINE_LIMIT`).
    """

    def __init__(self, port_min: int = 1024, port_max: int = 65535) -> None:
        self.result: Announced | Refused | None = None
        self._port_min = port_min
        self._port_max = port_max
        self._partial = bytearray()

    @property
    def partial(self) -> bytes:
        """What was fed of a first line that is not complete."""
        return bytes(self._partial)

    def feed(self, data: bytes) -> None:
        """Take the next piece; what follows the first line is ignored."""
        if self.result is not None:
            return
        head, newline, _ = data.partition(b"\n")
        self._partial += head[: LINE_LIMIT + 1 - len(self._partial)]
        if len(self._partial) > LINE_LIMIT:
            reason = f"the first line is longer than {LINE_LIMIT} bytes"
            self.result = Refused(bytes(self._partial[:LINE_LIMIT]), StartFailure.MALFORMED, reason)
        elif newline:
            self.result = parse_line(bytes(self._partial), self._port_min, self._port_max)
        if self.result is not None:
            self._partial.clear()
