"""Escapes: canary files outside a provider's data, and the paths by which a careless provider would reach them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nomos_contracts.config.documents import changed, leaves
from nomos_contracts.config.samples import Segments
from nomos_contracts.provider import Answer, RunningProvider

DEEP = 24
"""So many steps up lead to the root folder from anywhere; more do no harm there."""

COPIED_FILES = 400
COPIED_BYTES = 16 * 1024 * 1024
"""What is copied of an author's data at most; larger data is tried where it is."""

DOTS = (
    "..",
    "%2e%2e",
    "%2E%2E",
    ".%2e",
    "%252e%252e",
    "%c0%ae%c0%ae",
    "‥",
    "．．",
    "․․",
    ".. ",
    " ..",
    "..\t",
    "..\x00",
    "..;",
    "\\..",
    "./..",
)
"""Spellings of the parent folder: plain, percent-encoded once and twice, overlong, lookalikes, padded."""

SEPARATORS = ("/", "\\", "%2f", "%2F", "%5c", "%252f", "%c0%af", "∕", "／", "＼", "//", "/./")
"""Spellings of the separator."""


@dataclass(frozen=True)
class Canary:
    """A set of files that hold a token, one in each format that providers read, and the token.

    Attributes:
        folder: where the files lie.
        name: their name without its ending.
        token: what must never come back; it is not part of any path.
    """

    folder: Path
    name: str
    token: str

    @classmethod
    def plant(cls, folder: Path, name: str, token: str) -> Canary:
        """Write the files."""
        folder.mkdir(parents=True, exist_ok=True)
        document = json.dumps({"token": token, "value": token, "deep": {"token": token}})
        yaml = f"token: {token}\nvalue: {token}\n"
        toml = f'token = "{token}"\nvalue = "{token}"\n'
        for ending, text in (("", document), (".json", document), (".yaml", yaml), (".yml", yaml)):
            (folder / f"{name}{ending}").write_text(text, encoding="utf-8")
        (folder / f"{name}-list.json").write_text(json.dumps([token]), encoding="utf-8")
        for ending, text in ((".toml", toml), (".txt", token), (".env", f"token={token}\n"), (".csl", yaml)):
            (folder / f"{name}{ending}").write_text(text, encoding="utf-8")
        return cls(folder, name, token)

    def remove(self) -> None:
        """Remove the files."""
        for path in self.folder.glob(f"{self.name}*"):
            path.unlink()

    def shows_in(self, answer: Answer) -> bool:
        """Whether the token came back in *answer*, as a value or in its message."""
        return self.token in answer.message or self.token.encode() in (answer.response or b"")


def _forms(ups: int, down: Sequence[str], inside: str) -> Iterator[Segments]:
    """Yield the spellings of *ups* steps up and the names *down*, some of them by way of *inside*."""
    for dots in DOTS:
        yield (*[dots] * ups, *down)
        yield ("/".join([*[dots] * ups, *down]),)
    for separator in SEPARATORS:
        yield (separator.join([*[".."] * ups, *down]),)
        for dots in ("%2e%2e", "%252e%252e"):
            yield (separator.join([*[dots] * ups, *down]),)
        yield (separator.join([inside, *[".."] * (ups + 1), *down]),)
        yield (*[f"..{separator}"] * ups, *down)
    tail = "/".join(down)
    for pattern in ("....//", "..././", "..;/", "..\\/", "%2e%2e%2f", "..%2f", "/../", ".//../"):
        yield (pattern * ups + tail,)
        yield (*[pattern.rstrip("/")] * ups, *down)
    for first in (inside, "nomos-none", ".", ""):
        for more in (0, 1):
            yield (first, *[".."] * (ups + more), *down)
            yield (f"{first}/" + "../" * (ups + more) + tail,)
            yield (first, "../" * (ups + more) + tail)
    yield (".." + "/.." * (ups - 1), tail)
    yield ("../" * ups + tail + "\x00",)
    yield ("../" * ups + tail + "\x00.json",)
    yield (*[".."] * ups, *down[:-1], down[-1] + "%00")


def _absolute(target: Path, inside: str) -> Iterator[Segments]:
    """Yield the spellings of *target* as an absolute path."""
    text = str(target)
    parts = target.parts[1:]
    for spelled in (text, "/" + text, "//" + text, f"file://{text}", f"file:{text}", text.replace("/", "%2f")):
        yield (spelled,)
        yield (inside, spelled)
    yield (text.replace("/", "%252f"),)
    yield ("/", *parts)
    yield ("", *parts)
    yield (inside, "/", *parts)
    yield (f"/{parts[0]}", *parts[1:])
    yield (text + "\x00",)
    for ups in (DEEP,):
        yield (*[".."] * ups, *parts)
        yield ("../" * ups + text[1:],)
        yield (inside, *[".."] * ups, *parts)
        yield (*["%2e%2e"] * ups, *parts)


