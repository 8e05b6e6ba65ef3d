"""Example values of an interface, made from its hints: the same ones at every time, for golden vectors and tests."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Literal, get_args

from nomos_contracts.functions import Method
from nomos_contracts.hints import LISTS, MAPS, Hint, choices_of, class_of, fields_of, is_record, origin_of
from nomos_proto.kinds import is_list, is_map

TEXT: Final = "Zürich 漢字"
MOMENT: Final = datetime(2026, 12, 1, 12, 30, 15, 250000, tzinfo=UTC)

_SCALARS: Final[Mapping[Any, Any]] = {
    str: TEXT,
    int: 2**40,
    float: 0.25,
    bool: True,
    bytes: b"\x00\xff",
    datetime: MOMENT,
}


_KINDS: Final[Mapping[Any, tuple[tuple[str, Any], ...]]] = {
    str: (("another kind", [1]), ("a number", 1), ("bytes", b"text"), ("a truth value", True)),
    int: (("another kind", [1]), ("a text", "5"), ("a double", 5.0), ("a truth value", True)),
    float: (
        ("another kind", [1]),
        ("a text", "0.5"),
        ("infinity", math.inf),
        ("NaN", math.nan),
        ("a truth value", True),
    ),
    bool: (("another kind", [1]), ("a text", "true"), ("a number", 1)),
    bytes: (("another kind", [1]), ("a text", "text")),
    datetime: (("another kind", [1]), ("a text", "2026-12-01T12:30:15.250Z"), ("a number", 0)),
}
"""What is no value of a kind, though some languages make one of it: what it is in words, and the plain form."""


def example(hint: Hint, *, full: bool = True) -> Any:
    """Return the plain form of a value of *hint*.

    Args:
        hint: the type.
        full: with every field that may be absent, one item in every list and map; else with none of them.
    """
    one = next((choice for choice in choices_of(hint) if choice is not type(None)), None)
    if one is None:
        return None
    if origin_of(one) is Literal:
        return get_args(one)[0]
    if is_record(one):
        fields = fields_of(one)
        return {
            name: example(field.hint, full=full)
            for name, field in fields.items()
            if full or (field.required and type(None) not in choices_of(field.hint))
        }
    args: tuple[Any, ...] = get_args(one)
    if class_of(one) in MAPS:
        return {"key": example(args[1] if args else Any, full=full)} if full else {}
    if class_of(one) in LISTS:
        if class_of(one) is tuple and args and args[-1] is not Ellipsis:
            return [example(part, full=full) for part in args]
        return [example(args[0] if args else Any, full=full)] if full else []
    if isinstance(one, type) and issubclass(one, StrEnum):
        return list(one)[-1 if full else 0].value
    return _SCALARS.get(one, TEXT)


def arguments(method: Method, *, full: bool = True) -> dict[str, Any]:
    """Return the plain form of arguments of *method*: all of them, or those that it needs."""
    return {name: example(one.hint, full=full) for name, one in method.parameters.items() if one.required or full}


def spoilt(hint: Hint, plain: Any, where: str, seen: set[Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield (place, what is wrong there, the whole value) for each way in which *plain* can be made wrong.

    Only what makes the value another shape: a field too much, a needed one missing, another kind, an unknown word.

    Args:
        hint: the type of the value.
        plain: a good value in its plain form.
        where: its place in something larger, for the places in it.
        seen: records whose fields have been made wrong before and are left alone; those that are met are added.
    """
    one = next((choice for choice in choices_of(hint) if choice is not type(None)), None)
    if one in (None, Any, object):
        return
    if is_record(one) and is_map(plain):
        yield from _spoilt_record(one, plain, where, seen)
    elif isinstance(one, type) and issubclass(one, StrEnum):
        # The last two are words that maps of some languages have by themselves.
        for word in ("no-such-word", f"{plain} ", f"{plain}".upper(), "", "constructor", "__proto__"):
            yield where, "a word that is not known", word
        yield where, "a number", 1
    elif class_of(one) in LISTS and is_list(plain):
        yield where, "no list", {"0": plain}
        args: tuple[Any, ...] = get_args(one)
        if plain and args:
            yield where, "one item in place of a list", plain[0]
            # Behind one that is good: a look at the first one alone does not do.
            place = f"{where}[{len(plain)}]"
            for at, what, part in (*_null(args[0], place), *spoilt(args[0], plain[-1], place, seen)):
                yield at, what, [*plain, part]
    elif class_of(one) in MAPS and is_map(plain):
        yield where, "another kind", [1]
        yield where, "a text", "key=text"
        args = get_args(one)
        if plain and args:
            key = next(iter(plain))
            place = f"{where}.{key}"
            for at, what, part in (*_null(args[1], place), *spoilt(args[1], plain[key], place, seen)):
                yield at, what, {**plain, key: part}
    else:
        for what, part in _KINDS.get(one, ()):
            yield where, what, part


def _null(hint: Hint, where: str) -> Iterator[tuple[str, str, Any]]:
    if hint not in (Any, object) and type(None) not in choices_of(hint):
        yield where, "null", None


def _spoilt_record(hint: Hint, plain: Mapping[str, Any], where: str, seen: set[Any]) -> Iterator[tuple[str, str, Any]]:
    yield where, "a text", "no record"
    yield where, "a list", [plain]
    if class_of(hint) in seen:
        return
    seen.add(class_of(hint))
    yield f"{where}.unknown_field", "a field that is not known", {**plain, "unknown_field": 1}
    for name, field in fields_of(hint).items():
        place = f"{where}.{name}"
        if field.required and type(None) not in choices_of(field.hint):
            yield place, "a needed field is missing", {key: item for key, item in plain.items() if key != name}
            yield place, "null in place of a needed field", {**plain, name: None}
        if name in plain:
            for at, what, part in spoilt(field.hint, plain[name], place, seen):
                yield at, what, {**plain, name: part}
