"""Linux machines of the `orb` command as instances. Limits of a spec are not set: the command has none to set."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from nomos_contracts.compute.interface import InstanceStatus, ProviderError
from nomos_reference.compute.orbstack_backend import (
    BootstrapOutcome,
    Found,
    NameTakenError,
    Wish,
    read_outcome,
    runner,
)
from nomos_reference.compute.orbstack_command import Orb, OrbError, from_orb
from nomos_reference.compute.orbstack_labels import INSTANCE, KIND, SNAPSHOT
from nomos_reference.compute.orbstack_records import MachineRecord, Records
from nomos_reference.compute.orbstack_settings import NAME, OrbstackSettings

STATUS: Final[Mapping[str, InstanceStatus]] = MappingProxyType(
    {
        "creating": InstanceStatus.PENDING,
        "provisioning": InstanceStatus.PENDING,
        "starting": InstanceStatus.STARTING,
        "running": InstanceStatus.RUNNING,
        "stopping": InstanceStatus.STOPPING,
        "stopped": InstanceStatus.STOPPED,
        "deleting": InstanceStatus.TERMINATING,
    }
)
"""Where an instance is in its life, by the state of its machine."""

PUT: Final = 'cd && umask 077 && mkdir -p ".nomos/$1" && cat >".nomos/$1/script"'
RUN: Final = 'cd && cd ".nomos/$1" && (nohup sudo -n sh -c "$2" nomos "$PWD" </dev/null >/dev/null 2>&1 &)'
READ: Final = 'cd && if test -e ".nomos/$1/outcome"; then sudo -n cat ".nomos/$1/$2"; fi'


@contextmanager
def _mapped() -> Generator[None]:
    try:
        yield
    except OrbError as error:
        raise from_orb(error) from error


class Machines:
    """Machines, each with a record of its labels; a machine without a record is somebody else's."""

    def __init__(self, settings: OrbstackSettings) -> None:
        self._distro = settings.distro
        self._orb = Orb(settings.orb, settings.timeout)
        self._records = Records(settings.records, settings.timeout)
        self._program = settings.orb

    def facts(self) -> Mapping[str, Any]:
        """Return which command it is; asks it for a sign of life."""
        self._orb.machines()
        return {"engine": f"OrbStack machines by the command {self._program}", "product": "OrbStack machines"}

    def create(self, wish: Wish) -> str:
        """Make a machine; see `Backend`."""
        with self._records.changing():
            before = self._records.named(wish.name)
            if before is not None and wish.name in self._orb.machines():
                raise NameTakenError(wish.name)
            # Written first: a machine that nobody has a record of could never be found again.
            record = MachineRecord(uuid.uuid4().hex, wish.name, dict(wish.labels))
            self._records.write(record)
            try:
                self._make(wish)
            except BaseException:
                self._records.forget(record)
                raise
        return record.id

    def _make(self, wish: Wish) -> None:
        if wish.snapshot is None:
            words = ("create", self._distro, wish.name)
        else:
            source = next((one for one in self._records.all() if one.id == wish.snapshot), None)
            if source is None:
                raise ProviderError("snapshot_id: there is no such snapshot", "NOT_FOUND", provider=NAME)
            words = ("clone", source.name, wish.name)
        try:
            self._orb.call(*words)
        except OrbError as error:
            if not error.exists:  # one that was made before its record was lost is the one that is wanted
                raise from_orb(error) from error

    def start(self, identity: str, wish: Wish) -> None:  # noqa: ARG002 # the backend's: a machine goes by its name
        """Put the bootstrap script in and run it."""
        with _mapped():
            self._orb.call("-m", wish.name, "sh", "-c", PUT, "nomos", wish.name, given=wish.script.content.encode())
            self._orb.call("-m", wish.name, "sh", "-c", RUN, "nomos", wish.name, runner('"$1"'))

    def find(self, identity: str) -> Found | None:
        """Return the machine of that id."""
        return next((one for one in self._found() if one.id == identity), None)

    def named(self, name: str) -> Found | None:
        """Return the machine of that name that has a record."""
        return next((one for one in self._found() if one.name == name), None)

    def all(self, labels: Mapping[str, str]) -> Sequence[Found]:
        """Return all machines that carry *labels*, oldest first."""
        return [one for one in self._found() if _carries(one, {KIND: INSTANCE, **labels})]

    def snapshots(self, labels: Mapping[str, str]) -> Sequence[Found]:
        """Return all clones that are snapshots and carry *labels*."""
        return [one for one in self._found() if _carries(one, {KIND: SNAPSHOT, **labels})]

    def _found(self) -> list[Found]:
        there = self._orb.machines()
        found = [
            Found(
                one.id,
                one.name,
                one.labels,
                STATUS.get(str(there[one.name].get("state")), InstanceStatus.ERROR),
            )
            for one in self._records.all()
            if one.name in there
        ]
        return sorted(found, key=lambda one: one.labels.get("nomos.created-at", ""))

    def remove(self, identity: str) -> None:
        """Delete a machine, then its record."""
        with self._records.changing():
            record = next((one for one in self._records.all() if one.id == identity), None)
            if record is None:
                return
            try:
                self._orb.call("delete", "-f", record.name)
            except OrbError as error:
                if not error.gone:
                    raise from_orb(error) from error
            self._records.forget(record)

    def bootstrap_outcome(self, found: Found) -> BootstrapOutcome | None:
        """Read what the machine wrote."""
        with _mapped():
            outcome = self._orb.call("-m", found.name, "sh", "-c", READ, "nomos", found.name, "outcome")
            if not outcome:
                return None
            log = self._orb.call("-m", found.name, "sh", "-c", READ, "nomos", found.name, "log")
        return read_outcome(outcome, log)

    def commit(self, found: Found, name: str, labels: Mapping[str, str]) -> str:
        """Clone a machine."""
        with self._records.changing():
            record = MachineRecord(uuid.uuid4().hex, name, dict(labels))
            self._records.write(record)
            try:
                with _mapped():
                    self._orb.call("clone", found.name, name)
            except BaseException:
                self._records.forget(record)
                raise
        return record.id

    def remove_snapshot(self, identity: str) -> None:
        """Delete a clone."""
        self.remove(identity)

    def close(self) -> None:
        """Do nothing: each call is a process of its own."""


def _carries(found: Found, labels: Mapping[str, str]) -> bool:
    return all(found.labels.get(key) == value for key, value in labels.items())
