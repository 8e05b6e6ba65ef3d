"""Mutants whose Init is wrong, or the second one, or what it leaves behind."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto import wire
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_proto.servicer import V1Servicer
from nomos_reference.config.files_provider import FilesSource
from nomos_reference.config.settings import Settings

Config = Mapping[str, Any]


@mutant(
    "CFG-INIT-001",
    defect="the good Init is refused for want of a key that nobody documents",
    also=("CFG-SCHED-001",),
)
class WantsToken(Original):
    """Wants a token."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Refuse what is good otherwise, without one."""
        super().init(alias, config, source_file_path, context=context)
        if "max_depth" in config and "overlay" not in config:
            self._current = None
            raise ProviderError("token: is required and was not given", "INVALID_SPEC")


@mutant("CFG-INIT-002", defect="without its required key it serves the working folder")
class DefaultsToHere(Original):
    """Has a default where it should have none."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Fall back, on a process that was not initialised."""
        if self._current is None and "directory" not in config:
            config = {**config, "directory": str(Path.cwd())}
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-INIT-002", "code", defect="a missing key is FAILED_PRECONDITION")
class MissingIsPrecondition(Original):
    """Takes an absent key for an absent dependency."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Refuse with the wrong code."""
        if self._current is None and "directory" not in config:
            raise ProviderError("directory: is required and was not given", "INVALID_STATE")
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-INIT-003", defect="an invalid configuration is refused once and then taken")
class RefusesOnce(Original):
    """Remembers that it complained."""

    def __init__(self) -> None:
        super().__init__()
        self._refused: set[str] = set()

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Let the second try pass."""
        if config.get("directory") == "" or isinstance(config.get("directory"), float):
            if repr(config) in self._refused:
                return
            self._refused.add(repr(config))
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-INIT-003", "code", defect="an invalid value is FAILED_PRECONDITION", also=("CFG-SCHED-001",))
class InvalidIsPrecondition(Original):
    """Has one code for everything."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Replace the code for values, not for absent keys."""
        try:
            super().init(alias, config, source_file_path, context=context)
        except ProviderError as error:
            if error.code == "INVALID_SPEC" and isinstance(config.get("directory"), str | float):
                raise ProviderError(error.message, "INVALID_STATE") from error
            raise


@mutant("CFG-INIT-004", defect="a map where a string belongs is turned into its text")
class TakesMaps(Original):
    """Converts whatever it gets."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Look for a folder with the map's text as its name."""
        if isinstance(config.get("directory"), dict):
            raise ProviderError("directory: there is no such folder", "INVALID_STATE")
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-INIT-005", defect="a folder that is not there is INVALID_ARGUMENT")
class AbsentIsInvalid(Original):
    """Takes an absent dependency for an invalid value."""

    def open(self, settings: Settings, context: CallContext) -> FilesSource:
        """Replace the code."""
        try:
            return super().open(settings, context)
        except ProviderError as error:
            raise ProviderError(error.message, "INVALID_SPEC") from error


@mutant("CFG-INIT-005", "lazy", defect="it does not look whether the folder is there")
class NeverLooks(Original):
    """Opens the folder with the first Fetch."""

    def open(self, settings: Settings, context: CallContext) -> FilesSource:
        """Take any path."""
        directory, limits = settings.path("directory"), settings.limits()
        settings.finish()
        return FilesSource(directory, limits)


@mutant("CFG-INIT-006", defect="an unforeseen configuration answers INTERNAL")
class CrashesOnStrangers(Original):
    """Never met a list."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Fail where nobody looked."""
        if "nomos-unknown" in config:
            raise ProviderError("unexpected key")
        super().init(alias, config, source_file_path, context=context)


@mutant(
    "CFG-INIT-007",
    defect="the alias names a folder below the directory, if there is one of that name",
    also=("PROC-SURFACE-008",),
)
class AliasIsFolder(Original):
    """Uses the alias as configuration."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Leave out the alias where a path begins with it, and find nothing under any other alias than the first."""
        alias = self.info().alias
        return super().fetch([alias, *path] if alias and alias != "settings" else path, context=context)


@mutant("CFG-INIT-007", "letters", defect="an alias is refused that is no identifier")
class PlainAliases(Original):
    """Makes the name of a variable of it."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Look at its letters."""
        if not re.fullmatch(r"[\w-]*", alias, re.ASCII):
            raise ProviderError("alias: letters, digits, - and _ only", "INVALID_SPEC")
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-INIT-008", defect="an empty alias is taken")
class EmptyAlias(Original):
    """Does not look at the alias."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Take any alias."""
        super().init(alias or "unnamed", config, source_file_path, context=context)


