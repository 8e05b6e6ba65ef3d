"""Python values and the Value message of version 2."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from nomos_proto.errors import ProviderError
from nomos_proto.v2 import provider_pb2

MAX_DEPTH: Final = 30
"""Levels of maps and lists; each is three messages, and the protobuf runtime refuses to read more than a hundred."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnencodableError(ProviderError):
    """A value that no Value message can hold: the argument is invalid."""

    def __init__(self, reason: str, path: Sequence[str | int] = ()) -> None:
        where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")
        super().__init__(f"{where}: {reason}" if where else reason, "INVALID_SPEC")
        self.path = tuple(path)


class Kindless:
    """The type of `KINDLESS`."""

    def __repr__(self) -> str:
        """Say what it is, for reports."""
        return "a value without a kind"


KINDLESS: Final = Kindless()
"""Stands for a Value of which no kind is set. Nobody may send one; here is what tries whether it is refused."""


def to_value(value: Any, *, allow_nonfinite: bool = True) -> provider_pb2.Value:
    """Return *value* as a message.

    Args:
        value: None, bool, int, float, str, bytes, an aware datetime, or lists and string-keyed maps of these;
            `KINDLESS` for a message in which nothing is set.
        allow_nonfinite: whether NaN and infinities may pass (a double can hold them, JSON cannot).

    Raises:
        UnencodableError: another type or key, an integer over 64 bits, a datetime without a zone, deeper than
            `MAX_DEPTH`; the message names the place.
    """
    message = provider_pb2.Value()
    _fill(message, value, (), allow_nonfinite)
    return message


def _fill(message: provider_pb2.Value, value: Any, path: tuple[str | int, ...], nonfinite: bool) -> None:
    if isinstance(value, Mapping | list | tuple):
        if len(path) >= MAX_DEPTH:
            raise UnencodableError(f"nested deeper than {MAX_DEPTH} levels", path)
        if isinstance(value, Mapping):
            fields = message.map_value
            fields.SetInParent()
            for key, item in cast("Mapping[object, Any]", value).items():
                if not isinstance(key, str):
                    raise UnencodableError(f"a key is {type(key).__name__}, and only strings can be keys", path)
                _check_text(key, path)
                _fill(fields.fields[key], item, (*path, key), nonfinite)
        else:
            message.list_value.SetInParent()
            for at, item in enumerate(cast("Sequence[Any]", value)):
                _fill(message.list_value.values.add(), item, (*path, at), nonfinite)
    else:
        _fill_scalar(message, value, path, nonfinite)


def _fill_scalar(message: provider_pb2.Value, value: Any, path: tuple[str | int, ...], nonfinite: bool) -> None:
    if value is None:
        message.null_value = provider_pb2.NULL_VALUE
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise UnencodableError("an integer over 64 bits; make it a string", path)
        message.int_value = value
    elif isinstance(value, float):
        if not nonfinite and not math.isfinite(value):
            raise UnencodableError("NaN and infinities are not allowed here", path)
        message.double_value = value
    elif isinstance(value, str):
        _check_text(value, path)
        message.string_value = value
    elif isinstance(value, bytes | bytearray):
        message.bytes_value = bytes(value)
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise UnencodableError("a datetime without a time zone", path)
        since = value - _EPOCH
        message.timestamp_value.seconds = since // timedelta(seconds=1)
        message.timestamp_value.nanos = since % timedelta(seconds=1) // timedelta(microseconds=1) * 1000
    elif value is not KINDLESS:
        raise UnencodableError(f"{type(value).__name__} has no place in a Value", path)


def _check_text(text: str, path: tuple[str | int, ...]) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnencodableError("a string holds half of a surrogate pair, which UTF-8 does not have", path) from None


def from_value(message: provider_pb2.Value) -> Any:
    """Return the Python value of a message; points in time are datetimes in UTC, to the microsecond.

    Raises:
        UnencodableError: a value without a kind, or a point in time outside the years 1 to 9999.
    """
    return _read(message, ())


def _read(message: provider_pb2.Value, path: tuple[str | int, ...]) -> Any:
    kind = message.WhichOneof("kind")
    if kind is None:
        raise UnencodableError("a value without a kind", path)
    if kind == "null_value":
        return None
    if kind == "list_value":
        return [_read(item, (*path, at)) for at, item in enumerate(message.list_value.values)]
    if kind == "map_value":
        return {key: _read(item, (*path, key)) for key, item in message.map_value.fields.items()}
    if kind == "timestamp_value":
        stamp = message.timestamp_value
        try:
            return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
        except OverflowError:
            raise UnencodableError("a point in time outside the years 1 to 9999", path) from None
    return getattr(message, kind)


def from_args(args: Mapping[str, provider_pb2.Value]) -> dict[str, Any]:
    """Return arguments by name.

    Raises:
        UnencodableError: as `from_value`, naming the argument.
    """
    return {name: _read(value, (name,)) for name, value in args.items()}
