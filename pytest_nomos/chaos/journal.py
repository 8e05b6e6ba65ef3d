"""The journal of a chaos run: each fault stands in it, on disk, before it is applied, and again when it is ended."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from nomos_contracts.fault import read_fault
from pytest_nomos.chaos.applied import Applied
from pytest_nomos.chaos.recipes import Api, read_recipe
from pytest_nomos.sweep.owner import Owner


class JournalError(Exception):
    """A journal cannot be written, or is none; the message says where and why."""


def _is_owner(owner: str) -> str:
    if Owner.read(owner) is None:
        raise ValueError(f"{owner!r} names no process of a run")
    return owner


OwnerText = Annotated[str, AfterValidator(_is_owner)]


class Entry(BaseModel):
    """One line.

    Attributes:
        at: seconds on the monotonic clock of the machine.
        wall: time of day, with its zone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: float = Field(default_factory=time.monotonic, allow_inf_nan=False)
    wall: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


class OfFault(Entry):
    """A line about one fault.

    Attributes:
        id: the fault's name in the journal.
    """

    id: Annotated[str, Field(min_length=1)]


class Planned(OfFault):
    """The fault will be applied next.

    Attributes:
        fault: as `nomos_contracts.fault.read_fault` reads it.
        mechanism: how it is done.
        undo: how it is ended by somebody else; None where nothing outlives the owner.
        owner: the process that does it, as `pytest_nomos.sweep.owner.Owner.read` reads it.
        ttl: seconds that it lasts at most.
    """

    event: Literal["planned"] = "planned"
    fault: dict[str, Any]
    mechanism: str
    undo: dict[str, Any] | None
    owner: OwnerText
    ttl: Annotated[float, Field(gt=0)] | None = None

    @field_validator("fault")
    @classmethod
    def _is_fault(cls, fault: dict[str, Any]) -> dict[str, Any]:
        read_fault(fault)
        return fault

    @field_validator("undo")
    @classmethod
    def _is_recipe(cls, undo: dict[str, Any] | None) -> dict[str, Any] | None:
        if undo is not None:
            read_recipe(undo)
        return undo


class InForce(OfFault):
    """It has been applied."""

    event: Literal["applied"] = "applied"


class Bitten(OfFault):
    """It was felt, as *evidence* tells."""

    event: Literal["bit"] = "bit"
    evidence: str


class Failed(OfFault):
    """It did not take hold; *why* tells."""

    event: Literal["failed"] = "failed"
    why: str


class Reverted(OfFault):
    """It has ended, and was seen to have.

    Attributes:
        escalated: what had to be done beyond the usual.
    """

    event: Literal["reverted"] = "reverted"
    escalated: str = ""


class NotReverted(OfFault):
    """It could not be ended; *why* tells."""

    event: Literal["revert_failed"] = "revert_failed"
    why: str


class Opened(Entry):
    """Proxies will be made in a server that outlives the run.

    Attributes:
        api: host and port of the server's API.
        owner: the process that makes them, as `pytest_nomos.sweep.owner.Owner.read` reads it; their names begin so.
    """

    event: Literal["opened"] = "opened"
    api: Api
    owner: OwnerText


class Resumed(Entry):
    """The line before was cut off; what follows was written later."""

    event: Literal["resumed"] = "resumed"


Line = Planned | InForce | Bitten | Failed | Reverted | NotReverted | Opened | Resumed
_LINE: Final[TypeAdapter[Line]] = TypeAdapter(Annotated[Line, Field(discriminator="event")])


