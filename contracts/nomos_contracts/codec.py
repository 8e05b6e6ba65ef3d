"""The values of an interface and their plain form: dataclasses, enumerations and lists by their type hints.

Plain values are what a Value message holds: None, bool, int, float, str, bytes, an aware datetime, and lists and
string-keyed maps of these. An absent argument is an absent key, never a null.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, cast, get_args

from nomos_contracts.hints import (
    LISTS,
    MAPS,
    Hint,
    HintError,
    choices_of,
    class_of,
    fields_of,
    is_record,
    item_hint,
    name_of,
    origin_of,
)
from nomos_contracts.schemas import has_wire_form as has_wire_form
from nomos_contracts.schemas import schema_of as schema_of
from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_map, is_sequence

_NUMBERS: Final = 2**63


class ShapeError(ProviderError):
    """A value that does not fit its hint: the argument is invalid.

    Attributes:
        where: the place in the value, for instance ``options.tags[0]``; empty for the value itself.
        reason: what is wrong there.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}" if where else reason, "INVALID_SPEC")
        self.where = where
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where, self.reason)


def to_wire(value: Any, hint: Hint = Any) -> Any:
    """Return the plain form of *value*.

    Args:
        value: a value of an interface; fields of dataclasses that are None become absent keys.
        hint: where it names a dataclass and *value* is of a class derived from it, the fields of the base alone are
            taken: a provider's richer type is projected to the one that the interface knows.

    Raises:
        ShapeError: something in it has no plain form.
    """
    return _plain(value, hint, "")


