"""Mutants whose Fetch is wrong: paths, escapes, errors."""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_reference.config.walk import fault

Config = Mapping[str, Any]


class _Rooted(Original):
    """Knows its folder as a path."""

    root = Path("/nonexistent")

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Note the folder."""
        super().init(alias, config, source_file_path, context=context)
        if config.get("directory"):
            self.root = Path(os.path.dirname(source_file_path), str(config["directory"]))  # noqa: PTH120 # as the original

    def naive(self, path: Sequence[str]) -> Any:
        """Join the segments to a file name and read it, as nobody should.

        Raises:
            ProviderError: there is no such file.
        """
        target = str(self.root)
        for segment in path:
            target += "/" + segment
        for ending in ("", ".json"):
            try:
                text = Path(target + ending).read_text(encoding="utf-8")
            except (OSError, ValueError):
                continue
            return json.loads(text) if ending else text
        raise ProviderError(f"nothing at {path[-1][:80]!r}", "NOT_FOUND")


@mutant("CFG-FETCH-001", defect="before any Init nothing is found", also=("CFG-SCHED-001",))
class NotFoundBeforeInit(Original):
    """Takes no configuration for an empty one, unless an Init comes within a moment: no race decides."""

    MOMENT = 0.4

    def __init__(self) -> None:
        super().__init__()
        self._tried = threading.Event()

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Note that one was tried."""
        self._tried.set()
        super().init(alias, config, source_file_path, context=context)

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer NOT_FOUND."""
        if not self._closed and not self._tried.wait(self.MOMENT):
            raise ProviderError(f"nothing at {'.'.join(path[:4])}", "NOT_FOUND")
        return super().fetch(path, context=context)


@mutant("CFG-FETCH-001", "empty-path", defect="before Init the empty path answers an empty map")
class EmptyBeforeInit(Original):
    """Has a root from the start."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer the empty root."""
        if self._current is None and not self._closed and not path:
            return {}
        return super().fetch(path, context=context)


@mutant(
    "CFG-FETCH-002",
    defect="a path below a scalar answers the scalar",
    also=("CFG-FETCH-006", "CFG-FETCH-010", "CFG-SCHED-001"),
)
class StopsAtScalar(Original):
    """Walks as far as it can."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer what the path begins with, if that is a scalar."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if error.code == "NOT_FOUND" and len(path) > 1 and not any(fault(segment) for segment in path):
                try:
                    found = super().fetch(path[:-1], context=context)
                except ProviderError:
                    raise error from None
                if isinstance(found, str | int | float):
                    return found
            raise


@mutant(
    "CFG-FETCH-002",
    "null",
    defect="an absent key of an existing map answers null",
    also=("CFG-FETCH-010", "CFG-VALUE-010"),
)
class NullForAbsent(Original):
    """Uses a lookup with a default."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer null for the last segment."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if (
                error.code != "NOT_FOUND" or len(path) < 2 or fault(path[-1]) or "[" in path[-1] or path[-1] == "*"
            ):  # a map and a key
                raise
            try:
                found = super().fetch(path[:-1], context=context)
            except ProviderError:
                raise error from None
            if isinstance(found, dict) and found and not any(isinstance(v, dict) for v in found.values()):
                return None
            raise


@mutant("CFG-FETCH-003", defect="an empty segment in the middle is skipped", also=("CFG-SCHED-001",))
class SkipsEmpty(Original):
    """Filters what it does not like."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Leave empty segments out, but for the ends."""
        inner = [s for s in path[1:-1] if s]
        return super().fetch(
            [*path[:1], *inner, *path[-1:]] if len(path) > 2 else path, context=context
        )  # has a middle


@mutant("CFG-FETCH-003", "code", defect="an empty segment is NOT_FOUND", also=("CFG-SCHED-001",))
class EmptyIsNotFound(Original):
    """Looks for a file without a name."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer NOT_FOUND."""
        if self._current is not None and "" in path:
            raise ProviderError("nothing at the empty segment", "NOT_FOUND")
        return super().fetch(path, context=context)


@mutant("CFG-FETCH-004", defect="a dot segment is where it stands")
class TakesDots(Original):
    """Normalises single dots."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Leave out `.` behind the first segment."""
        return super().fetch([s for at, s in enumerate(path) if s != "." or not at], context=context)


