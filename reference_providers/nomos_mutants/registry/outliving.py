"""Mutants that keep for too long, or not for long enough: what a registration leaves, and what it pushes out."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nomos_contracts.registry.errors import (
    ErrInvalidFactory,
    ErrProviderCreationFailed,
    ErrProviderNotFound,
    ErrRegistrationFailed,
)
from nomos_contracts.registry.interface import Store
from nomos_mutants.registry.original import (
    FactoryContext,
    Original,
    ProviderConfig,
    ProviderFactory,
    ProviderInfo,
    Registration,
    mutant,
)
from nomos_reference.registry.package import RegistryPackage


class _NameOnly(RegistryPackage):
    def register_global(
        self,
        provider_name: str,
        factory: ProviderFactory,
        *,
        info: ProviderInfo | None = None,
        config_class: type[ProviderConfig] | None = None,
    ) -> None:
        """Forget the info."""
        super().register_global(provider_name, factory, config_class=config_class)


@mutant("REG-PACKAGE-004", "info", defect="register_global of a package does not pass the info on")
class LostInfo(Original):
    """Loses an argument on the way."""

    def package(self, package_name: str) -> RegistryPackage:
        """Return the forgetful package."""
        return _NameOnly(super().package(package_name).name, lambda: self)


@mutant("REG-ADD-001", "hidden", defect="names that begin with a dot or an underscore are not listed")
class HiddenNames(Original):
    """Lists as a shell does."""

    def list_providers(self, package_name: str) -> list[str]:
        """Leave them out."""
        return [name for name in super().list_providers(package_name) if not name.startswith((".", "_"))]


@mutant("REG-ADD-003", "keyword", defect="a factory that wants a third argument by its name is taken")
class PositionsAlone(Original):
    """Counts the arguments that have a place."""

    def registration(self, *args: Any) -> Registration:
        """Try again with the third argument given."""
        try:
            return super().registration(*args)
        except ErrInvalidFactory as error:
            if "keyword-only" not in error.reason and "'more'" not in error.reason:
                raise
            package, name, factory, *rest = args
            return replace(super().registration(package, name, _two, *rest), factory=factory)


def _two(ctx: Any, config: Any) -> None:
    return None


@mutant("REG-ADD-008", "oldest", defect="beyond 128 providers of a package the oldest one is forgotten")
class ForgetsOldest(Original):
    """Has room for so many."""

    def _keep(self, made: Registration) -> None:
        super()._keep(made)
        names = self._store.names(made.package)
        if len(names) > 128:
            self._store.remove(made.package, names[0])


@mutant("REG-DROP-001", "below", defect="a provider is forgotten in the packages whose names go on after a dot, too")
class BelowToo(Original):
    """Takes a dot for a level."""

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Forget it below as well."""
        super().unregister_provider(package_name, provider_name)
        for package in self.list_packages():
            if package.startswith(f"{package_name}."):
                with contextlib.suppress(ErrProviderNotFound):
                    super().unregister_provider(package, provider_name)


@mutant("REG-DROP-003", "schema", defect="the schema of the first registration of a name is kept for good")
class FirstSchema(Original):
    """Caches schemas and never looks again."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._schemas: dict[tuple[str, str], Mapping[str, Any]] = {}

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        first = self._schemas.setdefault((found.package, found.name), schema)
        return super()._validated(found, config, first)


@mutant("REG-NEW-006", "switched-off", defect="after three failures in a row a provider is not asked any more")
class SwitchedOff(Original):
    """Spares those who fail."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._failed: dict[tuple[str, str], int] = {}

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        key = (found.package, found.name)
        if self._failed.get(key, 0) >= 3:
            raise ErrProviderCreationFailed(*key, "switched off after three failures")
        try:
            made = super()._make(found, context, config)
        except ErrProviderCreationFailed:
            self._failed[key] = self._failed.get(key, 0) + 1
            raise
        self._failed[key] = 0
        return made


@mutant("REG-STORE-001", "cached", defect="a list is made anew only after a change by the same registry")
class CachedLists(Original):
    """Thinks that it is alone with its store."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._alone = store is None
        self._lists: dict[str, list[str]] = {}

    def _keep(self, made: Registration) -> None:
        super()._keep(made)
        self._lists.clear()

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Forget the lists, too."""
        super().unregister_provider(package_name, provider_name)
        self._lists.clear()

    def list_providers(self, package_name: str) -> list[str]:
        """Return a copy of the one that there is."""
        self._config_class(package_name)
        if self._alone or package_name not in self._lists:
            self._lists[package_name] = super().list_providers(package_name)
        return self._lists[package_name].copy()


@mutant("REG-STORE-003", "package", defect="the failure of a store that adds a package is not caught")
class RawPackage(Original):
    """Catches what registrations raise, and no more."""

    def add_package(self, package_name: str, *, config_class: type[ProviderConfig] = ProviderConfig) -> None:
        """Let the failure through."""
        try:
            super().add_package(package_name, config_class=config_class)
        except ErrRegistrationFailed as error:
            if error.__cause__ is not None:
                raise error.__cause__ from None
            raise
