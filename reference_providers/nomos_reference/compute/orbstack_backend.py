"""What the provider needs of whatever its instances are made by: containers of an engine, or machines of `orb`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from nomos_contracts.compute.interface import BootstrapScript, InstanceStatus, ProviderError
from nomos_reference.compute.orbstack_settings import Spec

FOLDER: Final = "/var/lib/nomos"
"""Where an instance keeps what it knows of its bootstrap; one folder in it for each name that it ever had."""


@dataclass(frozen=True)
class Wish:
    """What is to be made.

    Attributes:
        name: its name; a second thing of that name cannot be.
        labels: what is written on it.
        spec: its limits.
        script: what it runs first.
        snapshot: the snapshot that it starts from, None for the plain image.
        disk_gb: size of its disk, None for what there is.
    """

    name: str
    labels: Mapping[str, str]
    spec: Spec
    script: BootstrapScript
    snapshot: str | None = None
    disk_gb: int | None = None


@dataclass(frozen=True)
class Found:
    """An instance or a snapshot that is there.

    Attributes:
        id: its id.
        name: its name.
        labels: what is written on it.
        status: where it is in its life; a snapshot is running as long as it is there.
        size: bytes of a snapshot, None where unknown.
        ip: its address in the network, None where it has none.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    status: InstanceStatus = InstanceStatus.RUNNING
    size: int | None = None
    ip: str | None = None


@dataclass(frozen=True)
class BootstrapOutcome:
    """What an instance wrote down when its bootstrap had ended.

    Attributes:
        exit_code: of the script.
        checksum: SHA-256 of the script as the instance had it, in lowercase hex; empty where it could not say.
        log: what the script printed.
    """

    exit_code: int
    checksum: str
    log: str = ""


class NameTakenError(Exception):
    """There is something of that name already."""


class Backend(Protocol):
    """Makes, finds and removes. Every failure is a `ProviderError`; methods may run in many threads at once."""

    def facts(self) -> Mapping[str, Any]:
        """Return what it is, in plain types; fails where it does not answer."""
        ...

    def create(self, wish: Wish) -> str:
        """Make an instance that does not run yet and return its id.

        Raises:
            NameTakenError: there is something of that name.
            ProviderError: nothing was made.
        """
        ...

    def start(self, identity: str, wish: Wish) -> None:
        """Let an instance run, its bootstrap first; one that runs already is left as it is."""
        ...

    def find(self, identity: str) -> Found | None:
        """Return what has exactly this id, whoever made it."""
        ...

    def named(self, name: str) -> Found | None:
        """Return what has exactly this name, whoever made it."""
        ...

    def all(self, labels: Mapping[str, str]) -> Sequence[Found]:
        """Return all instances that carry *labels*, oldest first."""
        ...

    def remove(self, identity: str) -> None:
        """Destroy an instance; one that is gone, or about to go, is no error."""
        ...

    def bootstrap_outcome(self, found: Found) -> BootstrapOutcome | None:
        """Return what the instance wrote when its bootstrap had ended, None as long as it has not."""
        ...

    def commit(self, found: Found, name: str, labels: Mapping[str, str]) -> str:
        """Make a snapshot called *name* of an instance and return its id."""
        ...

    def snapshots(self, labels: Mapping[str, str]) -> Sequence[Found]:
        """Return all snapshots that carry *labels*."""
        ...

    def remove_snapshot(self, identity: str) -> None:
        """Delete a snapshot; one that is gone is no error."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def read_outcome(text: str, log: str) -> BootstrapOutcome:
    """Return the outcome that an instance wrote as ``EXIT-CODE CHECKSUM``.

    Raises:
        ProviderError: that is not what it wrote.
    """
    code, _, checksum = text.strip().partition(" ")
    if not code.isdigit():
        raise ProviderError("the instance's own record of its bootstrap cannot be read", provider="orbstack")
    return BootstrapOutcome(int(code), checksum.strip(), log)


def runner(folder: str) -> str:
    """Return the shell lines that run ``FOLDER/script`` once and write down what became of it.

    The script holds a secret: it is gone afterwards, so that no snapshot carries it on.
    """
    return (
        f"cd {folder} || exit 70\n"
        "if ! test -e outcome; then\n"
        "  sum=$(sha256sum script 2>/dev/null) || sum=\n"
        '  (cd / && exec sh -- "$OLDPWD/script") >log 2>&1 && code=0 || code=$?\n'
        '  printf \'%s %s\\n\' "$code" "${sum%% *}" >outcome.new\n'
        "  mv outcome.new outcome\n"
        "  rm -f script\n"
        "fi\n"
    )
