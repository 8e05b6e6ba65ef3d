"""Tell what a value of any type is, in words that type checkers understand alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard


def is_map(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether *value* is a map; its keys are strings wherever it came from JSON or a message."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether *value* is a list."""
    return isinstance(value, list)


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether *value* is a list or a tuple."""
    return isinstance(value, list | tuple)


def is_texts(value: object) -> TypeGuard[list[str]]:
    """Whether *value* is a list of strings."""
    return is_list(value) and all(isinstance(item, str) for item in value)
