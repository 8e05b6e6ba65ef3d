"""Faults that are limits of a process: descriptors, memory, and the size of files.

Only the soft limit of a running process is lowered: a hard one could not be raised again.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import psutil

from nomos_contracts.fault import Descriptors, FileSize, Memory
from pytest_nomos.chaos.applied import FaultFailed, RevertFailed, Unavailable
from pytest_nomos.chaos.recipes import Restore
from pytest_nomos.chaos.subject import Identity, Lowered, ProcessSubject

LimitName = Literal["RLIMIT_NOFILE", "RLIMIT_DATA", "RLIMIT_FSIZE"]
MIB: Final = 1024 * 1024
_HIGHEST: Final = 2**63


def has_prlimit() -> bool:
    """Whether this machine can change the limits of a process that runs."""
    return hasattr(resource, "prlimit") and Path("/proc/self/fd").is_dir()


def number_of(name: LimitName) -> int:
    """Return the number of a limit."""
    return int(getattr(resource, name))


def shown(value: int) -> str:
    """Return the value of a limit as text."""
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)


def read_limit(identity: Identity, name: LimitName) -> tuple[int, int] | None:
    """Return soft and hard value of a limit of a process, None where the process is gone.

    Raises:
        PermissionError: it belongs to somebody else.
    """
    return _prlimit(identity, name, None)


def write_limit(identity: Identity, name: LimitName, soft: int) -> bool:
    """Set the soft value of a limit, and see that it is set; False where the process is gone.

    Raises:
        OSError: it cannot be set, or was not.
    """
    before = read_limit(identity, name)
    if before is None or _prlimit(identity, name, (soft, before[1])) is None:
        return False
    after = read_limit(identity, name)
    if after is not None and after[0] != soft:
        raise OSError(f"{name} of process {identity.pid} is {shown(after[0])} after it was set to {shown(soft)}")
    return after is not None


def _prlimit(identity: Identity, name: LimitName, values: tuple[int, int] | None) -> tuple[int, int] | None:
    if not identity.lives:
        return None
    try:
        if values is None:
            return resource.prlimit(identity.pid, number_of(name))
        return resource.prlimit(identity.pid, number_of(name), values)
    except ProcessLookupError:
        return None


class LowerLimit:
    """Lowers one limit of the process that listens: the main one, or what a wrapper has started."""

    def __init__(self, fault: Descriptors | Memory | FileSize, subject: ProcessSubject) -> None:
        if not has_prlimit():
            raise Unavailable(
                f"{fault.words}: limits of a running process are changed by prlimit, which only Linux has"
            )
        self.fault = fault
        self._subject = subject
        self._main = _serving(subject)
        self._name: LimitName = _limit_of(fault)
        self._wanted: int | None = None
        try:
            now = read_limit(self._main, self._name)
        except PermissionError as error:
            raise Unavailable(
                f"{fault.words}: the limits of process {self._main.pid} belong to another user: {error.strerror}"
            ) from None
        if now is None:
            raise Unavailable(f"{fault.words}: process {self._main.pid} is gone, or is another one now")
        self._soft, self._hard = now

    @property
    def mechanism(self) -> str:
        """The system call."""
        return f"prlimit({self._name})"

    @property
    def undo(self) -> Mapping[str, Any]:
        """The soft value before any fault."""
        lowered = self._subject.lowered.get(number_of(self._name))
        soft = lowered.original if lowered else self._soft
        main = self._main
        return Restore(pid=main.pid, started=main.started, limit=self._name, soft=soft).model_dump(mode="json")

    def apply(self) -> None:
        """Lower it."""
        subject, number = self._subject, number_of(self._name)
        with subject.lock:
            try:
                now = read_limit(self._main, self._name)
                wanted = self._value()
                if now is None:
                    raise FaultFailed(f"{self.fault.words}: process {self._main.pid} is gone, or is another one now")
                if _height(wanted) >= _height(now[0]):
                    raise FaultFailed(
                        f"{self.fault.words}: {self._name} of process {self._main.pid} is {shown(now[0])} already, "
                        f"which is no more than {shown(wanted)}"
                    )
                lowered = subject.lowered.setdefault(number, Lowered(now[0], []))
                self._wanted = wanted
                lowered.values.append((self, wanted))
                if not write_limit(self._main, self._name, wanted):
                    raise FaultFailed(f"{self.fault.words}: process {self._main.pid} ended")
            except OSError as error:
                raise FaultFailed(f"{self.fault.words}: {error.strerror or error}") from error

    def verify(self) -> None:
        """Read it back."""
        now = read_limit(self._main, self._name)
        if now is None:
            raise FaultFailed(f"{self.fault.words}: process {self._main.pid} ended")
        if _height(now[0]) > _height(self._wanted if self._wanted is not None else 0):
            raise FaultFailed(f"{self.fault.words}: {self._name} is {shown(now[0])}, not {shown(self._wanted or 0)}")

    def revert(self) -> None:
        """Give it its value back, or what another fault in force wants it to be."""
        subject, number = self._subject, number_of(self._name)
        with subject.lock:
            lowered = subject.lowered.get(number)
            if lowered is None or self._wanted is None:
                return
            others = [value for owner, value in lowered.values if owner is not self]
            soft = min(others, key=_height) if others else lowered.original
            try:
                restore(self._main, self._name, soft)
            except OSError as error:
                raise RevertFailed(
                    f"{self._name} of process {self._main.pid} cannot be set back to {shown(soft)}: "
                    f"{error.strerror or error}; prlimit --pid {self._main.pid} shows it"
                ) from error
            self._wanted = None
            lowered.values[:] = [one for one in lowered.values if one[0] is not self]
            if not lowered.values:
                del subject.lowered[number]

    def bite(self) -> str:
        """Say that every descriptor was in use, which shows only where some were spare; of others only callers know."""
        if not isinstance(self.fault, Descriptors) or not self.fault.spare or self._wanted is None:
            return ""
        try:
            full = _end_of_free(self._main, 0) >= self._wanted
        except (FaultFailed, OSError):
            return ""
        return f"process {self._main.pid} has every descriptor below {self._wanted} in use" if full else ""

    def _value(self) -> int:
        main = self._main
        match self.fault:
            case Descriptors(spare=spare):
                return _end_of_free(main, spare)
            case Memory(spare=spare):
                return _data_of(main) + spare * MIB
            case FileSize(limit=limit):
                return limit


def _serving(subject: ProcessSubject) -> Identity:
    """Return the member of *subject* that listens for connections, the main process where that cannot be told."""
    members = subject.members()
    for one in members if len(members) > 1 else ():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(one.pid)
            if any(end.status == psutil.CONN_LISTEN for end in process.net_connections("tcp")) and one.lives:
                return one
    return subject.main


def restore(identity: Identity, name: LimitName, soft: int) -> bool:
    """Raise a soft limit to *soft* again; False where that is not needed, because the process is gone or raised it.

    Raises:
        OSError: it cannot be set.
    """
    now = read_limit(identity, name)
    if now is None or _height(now[0]) >= _height(soft):
        return False
    return write_limit(identity, name, soft)


def _limit_of(fault: Descriptors | Memory | FileSize) -> LimitName:
    match fault:
        case Descriptors():
            return "RLIMIT_NOFILE"
        case Memory():
            return "RLIMIT_DATA"
        case FileSize():
            return "RLIMIT_FSIZE"


def _height(value: int) -> int:
    """Return a number by which limits are compared; none at all is the highest."""
    return _HIGHEST if value == resource.RLIM_INFINITY else value


def _end_of_free(identity: Identity, spare: int) -> int:
    """Return the limit below which *spare* descriptors are free; holes between those in use count.

    Raises:
        FaultFailed: the descriptors cannot be read.
    """
    try:
        used = {int(entry.name) for entry in Path(f"/proc/{identity.pid}/fd").iterdir()}
    except OSError as error:
        raise FaultFailed(f"the descriptors of process {identity.pid} cannot be read: {error.strerror}") from error
    number = 0
    while True:
        if number not in used:
            if not spare:
                return number
            spare -= 1
        number += 1


def _data_of(identity: Identity) -> int:
    """Return how many bytes of data a process has, as RLIMIT_DATA counts them.

    Raises:
        FaultFailed: that cannot be read.
    """
    try:
        for line in Path(f"/proc/{identity.pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    except OSError as error:
        raise FaultFailed(f"the memory of process {identity.pid} cannot be read: {error.strerror}") from error
    raise FaultFailed(f"process {identity.pid} has no memory any more")
