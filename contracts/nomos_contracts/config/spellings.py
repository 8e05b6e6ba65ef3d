"""Spellings: other ways to write a name, and names that are cut in the wrong place by careless code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nomos_contracts.config.documents import as_list, as_map
from nomos_contracts.config.samples import Segments, ValueSample

_CUT = (("é", 20), ("é", 110), ("界", 73), ("\U0001f511", 55))
"""Characters of two, three and four bytes, and how often; the names stay below the 255 bytes of a file's name."""

_WIDE = 0xFEE0
"""So far lie the wide forms of ASCII characters above them."""


def shortened(name: str) -> Iterator[tuple[str, ...]]:
    """Yield sets of parts of *name*; one of too few characters has none."""
    if len(name) >= 4:
        yield name[:-1], name[:-2], name[:-3]
        yield name[1:], name[2:], name[3:]


def recased(name: str) -> tuple[str, ...]:
    """Return *name* with other letters large and small, as nobody writes it; the usual spellings may well exist."""
    small = name.lower()
    odd = "".join(c.upper() if at % 2 else c for at, c in enumerate(small))
    even = "".join(c if at % 2 else c.upper() for at, c in enumerate(small))
    found = (odd, even, small[:-1] + small[-1:].upper(), small[:1] + small[1:].upper())
    usual = {name, small, name.upper(), name.title(), name.capitalize()}
    return tuple(s for s in dict.fromkeys(found) if s not in usual and s.lower() == small)


def encoded(name: str) -> tuple[str, ...]:
    """Return *name* as a URL could hold it: some or all of its characters percent-encoded, blanks as plus signs."""
    if not name:
        return ()
    codes = ["".join(f"%{byte:02x}" for byte in c.encode()) for c in name]
    found = [name[:at] + codes[at] + name[at + 1 :] for at in (0, len(name) // 2, len(name) - 1)]
    found += ["".join(codes), "".join(codes).upper(), name.replace(" ", "+")]
    return tuple(s for s in dict.fromkeys(found) if s != name)


def lookalikes(name: str) -> tuple[str, ...]:
    """Return *name* with other code points that a normal form of Unicode makes the same: wide letters, marks apart."""
    wide = ["".join(chr(ord(c) + _WIDE) if "!" <= c <= "~" else c for c in part) for part in (name, name[:1], name[1:])]
    found = (wide[0], wide[1] + name[1:], name[:1] + wide[2], unicodedata.normalize("NFD", name))
    return tuple(s for s in dict.fromkeys(found) if s != name and unicodedata.normalize("NFKC", s) == name)


def folds_names(file: Path = Path(__file__)) -> bool:
    """Whether this machine finds *file* in other letters too, as macOS does: no provider of files can help that."""
    return file.with_name(file.name.swapcase()).exists()


def respelled(sample: ValueSample, *, folded: bool = False) -> Iterator[tuple[Segments, ...]]:
    """Yield sets of paths that resemble that of *sample*, one segment written otherwise in all paths of a set.

    Each path may exist, since its name is a name like any other, but no two of a set with the value of *sample*.

    Args:
        sample: what is there.
        folded: whether files are found in other letters and other normal forms on this machine.
    """
    path = sample.path
    for position, segment in enumerate(path):
        files = () if folded else (recased(segment), lookalikes(segment))
        for names in (*shortened(segment), encoded(segment), *files):
            if len(names) > 1:
                yield tuple((*path[:position], name, *path[position + 1 :]) for name in names)


def wide_names() -> Iterator[str]:
    """Yield long names that a cut at any number of bytes, counted from either end, divides within a character."""
    for character, times in _CUT:
        for ahead in range(len(character.encode())):
            yield "a" * ahead + character * times
            if ahead:
                yield character * times + "a" * ahead


def collision(name: str) -> str:
    """Return another name of the same hash in Java: 31 times a character and the next one, modulo 2^32.

    Whoever keeps answers by the hash of a path gives the one for the other. *name* has two characters at least.
    """
    head, last, end = name[:-2], name[-2], name[-1]
    # One more of the first is 31 less of the second; the other way round where that would leave what is printable.
    step = 1 if ord(end) - 31 > ord(" ") else -1
    return head + chr(ord(last) + step) + chr(ord(end) - 31 * step)


def torn_character(message: str, path: Segments) -> str:
    """Return the part of a character that *message* shows of a name in *path*, empty where it shows whole ones only.

    A part shows as a replacement character beside whole ones, or in a run of escaped bytes that is no UTF-8. Where some
    languages write code points below 256 in the same way, these stand for characters of the name.
    """
    names = "".join(path)
    wide = "".join(sorted({re.escape(c) for c in names if not c.isascii()}))
    # Some languages write a question mark for what no encoding has.
    for replaced in ("\ufffd", "?"):
        beside = re.escape(replaced)
        found = re.search(f"[{wide}]{beside}|{beside}[{wide}]", message) if wide and replaced not in names else None
        if found:
            return repr(found[0])
    for run in re.findall(r"(?:\\x[0-9a-fA-F]{2})+", message):
        data = bytes.fromhex(run.replace("\\x", ""))
        if not _is_utf8(data) and data.decode("latin-1") not in names:
            return str(run)
    return ""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def texts_beyond_ascii(value: Any) -> Iterator[str]:
    """Yield the keys and strings of *value* that are not ASCII; a key only where there is something below it."""
    opened = [value]
    while opened:
        item = opened.pop()
        inner: Mapping[str, Any] | None = as_map(item)
        elements: Sequence[Any] = as_list(item) or ()
        if inner is not None:
            # Whoever leaves out what is null or empty does no harm to the characters of its name.
            yield from (key for key, part in inner.items() if not key.isascii() and part not in (None, [], {}))
            elements = list(inner.values())
        opened.extend(elements)
        if isinstance(item, str) and not item.isascii():
            yield item
