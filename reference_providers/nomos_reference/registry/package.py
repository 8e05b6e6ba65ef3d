"""One package of a registry, as the module of a provider sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nomos_contracts.registry.interface import FactoryContext, ProviderConfig, ProviderFactory, ProviderInfo, Registry


@dataclass(frozen=True)
class RegistryPackage:
    """A package by its name, in the registry that *find* returns.

    Attributes:
        name: name of the package.
        find: returns the registry, asked at each operation.
    """

    name: str
    find: Callable[[], Registry]

    def register_global(
        self,
        provider_name: str,
        factory: ProviderFactory,
        *,
        info: ProviderInfo | None = None,
        config_class: type[ProviderConfig] | None = None,
    ) -> None:
        """Add a provider to the package."""
        self.find().register_provider(self.name, provider_name, factory, info=info, config_class=config_class)

    def new_provider(self, ctx: FactoryContext | None, provider_name: str, config: object) -> Any:
        """Make a provider of the package."""
        return self.find().create_provider(self.name, provider_name, config, ctx=ctx)
