"""google.protobuf.Struct and Python values, as bytes both ways and to any depth.

The codec walks with a stack of its own: the protobuf runtime fails at about 32 levels of nesting, and a recursive one
would fail at Python's limit. What JSON cannot say (NaN, infinities, a value without a kind) is reported with its path
and never turned into something else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from nomos_proto import wire
from nomos_proto.kinds import is_map

Key = str | int

MAX_DEPTH: Final = 10_000
"""Levels of maps and lists, unless a caller says otherwise."""
MAX_EXACT: Final = 2**53
"""Up to here each integer is a double of its own."""

_NULL = b"\x08\x00"
_TRUE = b"\x20\x01"
_FALSE = b"\x20\x00"
_NUMBER_TAG = b"\x11"
_STRING_TAG = b"\x1a"
_STRUCT_TAG = b"\x2a"
_LIST_TAG = b"\x32"
_ENTRY_TAG = _KEY_TAG = _ITEM_TAG = b"\x0a"
_VALUE_TAG = b"\x12"


class StructError(ValueError):
    """A value that no Struct can hold, or bytes that are no Struct.

    Attributes:
        reason: what is wrong, without the value itself.
        path: where, as keys and positions from the outermost map.
        too_large: whether a limit of the caller was exceeded, as opposed to a value that is wrong in itself.
    """

    def __init__(self, reason: str, path: Sequence[Key] = (), *, too_large: bool = False) -> None:
        self.reason = reason
        self.path = tuple(path)
        self.too_large = too_large
        super().__init__(f"{self.where}: {reason}" if path else reason)

    @property
    def where(self) -> str:
        """The path for a person, for instance ``servers[2].port``; cut in the middle where it is long."""
        text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path).removeprefix(".")
        return text if len(text) <= 200 else f"{text[:100]}…{text[-100:]}"


class _Open:
    """A map or list whose parts are being written, last part first."""

    __slots__ = ("before", "key", "listed", "parts")

    def __init__(self, value: Any, key: Key, before: int) -> None:
        self.listed = not isinstance(value, Mapping)
        self.parts = _parts(value)
        self.key = key
        self.before = before


def encode_struct(value: Mapping[str, Any], *, max_depth: int = MAX_DEPTH, max_bytes: int | None = None) -> bytes:
    """Return *value* as a serialized google.protobuf.Struct; map keys keep their order.

    Args:
        value: maps with string keys, lists, tuples, strings, finite numbers, booleans and None.
        max_depth: how many levels of maps and lists are allowed.
        max_bytes: how long the result may be; None sets no limit.

    Raises:
        StructError: another type or key, NaN or an infinity, an integer that a double cannot hold exactly, half of a
            surrogate pair, or a limit exceeded.
    """
    # Lengths stand before contents, so the message is written from its end.
    chunks: list[bytes] = []
    size = 0
    stack = [_Open(value, "", 0)]
    while stack:
        top = stack[-1]
        part = next(top.parts, None)
        if part is None:
            stack.pop()
            if stack:
                size += _wrap(chunks, size - top.before, _LIST_TAG if top.listed else _STRUCT_TAG)
                size += _close_part(chunks, size - top.before, top.key, listed=stack[-1].listed)
            continue
        key, item = part
        if not top.listed and not isinstance(key, str):
            reason = f"a key is {type(key).__name__}, and only strings can be keys"
            raise StructError(reason, [frame.key for frame in stack[1:]])
        before = size
        if isinstance(item, Mapping | list | tuple):
            if len(stack) >= max_depth:
                reason = f"nested deeper than {max_depth} levels"
                raise StructError(reason, [*(frame.key for frame in stack[1:]), key], too_large=True)
            stack.append(_Open(item, key, before))
            continue
        try:
            chunks.append(_scalar(item))
            size += len(chunks[-1])
            size += _close_part(chunks, size - before, key, listed=top.listed)
        except (StructError, wire.WireError) as error:
            raise StructError(str(error), [*(frame.key for frame in stack[1:]), key]) from None
        if max_bytes is not None and size > max_bytes:
            raise StructError(f"longer than {max_bytes} bytes", too_large=True)
    if max_bytes is not None and size > max_bytes:
        raise StructError(f"longer than {max_bytes} bytes", too_large=True)
    chunks.reverse()
    return b"".join(chunks)


def _parts(value: Any) -> Iterator[tuple[Key, Any]]:
    if is_map(value):
        return iter([(key, value[key]) for key in reversed(list(value))])
    items = cast("Sequence[Any]", value)
    return iter([(at, items[at]) for at in range(len(items) - 1, -1, -1)])


def _wrap(chunks: list[bytes], length: int, tags: bytes) -> int:
    head = tags + wire.write_varint(length)
    chunks.append(head)
    return len(head)


def _close_part(chunks: list[bytes], length: int, key: Key, *, listed: bool) -> int:
    """Put the head of a map entry or list item before the value of *length* bytes that was written last."""
    if listed:
        return _wrap(chunks, length, _ITEM_TAG)
    name = wire.to_utf8(cast("str", key))
    inner = _KEY_TAG + wire.write_varint(len(name)) + name + _VALUE_TAG + wire.write_varint(length)
    chunks.append(inner)
    return len(inner) + _wrap(chunks, length + len(inner), _ENTRY_TAG)


def _scalar(value: Any) -> bytes:
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, str):
        text = wire.to_utf8(value)
        return _STRING_TAG + wire.write_varint(len(text)) + text
    if isinstance(value, int):
        if not -MAX_EXACT <= value <= MAX_EXACT and not is_exact(value):
            raise StructError("an integer that a double cannot hold exactly; make it a string")
        return _NUMBER_TAG + wire.write_double(float(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise StructError("NaN and infinities are no JSON numbers")
        return _NUMBER_TAG + wire.write_double(value)
    raise StructError(f"{type(value).__name__} is no JSON type")


def is_exact(value: int) -> bool:
    """Return whether a double holds *value* as it is."""
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


class _Reading:
    """A map or list whose parts are being read."""

    __slots__ = ("count", "into", "key", "parts")

    def __init__(self, data: wire.Buffer, into: dict[str, Any] | list[Any], key: Key) -> None:
        self.parts = wire.read_fields(data)
        self.into = into
        self.key = key
        self.count = 0


def decode_struct(data: wire.Buffer, *, max_depth: int = MAX_DEPTH, max_items: int | None = None) -> dict[str, Any]:
    """Return the map that a serialized google.protobuf.Struct holds; every number is a float.

    The last of two equal keys wins and unknown fields are skipped, as the protobuf specification has it.

    Args:
        data: the serialized Struct.
        max_depth: how many levels of maps and lists are allowed.
        max_items: how many values are allowed in all; None sets no limit.

    Raises:
        StructError: broken bytes, a value without a kind, NaN or an infinity, or a limit exceeded.
    """
    root: dict[str, Any] = {}
    stack = [_Reading(data, root, "")]
    items = 0
    while stack:
        top = stack[-1]
        key: Key = top.count
        try:
            found = next(top.parts, None)
            if found is None:
                stack.pop()
                continue
            number, kind, payload = found
            if number != 1 or kind != wire.BYTES:
                continue
            value_bytes = cast("memoryview", payload)
            if isinstance(top.into, dict):
                key, value_bytes = _read_entry(value_bytes)
            items += 1
            _check_count(items, max_items)
            value, inner = _read_value(value_bytes)
        except (wire.WireError, StructError) as error:
            where = tuple(frame.key for frame in stack[1:])
            reason = error.reason if isinstance(error, StructError) else str(error)
            too_large = isinstance(error, StructError) and error.too_large
            raise StructError(reason, (*where, key), too_large=too_large) from None
        top.count += 1
        if isinstance(top.into, dict):
            top.into[cast("str", key)] = value
        else:
            top.into.append(value)
        if inner is not None:
            if len(stack) >= max_depth:
                where = tuple(frame.key for frame in stack[1:])
                raise StructError(f"nested deeper than {max_depth} levels", (*where, key), too_large=True)
            stack.append(_Reading(inner, value, key))
    return root


def _check_count(items: int, limit: int | None) -> None:
    if limit is not None and items > limit:
        raise StructError(f"more than {limit} values", too_large=True)


def _read_entry(data: memoryview) -> tuple[str, memoryview]:
    key = ""
    value: memoryview | None = None
    for number, kind, payload in wire.read_fields(data):
        if kind != wire.BYTES:
            continue
        if number == 1:
            key = wire.from_utf8(cast("memoryview", payload))
        elif number == 2:
            value = _join(value, cast("memoryview", payload))
    return key, memoryview(b"") if value is None else value


def _join(first: memoryview | None, second: memoryview) -> memoryview:
    # A message that is sent in two parts is the two parts joined.
    return second if first is None else memoryview(bytes(first) + bytes(second))


_KINDS = {1: wire.VARINT, 2: wire.FIXED64, 3: wire.BYTES, 4: wire.VARINT, 5: wire.BYTES, 6: wire.BYTES}


def _read_value(data: memoryview) -> tuple[Any, memoryview | None]:
    """Return the value, and for a map or list (returned empty) the bytes that fill it."""
    found = 0
    payload: Any = None
    for number, kind, part in wire.read_fields(data):
        if _KINDS.get(number) != kind:
            continue
        payload = _join(payload, cast("memoryview", part)) if number == found and number >= 5 else part
        found = number
    if found == 0:
        raise StructError("a value without a kind (none of null, number, string, bool, map or list is set)")
    if found == 1:
        return None, None
    if found == 2:
        double = wire.read_double(payload)
        if not math.isfinite(double):
            raise StructError("NaN and infinities are no JSON numbers")
        return double, None
    if found == 3:
        return wire.from_utf8(payload), None
    if found == 4:
        return payload != 0, None
    return ({}, payload) if found == 5 else ([], payload)
