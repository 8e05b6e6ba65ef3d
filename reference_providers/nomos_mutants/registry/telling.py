"""Mutants that list and describe wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from nomos_contracts.registry.interface import Store, SupportsProviderInfo
from nomos_mutants.registry.original import Original, ProviderInfo, Registration, mutant


@mutant("REG-LIST-001", defect="before its first registration a registry lists None")
class NoList(Original):
    """Makes its lists when they are needed."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._used = store is not None

    def registration(self, *args: Any) -> Registration:
        """Change what is registered, or whether."""
        self._used = True
        return super().registration(*args)

    def list_providers(self, package_name: str) -> list[str]:
        """Answer None before that."""
        found = super().list_providers(package_name)
        return found if self._used else cast("list[str]", None)


@mutant("REG-LIST-002", defect="every caller gets the same list until it changes")
class SameList(Original):
    """Keeps its answers."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._answers: dict[tuple[str, ...], list[str]] = {}

    def list_providers(self, package_name: str) -> list[str]:
        """Return the list that was made for these names."""
        names = super().list_providers(package_name)
        return self._answers.setdefault((package_name, *names), names)


@mutant("REG-LIST-002", "tuple", defect="names come as a tuple")
class Tuples(Original):
    """Answers what cannot be changed."""

    def list_providers(self, package_name: str) -> list[str]:
        """Return a tuple."""
        return cast("list[str]", tuple(super().list_providers(package_name)))


@mutant("REG-LIST-003", defect="names are sorted")
class Sorted(Original):
    """Tidies up."""

    def list_providers(self, package_name: str) -> list[str]:
        """Return sorted names."""
        return sorted(super().list_providers(package_name))


class _Telling(Original):
    """Changes what is told of a provider."""

    def told(self, info: ProviderInfo, found: Registration) -> ProviderInfo:
        """Return what is told."""
        return info

    def get_provider_info(self, package_name: str, provider_name: str) -> ProviderInfo:
        """Tell it."""
        info = super().get_provider_info(package_name, provider_name)
        return self.told(info, self._find(package_name, provider_name))


@mutant("REG-INFO-001", defect="the supported features of an info are lost")
class NoFeatures(_Telling):
    """Keeps five of six fields."""

    def told(self, info: ProviderInfo, found: Registration) -> ProviderInfo:
        """Leave them out."""
        return replace(info, supported_features=())


@mutant("REG-INFO-002", defect="a provider without an info has no type")
class NoType(_Telling):
    """Derives too little."""

    def told(self, info: ProviderInfo, found: Registration) -> ProviderInfo:
        """Leave it empty."""
        return info if found.given else replace(info, type="")


@mutant("REG-INFO-003", defect="every caller gets the info that the registry keeps")
class InnerInfo(_Telling):
    """Hands out its own."""

    def told(self, info: ProviderInfo, found: Registration) -> ProviderInfo:
        """Hand it out."""
        return info if found.given is None or not found.given.config_schema else found.given


@mutant("REG-INFO-004", defect="the schema of an info does not ask for the api_key that a creation asks for")
class LooseSchema(_Telling):
    """Tells less than is wanted."""

    def told(self, info: ProviderInfo, found: Registration) -> ProviderInfo:
        """Ask for the name alone."""
        if found.given is not None:
            return info
        return replace(info, config_schema={**info.config_schema, "required": ["provider_name"]})


@mutant("REG-INFO-001", "stripped", defect="spaces around the documentation of an info are lost")
class Stripped(_Telling):
    """Tidies up."""

    def told(self, info: ProviderInfo, found: Registration) -> ProviderInfo:
        """Strip it."""
        return replace(info, documentation=info.documentation.strip())


@mutant("REG-INFO-005", defect="what a factory says of itself is kept from the registration on")
class AskedOnce(Original):
    """Asks when it meets the factory."""

    def registration(self, *args: Any) -> Registration:
        """Keep what it says."""
        package, name, factory, info, config_class = args
        if info is None and isinstance(factory, SupportsProviderInfo):
            info = factory.provider_info()
        return super().registration(package, name, factory, info, config_class)


@mutant("REG-INFO-005", "ignored", defect="what a factory says of itself is not asked for")
class NeverAsked(_Telling):
    """Derives all infos itself."""

    def told(self, info: ProviderInfo, found: Registration) -> ProviderInfo:
        """Derive it."""
        return info if found.given else ProviderInfo(found.name, found.package, (), found.config_class.config_schema())


@mutant("REG-INFO-005", "first", defect="what a factory says of itself goes before the info that was registered")
class FactoryFirst(_Telling):
    """Trusts the factory."""

    def told(self, info: ProviderInfo, found: Registration) -> ProviderInfo:
        """Ask it."""
        factory: object = found.factory
        return factory.provider_info() if isinstance(factory, SupportsProviderInfo) else info