class Journal:
    """Appends to the journal at *path*; each entry is on disk when its method returns. Thread-safe.

    Raises:
        JournalError: it cannot be written; every method raises it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._owner = str(Owner.of_process())
        self._append("")
        _sync_folder(path.parent)

    def planned(self, applied: Applied, ttl: float | None = None) -> str:
        """Write down that a fault will be applied; return its id."""
        identity = uuid.uuid4().hex[:12]
        undo = applied.undo
        self._write(
            Planned(
                id=identity,
                fault=applied.fault.model_dump(mode="json"),
                mechanism=applied.mechanism,
                undo=None if undo is None else dict(undo),
                owner=self._owner,
                ttl=ttl,
            )
        )
        return identity

    def applied(self, identity: str) -> None:
        """Write down that it has been applied."""
        self._write(InForce(id=identity))

    def bit(self, identity: str, evidence: str) -> None:
        """Write down that it was felt."""
        self._write(Bitten(id=identity, evidence=evidence))

    def failed(self, identity: str, why: str) -> None:
        """Write down that it did not take hold."""
        self._write(Failed(id=identity, why=why))

    def reverted(self, identity: str, escalated: str = "") -> None:
        """Write down that it has ended."""
        self._write(Reverted(id=identity, escalated=escalated))

    def revert_failed(self, identity: str, why: str) -> None:
        """Write down that it could not be ended."""
        self._write(NotReverted(id=identity, why=why))

    def opened(self, api: str) -> None:
        """Write down that proxies will be made in the server whose API is at *api*."""
        self._write(Opened(api=api, owner=self._owner))

    def _write(self, entry: Line) -> None:
        self._append(entry.model_dump_json() + "\n")

    def _append(self, text: str) -> None:
        try:
            with self._lock:
                handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    data = memoryview(_mending(handle) + text.encode())
                    while data:
                        data = data[os.write(handle, data) :]
                    if text:
                        os.fsync(handle)
                finally:
                    os.close(handle)
        except OSError as error:
            raise JournalError(f"{self.path}: the journal cannot be written: {error.strerror}") from error


def _mending(handle: int) -> bytes:
    """Return what has to stand before the next entry, so that a line that was cut off stays alone."""
    size = os.fstat(handle).st_size
    if not size or os.pread(handle, 1, size - 1) == b"\n":
        return b""
    return b"\n" + Resumed().model_dump_json().encode() + b"\n"


def _sync_folder(folder: Path) -> None:
    # So that the file itself is found after the machine failed; not every file system can do that.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@dataclass(frozen=True)
class Record:
    """What stands in a journal.

    Attributes:
        entries: in the order in which they were written.
        torn: numbers of lines that were cut off while they were written; what they would have said was not done.
    """

    entries: tuple[Line, ...]
    torn: tuple[int, ...]

    @property
    def open(self) -> tuple[Planned, ...]:
        """The faults that are not said to have ended, in the order in which they were planned."""
        ended = {entry.id for entry in self.entries if isinstance(entry, Reverted)}
        return tuple(entry for entry in self.entries if isinstance(entry, Planned) and entry.id not in ended)

    @property
    def servers(self) -> tuple[tuple[str, str], ...]:
        """The servers that proxies were made in, by API and owner."""
        return tuple(dict.fromkeys((one.api, one.owner) for one in self.entries if isinstance(one, Opened)))


def read_journal(path: Path) -> Record:
    """Read a journal; a last line that was cut off, because its writer was killed, is tolerated.

    Raises:
        JournalError: it cannot be read, or a line is no entry; the message names the line.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalError(f"{path}: the journal cannot be read: {error.strerror}") from error
    whole = not lines[-1]
    if whole:
        lines.pop()
    entries, torn, planned, cut = list[Line](), list[int](), set[str](), ""
    for number, line in enumerate(lines, 1):
        try:
            data: Any = json.loads(line)
        except ValueError as error:
            what = cut or f"{path}: line {number} is no entry of a journal: {error}"
            last = number == len(lines)
            if cut or (last and whole) or not line.startswith(b"{"):
                raise JournalError(what) from None
            cut = what
            torn.append(number)
            continue
        entry = _entry(data, f"{path}: line {number}")
        if cut and not isinstance(entry, Resumed):
            raise JournalError(cut)
        cut = ""
        if isinstance(entry, Planned):
            planned.add(entry.id)
        elif isinstance(entry, OfFault) and entry.id not in planned:
            raise JournalError(f"{path}: line {number}: {entry.event} of a fault {entry.id!r} that was never planned")
        entries.append(entry)
    return Record(tuple(entries), tuple(torn))


def _entry(data: object, place: str) -> Line:
    try:
        return _LINE.validate_python(data)
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(str(part) for part in found["loc"])
        raise JournalError(f"{place}{f', {field}' if field else ''}: {found['msg']}") from None
