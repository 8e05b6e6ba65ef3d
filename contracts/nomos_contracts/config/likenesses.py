"""Likenesses: paths that careless code takes for another one, each with how it would have to misread them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Any

from nomos_contracts.config.documents import leaves
from nomos_contracts.config.probes import is_special
from nomos_contracts.config.samples import Segments, ValueSample

SOME = 2
"""So many paths that are misread in one way are no chance: each of them could be a name like any other."""

MANY = 3
"""As above, for names that people write beside the others on purpose: `db.host` beside `db` that has a `host`."""

NEVER = 1_000
"""As above, for names that are usual: only what the map above them holds tells whether they are there."""

_BETWEEN = (" ", ":", "|", ",", ";", "=", "#", "&", "\t", "\n", "\x1e", "\x1f", "->", "::", '","', '", "', "', '")
_NATURAL = (".", "_", "-", "")
_AROUND = ("{}[{}]", '{}["{}"]', "{}['{}']", "{}({})", "{}{{{}}}")
_QUOTES = ('"{}"', "'{}'", "({})", "{{{}}}")
_ENDINGS = (".json", ".yaml", ".toml", ".conf", ".properties", ".txt")
_FOLDED = (("s", "ſ"), ("k", "\u212a"), ("i", "ı"), ("ss", "ß"), ("å", "\u212b"), ("µ", "μ"), ("σ", "ς"))
"""Letters that are the same in some comparison without case, and in no comparison with it."""

_FILES = 64
"""Files of the provider's folder whose endings are looked at."""


@dataclass(frozen=True)
class Likeness:
    """A path that is not the one it resembles.

    Attributes:
        path: what is asked for.
        at: which of its segments is another name.
        beside: a name that stands where that one would have to stand.
        how: what a provider does that takes one for the other.
        least: so many of them are no chance where nothing tells whether the name is there.
    """

    path: Segments
    at: int
    beside: str
    how: str
    least: int = SOME


def likenesses(sample: ValueSample, endings: Sequence[str], *, folded: bool) -> Iterator[Likeness]:
    """Yield the likenesses of the path of *sample*, which consists of plain names.

    Args:
        sample: what is there.
        endings: with which names of files end.
        folded: whether files are found in other letters and other normal forms on this machine.
    """
    path = sample.path
    for at, name in enumerate(path):
        for how, least, other in _misread(name, endings, folded=folded):
            if other and other != name and other not in {".", ".."}:
                yield Likeness((*path[:at], other, *path[at + 1 :]), at, name, how, least)
        yield Likeness((*path[:at], "*", *path[at:]), at, name, "leaves out `*`")
    if len(path) > 1:
        for between in _BETWEEN:
            yield Likeness((between.join(path),), 0, path[0], f"joins names with {between!r}")
        for first in dict.fromkeys((0, len(path) - 2)):
            names, behind = path[first : first + 2], path[first + 2 :]
            for between in _NATURAL:
                joined = (*path[:first], between.join(names), *behind)
                yield Likeness(joined, first, path[first], f"joins names with {between!r}", MANY)
            for around in _AROUND:
                taken = (*path[:first], around.format(*names), *behind)
                yield Likeness(taken, first, path[first], "takes names apart at brackets")


def inherited(sample: ValueSample, others: Sequence[ValueSample]) -> Iterator[Likeness]:
    """Yield paths with the last name of *sample* below maps that stand beside it, which the map above has."""
    *above, name = sample.path
    depth = len(above)
    for path in dict.fromkeys(other.path for other in others):
        if path[:depth] == tuple(above):
            for at in range(depth + 1, len(path)):
                if not any(is_special(segment) for segment in path[: at + 1]):
                    yield Likeness((*path[:at], name), at, path[at], "takes from above what is not there", NEVER)


def endings_of(config: Mapping[str, Any]) -> list[str]:
    """Return usual endings of files, and those in the folders that *config* names."""
    found: dict[str, None] = dict.fromkeys(_ENDINGS)
    for value in leaves(config):
        # `Path.is_dir` raises for a text that is too long for a path.
        if isinstance(value, str) and os.path.isabs(value) and os.path.isdir(value):  # noqa: PTH112, PTH117
            names = (name for _, _, files in os.walk(value) for name in files)
            found.update(dict.fromkeys(PurePath(name).suffix for name in islice(names, _FILES)))
    return [ending for ending in found if ending]


def _misread(name: str, endings: Sequence[str], *, folded: bool) -> Iterator[tuple[str, int, str]]:
    """Yield how *name* is what a provider makes of another name, and that name."""
    if " " in name:
        yield "reads plus signs as blanks", SOME, name.replace(" ", "+")
        yield "decodes %20", SOME, name.replace(" ", "%20")
        yield "makes one blank of two", SOME, name.replace(" ", "  ")
    for quotes in _QUOTES:
        yield "takes off what stands around a name", SOME, quotes.format(name)
    yield "takes off a dot", SOME, f"{name}."
    yield "takes off a dot", SOME, f".{name}"
    if len(name) >= 2:
        first, last = name[:-1], name[1:]
        for pattern in (f"{first}?", f"?{last}", f"[{name[0]}]{last}", f"{first}*", f"*{last}"):
            yield "reads a name as a pattern", SOME, pattern
        for pattern in (f"^{name}", f"{name}$", f".{last}"):
            yield "reads a name as a regular expression", SOME, pattern
        for pattern in (f"%{last}", f"{first}%"):
            yield "reads a name as a pattern of SQL", SOME, pattern
    for ending in endings:
        yield f"takes off the ending {ending}", SOME, f"{name}{ending}"
    yield "puts an ending to a name", SOME, PurePath(name).stem
    yield "takes one sign for another", NEVER, name.replace("-", "_")
    yield "takes one sign for another", NEVER, name.replace("_", "-")
    if not folded:
        for form in ("NFC", "NFD"):
            other = unicodedata.normalize(form, name)
            yield "brings names to a normal form", SOME, other
        yield "brings names to a normal form", SOME, name.replace("K", "\u212a").replace("Å", "\u212b")
        for letter, other in _FOLDED:
            yield "compares without case", SOME, name.replace(letter, other)
            yield "compares without case", SOME, name.replace(letter, other, 1)
        for usual in (name.lower(), name.upper(), name.capitalize(), name.swapcase()):
            yield "compares without case", NEVER, usual
