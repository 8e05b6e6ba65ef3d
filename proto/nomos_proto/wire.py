"""The protobuf encoding itself: fields, varints and lengths, without recursion and without the protobuf runtime.

The runtime refuses a Struct nested deeper than about 32 levels and costs 25 ms of start-up; a provider that speaks
version 1 needs neither.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
GROUP: Final = 3
GROUP_END: Final = 4
FIXED32: Final = 5

Buffer = bytes | memoryview

_DOUBLE = struct.Struct("<d")


class WireError(ValueError):
    """Bytes that are no protobuf message; the message says what is wrong, never what the bytes were."""


def read_varint(data: Buffer, at: int) -> tuple[int, int]:
    """Return the number at *at* and the position behind it.

    Raises:
        WireError: the data end inside it, or it is longer than ten bytes.
    """
    number = shift = 0
    while True:
        try:
            byte = data[at]
        except IndexError:
            raise WireError("the data end inside a number") from None
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift >= 70:
            raise WireError("a number is longer than ten bytes")


def write_varint(number: int) -> bytes:
    """Return *number* (0 to 2**64 - 1) as a varint."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_fields(data: Buffer) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yield (field number, wire type, value) of each field of a message; groups are left out.

    The value is a number for varints and a view of the raw bytes for everything else.

    Raises:
        WireError: truncated data, field number 0, an unknown wire type, or a group without its end.
    """
    view = memoryview(data)
    at, end = 0, len(view)
    while at < end:
        tag, at = read_varint(view, at)
        number, kind = tag >> 3, tag & 7
        if number == 0 or number > 0x1FFFFFFF:
            raise WireError("a field has a number outside 1 to 536870911")
        if kind == GROUP:
            at = _skip_group(view, at, number)
        elif kind == GROUP_END:
            raise WireError("a group ends that never began")
        else:
            value, at = _read_value(view, at, kind)
            yield number, kind, value


def _read_value(view: memoryview, at: int, kind: int) -> tuple[int | memoryview, int]:
    if kind == VARINT:
        return read_varint(view, at)
    if kind == BYTES:
        length, at = read_varint(view, at)
    elif kind == FIXED64:
        length = 8
    elif kind == FIXED32:
        length = 4
    else:
        raise WireError(f"a field has the unknown wire type {kind}")
    if length > len(view) - at:
        raise WireError("the data end inside a field")
    return view[at : at + length], at + length


def _skip_group(view: memoryview, at: int, number: int) -> int:
    open_groups = [number]
    while open_groups:
        tag, at = read_varint(view, at)
        if tag & 7 == GROUP:
            open_groups.append(tag >> 3)
        elif tag & 7 == GROUP_END:
            if open_groups.pop() != tag >> 3:
                raise WireError("a group ends that never began")
        else:
            _, at = _read_value(view, at, tag & 7)
    return at


def field(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field."""
    return write_varint(number << 3 | BYTES) + write_varint(len(payload)) + payload


def text_field(number: int, text: str) -> bytes:
    """Return a string field, nothing for the empty string as proto3 has it.

    Raises:
        WireError: the text holds a lone surrogate, which UTF-8 does not have.
    """
    return field(number, to_utf8(text)) if text else b""


def to_utf8(text: str) -> bytes:
    """Return *text* in UTF-8.

    Raises:
        WireError: the text holds a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise WireError("a string holds half of a surrogate pair, which UTF-8 does not have") from None


def from_utf8(data: Buffer) -> str:
    """Return the text of a string field.

    Raises:
        WireError: the bytes are not UTF-8.
    """
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise WireError("a string is not UTF-8") from None


def read_double(data: Buffer) -> float:
    """Return the double that eight bytes hold."""
    number: float = _DOUBLE.unpack(data)[0]
    return number


def write_double(number: float) -> bytes:
    """Return *number* as eight bytes."""
    return _DOUBLE.pack(number)
