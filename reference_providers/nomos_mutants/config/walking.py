"""Mutants that go wrong at one step of a path only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_reference.config.walk import fault


@mutant("CFG-PATH-001", "last", defect="the last segment below a folder is not checked")
class TrustsLast(Original):
    """Checks what it walks through, and opens what it ends at."""

    _root = Path("/nonexistent")

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Note the folder."""
        super().init(alias, config, source_file_path, context=context)
        if config.get("directory"):
            self._root = Path(os.path.dirname(source_file_path), str(config["directory"]))  # noqa: PTH120 # as the original

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
