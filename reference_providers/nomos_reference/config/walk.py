"""Paths of Fetch: what is well formed, and how a path leads through a document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_list, is_map

MAX_SEGMENTS: Final = 1000
WILDCARD: Final = "*"

_INDEXED = re.compile(r"(.*?)((?:\[[0-9]{1,9}\])+)", re.DOTALL)
_INDEX = re.compile(r"\[([0-9]+)\]")


def shown(segment: str) -> str:
    """Return a segment for a message: quoted, and cut where it is long."""
    text = segment if len(segment) <= 80 else f"{segment[:40]}…{segment[-30:]}"
    return (
        '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'
        if not _plain(text)
        else f'"{text}"'
    )


def _plain(text: str) -> bool:
    return text.isprintable() and '"' not in text


def shown_path(path: Sequence[str]) -> str:
    """Return a path for a message, cut where it is long."""
    if len(path) > 8:
        return f"{shown_path(path[:4])}.….{shown_path(path[-3:])}"
    return ".".join(shown(segment)[1:-1] for segment in path) or "the root"


def fault(segment: str) -> str | None:
    """Return why no provider may use *segment* as a name, None where it may."""
    if not segment:
        return "is empty"
    if "\0" in segment:
        return "holds a NUL character"
    plain = segment
    # Twice, since what decodes once more may be decoded once more by somebody else.
    for _ in range(3):
        if plain in {".", ".."}:
            return "is a dot segment"
        if "/" in plain or "\\" in plain or "\0" in plain:
            return "holds a separator"
        decoded = unquote(plain)
        if decoded == plain:
            return None
        plain = decoded
    return None


def check_path(path: Sequence[str]) -> None:
    """Return if *path* is well formed.

    Raises:
        ProviderError: INVALID_SPEC naming the segment at fault.
    """
    if len(path) > MAX_SEGMENTS:
        raise ProviderError(f"the path has {len(path)} segments; {MAX_SEGMENTS} are possible", "INVALID_SPEC")
    for at, segment in enumerate(path):
        if (reason := fault(segment)) is not None:
            raise ProviderError(f"segment {at + 1} of the path {reason}: {shown(segment)}", "INVALID_SPEC")


def split_index(segment: str) -> tuple[str, tuple[int, ...]] | None:
    """Split ``name[2][0]`` into its name and positions; None where it has no positions."""
    found = _INDEXED.fullmatch(segment)
    if found is None:
        return None
    return found[1], tuple(int(digits) for digits in _INDEX.findall(found[2]))


def missing(path: Sequence[str], at: int) -> ProviderError:
    """Return the error for a path whose segment number *at* leads nowhere."""
    return ProviderError(f"nothing at {shown_path(path[: at + 1])}", "NOT_FOUND")


def walk(document: Any, path: Sequence[str], start: int = 0) -> Any:
    """Return the value in *document* to which the segments of *path* from *start* on lead.

    A last segment ``*`` stands for the map itself.

    Raises:
        ProviderError: NOT_FOUND naming the path up to where it leads nowhere.
    """
    value = document
    for at in range(start, len(path)):
        segment = path[at]
        if segment == WILDCARD and at == len(path) - 1:
            if not is_map(value):
                raise missing(path, at)
            return value
        value = _step(value, path, at)
    return value


def _step(value: Any, path: Sequence[str], at: int) -> Any:
    segment = path[at]
    if is_map(value) and segment in value:
        return value[segment]
    indexed = split_index(segment)
    if indexed is None:
        raise missing(path, at)
    name, positions = indexed
    if name:
        if not is_map(value) or name not in value:
            raise missing(path, at)
        value = value[name]
    return at_positions(value, positions, path, at)


def at_positions(value: Any, positions: Sequence[int], path: Sequence[str], at: int) -> Any:
    """Return the item of nested lists at *positions*, which segment number *at* of *path* names.

    Raises:
        ProviderError: NOT_FOUND.
    """
    for position in positions:
        if not is_list(value) or position >= len(value):
            raise missing(path, at)
        value = value[position]
    return value