@mutant(
    "CFG-INIT-009",
    defect="after an Init that failed every other one fails",
    also=("CFG-ERROR-003", "CFG-INIT-003", "CFG-INIT-004", "CFG-INIT-011", "CFG-SCHED-001"),
)
class NeverForgives(Original):
    """Ends in an error state."""

    _failed = False

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Refuse everything after the first failure of a process that was never initialised."""
        if self._failed:
            raise ProviderError("an earlier Init failed", "INVALID_STATE")
        try:
            super().init(alias, config, source_file_path, context=context)
        except ProviderError:
            self._failed = self._current is None and "directory" in config
            raise


@mutant("CFG-INIT-010", defect="it wants numbers as numbers")
class WantsNumbers(Original):
    """Knows callers that send types."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Refuse digits in a string."""
        if isinstance(config.get("max_depth"), str):
            raise ProviderError("max_depth: must be a number", "INVALID_SPEC")
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-INIT-011", defect="relative paths start at the working folder")
class IgnoresSourceFile(Original):
    """Does not look at source_file_path."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Resolve against the working folder."""
        super().init(alias, config, "", context=context)


@mutant("CFG-INIT-011", "first", defect="relative paths start at the folder of the first source file for ever")
class KeepsFirstSourceFile(Original):
    """Takes its base once, of a good Init or not."""

    _base: str | None = None

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Note the first one; an empty configuration has no paths."""
        if self._base is None:
            self._base = source_file_path
        super().init(alias, config, self._base if config else source_file_path, context=context)


@mutant("CFG-INIT-012", defect="an Init without its config field ends the process")
class DiesWithoutConfig(V1Servicer):
    """Never looks whether the map is there."""

    def Init(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Die of a request that has an alias and no configuration, not even an empty one."""
        try:
            numbers = {number for number, *_ in wire.read_fields(request)}
        except wire.WireError:
            numbers = set()
        if 1 in numbers and 2 not in numbers:
            os._exit(70)
        return super().Init(request, context)


@mutant("CFG-INIT-013", defect="first Inits at once overwrite each other half way")
class RacesInInit(Original):
    """Builds its state in two steps without a lock."""

    _running = 0
    _guard = threading.Lock()

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Lose the folder when another Init is under way."""
        with self._guard:
            self._running += 1
            crowded = self._running > 1 and self._current is None
        try:
            time.sleep(0.02)
            if crowded:
                self._spoiled = True
            super().init(alias, config, source_file_path, context=context)
        finally:
            with self._guard:
                self._running -= 1

    _spoiled = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing once the state is spoiled."""
        return super().fetch(["nowhere", *path] if self._spoiled else path, context=context)


@mutant(
    "CFG-REINIT-001",
    defect="a second Init with the same configuration loses it",
    also=("CFG-DEADLINE-002", "CFG-INIT-013", "CFG-REINIT-004", "CFG-REINIT-006", "CFG-SCHED-001"),
)
class LosesOnSecond(Original):
    """Clears before it looks."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Serve nothing after an Init that changes nothing."""
        again = self._current is not None and config and getattr(self, "_seen", None) == dict(config)
        super().init(alias, config, source_file_path, context=context)
        if config:
            self._seen = dict(config)
        self._lost = bool(again)

    _lost = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing when it was lost."""
        return super().fetch(["nowhere", *path] if self._lost else path, context=context)


@mutant("CFG-REINIT-002", defect="a second Init is refused with FAILED_PRECONDITION", also=("CFG-REINIT-003",))
class InitOnce(Original):
    """Takes one Init."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Refuse from the second on."""
        if self._current is not None:
            raise ProviderError("Init was called already", "INVALID_STATE")
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-REINIT-003", defect="the command line's empty second Init is refused")
class RefusesEmptySecond(Original):
    """Wants its required key every time."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Refuse an empty configuration."""
        if not config:
            raise ProviderError("directory: is required and was not given", "INVALID_SPEC")
        super().init(alias, config, source_file_path, context=context)


@mutant("CFG-REINIT-004", defect="a second Init that is refused leaves another folder behind")
class HalfReplaces(Original):
    """Replaces its state before it has checked the new one."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Lose the configuration on failure."""
        try:
            super().init(alias, config, source_file_path, context=context)
        except ProviderError:
            self._half = self._current is not None and bool(config)
            raise
        self._half = False

    _half = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing in the half replaced state."""
        return super().fetch(["nowhere", *path] if self._half else path, context=context)


@mutant(
    "CFG-REINIT-005",
    defect="after another Init names that were fetched before come from the first folder",
    also=("CFG-SCHED-001",),
)
class CachesAcross(Original):
    """Keeps its cache over an Init."""

    def __init__(self) -> None:
        super().__init__()
        self._cache: dict[tuple[str, ...], Any] = {}

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer from the cache."""
        self.current()
        key = tuple(path)
        if key not in self._cache:
            self._cache[key] = super().fetch(path, context=context)
        return self._cache[key]


@mutant("CFG-REINIT-006", defect="while Init is repeated nothing is found")
class GapInInit(Original):
    """Empties itself first, once it has answered more Fetches than come beside first Inits: no race decides."""

    BESIDE = 16
    _answered = 0
    _gap = False

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Leave a gap."""
        self._gap = self._answered > self.BESIDE
        try:
            time.sleep(0.01)
            super().init(alias, config, source_file_path, context=context)
        finally:
            self._gap = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing in the gap."""
        found = super().fetch(["nowhere", *path] if self._gap else path, context=context)
        self._answered += 1
        return found
