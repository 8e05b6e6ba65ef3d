"""Drift, as something that is applied and ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nomos_contracts.drift import Drifted
from nomos_contracts.fault import DriftFault
from pytest_nomos.chaos.applied import FaultFailed, RevertFailed


class Drifting:
    """One thing that is done behind a provider's back.

    What it makes carries the marks of the provider's instances: after a kill it goes with the rest of the run.

    Args:
        fault: what it is.
        do: does it.
    """

    mechanism = "the target's drift"
    undo: Mapping[str, Any] | None = None

    def __init__(self, fault: DriftFault, do: Callable[[], Drifted]) -> None:
        self.fault = fault
        self.done: Drifted | None = None
        self._do = do
        self._over = False

    def apply(self) -> None:
        """Do it."""
        try:
            self.done = self._do()
        except Exception as error:  # the target's own code
            raise FaultFailed(f"{self.fault.words}: {type(error).__name__}: {error}") from error

    def verify(self) -> None:
        """See that the target says what it did."""
        done: object = self.done
        if not isinstance(done, Drifted) or not done.instance:
            raise FaultFailed(f"{self.fault.words}: the target's drift does not say which instance it is about")

    def revert(self) -> None:
        """Take it back."""
        done: object = self.done
        if self._over or not isinstance(done, Drifted):
            return
        try:
            done.undo()
        except Exception as error:  # as above
            raise RevertFailed(f"{type(error).__name__}: {error}") from error
        self._over = True

    def bite(self) -> str:
        """Nothing: the checks ask the provider."""
        return ""
