"""YAML without objects and without bombs.

The parser's events are put together here, one after the other: no constructor is ever called on a tag, aliases count as
what they stand for, and depth is limited by a number and not by Python's stack.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import ScalarNode

from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_list, is_map
from nomos_reference.config.documents import malformed
from nomos_reference.config.limits import Budget

_TAG = "tag:yaml.org,2002:"
_MERGE = object()
_PARSER_DEPTH = 999
"""Levels that each parser takes; libyaml refuses more from 0.2.6 on."""

_PARSER_REFUSES = "exceeded maximum nesting depth"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVERS: Mapping[str, Iterable[tuple[str, Any]]] = cast("Any", yaml.SafeLoader).yaml_implicit_resolvers


@dataclass
class _Anchored:
    """A value with an anchor: how many values and levels it stands for; `done` is false while it is being read."""

    value: Any = None
    items: int = 0
    depth: int = 0
    done: bool = False


@dataclass
class _Open:
    """A map or list that is being read; `keys` holds the key that waits for its value."""

    listed: bool
    anchor: str | None
    items: list[Any] = field(default_factory=list[Any])
    pairs: dict[str, Any] = field(default_factory=dict[str, Any])
    merged: list[Any] = field(default_factory=list[Any])
    keys: list[Any] = field(default_factory=list[Any])
    count: int = 1
    depth: int = 1


def parse(text: str, name: str, budget: Budget) -> Any:
    """Return the value of the one document in *text*; no document at all is an empty map.

    Raises:
        ProviderError: INVALID_STATE or LIMIT_EXCEEDED.
    """
    try:
        return _Builder(name, budget).build(text)
    except yaml.MarkedYAMLError as error:
        if error.problem == _PARSER_REFUSES:
            # The parser looks ahead of its events, so its limit comes before the builder has counted to its own.
            budget.check_depth(_PARSER_DEPTH + 1)
        mark = error.problem_mark
        # The text of the error quotes the document.
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise malformed(name, f"is not YAML{place}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise malformed(name, "is not YAML (a character that YAML does not allow)") from error


class _Builder:
    def __init__(self, name: str, budget: Budget) -> None:
        self._name = name
        self._budget = budget
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._documents = 0
        self._line = 0
        self._root: Any = None

    def _fail(self, reason: str) -> ProviderError:
        return malformed(self._name, f"{reason} (line {self._line})")

    def build(self, text: str) -> Any:
        for event in yaml.parse(text, Loader=_LOADER):
            self._line = self._line if event.start_mark is None else event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise self._fail("holds more than one document")
            elif isinstance(event, yaml.ScalarEvent):
                self._add(self._scalar(event), event.anchor, 1, 0)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event.anchor or "")
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._end()
        return self._root if self._documents else {}

    def _begin(self, event: Any) -> None:
        listed = isinstance(event, yaml.SequenceStartEvent)
        if event.tag not in {None, "!", _TAG + ("seq" if listed else "map")}:
            raise self._fail("has a tag, and only plain values are read")
        if self._stack and not self._stack[-1].listed and not self._stack[-1].keys:
            raise self._fail("has a key that is a map or a list")
        self._budget.check_depth(len(self._stack) + 1)
        self._stack.append(_Open(listed, event.anchor))
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored()

    def _end(self) -> None:
        closed = self._stack.pop()
        value: Any = closed.items if closed.listed else self._merge(closed)
        self._add(value, closed.anchor, closed.count, closed.depth, spend=1)

    def _alias(self, anchor: str) -> None:
        known = self._anchors.get(anchor)
        if known is None:
            raise self._fail("has an alias of an anchor that is not there")
        if not known.done:
            raise self._fail("has an alias inside of what it stands for")
        self._budget.check_depth(len(self._stack) + known.depth)
        self._add(known.value, None, known.items, known.depth)

    def _add(self, value: Any, anchor: str | None, items: int, depth: int, *, spend: int | None = None) -> None:
        if anchor is not None:
            self._anchors[anchor] = _Anchored(value, items, depth, done=True)
        if self._stack and not self._stack[-1].listed and not self._stack[-1].keys:
            self._stack[-1].keys.append(value if value is _MERGE else self._key(value))
            return
        self._budget.spend_items(items if spend is None else spend)
        if not self._stack:
            if value is _MERGE:
                value = "<<"
            self._root = value
            return
        parent = self._stack[-1]
        parent.count += items
        parent.depth = max(parent.depth, depth + 1)
        if parent.listed:
            parent.items.append("<<" if value is _MERGE else value)
        else:
            self._put(parent, parent.keys.pop(), value)

    def _put(self, parent: _Open, key: Any, value: Any) -> None:
        if key is _MERGE:
            parent.merged.append(value)
        elif key in parent.pairs:
            raise self._fail("has a key that stands twice in one map")
        else:
            parent.pairs[key] = "<<" if value is _MERGE else value

    def _merge(self, closed: _Open) -> dict[str, Any]:
        if not closed.merged:
            return closed.pairs
        found: dict[str, Any] = {}
        for value in closed.merged:
            for source in value if is_list(value) else [value]:
                if not is_map(source):
                    raise self._fail("has a merge key << whose value is no map")
                for key, item in source.items():
                    found.setdefault(key, item)
        return found | closed.pairs

    def _key(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        raise self._fail("has a key that is a map or a list")

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text, tag = event.value, event.tag
        if tag is None:
            tag = _resolve(text) if event.implicit[0] else f"{_TAG}str"
        elif tag == "!":
            tag = f"{_TAG}str"
        kind = tag.removeprefix(_TAG)
        if kind in {"str", "value"}:
            return text
        if kind == "null":
            return None
        if kind == "merge":
            return _MERGE
        node = ScalarNode(tag, text)
        maker = SafeConstructor()
        try:
            if kind == "bool":
                return maker.construct_yaml_bool(node)
            if kind == "int":
                return maker.construct_yaml_int(node)
            if kind == "float":
                return self._finite(maker.construct_yaml_float(node))
            if kind == "timestamp":
                return maker.construct_yaml_timestamp(node).isoformat()
        except (ValueError, KeyError, AttributeError, IndexError, OverflowError) as error:
            raise self._fail(f"has a scalar that is no {kind}") from error
        raise self._fail("has a tag, and only plain values are read")

    def _finite(self, number: float) -> float:
        if not math.isfinite(number):
            raise self._fail("has a NaN or an infinity, which JSON does not have")
        return number


def _resolve(text: str) -> str:
    for tag, pattern in (*_RESOLVERS.get(text[:1], ()), *_RESOLVERS.get(cast("Any", None), ())):
        if pattern.match(text):
            return tag
    return f"{_TAG}str"
