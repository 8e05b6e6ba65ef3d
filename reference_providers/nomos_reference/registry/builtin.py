"""The providers that come with the kit; none of their modules is imported before it is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from nomos_contracts.registry.configuration import ProviderConfig
from nomos_contracts.registry.interface import FactoryContext, ProviderInfo, Registry
from nomos_reference import PLACES, PROVIDERS
from nomos_reference.registry.description import from_description


class KeylessConfig(ProviderConfig):
    """The configuration of packages whose providers need no secret."""

    requires_api_key = False


PACKAGES: Final = ("config", "compute", "registry")
"""The packages of the default registry: one for each interface."""


@dataclass(frozen=True)
class ConfigFactory:
    """Makes a configuration provider: initialised where there is a configuration, else waiting for its Init.

    Attributes:
        name: registered name, for instance ``config/files``.
    """

    name: str

    def __call__(self, ctx: FactoryContext, config: ProviderConfig) -> Any:
        """Make the provider; its alias is its name until somebody gives another in Init."""
        provider = PROVIDERS[self.name]()
        if config.custom_fields:
            provider.init(config.provider_name, config.custom_fields, "", context=ctx)
        return provider

    def provider_info(self) -> ProviderInfo:
        """Return what Describe says; a configuration is complete, or absent until Init."""
        provider: Any = PROVIDERS[self.name]()
        found = from_description(provider.describe(), documentation=type(provider).__doc__ or "")
        schema = {"type": "object", "if": {"minProperties": 1}, "then": dict(found.config_schema)}
        return ProviderInfo(found.name, found.type, found.capabilities, schema, ("config.fetch",), found.documentation)


@dataclass(frozen=True)
class LocatedFactory:
    """A factory in a module that is imported when it is wanted.

    Attributes:
        module: full name of the module.
        attribute: name of the factory in it; what is said of the provider is there under ``provider_info``.
    """

    module: str
    attribute: str

    def __call__(self, ctx: FactoryContext, config: ProviderConfig) -> Any:
        """Import the factory and call it."""
        return getattr(import_module(self.module), self.attribute)(ctx, config)

    def absence(self) -> str:
        """Return why the provider cannot work on this machine at all, as its module says; empty where it can."""
        ask = getattr(import_module(self.module), "absence", None)
        return str(ask()) if ask else ""

    def provider_info(self) -> ProviderInfo:
        """Import the module and ask it."""
        found: ProviderInfo = import_module(self.module).provider_info()
        return found


LOCATED: Final = MappingProxyType(
    {
        "compute/memory": LocatedFactory("nomos_reference.compute.memory", "new_memory"),
        "compute/orbstack": LocatedFactory("nomos_reference.compute.orbstack", "new_orbstack"),
        "registry/memory": LocatedFactory("nomos_reference.registry.memory", "new_registry"),
    }
)
"""Factories of the providers of function interfaces, by registered name."""


def register_built_in(registry: Registry) -> None:
    """Add the packages and all providers of the kit to an empty *registry*."""
    for package in PACKAGES:
        registry.add_package(package, config_class=KeylessConfig)
    for name in (*PLACES, *LOCATED):
        package, _, provider = name.partition("/")
        registry.register_provider(package, provider, LOCATED.get(name) or ConfigFactory(name))
