"""The mock of the compute interface: a cloud in memory, with its clock in the test's hands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nomos_contracts.compute.interface import INTERFACE, ProviderRegistration
from nomos_contracts.registry.interface import FactoryContext, ProviderConfig
from nomos_mocks.mock import Mock, MockError
from nomos_proto.errors import ProviderError
from nomos_reference.compute.memory import MemoryHooks, MemoryProvider
from nomos_reference.compute.memory_drift import MemoryDrift
from nomos_reference.compute.workflows import workflows_of

if TYPE_CHECKING:
    # A type checker sees the methods that the class gets from its interface.
    class _Base(Mock, MemoryProvider, MemoryHooks): ...
else:
    _Base = Mock


class _WithHooks(MemoryProvider):
    """A provider that has its hooks itself."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        hooks = MemoryHooks(self)
        self.on_startup = hooks.on_startup
        self.on_shutdown = hooks.on_shutdown
        self.on_heartbeat = hooks.on_heartbeat


class MockCompute(_Base, interface=INTERFACE):
    """A compute provider in memory, hooks included: ``MockCompute(capabilities=["snapshots"])``.

    It takes the settings of ``compute/memory``; `cloud` has the clock.
    """

    def __init__(self, config: Mapping[str, Any] | None = None, **settings: Any) -> None:
        """Make one.

        Args:
            config: settings of ``compute/memory``, and ``script``: what the mock is told to do.
            settings: the same as keywords.

        Raises:
            ProviderError: INVALID_SPEC; a setting cannot be used.
        """
        given = {**(config or {}), **settings}
        script = given.pop("script", [])
        Mock.__init__(self, _WithHooks(given))
        try:
            self.script(script)
        except MockError as error:
            raise ProviderError(str(error), "INVALID_SPEC") from error

    def registration(self) -> ProviderRegistration[MockCompute]:
        """Return it as a control plane takes it; the hooks are the mock's own."""
        return ProviderRegistration(self, self, workflows=workflows_of(self), drift=MemoryDrift(self))


def new_mock(ctx: FactoryContext, config: ProviderConfig) -> ProviderRegistration[MockCompute]:  # noqa: ARG001 # as every factory
    """Make a mock as the registry does: ``compute/mock``.

    Raises:
        ProviderError: the configuration cannot be used.
    """
    return MockCompute(config.custom_fields).registration()
