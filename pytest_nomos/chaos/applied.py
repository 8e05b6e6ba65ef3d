"""A fault in force: how it is seen to have taken hold, and how it is ended for certain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from nomos_contracts.fault import Fault


class Unavailable(Exception):  # noqa: N818 # a finding about the machine, not a defect
    """This machine, or this target, has no mechanism for the fault; the message says what is missing."""


class FaultFailed(Exception):  # noqa: N818 # the experiment is void, nothing is wrong with the kit
    """The fault was tried and did not take hold."""


class RevertFailed(Exception):  # noqa: N818 # as above
    """The fault could not be ended, escalation included; the message says what is left and what to do."""


class Applied(Protocol):
    """One single fault that is being done to one subject.

    It is made without doing anything, so that `undo` can be written to the journal first; then `apply`, `verify`,
    and in the end `revert`.
    """

    @property
    def fault(self) -> Fault:
        """The fault."""
        ...

    @property
    def mechanism(self) -> str:
        """How it is done, for instance ``SIGSTOP``, ``prlimit(RLIMIT_NOFILE)`` or ``embedded proxy``."""
        ...

    @property
    def undo(self) -> Mapping[str, Any] | None:
        """What another process needs to end it after this one was killed, plain JSON types with a ``kind``.

        None where nothing outlives this process.
        """
        ...

    def apply(self) -> None:
        """Do it.

        Raises:
            FaultFailed: it cannot be done.
        """
        ...

    def verify(self) -> None:
        """See that it is in force.

        Raises:
            FaultFailed: it is not.
        """
        ...

    def revert(self) -> None:
        """End it, see that it has ended, and escalate where it has not. Idempotent.

        Raises:
            RevertFailed: it is still in force.
        """
        ...

    def bite(self) -> str:
        """How it was seen to bite, in words; empty where it was not (or where only who called can know)."""
        ...
