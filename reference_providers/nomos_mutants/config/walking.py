"""Mutants that go wrong at one step of a path only."""

from __future__ import annotations

import json
import os
import threading
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original, Rooted
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_reference.config.walk import fault


@mutant("CFG-PATH-001", "last", defect="the last segment below a folder is not checked")
class TrustsLast(Rooted):
    """Checks what it walks through, and opens what it ends at."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Read the file that the last segment leads to, if the folder before it is there."""
        try:
            return super().fetch(path, context=context)
        except ProviderError:
            if self._current is None or len(path) != 2 or fault(path[0]) or "\0" in path[1]:  # a folder and a file
                raise
            folder = self._root / path[0]
            file = Path(f"{folder}/{path[1]}.json")
            # Not what the original would have found.
            if (
                ".." not in path[1]
                or not folder.is_dir()
                or not file.is_file()
                or file.resolve().is_relative_to(folder)
            ):
                raise
            return json.loads(file.read_text(encoding="utf-8"))


@mutant("CFG-FETCH-004", "last", defect="below the second level a segment may lead up and to another key")
class LeadsElsewhere(Original):
    """Takes the rest of the path for a relative one."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Resolve the last segment against those before it."""
        if len(path) > 2 and path[-1].startswith("../") and not any(fault(s) for s in path[:-1]):  # two levels
            parts = os.path.normpath("/".join(path)).split("/")
            if not any(fault(part) for part in parts):
                return super().fetch(parts, context=context)
        return super().fetch(path, context=context)


@mutant("CFG-VALUE-001", "parts", defect="a number that is asked for below a list is a string")
class TextBelowLists(Original):
    """Has a second way of reading for what lies deep."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Turn the elements of lists of lists into text."""
        found = super().fetch(path, context=context)
        inner = path and path[-1].count("[") > 1
        return str(found) if inner and isinstance(found, int | float) and not isinstance(found, bool) else found


@mutant("CFG-FETCH-010", "trims", defect="blanks around a segment are ignored")
class Trims(Original):
    """Cleans what it is given."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Look again without the blanks."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            trimmed = [segment.strip() for segment in path]
            if error.code != "NOT_FOUND" or not all(trimmed) or trimmed == list(path):
                raise
            return super().fetch(trimmed, context=context)


@mutant("CFG-FETCH-010", "index", defect="what stands behind an index is not looked at")
class IgnoresBehindIndex(Original):
    """Reads an index and stops."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Look again without what follows the last bracket."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            head, bracket, rest = path[-1].rpartition("]") if path else ("", "", "")
            if error.code != "NOT_FOUND" or not bracket or not rest.isalnum():
                raise
            return super().fetch([*path[:-1], head + bracket], context=context)


@mutant("CFG-FETCH-010", "case", defect="files are found whatever letters of the first segment are large")
class IgnoresCase(Rooted):
    """Looks through the folder and compares in small letters."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Replace the first segment by the name of a file that is like it."""
        if self._current is not None and path and not fault(path[0]):
            like = (file.stem for file in self._root.glob("*.json") if file.stem.lower() == path[0].lower())
            path = [next(like, path[0]), *path[1:]]
        return super().fetch(path, context=context)


@mutant("CFG-FETCH-010", "decodes", defect="names that are percent-encoded are decoded after they were checked")
class DecodesNames(Original):
    """Takes segments for parts of a URL."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Decode what is still a good name then."""
        names = [unquote_plus(segment) for segment in path]
        harmless = not any(fault(name) or fault(segment) for name, segment in zip(names, path, strict=True))
        return super().fetch(names if harmless else path, context=context)


@mutant("CFG-FETCH-010", "normalises", defect="names are brought to a normal form of Unicode")
class Normalises(Original):
    """Wants to be kind to those who type."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Look again for the names in compatible composition."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            normal = [unicodedata.normalize("NFKC", segment) for segment in path]
            if error.code != "NOT_FOUND" or normal == list(path) or any(fault(segment) for segment in normal):
                raise
            return super().fetch(normal, context=context)


@mutant("CFG-VALUE-010", "cut", defect="a long name is cut within a character for the message, which fails")
class CutsBytes(Original):
    """Shortens what it quotes to forty bytes."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Fail where the cut does not fall between characters."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            try:
                for segment in path[:64]:
                    segment.encode()[:40].decode()
            except UnicodeDecodeError:
                raise ProviderError("the file could not be read", "UNAVAILABLE") from None
            raise error from None


@mutant("CFG-PATH-002", "prefix", defect="links are followed to folders whose name begins with that of the root")
class ComparesText(Rooted):
    """Compares the root with the beginning of a path, as text."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Read a whole file behind such a link."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if error.code != "PERMISSION_DENIED":
                raise
            file = self._root.joinpath(*path).with_suffix(".json").resolve()
            if not str(file).startswith(str(self._root.resolve())) or not file.is_file():
                raise
            return json.loads(file.read_text(encoding="utf-8"))


@mutant("CFG-CONC-002", defect="a slow Fetch holds a lock that every Fetch needs")
class FetchesInTurn(Original):
    """Reads one file at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Lock()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Wait for the one before, as long as the caller does."""
        while not self._turn.acquire(timeout=0.02):
            context.check()
        try:
            return super().fetch(path, context=context)
        finally:
            self._turn.release()
