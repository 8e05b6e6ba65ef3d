"""Chaos as checks see it: an experiment holds a provider, faults are injected into it, and it has to recover.

The kit's engine (`pytest_nomos.chaos`) implements these Protocols. An experiment is a steady state that is probed
before, during and after; a fault that never bit, or a steady state that was not there before, proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from nomos_contracts.fault import Fault
from nomos_contracts.provider import Answer, RunningProvider

Probe = Callable[[RunningProvider], Answer]
"""One call that is answered OK in the steady state; it is given the provider as callers reach it."""


class Injected(Protocol):
    """A fault in force."""

    @property
    def words(self) -> str:
        """The fault as text."""
        ...

    @property
    def mechanism(self) -> str:
        """How it was done, for instance ``SIGSTOP`` or ``embedded proxy``."""
        ...

    def bit(self, evidence: str) -> None:
        """Say that the fault was felt, and by what, where only the check can see that."""
        ...

    def end(self) -> None:
        """End the fault now, and see that it has ended. Idempotent.

        Raises:
            Blocked: it cannot be ended.
        """
        ...


class Upstream(Protocol):
    """What a provider gets its values from, behind a proxy of the kit."""

    def carried(self, text: bytes) -> bool:
        """Whether *text* came from it as it stands since the experiment began."""
        ...

    def change(self, old: bytes, new: bytes) -> None:
        """From now on it answers *new*, which is as long, where it answered *old*."""
        ...

    def cuts(self) -> Sequence[int]:
        """Return after how many bytes an answer of it would be cut where its reader can tell, in the order of size.

        None where its answers do not tell their length, so that nobody knows a cut from an end.
        """
        ...


class Experiment(Protocol):
    """A provider whose process and connections faults can be injected into."""

    @property
    def provider(self) -> RunningProvider:
        """The provider, reached through what network faults strike."""
        ...

    @property
    def direct(self) -> RunningProvider:
        """The same process, reached beside it."""
        ...

    @property
    def upstream(self) -> Upstream:
        """What the provider gets its values from, where faults strike on that side.

        Raises:
            Blocked: they strike on the side of the callers.
        """
        ...

    def inject(self, fault: Fault, ttl: float = 10.0) -> AbstractContextManager[Injected]:
        """Have *fault* in force for the time of a ``with``, and for *ttl* seconds at most.

        Raises:
            Blocked: this machine has no mechanism for it, or it did not take hold.
        """
        ...

    def restart(self) -> None:
        """Start another process as the platform would, with the same configuration, in the place of one that is gone.

        Raises:
            Violation: it does not start, or Init with the configuration that was good fails.
        """
        ...

    def recover(self, within: float, good: int = 3) -> float:
        """Probe until *good* probes in a row are answered as before.

        Returns:
            Seconds from the end of the last fault to the first of these probes.

        Raises:
            Violation: that took longer than *within* seconds.
            Blocked: no fault was injected, or one never bit.
        """
        ...


class Chaos(Protocol):
    """Makes experiments on the target."""

    def experiment(
        self, steady: Probe, *, ready_for: Fault | None = None, upstream: bool = False
    ) -> AbstractContextManager[Experiment]:
        """Start a process of the target, initialise it, and see that *steady* is answered OK.

        Args:
            steady: the probe.
            ready_for: a fault for which processes have to be started in a special way (`Clock`, `FullDisk`).
            upstream: faults of connections strike between the provider and its upstream, not its callers; it is
                initialised with the good configuration, in which the proxy stands in the place of the upstream.

        Raises:
            Blocked: it is not.
            NotApplicable: no upstream is known that a proxy can stand before, or the provider does not use it.
        """
        ...

    def bare(self) -> AbstractContextManager[Experiment]:
        """Start a process of the target without Init, for faults of which the report shows nothing.

        There is no steady state, so that nothing can recover, and `Experiment.restart` calls no Init either.

        Raises:
            Blocked: it does not start.
        """
        ...
