"""Documents: JSON values as configurations and answers hold them, taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from nomos_contracts.provider import Answer

Config = Mapping[str, Any]


def as_map(value: Any) -> Mapping[str, Any] | None:
    """Return *value* if it is a map, else None."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None


def as_list(value: Any) -> Sequence[Any] | None:
    """Return *value* if it is a list, else None."""
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else None


def parts(value: Any) -> list[Any]:
    """Return what lies directly in *value*; a scalar has no parts."""
    inner = as_map(value)
    return list(inner.values()) if inner is not None else list(as_list(value) or ())


def is_scalar(value: Any) -> bool:
    """Whether *value* is neither a map nor a list."""
    return as_map(value) is None and as_list(value) is None


def leaves(value: Any) -> Iterator[Any]:
    """Yield the scalars of *value*."""
    opened: list[Any] = [value]
    while opened:
        item = opened.pop()
        if is_scalar(item):
            yield item
        opened.extend(parts(item))


def levels(value: Any) -> int:
    """Return how many maps and lists lie inside one another, 0 for a scalar."""
    deepest = 0
    opened: list[tuple[Any, int]] = [(value, 1)]
    while opened:
        item, level = opened.pop()
        if as_map(item) is not None or as_list(item) is not None:
            deepest = max(deepest, level)
        opened.extend((part, level + 1) for part in parts(item))
    return deepest


def changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return *value* with each scalar replaced by what *change* makes of it."""
    inner = as_map(value)
    if inner is not None:
        return {key: changed(item, change) for key, item in inner.items()}
    items = as_list(value)
    return [changed(item, change) for item in items] if items is not None else change(value)


def _steps(config: Config, key: str) -> tuple[str, str]:
    """Return the key at this level and the rest of a dotted one, empty where the key ends here."""
    if key in config or "." not in key:
        return key, ""
    head, rest = key.split(".", 1)
    return head, rest


def without(config: Config, key: str) -> dict[str, Any]:
    """Return *config* without *key*, which may name a nested key with dots."""
    head, rest = _steps(config, key)
    if not rest:
        return {name: value for name, value in config.items() if name != head}
    inner = as_map(config.get(head))
    return {**config, head: without(inner, rest)} if inner is not None else dict(config)


def replaced(config: Config, key: str, value: Any) -> dict[str, Any]:
    """Return *config* with *value* at *key*, which may name a nested key with dots."""
    head, rest = _steps(config, key)
    return {**config, head: replaced(as_map(config.get(head)) or {}, rest, value) if rest else value}


def held(config: Config, key: str) -> Any:
    """Return what *config* holds at *key*, None where it has no such key."""
    head, rest = _steps(config, key)
    return held(as_map(config.get(head)) or {}, rest) if rest else config.get(head)


def as_strings(config: Config) -> dict[str, Any]:
    """Return a configuration as the command line sends it: every scalar is a string, lists and maps are kept."""

    def text(value: Any) -> Any:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return value if value is None else str(value)

    return {key: changed(value, text) for key, value in config.items()}


def asked(answer: Answer) -> list[str]:
    """Return the path that a Fetch asked for."""
    return [str(segment) for segment in (as_map(answer.request) or {}).get("path", ())]


def told(answer: Answer) -> Mapping[str, Any]:
    """Return the fields of an answer of Info or Health, none where it could not be decoded."""
    return as_map(answer.value) or {}
