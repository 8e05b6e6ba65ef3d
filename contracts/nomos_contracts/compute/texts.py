"""Scripts as a person would read them: with what is in base64 in them beside their text."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Final

from nomos_contracts.compute.interface import BootstrapFormat, BootstrapScript
from nomos_contracts.compute.plans import Plan, ScriptError
from nomos_contracts.compute.scripts import parse
from nomos_contracts.violation import Blocked

DEPTH: Final = 3
"""A script in base64 within cloud-init in base64 is rare enough."""
UNPACKED: Final = 1 << 20

_CODED: Final = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}")
_ENDS: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}$")
_BEGINS: Final = re.compile(r"^[A-Za-z0-9+/]+={0,2}")


def plain_text(content: str) -> str:
    """Return *content* with what its program writes and what is in base64 in it beside its text.

    Each word in base64 is read by itself, and so is each run of lines of them: base64 without padding does not run
    into what follows it.
    """
    found = dict.fromkeys([content, *_planned(content)])
    fresh = list(found)
    for _ in range(DEPTH):
        fresh = [one for text in fresh for one in _decoded(text) if one not in found]
        found.update(dict.fromkeys(fresh))
    return "\n".join(found)


def without_comments(text: str) -> str:
    """Return *text* without the lines that a shell or YAML passes over."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _planned(content: str) -> Iterator[str]:
    for form in BootstrapFormat:
        with suppress(ScriptError, Blocked):
            plan: Plan = parse(BootstrapScript(content, form, ""))
            yield from (data.decode(errors="replace") for data in plan.files.values())
            yield from (" ".join(command) for command in plan.commands)


def _decoded(text: str) -> Iterator[str]:
    for coded in dict.fromkeys(_coded(text)):
        for one in _bytes(coded):
            yield from _readable(one)


def _coded(text: str) -> Iterator[str]:
    """Yield the words of *text* that may be base64, and those that lines of it make together."""
    yield from (found[0] for found in _CODED.finditer(text))
    for run in _runs(text.splitlines()):
        for start in (0, 1):
            whole = "".join(part.rstrip("=") for part in run[start:])
            if len(run) > start + 1:
                yield whole


def _runs(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the words that stand at a line's end and go on at the beginning of the next line."""
    stripped = [line.strip() for line in lines]
    run: list[str] = []
    for above, below in pairwise([*stripped, ""]):
        before, after = _ENDS.search(above), _BEGINS.search(below)
        if before is None or after is None:
            if run:
                yield run
            run = []
            continue
        run = run or [before[0]]
        run.append(after[0])
        if after[0] != below:
            yield run
            run = []
    if run:
        yield run


def _bytes(coded: str) -> Iterator[bytes]:
    bare = coded.rstrip("=")
    bare = bare[:-1] if len(bare) % 4 == 1 else bare
    with suppress(ValueError):
        data = b64decode(bare + "=" * (-len(bare) % 4))
        yield data
        with suppress(zlib.error):
            yield zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, UNPACKED)


def _readable(data: bytes) -> Iterator[str]:
    """Yield the parts of *data* that are text: what follows base64 may have been read with it."""
    for part in re.split("[\ufffd\\x00-\\x08\\x0e-\\x1f]+", data.decode(errors="replace")):
        if len(part) >= 8 or part == data.decode(errors="replace"):  # fewer signs are chance
            yield part