def _plain(value: Any, hint: Hint, where: str) -> Any:
    if value is None or isinstance(value, bool | float | bytes):
        return value
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        if not -_NUMBERS <= value < _NUMBERS:
            raise ShapeError(where, "an integer over 64 bits")
        return int(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ShapeError(where, "a point in time without a time zone")
        return value
    if isinstance(value, bytearray):
        return bytes(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain_fields(value, hint, where)
    if is_map(value):
        return _plain_map(value, item_hint(hint, 1), where)
    if is_sequence(value):
        item = item_hint(hint, 0)
        return [_plain(part, item, f"{where}[{at}]") for at, part in enumerate(value)]
    if hasattr(value, "__iter__") and any(class_of(one) in LISTS for one in choices_of(hint)):
        return _plain(_items(value), hint, where)
    raise ShapeError(where, f"a {type(value).__name__} cannot be sent")


def _items(value: Any) -> list[Any]:
    return list(value)


def _plain_map(value: Mapping[Any, Any], item: Hint, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, part in value.items():
        if not isinstance(key, str):
            raise ShapeError(where, f"a key is a {type(key).__name__}, and only strings can be keys")
        found[_text(str(key), where)] = _plain(part, item, _below(where, key))
    return found


def _plain_fields(value: Any, hint: Hint, where: str) -> dict[str, Any]:
    kind: Any = next((one for one in choices_of(hint) if is_record(one) and isinstance(value, class_of(one))), None)
    fields = fields_of(cast("Hashable", type(value) if kind is None else kind))
    return {
        name: _plain(part, one.hint, _below(where, name))
        for name, one in fields.items()
        if (part := getattr(value, name)) is not None
    }


def _text(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ShapeError(where, "a string holds half of a surrogate pair, which UTF-8 does not have") from None
    return value


def _below(where: str, name: object) -> str:
    return f"{where}.{name}" if where else str(name)


def from_wire(hint: Hint, value: Any, where: str = "") -> Any:
    """Return the value of type *hint* whose plain form is *value*. Strict: nothing is guessed, dropped or added.

    Args:
        hint: the type wanted; a whole number is taken for a float, NaN and infinities are not.
        value: the plain form.
        where: the place of *value* in something larger, for errors.

    Raises:
        ShapeError: an unknown or missing key, a value of another kind, or one that an enumeration does not have.
        HintError: there is no plain form of *hint*.
    """
    choices = choices_of(hint)
    if len(choices) == 1:
        return _read(choices[0], value, where)
    if value is None and type(None) in choices:
        return None
    errors: list[ShapeError] = []
    rest = [one for one in choices if one is not type(None)]
    for one in rest:
        try:
            return _read(one, value, where)
        except ShapeError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    raise ShapeError(where, f"must be {' or '.join(map(name_of, rest))}, and is {_kind(value)}")


def _read(hint: Hint, value: Any, where: str) -> Any:
    if hint is Any or hint is object:
        return value
    if hint is None or hint is type(None):
        return _expect(None if value is None else ..., value, "nothing", where)
    if origin_of(hint) is Literal:
        for one in get_args(hint):
            if type(one) is type(value) and one == value:
                return one
        raise ShapeError(where, f"must be {' or '.join(map(repr, get_args(hint)))}, and is {_kind(value)}")
    if is_record(hint):
        return _read_record(hint, value, where)
    origin = class_of(hint)
    if origin in MAPS:
        return _read_map(hint, value, where)
    if origin in LISTS:
        return _read_list(hint, value, where)
    return _read_scalar(hint, value, where)


def _expect(found: Any, value: Any, wanted: str, where: str) -> Any:
    if found is ...:
        raise ShapeError(where, f"must be {wanted}, and is {_kind(value)}")
    return found


def _read_scalar(hint: Hint, value: Any, where: str) -> Any:
    if hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return _expect(float(value) if number else ..., value, "a finite number", where)
    if hint is int:
        return _expect(value if isinstance(value, int) and not isinstance(value, bool) else ..., value, "an int", where)
    if hint in (bool, str, bytes):
        return _expect(value if isinstance(value, hint) else ..., value, f"a {hint.__name__}", where)
    if hint is datetime:
        return _expect(value if isinstance(value, datetime) else ..., value, "a point in time", where)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        known = isinstance(value, str) and value in [one.value for one in hint]
        return _expect(hint(value) if known else ..., value, f"one of {', '.join(one.value for one in hint)}", where)
    raise HintError(f"{name_of(hint)} has no plain form")


def _read_record(hint: Hint, value: Any, where: str) -> Any:
    kind = class_of(hint)
    if not is_map(value):
        raise ShapeError(where, f"must be a map with the fields of {kind.__name__}, and is {_kind(value)}")
    fields = fields_of(hint)
    for name in value:
        if name not in fields:
            raise ShapeError(_below(where, name), f"{kind.__name__} has no such field")
    found: dict[str, Any] = {}
    for name, one in fields.items():
        if name in value:
            found[name] = from_wire(one.hint, value[name], _below(where, name))
        elif one.required:
            if type(None) not in choices_of(one.hint):
                raise ShapeError(_below(where, name), f"{kind.__name__} needs this field")
            found[name] = None
    try:
        return kind(**found)
    except ProviderError:
        raise
    except (TypeError, ValueError) as error:
        # A dataclass may refuse values that are of the right kind; it says so without showing them.
        raise ShapeError(where, str(error)) from error


def _read_map(hint: Hint, value: Any, where: str) -> Any:
    if not is_map(value):
        raise ShapeError(where, f"must be a map, and is {_kind(value)}")
    for key in cast("Mapping[Any, Any]", value):
        if not isinstance(key, str):
            raise ShapeError(where, f"a key is a {type(key).__name__}, and only strings can be keys")
    args = get_args(hint)
    item = args[1] if args else Any
    return {key: from_wire(item, part, _below(where, key)) for key, part in value.items()}


def _read_list(hint: Hint, value: Any, where: str) -> Any:
    if not is_sequence(value):
        raise ShapeError(where, f"must be a list, and is {_kind(value)}")
    args = get_args(hint)
    is_tuple = class_of(hint) is tuple
    if is_tuple and args and args[-1] is not Ellipsis:
        if len(value) != len(args):
            raise ShapeError(where, f"must have {len(args)} items, and has {len(value)}")
        return tuple(
            from_wire(one, part, f"{where}[{at}]") for at, (one, part) in enumerate(zip(args, value, strict=True))
        )
    item = args[0] if args else Any
    found = [from_wire(item, part, f"{where}[{at}]") for at, part in enumerate(value)]
    return tuple(found) if is_tuple else found


def null_in(hint: Hint, value: Any, where: str = "") -> str:
    """Return the place of a field that is null where it should be an absent key, empty where there is none.

    `from_wire` reads such a field as absent.

    Args:
        hint: the type of the value.
        value: its plain form, which fits the type.
        where: its place in something larger.
    """
    one = next((choice for choice in choices_of(hint) if choice is not type(None)), None)
    inner: list[tuple[Hint, Any, str]] = []
    if is_record(one) and is_map(value):
        for name, field in fields_of(one).items():
            place = _below(where, name)
            if name in value and value[name] is None and field.hint not in (Any, object):
                return place
            inner.append((field.hint, value.get(name), place))
    elif class_of(one) in MAPS and is_map(value):
        inner = [(item_hint(one, 1), part, _below(where, key)) for key, part in value.items()]
    elif class_of(one) in LISTS and is_sequence(value):
        inner = [(item_hint(one, 0), part, f"{where}[{at}]") for at, part in enumerate(value)]
    return next((found for each in inner if (found := null_in(*each))), "")


def _kind(value: object) -> str:
    """Return what *value* is in words; a value may be a secret and is not shown."""
    return "nothing" if value is None else f"a {type(value).__name__}"
