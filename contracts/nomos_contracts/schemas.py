"""JSON Schema of the values of an interface, for readers in other languages."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, Union, get_args

from nomos_contracts.hints import (
    LISTS,
    MAPS,
    Hint,
    HintError,
    choices_of,
    class_of,
    fields_of,
    is_record,
    name_of,
    origin_of,
)

_NUMBERS: Final = 2**63


def has_wire_form(hint: Hint) -> bool:
    """Whether values of *hint* can be sent: it holds no callables, no objects of other classes, no protocols."""
    try:
        schema_of(hint)
    except HintError:
        return False
    return True


def schema_of(hint: Hint) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the plain form of *hint*.

    Dataclasses stand under ``$defs`` by the name of their class. Bytes are strings in base64 and points in time
    strings in the format ``date-time``, as JSON has neither.

    Raises:
        HintError: there is no plain form of *hint*.
    """
    definitions: dict[str, Any] = {}
    schema = schema_into(hint, definitions)
    return {**schema, "$defs": dict(sorted(definitions.items()))} if definitions else schema


def schema_into(hint: Hint, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of *hint*; the dataclasses and enumerations in it are added to *definitions*.

    Raises:
        HintError: there is no plain form of *hint*.
    """
    choices = choices_of(hint)
    if len(choices) > 1:
        # An absent field is an absent key, so null stands only where the union itself is the value of a list or map.
        return {"anyOf": [schema_into(one, definitions) for one in choices]}
    one = next(iter(choices))
    if one is Any or one is object:
        return {}
    if origin_of(one) is Literal:
        return {"enum": list(get_args(one))}
    if is_record(one):
        return _record_schema(one, definitions)
    origin = class_of(one)
    args: tuple[Any, ...] = get_args(one)
    if origin in MAPS:
        pair: list[Any] = list(args) if args else [str, Any]
        if pair[0] is not str:
            raise HintError(f"{name_of(one)}: only strings can be keys")
        return {"type": "object", "additionalProperties": schema_into(pair[1], definitions)}
    if origin in LISTS:
        if origin is tuple and args and args[-1] is not Ellipsis:
            parts = [schema_into(part, definitions) for part in args]
            return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
        return {"type": "array", "items": schema_into(args[0] if args else Any, definitions)}
    return _scalar_schema(one, definitions)


_SCALARS: Final[Mapping[Any, Callable[[], dict[str, Any]]]] = types.MappingProxyType(
    {
        type(None): lambda: {"type": "null"},
        None: lambda: {"type": "null"},
        bool: lambda: {"type": "boolean"},
        int: lambda: {"type": "integer", "minimum": -_NUMBERS, "maximum": _NUMBERS - 1},
        float: lambda: {"type": "number"},
        str: lambda: {"type": "string"},
        bytes: lambda: {"type": "string", "contentEncoding": "base64"},
        datetime: lambda: {"type": "string", "format": "date-time"},
    }
)


def _scalar_schema(hint: Hint, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        definitions[hint.__name__] = _described(hint, {"type": "string", "enum": [one.value for one in hint]})
        return {"$ref": f"#/$defs/{hint.__name__}"}
    try:
        return _SCALARS[hint]()
    except (KeyError, TypeError):
        raise HintError(f"{name_of(hint)} has no plain form") from None


def _record_schema(hint: Hint, definitions: dict[str, Any]) -> dict[str, Any]:
    kind = class_of(hint)
    name = kind.__name__ + "".join(f"_{name_of(one)}" for one in get_args(hint))
    if name not in definitions:
        definitions[name] = {}  # a record may hold records of its own kind
        fields = fields_of(hint)
        properties: dict[str, Any] = {}
        for key, one in fields.items():
            present = tuple(choice for choice in choices_of(one.hint) if choice is not type(None))
            properties[key] = schema_into(Union[present] if present else None, definitions)  # noqa: UP007 # made at run time
        definitions[name] = _described(
            kind,
            {
                "type": "object",
                "properties": properties,
                "required": [
                    key for key, one in fields.items() if one.required and type(None) not in choices_of(one.hint)
                ],
                "additionalProperties": False,
            },
        )
    return {"$ref": f"#/$defs/{name}"}


def _described(kind: type, schema: dict[str, Any]) -> dict[str, Any]:
    # A dataclass without a docstring gets its signature for one.
    written = (kind.__doc__ or "").strip().partition("\n")[0]
    return {"description": written, **schema} if written and not written.startswith(f"{kind.__name__}(") else schema
