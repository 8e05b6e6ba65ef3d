"""Mutants that take one path for another: by the key of a cache, by what they read into a name, by its length."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto import messages
from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_map
from nomos_proto.provider import CallContext
from nomos_proto.servicer import V1Servicer
from nomos_reference.config.walk import fault


class _Rereads(Original):
    """Looks again for what it did not find, under the path that it takes the other one for."""

    def reread(self, path: Sequence[str], context: CallContext) -> Sequence[str]:
        """Return that path."""
        return path

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Look twice."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if error.code != "NOT_FOUND" or len(path) > 64:
                raise
            other = self.reread(path, context)
            if list(other) == list(path) or not other or any(fault(segment) for segment in other):
                raise
            return super().fetch(other, context=context)

    def map_at(self, path: Sequence[str], context: CallContext) -> Mapping[str, Any]:
        """Return the map at *path*, an empty one where there is none."""
        try:
            found = super().fetch(path, context=context)
        except ProviderError:
            return {}
        return found if is_map(found) else {}


@mutant("CFG-FETCH-010", "joined", defect="the key of its cache is the path with bars between the segments")
class JoinsForItsCache(Original):
    """Keeps the last eight answers."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[tuple[int, str | int], Any] = {}

    def key(self, path: Sequence[str]) -> str | int:
        """Return the key of a path."""
        return "|".join(path)

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer from the cache, which belongs to one configuration."""
        key = (id(self.current()), self.key(path))
        if not path or any(fault(segment) for segment in path):
            return super().fetch(path, context=context)
        if key not in self._kept:
            found = super().fetch(path, context=context)
            while len(self._kept) >= 8:  # as the class says
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[key] = found
            return found
        return self._kept[key]


@mutant("CFG-FETCH-010", "hash", defect="the key of its cache is the hash of the path")
class HashesForItsCache(JoinsForItsCache):
    """Computes hashes as Java does."""

    def key(self, path: Sequence[str]) -> str | int:
        """Return the hash of the names and their number."""
        found = len(path)
        for name in path:
            own = 0
            for character in name:
                own = 31 * own + ord(character) & 0xFFFFFFFF  # 32 bits
            found = 31 * found + own & 0xFFFFFFFF  # of these, too
        return found


@mutant("CFG-FETCH-010", "dots", defect="a name with dots that is not there is a path")
class WalksDots(_Rereads):
    """Knows paths as people write them."""

    def reread(self, path: Sequence[str], context: CallContext) -> Sequence[str]:
        """Split at the dots."""
        return [part for segment in path for part in segment.split(".")]


@mutant("CFG-FETCH-010", "inherits", defect="what is not in a map comes from the map above it")
class Inherits(_Rereads):
    """Takes each map for a scope."""

    def reread(self, path: Sequence[str], context: CallContext) -> Sequence[str]:
        """Go up one map, if the one below is there."""
        if len(path) < 3 or not self.map_at(path[:-1], context):  # a file and two names
            return path
        return [*path[:-2], path[-1]]


@mutant("CFG-FETCH-010", "expands", defect="variables of the environment in a name are replaced by their values")
class Expands(_Rereads):
    """Was used from a shell."""

    def reread(self, path: Sequence[str], context: CallContext) -> Sequence[str]:
        """Replace ${NAME}, by nothing where there is no such variable."""
        return [re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], ""), segment) for segment in path]


@mutant("CFG-FETCH-010", "folds", defect="names are compared without case, in a way that lower letters do not show")
class FoldsNames(_Rereads):
    """Compares folded names, where the name has no large letter."""

    def reread(self, path: Sequence[str], context: CallContext) -> Sequence[str]:
        """Find the key of the last map that is the same."""
        keys = self.map_at(path[:-1], context) if path and path[-1] == path[-1].lower() else {}
        return [*path[:-1], next((key for key in keys if key.casefold() == path[-1].casefold()), *path[-1:])]


@mutant("CFG-FETCH-010", "pattern", defect="question marks and brackets in a name match what is there")
class Matches(_Rereads):
    """Finds names as a shell does."""

    def reread(self, path: Sequence[str], context: CallContext) -> Sequence[str]:
        """Take the first key that matches."""
        if not path or not re.search(r"\?|\[\D", path[-1]):
            return path
        keys = self.map_at(path[:-1], context)
        return [*path[:-1], next((key for key in keys if fnmatch.fnmatchcase(key, path[-1])), path[-1])]


@mutant("CFG-FETCH-010", "stars", defect="`*` is left out wherever it stands")
class LeavesOutStars(_Rereads):
    """Takes a star for a place like any other."""

    def reread(self, path: Sequence[str], context: CallContext) -> Sequence[str]:
        """Leave them out, but for the last segment."""
        return [segment for at, segment in enumerate(path) if segment != "*" or at == len(path) - 1]


@mutant(
    "CFG-FETCH-010",
    "wraps",
    defect="an index beyond 2^32 begins again at the first element",
    also=("CFG-VALUE-006",),
)
class WrapsIndexes(_Rereads):
    """Has indexes of 32 bits."""

    def reread(self, path: Sequence[str], context: CallContext) -> Sequence[str]:
        """Cut them."""
        return [re.sub(r"\[(\d{10,12})\]", lambda found: f"[{int(found[1]) % 2**32}]", segment) for segment in path]


@mutant(
    "CFG-FETCH-010",
    "characters",
    defect="an index behind the name of a string gives one of its characters",
    also=("CFG-VALUE-006",),
)
class IndexesStrings(_Rereads):
    """Has strings that are lists of characters."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer the number of the character at the index."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            found = re.fullmatch(r"(.+)\[(\d)\]", path[-1]) if path else None
            if error.code != "NOT_FOUND" or not found or any(fault(segment) for segment in path):
                raise
            try:
                text = super().fetch([*path[:-1], found[1]], context=context)
            except ProviderError:
                raise error from None
            if not isinstance(text, str) or len(text) <= int(found[2]):
                raise
            return ord(text[int(found[2])])


@mutant("CFG-VALUE-001", "again", defect="a map that is answered again has lost its empty maps")
class ForgetsEmptyMaps(Original):
    """Compresses what it keeps."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[str, ...]] = set()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Leave them out from the second time on, of maps that hold more than one thing below a file."""
        found = super().fetch(path, context=context)
        again, key = tuple(path) in self._seen, tuple(path)
        self._seen.add(key)
        if not again or not is_map(found) or len(found) < 3 or len(path) != 2:  # a map that is kept
            return found
        return {name: part for name, part in found.items() if part != {}}


@mutant("CFG-VALUE-010", "torn", defect="a message shows a part of a character where it cuts a name")
class TearsCharacters(Original):
    """Shortens what it quotes to sixty-one bytes."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Cut the last name."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if error.code != "NOT_FOUND" or not path or len(path[-1].encode()) <= 61:  # as the class says
                raise
            name = path[-1].encode()[:61].decode(errors="replace")
            raise ProviderError(f"nothing at {name}", error.code) from None


@mutant("CFG-ERROR-005", "long", defect="a name that is too long for the file system, in a folder, fails with UNKNOWN")
class UnknownForLongNames(V1Servicer):
    """Passes on what the system says."""

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Fail on such a name behind the first one."""
        short = request[:1] == b"\x0a" and len(request) < 4300  # as the path of a file
        path = messages.decode_fetch_request(request) if short else ()
        if len(path) > 1 and path[0] == "database" and 255 < len(path[1]) < 4096:  # as the class says
            context.abort(grpc.StatusCode.UNKNOWN, "file name too long")
        return super().Fetch(request, context)
