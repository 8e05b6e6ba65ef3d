"""Mutants whose Info or Health is wrong."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from nomos_mutants.mutant import ORIGINAL, mutant, program
from nomos_mutants.original import Original
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, Health, HealthStatus, Info

Config = Mapping[str, Any]


class _Informed(Original):
    """Changes Info."""

    def changed(self, info: Info) -> Info:
        """Return the changed Info."""
        return info

    def info(self) -> Info:
        """Answer the changed Info."""
        return self.changed(super().info())


@mutant("CFG-INFO-001", defect="Info before Init is FAILED_PRECONDITION", also=("CFG-INFO-004", "CFG-SCHED-001"))
class InfoWantsInit(_Informed):
    """Knows itself after Init."""

    def changed(self, info: Info) -> Info:
        """Refuse without a configuration."""
        if not info.alias and not self._closed:
            raise ProviderError("call Init first", "INVALID_STATE")
        return info


@mutant("CFG-INFO-002", defect="the version begins with a v", also=("CFG-INFO-003",))
class VersionWithV(_Informed):
    """Reports its tag."""

    def changed(self, info: Info) -> Info:
        """Put a v before it."""
        return Info(info.alias, f"v{info.version}", info.type)


@mutant("CFG-INFO-003", defect="the version is that of an older build")
class OldVersion(_Informed):
    """Forgot to count up."""

    def changed(self, info: Info) -> Info:
        """Answer an older version."""
        return Info(info.alias, "0.0.9", info.type)


@mutant(
    "CFG-INFO-004",
    defect="the type is the name of the folder after Init",
    also=("CFG-SCHED-001",),
)
class TypeChanges(_Informed):
    """Takes its type from the configuration."""

    def changed(self, info: Info) -> Info:
        """Answer another type after Init."""
        return Info(info.alias, info.version, "files-ready" if info.alias else info.type)


@mutant("CFG-INFO-004", "process", defect="the type holds the process id")
class TypePerProcess(_Informed):
    """Is another one each time."""

    def changed(self, info: Info) -> Info:
        """Add the process id."""
        return Info(info.alias, info.version, f"files-{os.getpid()}")


@mutant("CFG-INFO-005", defect="the name of the file goes on with another type")
@program(mode=0o755, file="nomos-provider-vault")
def named_otherwise() -> bytes:
    """A correct provider of type files with another type in its name."""
    return f'#!/bin/sh\nexec {sys.executable} -m nomos_mutants {ORIGINAL} "$@"\n'.encode()


@mutant("CFG-INFO-006", defect="the alias is always empty")
class NoAlias(_Informed):
    """Forgets its alias."""

    def changed(self, info: Info) -> Info:
        """Answer none."""
        return Info("", info.version, info.type)


class _Well(Original):
    """Changes Health."""

    def changed(self, health: Health) -> Health:
        """Return the changed Health."""
        return health

    def health(self) -> Health:
        """Answer the changed Health."""
        return self.changed(super().health())

    @property
    def ready(self) -> bool:
        """Whether there is a configuration."""
        return self._current is not None


@mutant("CFG-HEALTH-001", defect="Health before Init fails", also=("CFG-INIT-012", "PROC-LISTEN-003"))
class HealthWantsInit(_Well):
    """Is well or not there."""

    def changed(self, health: Health) -> Health:
        """Refuse without a configuration."""
        if not self.ready and not self._closed:
            raise ProviderError("call Init first", "INVALID_STATE")
        return health


@mutant("CFG-HEALTH-002", defect="a provider that is well says STATUS_STARTING", also=("CFG-HEALTH-005",))
class StartsForEver(_Well):
    """Never counts itself as ready."""

    def changed(self, health: Health) -> Health:
        """Say STARTING."""
        return Health(HealthStatus.STARTING, "warming up; wait") if self.ready else health


@mutant(
    "CFG-HEALTH-003",
    defect="after a Fetch that failed the status is STATUS_UNSPECIFIED",
    also=("CFG-DEADLINE-001", "CFG-HEALTH-007", "CFG-SCHED-001"),
)
class Unspecified(_Well):
    """Loses its status."""

    _lost = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Lose the status on failure."""
        try:
            return super().fetch(path, context=context)
        except ProviderError:
            self._lost = self.ready
            raise

    def changed(self, health: Health) -> Health:
        """Say UNSPECIFIED once."""
        lost, self._lost = self._lost, False
        return Health(HealthStatus.UNSPECIFIED, "no status") if lost else health


@mutant("CFG-HEALTH-003", "refused", defect="after a second Init that it refused the status is STATUS_UNSPECIFIED")
class UnspecifiedWhenRefused(_Well):
    """Loses its status with a configuration that it does not take."""

    _refused = False

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Note what became of it."""
        self._refused = True
        super().init(alias, config, source_file_path, context=context)
        self._refused = False

    def changed(self, health: Health) -> Health:
        """Say UNSPECIFIED."""
        return Health(HealthStatus.UNSPECIFIED, "call Init") if self.ready and self._refused else health


@mutant("CFG-HEALTH-004", defect="before Init the status is STATUS_UNSPECIFIED")
class UnspecifiedAtFirst(_Well):
    """Has no status at first."""

    def changed(self, health: Health) -> Health:
        """Say UNSPECIFIED before Init."""
        return health if self.ready or self._closed else Health(HealthStatus.UNSPECIFIED, "call Init")


@mutant("CFG-HEALTH-005", defect="it says STATUS_OK while its overlay is gone")
class AlwaysOk(_Well):
    """Looks at nothing."""

    def changed(self, health: Health) -> Health:
        """Say OK."""
        return Health(HealthStatus.OK) if self.ready else health


@mutant("CFG-HEALTH-005", "first", defect="it says for ever what it found at its first Health after a good Init")
class FirstStatus(_Well):
    """Looks once."""

    _found: Health | None = None

    def changed(self, health: Health) -> Health:
        """Say what was found first."""
        if self.ready and self._found is None:
            self._found = health
        return self._found or health


@mutant("CFG-HEALTH-006", defect="during a long Init it says STATUS_OK")
class WellDuringInit(_Well):
    """Takes long for Init when somebody looks on, and says that all is well."""

    _running = False
    _watched = False

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Wait a moment for a caller of Health, and long once there is one."""
        self._running, self._watched = not self.ready, False
        try:
            if self._running:
                time.sleep(0.03)
            if self._watched:
                time.sleep(1.3)
            super().init(alias, config, source_file_path, context=context)
        finally:
            self._running = False

    def changed(self, health: Health) -> Health:
        """Say OK while Init runs."""
        self._watched = self._running
        return Health(HealthStatus.OK) if self._running else health


@mutant("CFG-HEALTH-007", defect="every fifteenth ping of an unbroken row fails")
class MissesPings(_Well):
    """Tires of callers who ask for nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._row = 0

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Begin a new row."""
        self._row = 0
        super().init(alias, config, source_file_path, context=context)

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Begin a new row."""
        self._row = 0
        return super().fetch(path, context=context)

    def changed(self, health: Health) -> Health:
        """Fail now and then."""
        self._row += 1
        if self._row % 15 == 0:
            raise ProviderError("busy")
        return health


@mutant("CFG-HEALTH-008", defect="a status that is not OK has no message")
class Speechless(_Well):
    """Says nothing."""

    def changed(self, health: Health) -> Health:
        """Leave the message out."""
        return Health(health.status)
