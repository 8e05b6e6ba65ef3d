"""Mutants that keep wrongly: packages and registrations."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from dataclasses import replace
from typing import Any

from nomos_contracts.registry.errors import (
    ErrInvalidFactory,
    ErrProviderExists,
    ErrProviderNotFound,
    RegistryError,
)
from nomos_contracts.registry.interface import Store
from nomos_mutants.registry.original import (
    Original,
    ProviderConfig,
    ProviderFactory,
    ProviderInfo,
    Registration,
    mutant,
)
from nomos_reference.registry.package import RegistryPackage


class Registering(Original):
    """Changes what a registration does; each defect is in `admit`."""

    def admit(self, package: str, name: str, factory: ProviderFactory, info: ProviderInfo | None) -> bool:
        """Return whether to go on as the original does."""
        return True

    def register_provider(
        self,
        package_name: str,
        provider_name: str,
        factory: ProviderFactory,
        *,
        info: ProviderInfo | None = None,
        config_class: type[ProviderConfig] | None = None,
    ) -> None:
        """Register what is admitted."""
        if self.admit(package_name, provider_name, factory, info):
            super().register_provider(package_name, provider_name, factory, info=info, config_class=config_class)


@mutant("REG-PACKAGE-001", defect="a name is looked for in the packages that came before, too")
class EarlierPackages(Original):
    """Falls back to another package."""

    def _find(self, package_name: str, provider_name: str) -> Registration:
        try:
            return super()._find(package_name, provider_name)
        except ErrProviderNotFound:
            for earlier in itertools.takewhile(lambda one: one != package_name, self.list_packages()):
                with contextlib.suppress(ErrProviderNotFound):
                    return super()._find(earlier, provider_name)
            raise


@mutant("REG-PACKAGE-002", defect="the factory is looked up by the name alone, and the first package wins")
class FactoryByName(Original):
    """Keeps factories without their package."""

    def _find(self, package_name: str, provider_name: str) -> Registration:
        found = super()._find(package_name, provider_name)
        for other in self.list_packages():
            with contextlib.suppress(ErrProviderNotFound):
                return replace(found, factory=super()._find(other, provider_name).factory)
        return found


@mutant("REG-PACKAGE-003", defect="adding a package again does nothing and says nothing")
class SilentPackage(Original):
    """Adds packages as if it were safe to repeat."""

    def add_package(self, package_name: str, *, config_class: type[ProviderConfig] = ProviderConfig) -> None:
        """Add it unless it is there."""
        with self._registering(package_name):
            there = package_name in self.list_packages()
        if not there:
            super().add_package(package_name, config_class=config_class)


@mutant("REG-PACKAGE-003", "emptied", defect="adding a package again empties it and then complains")
class EmptiedPackage(Original):
    """Starts the package over first."""

    def add_package(self, package_name: str, *, config_class: type[ProviderConfig] = ProviderConfig) -> None:
        """Empty it and complain."""
        with self._registering(package_name):
            there = package_name in self.list_packages()
        if there:
            for name in self.list_providers(package_name):
                self.unregister_provider(package_name, name)
        super().add_package(package_name, config_class=config_class)


class _Forgetful(RegistryPackage):
    def new_provider(self, ctx: Any, provider_name: str, config: object) -> Any:
        """Forget the context."""
        return super().new_provider(None, provider_name, config)


@mutant("REG-PACKAGE-004", defect="new_provider of a package does not pass its context on")
class LostContext(Original):
    """Loses an argument on the way."""

    def package(self, package_name: str) -> RegistryPackage:
        """Return the forgetful package."""
        return _Forgetful(super().package(package_name).name, lambda: self)


@mutant("REG-PACKAGE-006", defect="packages without providers are not listed")
class UsedPackages(Original):
    """Lists what has providers."""

    def list_packages(self) -> list[str]:
        """Leave out the empty ones."""
        return [name for name in super().list_packages() if self.list_providers(name)]


@mutant("REG-ADD-001", defect="names are kept in lower case and looked for as they are written")
class LowerCase(Registering):
    """Registers another name."""

    def admit(self, package: str, name: str, factory: ProviderFactory, info: ProviderInfo | None) -> bool:
        """Register in lower case."""
        if info is not None or name != str(name) or name == name.lower():
            return True
        super().register_provider(package, name.lower(), factory)
        return False


@mutant(
    "REG-ADD-002",
    defect="a second registration overwrites the first one",
    also=["REG-PACKAGE-004", "REG-ADD-008", "REG-NEW-006", "REG-ERROR-003", "REG-THREAD-001", "REG-THREAD-005"],
)
class Overwrites(Original):
    """Keeps whatever came last."""

    def _keep(self, made: Registration) -> None:
        with contextlib.suppress(Exception):
            self._store.remove(made.package, made.name)
        super()._keep(made)


@mutant("REG-ADD-002", "same-factory", defect="the same factory may be registered again")
class SameFactoryTwice(Registering):
    """Takes a repetition for harmless."""

    def admit(self, package: str, name: str, factory: ProviderFactory, info: ProviderInfo | None) -> bool:
        """Let the same factory pass."""
        with contextlib.suppress(RegistryError):
            return self._find(package, name).factory is not factory
        return True


@mutant("REG-ADD-002", "info", defect="a second registration is refused, and its info is kept")
class SecondInfo(Original):
    """Writes the info before it looks."""

    def _keep(self, made: Registration) -> None:
        there = self._store.get(made.package, made.name)
        if there is not None and made.given is not None:
            self._store.put(replace(there, given=made.given))
        super()._keep(made)


@mutant("REG-ADD-003", defect="what can be called at all is taken for a factory")
class AnyCallable(Original):
    """Does not look at the arguments."""

    def registration(self, *args: Any) -> Registration:
        """Change what is registered, or whether."""
        package, name, factory, info, config_class = args
        if not callable(factory):
            raise ErrInvalidFactory(package, name, "cannot be called")
        return replace(super().registration(package, name, _any, info, config_class), factory=factory)


def _any(ctx: Any, config: Any) -> Any:
    return None


@mutant("REG-ADD-004", defect="classes are refused as factories")
class NoClasses(Registering):
    """Wants a function."""

    def admit(self, package: str, name: str, factory: ProviderFactory, info: ProviderInfo | None) -> bool:
        """Refuse classes."""
        if inspect.isclass(factory):
            raise ErrInvalidFactory(package, name, "a class is no function")
        return True


@mutant("REG-ADD-004", "options", defect="a factory with further optional arguments is refused")
class ExactlyTwo(Registering):
    """Counts the arguments."""

    def admit(self, package: str, name: str, factory: ProviderFactory, info: ProviderInfo | None) -> bool:
        """Refuse whatever has more than two."""
        if callable(factory) and len(inspect.signature(factory).parameters) > 2:
            raise ErrInvalidFactory(package, name, "takes more than two arguments")
        return True


@mutant("REG-ADD-005", defect="a name may hold a slash")
class Slashes(Original):
    """Joins names with slashes elsewhere, too."""

    def registration(self, *args: Any) -> Registration:
        """Change what is registered, or whether."""
        package, name, *rest = args
        if isinstance(name, str) and "/" in name:
            return replace(super().registration(package, name.replace("/", "-"), *rest), name=name)
        return super().registration(*args)


@mutant("REG-ADD-006", defect="the schema of an info is not looked at")
class AnySchema(Original):
    """Believes the schema."""

    def registration(self, *args: Any) -> Registration:
        """Change what is registered, or whether."""
        *rest, info, config_class = args
        if info is None:
            return super().registration(*args)
        return replace(super().registration(*rest, replace(info, config_schema={}), config_class), given=info)


@mutant("REG-ADD-006", "name", defect="an info may have another name", also=["REG-ADD-007"])
class AnyName(Original):
    """Believes the name."""

    def registration(self, *args: Any) -> Registration:
        """Change what is registered, or whether."""
        package, name, factory, info, config_class = args
        if info is not None:
            info = replace(info, name=name)
        return super().registration(package, name, factory, info, config_class)


@mutant("REG-ADD-007", defect="a refused factory leaves its name taken")
class Reserved(Original):
    """Reserves names first."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._taken: set[tuple[str, str]] = set()

    def registration(self, *args: Any) -> Registration:
        """Change what is registered, or whether."""
        try:
            return super().registration(*args)
        except ErrInvalidFactory:
            self._taken.add(args[:2])
            raise

    def _keep(self, made: Registration) -> None:
        if (made.package, made.name) in self._taken:
            raise ErrProviderExists(made.package, made.name)
        super()._keep(made)


