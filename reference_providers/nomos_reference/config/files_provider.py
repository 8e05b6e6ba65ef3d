"""Configuration from a folder of JSON and YAML files."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, FunctionSpec, Health, HealthStatus
from nomos_reference.config.documents import PARSERS
from nomos_reference.config.limits import Budget, Limits
from nomos_reference.config.provider import ConfigProvider
from nomos_reference.config.reading import read
from nomos_reference.config.settings import Settings, unmet
from nomos_reference.config.tree import EscapeError, RootError, Tree, kind_of_mode
from nomos_reference.config.walk import WILDCARD, at_positions, missing, shown_path, split_index, walk

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
_NO_FILE = {errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP}


def os_failure(error: OSError, name: str) -> ProviderError:
    """Return the error for a file that is there and cannot be read; *name* is its path for a person."""
    if isinstance(error, RootError):
        reason = os.strerror(error.errno or 0)
        return ProviderError(f"the folder of the setting `directory` cannot be opened ({reason})", "NETWORK_ERROR")
    if isinstance(error, EscapeError):
        return ProviderError(f"{name}: is a link that leads out of the folder", "PERMISSION_DENIED")
    if isinstance(error, PermissionError):
        return ProviderError(f"{name}: may not be read by this provider", "PERMISSION_DENIED")
    if error.errno in _NO_FILE:
        return ProviderError(f"{name}: is neither a file nor a FIFO", "INVALID_STATE")
    return ProviderError(f"{name}: cannot be read ({os.strerror(error.errno or 0)})", "NETWORK_ERROR")


def absent(error: OSError) -> bool:
    """Whether *error* says that there is nothing at a path, as opposed to a root that is gone."""
    return error.errno in _NOT_THERE and not isinstance(error, RootError)


class FilesSource:
    """A folder; folders, then files without their ending, then keys are the segments of a path.

    Names that begin with a dot are left out of ``*``, as a shell does it, and are found by their name.
    """

    def __init__(self, directory: Path, limits: Limits) -> None:
        """Use *directory*."""
        self.tree = Tree(directory)
        self._limits = limits

    @property
    def limits(self) -> Limits:
        """Its limits."""
        return self._limits

    def health(self) -> Health:
        """Return whether the folder can be read."""
        try:
            with self.tree.open(()):
                return Health(HealthStatus.OK)
        except OSError:
            return Health(
                HealthStatus.DEGRADED,
                "the folder of the setting `directory` cannot be opened any more; put it back or call Init again",
            )

    def fetch(self, path: Sequence[str], context: CallContext) -> Any:
        """Return the value at *path*; a folder answers a map of all that it holds."""
        budget = Budget(self._limits, context)
        folder: list[str] = []
        for at, segment in enumerate(path):
            if segment == WILDCARD and at == len(path) - 1:
                break
            found = self.find(folder, segment)
            positions: tuple[int, ...] = ()
            if found is None and (indexed := split_index(segment)) is not None and indexed[0]:
                found, positions = self.find(folder, indexed[0]), indexed[1]
            if found is None or (found.endswith("/") and positions):
                raise missing(path, at)
            if found.endswith("/"):
                folder.append(segment)
                continue
            document = self.parse([*folder, found], shown_path(path[: at + 1]), budget)
            return walk(at_positions(document, positions, path, at), path, at + 1)
        return self.collect(folder, budget)

    def find(self, folder: Sequence[str], name: str) -> str | None:
        """Return the file in *folder* that a segment names, with ``/`` at its end for a folder; None for nothing.

        Raises:
            ProviderError: INVALID_STATE where two files have that name, or as `os_failure`.
        """
        shown = shown_path([*folder, name])
        hits = [
            file + ("/" if kind == "folder" else "")
            for file in (name, *(name + ending for ending in PARSERS))
            if (kind := self._kind([*folder, file], shown)) is not None and (kind == "folder") == (file == name)
        ]
        if len(hits) > 1:
            raise ProviderError(f"{shown}: is ambiguous, since {' and '.join(hits)} are both there", "INVALID_STATE")
        return hits[0] if hits else None

    def _kind(self, parts: Sequence[str], shown: str) -> str | None:
        try:
            return kind_of_mode(self.tree.stat(parts).st_mode)
        except OSError as error:
            if absent(error):
                return None
            raise os_failure(error, shown) from error

    def parse(self, parts: Sequence[str], shown: str, budget: Budget) -> Any:
        """Return the document in a file.

        Raises:
            ProviderError: it cannot be read or parsed.
        """
        try:
            with self.tree.open(parts) as descriptor:
                data = read(descriptor, shown, budget)
        except OSError as error:
            if absent(error):
                raise ProviderError(f"nothing at {shown}", "NOT_FOUND") from error
            raise os_failure(error, shown) from error
        return PARSERS[os.path.splitext(parts[-1])[1]](data, shown, budget)  # noqa: PTH122 # a name, not a path

    def collect(
        self, folder: Sequence[str], budget: Budget, above: frozenset[tuple[int, int]] = frozenset()
    ) -> dict[str, Any]:
        """Return all that a folder holds, by name: folders as maps, files as their documents.

        Args:
            folder: names from the root on.
            budget: what may be read.
            above: identities of the folders that hold this one.

        Raises:
            ProviderError: one of its files cannot be read or parsed.
        """
        budget.check_depth(len(folder) + 1)
        budget.spend_items(1)
        found: dict[str, Any] = {}
        here, entries = self._entries(folder)
        if here in above:
            # A link to a folder that holds it: it would never end.
            return found
        for name, is_folder in entries:
            key = name if is_folder else os.path.splitext(name)[0]  # noqa: PTH122 # a name, not a path
            shown = shown_path([*folder, key])
            if key in found:
                raise ProviderError(f"{shown}: is ambiguous, since two files have that name", "INVALID_STATE")
            parts = [*folder, name]
            if is_folder:
                found[key] = self.collect(parts, budget, above | {here})
            else:
                found[key] = self.parse(parts, shown, budget)
        return found

    def _entries(self, folder: Sequence[str]) -> tuple[tuple[int, int], list[tuple[str, bool]]]:
        """Return the identity of a folder, and (name, whether it is a folder) of what ``*`` stands for in it.

        Special files and links that lead out are left out.
        """
        shown = shown_path(folder)
        try:
            with self.tree.open(folder) as descriptor:
                status = os.fstat(descriptor)
                names = sorted(os.listdir(descriptor))  # noqa: PTH208 # a Path has no descriptor
        except OSError as error:
            raise os_failure(error, shown) from error
        entries: list[tuple[str, bool]] = []
        for name in names:
            if name.startswith(".") or name.encode(errors="ignore").decode() != name:
                continue
            stem, ending = os.path.splitext(name)  # noqa: PTH122 # a name, not a path
            try:
                kind = kind_of_mode(self.tree.stat([*folder, name]).st_mode)
            except EscapeError:
                continue
            except OSError as error:
                if absent(error):
                    continue
                raise os_failure(error, shown_path([*folder, stem])) from error
            if kind == "folder" or (kind == "file" and ending in PARSERS):
                entries.append((name, kind == "folder"))
        return (status.st_dev, status.st_ino), entries


class FilesProvider(ConfigProvider):
    """The files provider."""

    type: ClassVar[str] = "files"
    properties: ClassVar[Mapping[str, Any]] = {
        "directory": {
            "type": "string",
            "minLength": 1,
            "description": "Folder of JSON and YAML files; a relative one starts at the folder of source_file_path.",
        }
    }
    required: ClassVar[tuple[str, ...]] = ("directory",)

    def open(self, settings: Settings, context: CallContext) -> FilesSource:  # noqa: ARG002 # opening takes no time
        """Return the folder that `directory` names."""
        directory, limits = settings.path("directory"), settings.limits()
        settings.finish()
        source = FilesSource(directory, limits)
        try:
            with source.tree.open(()):
                return source
        except RootError as error:
            if error.errno in {errno.EACCES, errno.EPERM}:
                raise ProviderError("directory: may not be read by this provider", "PERMISSION_DENIED") from error
            words = {errno.ENOENT: "no such folder", errno.ENOTDIR: "is no folder"}
            reason = words.get(error.errno or 0, f"cannot be opened ({os.strerror(error.errno or 0)})")
            raise unmet("directory", reason) from error

    def functions(self) -> Mapping[str, FunctionSpec]:
        """Return read, read_bytes, write, exists and list."""
        from nomos_reference.config.files_functions import functions

        return functions(self._source)

    def _source(self) -> FilesSource:
        source = self.current().source
        if not isinstance(source, FilesSource):
            raise TypeError("the source of a files provider is a folder")
        return source
