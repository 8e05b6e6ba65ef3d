"""Plain values as JSON, which has neither bytes nor points in time: base64 and ISO 8601 texts stand for them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from nomos_contracts.codec import ShapeError
from nomos_contracts.hints import LISTS, MAPS, Hint, choices_of, class_of, fields_of, is_record
from nomos_proto.kinds import is_list, is_map, is_sequence


def to_json(plain: Any) -> Any:
    """Return a plain value in JSON types: bytes in base64, points in time in UTC with a ``Z`` at the end."""
    if isinstance(plain, bytes):
        return base64.b64encode(plain).decode()
    if isinstance(plain, datetime):
        return plain.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if is_map(plain):
        return {key: to_json(item) for key, item in plain.items()}
    if is_sequence(plain):
        return [to_json(item) for item in plain]
    return plain


def from_json(hint: Hint, value: Any, where: str = "") -> Any:
    """Return the plain value that JSON stands for where *hint* is expected; what does not fit is left as it is.

    Raises:
        ShapeError: a text that stands for bytes or a point in time is none.
    """
    for one in choices_of(hint):
        if isinstance(value, str) and one is bytes:
            return _bytes(value, where)
        if isinstance(value, str) and one is datetime:
            return _moment(value, where)
        if is_map(value) and is_record(one):
            fields = fields_of(one)
            hints: Mapping[str, Hint] = {name: field.hint for name, field in fields.items()}
            return {key: from_json(hints.get(key, Any), item, f"{where}.{key}") for key, item in value.items()}
        args: tuple[Any, ...] = get_args(one)
        if is_map(value) and class_of(one) in MAPS and args:
            return {key: from_json(args[1], item, f"{where}.{key}") for key, item in value.items()}
        if is_list(value) and class_of(one) in LISTS and args:
            return [from_json(args[0], item, f"{where}[{at}]") for at, item in enumerate(value)]
    return value


def _bytes(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ShapeError(where, "must be bytes in base64") from None


def _moment(text: str, where: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ShapeError(where, "must be a point in time, as in 2026-12-01T12:00:00Z") from None
    if found.tzinfo is None:
        raise ShapeError(where, "a point in time without a time zone")
    return found
