"""Mutants that fail wrongly: in their stores, and in what they say of a failure."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Any

from nomos_contracts.registry.errors import (
    ErrPackageNotFound,
    ErrProviderCreationFailed,
    ErrProviderExists,
    ErrProviderNotFound,
    ErrRegistrationFailed,
    ErrRegistryAccessFailed,
)
from nomos_contracts.registry.interface import Store
from nomos_mutants.registry.keeping import Registering
from nomos_mutants.registry.original import (
    FactoryContext,
    Original,
    ProviderConfig,
    ProviderFactory,
    ProviderInfo,
    Registration,
    mutant,
)


@mutant("REG-STORE-001", defect="a registry lists only what was registered through itself")
class OwnNames(Original):
    """Keeps a second account."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._own: set[tuple[str, str]] = set()

    def _keep(self, made: Registration) -> None:
        super()._keep(made)
        self._own.add((made.package, made.name))

    def list_providers(self, package_name: str) -> list[str]:
        """Leave out those of others."""
        return [name for name in super().list_providers(package_name) if (package_name, name) in self._own]


@mutant("REG-STORE-002", defect="failures of the store are not caught when reading")
class RawFailures(Original):
    """Lets exceptions through."""

    @contextlib.contextmanager
    def _reading(self, package_name: str, provider_name: str = "") -> Generator[None]:
        yield


@mutant("REG-STORE-002", "lasting", defect="after a failure of the store every operation fails")
class LastingFailure(Original):
    """Remembers the failure."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._broken = False

    def _read(self, package_name: str, provider_name: str, ask: Callable[[], Any]) -> Any:
        if self._broken:
            raise ErrRegistryAccessFailed(package_name, provider_name, "the store has failed")
        try:
            return super()._read(package_name, provider_name, ask)
        except ErrRegistryAccessFailed:
            self._broken = bool(ask.__code__.co_names.count("names"))
            raise


@mutant("REG-STORE-003", defect="what a failing store has kept is not taken back")
class NoRollback(Original):
    """Thinks that what failed did nothing."""

    def _keep(self, made: Registration) -> None:
        if self._store.get(made.package, made.name) is not None:
            raise ErrProviderExists(made.package, made.name)
        self._store.put(made)


@mutant("REG-STORE-003", "raw", defect="failures of the store are not caught when registering")
class RawRegistration(Original):
    """Lets exceptions through."""

    @contextlib.contextmanager
    def _registering(self, package_name: str, provider_name: str = "") -> Generator[None]:
        yield


@mutant("REG-STORE-005", defect="a registry that offers stores does not declare them")
class Undeclared(Original):
    """Says less than it can."""

    capabilities = frozenset()


@mutant("REG-STORE-005", "over-claim", defect="a registry declares stores and has none")
class OverClaim(Original):
    """Says more than it can."""

    with_store: Any = None


@mutant("REG-ERROR-001", defect="the list of a package that nobody added is empty")
class EmptyNowhere(Original):
    """Takes an unknown package for an empty one."""

    def list_providers(self, package_name: str) -> list[str]:
        """Answer an empty list."""
        try:
            return super().list_providers(package_name)
        except ErrPackageNotFound:
            return []


@mutant("REG-ERROR-001", "later", defect="a registration is judged before its package is looked for")
class PackageLast(Registering):
    """Looks for the package last."""

    def admit(self, package: str, name: str, factory: ProviderFactory, info: ProviderInfo | None) -> bool:
        """Judge the name."""
        if name == "" and package not in self.list_packages():
            raise ErrRegistrationFailed(package, name, "there is no name")
        return True


@mutant("REG-ERROR-002", defect="a name is found whatever its case", also=["REG-ADD-001"])
class AnyCase(Original):
    """Compares without case."""

    def _find(self, package_name: str, provider_name: str) -> Registration:
        for name in self.list_providers(package_name):
            if name.lower() == str(provider_name).lower():
                return super()._find(package_name, name)
        return super()._find(package_name, provider_name)


@mutant("REG-ERROR-003", defect="ErrProviderExists has package and provider the wrong way round")
class Swapped(Original):
    """Mixes up two strings."""

    def _keep(self, made: Registration) -> None:
        try:
            super()._keep(made)
        except ErrProviderExists:
            raise ErrProviderExists(made.name, made.package) from None


@mutant("REG-ERROR-003", "outer", defect="within a factory, errors name the provider that is being created outside")
class NamesOutermost(Original):
    """Notes by thread what is being created."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._now = threading.local()

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        outer: str | None = getattr(self._now, "name", None)
        self._now.name = outer or found.name
        try:
            return super()._make(found, context, config)
        except ErrProviderCreationFailed as error:
            raise ErrProviderCreationFailed(found.package, self._now.name, error.reason) from error.__cause__
        finally:
            self._now.name = outer


@mutant("REG-ERROR-003", "dropping", defect="to unregister what is not there does not say in which package")
class NoPackageNamed(Original):
    """Knows the name alone."""

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Leave the package out."""
        try:
            super().unregister_provider(package_name, provider_name)
        except ErrProviderNotFound:
            raise ErrProviderNotFound("", provider_name) from None
