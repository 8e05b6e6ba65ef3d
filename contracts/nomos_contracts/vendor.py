"""The vendor of a provider as checks see it: what stands behind the provider, and can change, break or be gone.

The kit implements these Protocols. Faults of the connection strike a proxy between a provider and its vendor; drift is
done at the vendor, past the provider.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from nomos_contracts.chaos import Injected
from nomos_contracts.drift import Drifted
from nomos_contracts.fault import DriftFault, Fault
from nomos_contracts.provider import Answer, InterfaceProvider

Steady = Callable[[InterfaceProvider], Answer]
"""One call that is answered OK while the vendor is well."""


class VendorExperiment(Protocol):
    """A provider that reaches its vendor through what faults strike."""

    @property
    def provider(self) -> InterfaceProvider:
        """The provider."""
        ...

    @property
    def connections(self) -> int:
        """How many connections have reached the vendor so far."""
        ...

    def inject(self, fault: Fault, ttl: float = 30.0) -> AbstractContextManager[Injected]:
        """Have a fault of connections in force for the time of a ``with``, and for *ttl* seconds at most.

        Raises:
            Blocked: this machine has no mechanism for it, or it did not take hold.
        """
        ...

    def recover(self, within: float, good: int = 3) -> float:
        """Probe until *good* probes in a row are answered OK.

        Returns:
            Seconds from the end of the last fault to the first of these probes.

        Raises:
            Violation: that took longer than *within* seconds.
            Blocked: no fault was injected, or one never bit.
        """
        ...


class Vendor(Protocol):
    """Makes experiments with the vendor of the target."""

    def experiment(self, steady: Steady) -> AbstractContextManager[VendorExperiment]:
        """Make a provider whose vendor is behind a proxy, and see that *steady* is answered OK.

        Raises:
            Blocked: it is not, or nobody says where the vendor is.
            NotApplicable: no proxy can stand before this vendor.
        """
        ...

    def drift(
        self, provider: InterfaceProvider, fault: DriftFault, options: Any = None
    ) -> AbstractContextManager[Drifted]:
        """Do *fault* at the vendor, behind the back of *provider*; it is undone at the end of the ``with``.

        Args:
            provider: whose instances they are.
            fault: what is done.
            options: what the half-created instance is one of.

        Raises:
            NotApplicable: the target offers no way to do it.
            Blocked: it failed.
        """
        ...
