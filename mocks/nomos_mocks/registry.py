"""The mock of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nomos_contracts.registry.interface import ERRORS, INTERFACE, FactoryContext, ProviderConfig, Store
from nomos_mocks.mock import Mock, MockError
from nomos_reference.registry.memory import MemoryRegistry
from nomos_reference.registry.package import RegistryPackage

if TYPE_CHECKING:
    # A type checker sees the methods that the class gets from its interface.
    class _Base(Mock, MemoryRegistry): ...
else:
    _Base = Mock


class MockRegistry(_Base, interface=INTERFACE):
    """A registry of its own: ``MockRegistry("config", "compute")`` has two empty packages.

    Its codes are the eight of the registry: ``mock.fail("create_provider", "ErrProviderCreationFailed")``.
    """

    def __init__(self, *packages: str, store: Store | None = None) -> None:
        """Begin with empty *packages*."""
        Mock.__init__(self, MemoryRegistry(store))
        for name in packages:
            self._provider.add_package(name)

    def package(self, package_name: str) -> RegistryPackage:
        """Return one package of this mock."""
        self._invoke("package", (package_name,), {})
        return RegistryPackage(package_name, lambda: self)

    def with_store(self, store: Store) -> MockRegistry:
        """Return another mock that keeps everything in *store*."""
        self._invoke("with_store", (store,), {})
        return MockRegistry(store=store)

    def _check_code(self, code: str) -> None:
        if code not in ERRORS:
            raise MockError(f"there is no code {code}; there are {', '.join(ERRORS)}")

    def _error(self, code: str, message: str, retry_after: float | None, arguments: Mapping[str, Any]) -> Exception:
        error = ERRORS[code](str(arguments.get("package_name", "")), str(arguments.get("provider_name", "")), message)
        error.retry_after = retry_after
        return error


def new_mock(ctx: FactoryContext, config: ProviderConfig) -> MockRegistry:  # noqa: ARG001 # as every factory
    """Make a mock as the registry does: ``registry/mock``."""
    return MockRegistry()
