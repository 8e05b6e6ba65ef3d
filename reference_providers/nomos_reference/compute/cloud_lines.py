"""The memory cloud over a connection: one question and one answer for each, as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, Final

from nomos_proto.kinds import is_map, is_sequence
from nomos_reference.compute.cloud import Machine, Order, Snapshot, Wish

KIND: Final = "$"
"""Key that names the class of a record."""

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of one line."""

_RECORDS: Final[Mapping[str, type[Any]]] = {one.__name__: one for one in (Machine, Order, Snapshot, Wish)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {KIND: type(value).__name__, **asdict(value)}
    if is_sequence(value):
        return [_plain(item) for item in value]
    return value


def _read(value: Any) -> Any:
    if is_map(value):
        fields = {str(name): _read(item) for name, item in value.items()}
        kind = fields.pop(KIND, None)
        return fields if kind is None else _RECORDS[str(kind)](**fields)
    return [_read(item) for item in value] if is_sequence(value) else value


def to_line(message: Mapping[str, Any]) -> bytes:
    """Return *message*, whose values are JSON, records of the cloud or lists of them, as a line."""
    return json.dumps({name: _plain(value) for name, value in message.items()}).encode() + b"\n"


def from_line(line: bytes) -> dict[str, Any]:
    """Return the message of a line.

    Raises:
        ValueError: it is none.
    """
    try:
        found = _read(json.loads(line))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no message: {error}") from error
    if not is_map(found):
        raise ValueError("no message: not a map")
    return dict(found)
