"""Faults that are signals: a provider that is stopped, killed, or asked to end."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import Any, Final

from nomos_contracts.fault import Fault, Kill, Pause, Terminate
from pytest_nomos.chaos.applied import FaultFailed, RevertFailed
from pytest_nomos.chaos.recipes import Continue
from pytest_nomos.chaos.subject import POLL, Identity, ProcessSubject

STOP_SECONDS: Final = 2.0
"""A process that waits for a disk stops only when the disk answered."""
RUN_SECONDS: Final = 1.0
END_SECONDS: Final = 5.0


def named(identities: tuple[Identity, ...]) -> str:
    """Return processes by their numbers."""
    numbers = ", ".join(str(one.pid) for one in identities)
    return f"process {numbers}" if len(identities) == 1 else f"processes {numbers}"


def continue_recipe(subject: ProcessSubject) -> Mapping[str, Any]:
    """Return what another process needs to continue *subject*."""
    members = tuple((one.pid, one.started) for one in subject.members())
    recipe = Continue(pid=subject.pid, started=subject.main.started, group=subject.group, members=members)
    return recipe.model_dump(mode="json")


def make_run(subject: ProcessSubject) -> str:
    """See that *subject* runs; kill it where it does not.

    Returns:
        What was done beyond SIGCONT, empty where that was enough.

    Raises:
        RevertFailed: it neither runs nor can be killed.
    """
    standing = subject.run_again(RUN_SECONDS)
    if not standing:
        return ""
    subject.signal(signal.SIGKILL)
    end = time.monotonic() + END_SECONDS
    while left := subject.members():
        if time.monotonic() > end:
            raise RevertFailed(
                f"{named(left)} stands still after SIGCONT and is there after SIGKILL: look at what it waits for, "
                f"and kill it"
            )
        time.sleep(POLL)
    return f"{named(standing)} did not run again after SIGCONT: killed"


def _strike(fault: Fault, main: Identity, number: int) -> None:
    try:
        there = main.strike(number)
    except PermissionError as error:
        raise _forbidden(fault, main, error) from error
    if not there:
        raise FaultFailed(f"{fault.words}: process {main.pid} is gone already, or is another one now")


def _forbidden(fault: Fault, main: Identity, error: PermissionError) -> FaultFailed:
    return FaultFailed(f"{fault.words}: process {main.pid} belongs to another user: {error.strerror}")


class PauseProcess:
    """Stops a provider and everything in its process group."""

    mechanism = "SIGSTOP"

    def __init__(self, fault: Pause, subject: ProcessSubject) -> None:
        self.fault = fault
        self.escalated = ""
        self._subject = subject
        self._holds = False
        self._stood: tuple[Identity, ...] = ()
        self._since = 0.0
        self._ended = 0.0

    @property
    def undo(self) -> Mapping[str, Any]:
        """SIGCONT."""
        return continue_recipe(self._subject)

    def apply(self) -> None:
        """Stop them all."""
        self._holds, self._since = True, time.monotonic()
        try:
            there = self._subject.stop()
        except PermissionError as error:
            raise _forbidden(self.fault, self._subject.main, error) from error
        if not there:
            raise FaultFailed(f"pause: process {self._subject.pid} is gone, or is another one now")

    def verify(self) -> None:
        """See that each of them stands still."""
        running = self._subject.stand_still(STOP_SECONDS)
        if running:
            raise FaultFailed(f"pause: {named(running)} still runs {STOP_SECONDS:g} s after SIGSTOP")
        self._stood = self._subject.known
        if not self._stood:
            raise FaultFailed(f"pause: process {self._subject.pid} ended")

    def revert(self) -> None:
        """Continue them, see that they run, and kill them where they do not."""
        if self._holds:
            self._holds = False
            if not self._subject.let_go():
                self._ended = time.monotonic()  # somebody else has it stopped, and will let go in turn
        if self._since and not self._ended:
            self.escalated = make_run(self._subject)
            self._ended = time.monotonic()

    def bite(self) -> str:
        """Say who stood still, and how long."""
        if not self._stood:
            return ""
        return f"{named(self._stood)} stood still for {(self._ended or time.monotonic()) - self._since:.2f} s"


class KillProcess:
    """Kills the main process of a provider, and only that: what it leaves is seen to by the host."""

    mechanism = "SIGKILL"
    undo = None

    def __init__(self, fault: Kill, subject: ProcessSubject) -> None:
        self.fault = fault
        self._main = subject.main
        self._done = False

    def apply(self) -> None:
        """Kill it."""
        _strike(self.fault, self._main, signal.SIGKILL)
        self._done = True

    def verify(self) -> None:
        """See that it is gone."""
        end = time.monotonic() + END_SECONDS
        while self._main.lives:
            if time.monotonic() > end:
                raise FaultFailed(f"kill: process {self._main.pid} is there {END_SECONDS:g} s after SIGKILL")
            time.sleep(POLL)

    def revert(self) -> None:
        """Nothing: to start it again is the platform's part."""

    def bite(self) -> str:
        """Say that it is gone."""
        return f"process {self._main.pid} is gone" if self._done and not self._main.lives else ""


class TerminateProcess:
    """Asks the main process of a provider to end."""

    mechanism = "SIGTERM"
    undo = None

    def __init__(self, fault: Terminate, subject: ProcessSubject) -> None:
        self.fault = fault
        self._main = subject.main
        self._delivered = False

    def apply(self) -> None:
        """Ask it."""
        _strike(self.fault, self._main, signal.SIGTERM)
        self._delivered = True

    def verify(self) -> None:
        """See that the signal was delivered."""
        if not self._delivered:
            raise FaultFailed(f"terminate: nothing was sent to process {self._main.pid}")

    def revert(self) -> None:
        """Nothing: a process that was asked to end cannot be asked to stay."""

    def bite(self) -> str:
        """Say that it ended; what else a process did at SIGTERM only its caller can see."""
        return f"process {self._main.pid} ended" if self._delivered and not self._main.lives else ""