@mutant("CFG-FETCH-004", "slash", defect="a slash in a segment splits it")
class SplitsSlashes(Original):
    """Joins and splits again."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Split segments whose parts are well formed."""
        parts = [part for segment in path for part in (segment.split("/") if segment else [segment])]
        return super().fetch(path if any(fault(part) for part in parts) else parts, context=context)


@mutant("CFG-FETCH-004", "encoded", defect="percent-encoded dots are decoded")
class DecodesDots(Original):
    """Decodes what is not encoded."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Take `%2e` behind the first segment for a dot, and a dot for nothing."""
        decoded = [s for at, s in enumerate(path) if unquote(s) != "." or s == "." or not at]
        return super().fetch(decoded, context=context)


@mutant("CFG-FETCH-005", defect="the empty path answers INTERNAL", also=("CFG-ERROR-005",))
class RootFails(Original):
    """Never thought of the root."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Fail on it."""
        if self._current is not None and not path:
            raise ProviderError("index out of range")
        return super().fetch(path, context=context)


@mutant("CFG-FETCH-006", defect="a very long segment ends the process", also=("PROC-SURFACE-005",))
class DiesOfLength(Original):
    """Has a buffer."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Overflow it."""
        if any(len(segment) > 500_000 for segment in path):  # the buffer
            os._exit(139)
        return super().fetch(path, context=context)


@mutant("CFG-FETCH-007", defect="what may not be read is NOT_FOUND")
class HidesForbidden(Original):
    """Does not tell the two apart."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Replace the code."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if error.code == "PERMISSION_DENIED":
                raise ProviderError(error.message, "NOT_FOUND") from error
            raise


@mutant("CFG-FETCH-008", defect="a source that cannot be parsed is an empty map", also=("CFG-SCHED-001",))
class SwallowsBroken(Original):
    """Catches and goes on."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer an empty map."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if "is not JSON" in error.message and path:
                return {}
            raise


@mutant("CFG-FETCH-010", defect="a name is found by its beginning")
class FindsPrefixes(Original):
    """Completes names."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Complete the last segment if one key begins with it."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if error.code != "NOT_FOUND" or len(path) < 2 or not path[-1]:  # a map and a key
                raise
            try:
                found = super().fetch(path[:-1], context=context)
            except ProviderError:
                raise error from None
            hits = [key for key in found if key.startswith(path[-1])] if isinstance(found, dict) else []
            if len(hits) != 1:
                raise
            return found[hits[0]]


@mutant("CFG-PATH-001", defect="segments are joined to a file name")
class Joins(_Rooted):
    """Checks nothing."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Read what the joined name names, if the original finds nothing."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if (
                error.code not in {"NOT_FOUND", "INVALID_SPEC"}
                or self._current is None
                or "" in path
                or not path
                or len(path) > 64
            ):  # short paths only
                raise
            return self.naive(path)


@mutant("CFG-PATH-001", "encoded", defect="segments are decoded after they were checked")
class DecodesLate(_Rooted):
    """Checks first and decodes afterwards."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Read what the decoded name names."""
        try:
            return super().fetch(path, context=context)
        except ProviderError:
            plain = not any(c in s for s in path for c in "/\\\0") and not {".", "..", ""} & set(path)
            if self._current is None or not plain or not any("%" in s for s in path) or len(path) > 64:  # as above
                raise
            return self.naive([unquote(segment) for segment in path])


@mutant("CFG-PATH-002", defect="links that lead out are followed", also=("CFG-FETCH-007",))
class FollowsLinks(_Rooted):
    """Trusts what is in its folder."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Read through links."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if error.code != "PERMISSION_DENIED":
                raise
            for depth in range(len(path), 0, -1):
                file = self.root.joinpath(*path[:depth]).with_suffix(".json")
                if file.is_file():
                    found = json.loads(file.read_text(encoding="utf-8"))
                    for segment in path[depth:]:
                        found = found[segment]
                    return found
            raise


@mutant("CFG-SCHED-001", defect="three answers in a hundred are wrong", also=("CFG-VALUE-001",), by_chance=True)
class Wavers(Original):
    """Answers NOT_FOUND now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = itertools.count(1)

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing in one call of thirty-three."""
        found = super().fetch(path, context=context)
        if next(self._calls) % 33 == 0:
            raise ProviderError(f"nothing at {'.'.join(path[:4])}", "NOT_FOUND")
        return found
