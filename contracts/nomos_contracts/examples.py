"""Example values of an interface, made from its hints: the same ones at every time, for golden vectors and tests."""

from __future__ import annotations

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
    if is_record(one) and is_map(plain):
        if class_of(one) in seen:
            return
        seen.add(class_of(one))
        yield f"{where}.unknown_field", "a field that is not known", {**plain, "unknown_field": 1}
        for name, field in fields_of(one).items():
            place = f"{where}.{name}"
            optional = type(None) in choices_of(field.hint)
            if field.required and not optional:
                yield place, "a needed field is missing", {key: item for key, item in plain.items() if key != name}
            if name in plain:
                for at, what, part in spoilt(field.hint, plain[name], place, seen):
                    yield at, what, {**plain, name: part}
    elif isinstance(one, type) and issubclass(one, StrEnum):
        yield where, "a word that is not known", "no-such-word"
    elif class_of(one) in LISTS and is_list(plain):
        yield where, "no list", {"0": plain}
        args: tuple[Any, ...] = get_args(one)
        if plain and args:
            for at, what, part in spoilt(args[0], plain[0], f"{where}[0]", seen):
                yield at, what, [part, *plain[1:]]
    elif one in _SCALARS or class_of(one) in MAPS:
        yield where, "another kind", [1]
