"""Type hints of interfaces, taken apart: unions, generic dataclasses, lists and maps."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Hint = Any
"""A type hint: a class, or what `typing` makes of one."""

LISTS: Final = (list, tuple, Sequence, Iterable)
MAPS: Final = (dict, Mapping)


class HintError(TypeError):
    """A hint for which there is no plain form: a mistake in an interface, not in a value."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a dataclass: its hint, and whether it has to be given."""

    hint: Hint
    required: bool


def origin_of(hint: Hint) -> Any:
    """Return the class of a parametrised hint, None for any other."""
    # What `get_origin` is declared to return leaves most of what it returns out.
    return cast("Any", get_origin)(hint)


def class_of(hint: Hint) -> Any:
    """Return the class of a hint, parametrised or not."""
    origin = origin_of(hint)
    return hint if origin is None else origin


def is_record(hint: Hint) -> bool:
    """Whether *hint* is a dataclass."""
    return dataclasses.is_dataclass(class_of(hint))


@cache
def fields_of(hint: Hashable) -> Mapping[str, Field]:
    """Return the fields of a dataclass by name, in their order, parameters of a generic one filled in."""
    kind = class_of(hint)
    bound = dict(zip(getattr(kind, "__parameters__", ()), get_args(hint), strict=False))
    hints = get_type_hints(kind)
    return {
        one.name: Field(
            _bind(hints[one.name], bound),
            one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING,
        )
        for one in dataclasses.fields(kind)
        if one.init
    }


def _bind(hint: Hint, bound: Mapping[Any, Hint]) -> Hint:
    """Return *hint* with type parameters filled in."""
    if isinstance(hint, TypeVar):
        return bound.get(hint, hint)
    parameters: tuple[Any, ...] = getattr(hint, "__parameters__", ())
    if not bound or not parameters:
        return hint
    return hint[tuple(bound.get(one, one) for one in parameters)]


def choices_of(hint: Hint) -> tuple[Hint, ...]:
    """Return what *hint* may be: the members of a union, the bound of a type variable, else itself."""
    if isinstance(hint, TypeVar):
        return choices_of(Any if hint.__bound__ is None else hint.__bound__)
    if origin_of(hint) in (Union, types.UnionType):
        return tuple(choice for one in get_args(hint) for choice in choices_of(one))
    return (hint,)


def item_hint(hint: Hint, position: int) -> Hint:
    """Return the hint of the items of a list (0) or of the values of a map (1); Any where *hint* is neither."""
    wanted = MAPS if position else LISTS
    for one in choices_of(hint):
        args = get_args(one)
        if origin_of(one) in wanted and len(args) > position:
            return args[position]
    return Any


def name_of(hint: Hint) -> str:
    """Return *hint* in words."""
    return hint.__name__ if isinstance(hint, type) else str(hint)