@mutant("REG-ADD-008", defect="what is said of a provider changes with the number of its neighbours")
class CountsNeighbours(Original):
    """Writes the size of the package into each info."""

    def get_provider_info(self, package_name: str, provider_name: str) -> ProviderInfo:
        """Tell how many there are."""
        found = super().get_provider_info(package_name, provider_name)
        many = len(self.list_providers(package_name))
        return found if many < 4 else replace(found, documentation=f"one of {many}")


@mutant("REG-DROP-001", defect="providers whose names begin alike are forgotten together")
class ByPrefix(Original):
    """Removes by pattern."""

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Forget whatever begins with the name."""
        super().unregister_provider(package_name, provider_name)
        for name in self.list_providers(package_name):
            if name.startswith(provider_name) and name != provider_name:
                super().unregister_provider(package_name, name)


@mutant("REG-DROP-001", "everywhere", defect="a provider is forgotten in all packages")
class Everywhere(Original):
    """Forgets the name."""

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Forget it in every package."""
        super().unregister_provider(package_name, provider_name)
        for package in self.list_packages():
            if package != package_name:
                with contextlib.suppress(ErrProviderNotFound):
                    super().unregister_provider(package, provider_name)


@mutant("REG-DROP-002", defect="to unregister what never was there succeeds")
class NeverThere(Original):
    """Sees no harm in it."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._seen: set[tuple[str, str]] = set()

    def _keep(self, made: Registration) -> None:
        self._seen.add((made.package, made.name))
        super()._keep(made)

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Complain only about what once was there."""
        try:
            super().unregister_provider(package_name, provider_name)
        except ErrProviderNotFound:
            if (package_name, provider_name) in self._seen:
                raise


@mutant(
    "REG-DROP-003",
    defect="the factory of the first registration of a name is kept for good",
    also=["REG-STORE-001"],
)
class FirstFactory(Original):
    """Caches factories and never looks again."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._factories: dict[tuple[str, str], ProviderFactory] = {}

    def _keep(self, made: Registration) -> None:
        super()._keep(made)
        self._factories.setdefault((made.package, made.name), made.factory)

    def _find(self, package_name: str, provider_name: str) -> Registration:
        found = super()._find(package_name, provider_name)
        return replace(found, factory=self._factories.get((package_name, provider_name), found.factory))
