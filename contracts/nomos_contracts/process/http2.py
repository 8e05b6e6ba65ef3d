"""A caller of HTTP/2 that decides how much of an answer it takes, and when: what no library lets a test do.

Written after RFC 9113 (frames, flow control), RFC 7541 (literal header fields) and gRPC's own page on HTTP/2.
"""

from __future__ import annotations

import math
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

FETCH: Final = "/nomos.provider.v1.ProviderService/Fetch"

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_NO_PUSH, _INITIAL_WINDOW = 2, 4
_PREFIX: Final = 5
"""Bytes before a message of gRPC: a flag and its length."""
_CHUNK: Final = 65536


@dataclass
class Stream:
    """A call: what has come of its answer.

    Attributes:
        number: of the stream.
        answering: whether the answer has begun.
        data: what has come of it, with the prefix of gRPC.
        ended: whether nothing more comes.
        broken: why it was broken off, empty where it was not.
    """

    number: int
    answering: bool = False
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    broken: str = ""

    @property
    def message(self) -> bytes | None:
        """The message, None where it has not come as a whole."""
        if len(self.data) < _PREFIX or self.data[0] != 0:
            return None
        (length,) = struct.unpack(">I", self.data[1:_PREFIX])
        return bytes(self.data[_PREFIX:]) if len(self.data) == _PREFIX + length else None


class HesitantCaller:
    """A connection on which each answer may have no more bytes than were granted, used in a ``with``.

    Args:
        address: ``host:port`` or ``unix:/path``.
        seconds: for connecting and for each send.

    Raises:
        OSError: nobody accepts there.
    """

    def __init__(self, address: str, seconds: float = 5.0) -> None:
        if address.startswith("unix:"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(seconds)
            self._socket.connect(address.removeprefix("unix:"))
            self._authority = "localhost"
        else:
            host, _, port = address.rpartition(":")
            self._socket = socket.create_connection((host, int(port)), timeout=seconds)
            self._authority = address
        self._streams: dict[int, Stream] = {}
        self._unread = b""
        self._seconds = seconds
        settings = struct.pack(">HIHI", _NO_PUSH, 0, _INITIAL_WINDOW, 0)
        self._send(_PREFACE + _frame(_SETTINGS, 0, 0, settings))

    def begin(self, request: bytes, seconds: float, method: str = FETCH) -> Stream:
        """Begin a call with a deadline; its answer may begin and has no room for a single byte."""
        stream = Stream(2 * len(self._streams) + 1)
        self._streams[stream.number] = stream
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": method,
            ":authority": self._authority,
            "te": "trailers",
            "content-type": "application/grpc",
            "grpc-timeout": f"{math.ceil(seconds)}S",
        }
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
        message = b"\0" + struct.pack(">I", len(request)) + request
        self._send(
            _frame(_HEADERS, _END_HEADERS, stream.number, block) + _frame(_DATA, _END_STREAM, stream.number, message)
        )
        return stream

    def grant(self, stream: Stream, count: int) -> None:
        """Let *count* further bytes of the answer come."""
        room = struct.pack(">I", count)
        self._send(_frame(_WINDOW, 0, stream.number, room) + _frame(_WINDOW, 0, 0, room))

    def listen(self, seconds: float) -> None:
        """Take what comes for *seconds*; what is not granted does not come."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                return
            try:
                piece = self._socket.recv(_CHUNK)
            except OSError as error:
                self._break(f"the connection broke: {error}")
                return
            if not piece:
                self._break("the connection was closed")
                return
            self._unread += piece
            self._take()

    def _break(self, why: str) -> None:
        for stream in self._streams.values():
            if not stream.ended:
                stream.ended, stream.broken = True, why

    def _take(self) -> None:
        while len(self._unread) >= 9:
            length = int.from_bytes(self._unread[:3], "big")
            kind, flags = self._unread[3], self._unread[4]
            number = int.from_bytes(self._unread[5:9], "big") & 0x7FFFFFFF
            if len(self._unread) < 9 + length:
                return
            payload, self._unread = self._unread[9 : 9 + length], self._unread[9 + length :]
            self._frame(kind, flags, number, payload)

    def _frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            self._send(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._send(_frame(_PING, _ACK, 0, payload))
        elif kind == _GOAWAY:
            last = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
            if int.from_bytes(payload[4:8], "big") or any(known > last for known in self._streams):
                self._break("the connection was given up (GOAWAY)")
        stream = self._streams.get(number)
        if stream is None:
            return
        if kind == _DATA:
            stream.data += payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
        elif kind == _HEADERS:
            stream.answering = True
        elif kind == _RESET and not stream.ended:
            stream.ended, stream.broken = True, f"it was reset with code {int.from_bytes(payload, 'big')}"
        if kind in {_DATA, _HEADERS} and flags & _END_STREAM:
            stream.ended = True

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            self._break(f"the connection broke: {error}")

    def close(self) -> None:
        """Leave, without a word. Idempotent."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _frame(kind: int, flags: int, number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + number.to_bytes(4, "big") + payload


def _text(text: str) -> bytes:
    """Return a string as HPACK has it without Huffman's code; all of ours are shorter than 127 bytes or counted on."""
    data = text.encode()
    size, rest = bytearray(), len(data)
    if rest < 0x7F:
        return bytes((rest,)) + data
    size.append(0x7F)
    rest -= 0x7F
    while rest >= 0x80:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    size.append(rest)
    return bytes(size) + data