def _through(prefix: Segments, ups: int, down: Sequence[str]) -> Iterator[Segments]:
    """Yield spellings of *ups* steps up from the root and the names *down* that go in by *prefix* first.

    The part that leads out stands in one segment, in several, or at the end of the name before it, so that a provider
    which checks some segments only is found by one of them.
    """
    out, tail = [".."] * (ups + len(prefix)), "/".join(down)
    for separator in ("/", "\\", "%2f"):
        yield (*prefix, separator.join([*out, *down]))
        yield (*prefix[:-1], separator.join([prefix[-1], *out, *down]))
    yield (*prefix, *out, *down)
    yield (*prefix, *out, tail)
    yield (*prefix, "/".join(out), *down)
    yield (*prefix, "/" + "/".join([*out, *down]))
    yield (*prefix, *["%2e%2e"] * len(out), *down)
    yield (*prefix, "/".join([*out, *down]), "token")
    for special in ("*", f"{down[-1]}-list[0]"):
        yield (*prefix, *out, *down[:-1], special)
        yield (*prefix, "/".join([*out, *down[:-1], special]))
    # A prefix that is a file counts as no step, and its ending may be put behind.
    yield (*prefix, "/".join([*out[1:], *down]))


def escapes(base: Path, canary: Canary, insides: Sequence[Segments]) -> Iterator[Segments]:
    """Yield paths that a careless provider, whose data lies in *base*, would follow to *canary*.

    Args:
        base: folder at which the provider's own paths start.
        canary: what they lead to.
        insides: where paths that exist go in: one at least.
    """
    inside = insides[0][0]
    relative = Path(os.path.relpath(canary.folder, base)).parts
    ups = sum(part == ".." for part in relative)
    for name in (canary.name, f"{canary.name}.json"):
        down = [*relative[ups:], name]
        yield from _forms(ups, down, inside) if ups else [tuple(down), ("/".join(down),)]
        yield from _absolute(canary.folder / name, inside)
        for prefix in insides if ups else ():
            yield from _through(prefix, ups, down)
            yield (*prefix, str(canary.folder / name))
        for special in (("*",), (f"{name}-list[0]",), (f"{name}-list", "[0]")):
            yield (*[".."] * ups, *down[:-1], *special)
            yield ("/".join([*[".."] * ups, *down[:-1], *special]),)
            yield (str(canary.folder / special[0]), *special[1:])
        yield (*[".."] * ups, *down, "token")
        yield ("../" * ups + "/".join(down), "token")
        yield (f"{'../' * ups}{'/'.join(down)}/token",)
        yield (str(canary.folder / name), "token")


def from_home(home: Path, canary: Canary) -> Iterator[Segments]:
    """Yield paths that lead to *canary* where a provider expands its home folder or its environment."""
    down = Path(os.path.relpath(canary.folder, home)).parts
    for start in ("~", "$HOME", "${HOME}", "$PWD", "${PWD}", "%HOME%", "$(pwd)", "`pwd`"):
        yield (start, *down, canary.name)
        yield ("/".join([start, *down, canary.name]),)


def bases(provider: RunningProvider, source_file_path: str = "") -> list[Path]:
    """Return the folders at which the paths of *provider* may start: those its configuration names, and its own."""
    texts = [value for value in leaves(provider.good_config) if isinstance(value, str)]
    named = [located(text, provider.scratch, source_file_path) for text in texts]
    found = [path if path.is_dir() else path.parent for path in named if path is not None]
    return list(dict.fromkeys([*found, provider.scratch.resolve()]))


def located(value: str, scratch: Path, source_file_path: str) -> Path | None:
    """Return the file or folder that a configuration value names, None where it names none."""
    if not value or "\x00" in value or len(value) > 1000 or "://" in value:
        return None
    for start in (Path(source_file_path).parent if source_file_path else None, scratch):
        path = Path(value) if Path(value).is_absolute() else start / value if start else None
        # A value need not be a path: `Path.exists` raises for a text that is too long for one.
        if path is not None and len(path.parts) > 2 and os.path.exists(path):  # noqa: PTH110
            return path.resolve()
    return None


class TooLargeError(Exception):
    """The author's data is too large, or too odd, to be copied for a check."""


def relocated(config: Mapping[str, Any], scratch: Path, source_file_path: str, target: Path) -> dict[str, Any] | None:
    """Copy the files and folders that *config* names below *target*, each as ``root``, and name the copies.

    Returns:
        The configuration with the copies, None where it names no file and no folder.

    Raises:
        TooLargeError: the data cannot be copied.
    """
    copies: dict[Path, Path] = {}

    def move(value: Any) -> Any:
        source = located(value, scratch, source_file_path) if isinstance(value, str) else None
        if source is None:
            return value
        if source not in copies:
            copies[source] = _copy(source, target / f"area{len(copies)}")
        return str(copies[source])

    moved = {key: changed(value, move) for key, value in config.items()}
    return moved if copies else None


def _copy(source: Path, area: Path) -> Path:
    area.mkdir(parents=True)
    if source.is_file():
        # A document's folder is what its provider could leave.
        (area / "root").mkdir()
        return Path(shutil.copyfile(source, area / "root" / source.name))
    copied = size = 0
    for folder, _, names in os.walk(source):
        into = area / "root" / Path(folder).relative_to(source)
        into.mkdir()
        for name in names:
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file():
                continue  # a FIFO would block, and a link may lead anywhere
            copied, size = copied + 1, size + path.stat().st_size
            if copied > COPIED_FILES or size > COPIED_BYTES:
                raise TooLargeError(f"{source} is too large to be copied for a check")
            try:
                shutil.copyfile(path, into / name)
            except PermissionError:
                continue  # what may not be read is not needed
    return area / "root"
