"""Where the registry keeps its registrations: in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nomos_contracts.registry.interface import ProviderConfig, Registration


class MemoryStore:
    """Packages and registrations in dictionaries; the registry sees to it that one thread at a time asks."""

    def __init__(self) -> None:
        """Begin without packages."""
        self._classes: dict[str, type[ProviderConfig]] = {}
        self._providers: dict[str, dict[str, Registration]] = {}

    def add_package(self, package: str, config_class: type[ProviderConfig]) -> None:
        """Add an empty package."""
        self._providers[package] = {}
        self._classes[package] = config_class

    def packages(self) -> Mapping[str, type[ProviderConfig]]:
        """Return the packages, each with the class of its configurations."""
        return self._classes

    def put(self, registration: Registration) -> None:
        """Keep *registration*."""
        self._providers[registration.package][registration.name] = registration

    def get(self, package: str, provider_name: str) -> Registration | None:
        """Return a registration, None where there is none of that name."""
        return self._providers[package].get(provider_name)

    def remove(self, package: str, provider_name: str) -> None:
        """Forget a registration."""
        self._providers[package].pop(provider_name, None)

    def names(self, package: str) -> Sequence[str]:
        """Return the names in a package, in the order in which they came."""
        return list(self._providers[package])
