"""The provider registry: what it offers, what factories get, and what it says of a provider.

A registry has packages, one for each interface, and each package has providers by name. It lives in one process:
factories are callables, so no part of it goes over the wire.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, runtime_checkable

from nomos_contracts.functions import interface_of
from nomos_contracts.registry.configuration import Duration, ProviderConfig
from nomos_contracts.registry.errors import (
    ERRORS,
    ErrInvalidConfig,
    ErrInvalidFactory,
    ErrPackageNotFound,
    ErrProviderCreationFailed,
    ErrProviderExists,
    ErrProviderNotFound,
    ErrRegistrationFailed,
    ErrRegistryAccessFailed,
    RegistryError,
)
from nomos_proto.kinds import is_map, is_sequence
from nomos_proto.provider import CallContext

CREATION_SECONDS: Final = 30.0
"""How long a creation may take where the caller sets no deadline: the default of every operation."""

CAPABILITIES: Final = ("stores",)
"""What a registry may offer beyond the operations."""


class FactoryContext(CallContext):
    """What a factory knows of its caller: how much time is left, whether he still waits, where he looks up others."""

    def __init__(self, timeout: float | None = CREATION_SECONDS, *, registry: Registry | None = None) -> None:
        """Begin a creation.

        Args:
            timeout: seconds until its deadline; None sets none.
            registry: the registry in which a factory looks for what it needs; None: it needs none.
        """
        super().__init__(timeout)
        self.registry = registry


ProviderFactory = Callable[[FactoryContext, Any], Any]
"""Makes a provider that is ready for use from a context and a configuration; a failure is an exception."""

ProviderType = str
"""Kind of a provider, equal to `type` of its Info."""


def _copied(value: Any) -> Any:
    """Return JSON with maps and lists of its own; `copy.deepcopy` takes five times as long."""
    if is_map(value):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if is_sequence(value) else value


@dataclass(frozen=True)
class ProviderInfo:
    """What a registry says of a provider.

    Attributes:
        name: its name in the package.
        type: kind of provider.
        capabilities: the optional features that it declares, sorted.
        config_schema: JSON Schema of its configuration in the flat form.
        supported_features: the functions that it answers, as ``interface.function``, sorted.
        documentation: what a person should know.
    """

    name: str
    type: ProviderType
    capabilities: tuple[str, ...] = ()
    config_schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    supported_features: tuple[str, ...] = ()
    documentation: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "capabilities", tuple(sorted(set(self.capabilities))))
        object.__setattr__(self, "supported_features", tuple(sorted(set(self.supported_features))))
        object.__setattr__(self, "config_schema", _copied(self.config_schema))


@runtime_checkable
class SupportsProviderInfo(Protocol):
    """A factory that describes what it makes; it is asked when somebody wants to know, not at the registration."""

    def provider_info(self) -> ProviderInfo:
        """Return what is said of the provider."""
        ...


@dataclass(frozen=True)
class Registration:
    """What a registry keeps of one provider; whole from the start, and never changed.

    Attributes:
        package: name of the package.
        name: name of the provider.
        factory: makes it.
        config_class: the class that its configurations are read into.
        given: what was said of it at the registration, None where nothing was.
    """

    package: str
    name: str
    factory: ProviderFactory
    config_class: type[ProviderConfig]
    given: ProviderInfo | None = None

    @property
    def info(self) -> ProviderInfo:
        """What is said of it: as given, else as its factory says, else its schema and its factory's docstring."""
        found = self._told()
        if found is None:
            speaks = inspect.isroutine(self.factory) or inspect.isclass(self.factory)
            words = inspect.getdoc(self.factory) if speaks else ""
            return ProviderInfo(self.name, self.package, (), self.config_class.config_schema(), (), words or "")
        return found if found.config_schema else replace(found, config_schema=self.config_class.config_schema())

    @property
    def schema(self) -> Mapping[str, Any]:
        """The provider's own schema, empty where it has none."""
        found = self._told()
        return {} if found is None else found.config_schema

    def _told(self) -> ProviderInfo | None:
        factory: object = self.factory
        if self.given is None and isinstance(factory, SupportsProviderInfo) and not inspect.isclass(factory):
            return factory.provider_info()
        return self.given


class Store(Protocol):
    """Where a registry keeps what it knows.

    A store need not be thread-safe: the registry asks it from one thread at a time. Any exception is a failure.
    """

    def add_package(self, package: str, config_class: type[ProviderConfig]) -> None:
        """Add an empty package."""
        ...

    def packages(self) -> Mapping[str, type[ProviderConfig]]:
        """Return the packages, each with the class of its configurations."""
        ...

    def put(self, registration: Registration) -> None:
        """Keep *registration*; there is none of its name."""
        ...

    def get(self, package: str, provider_name: str) -> Registration | None:
        """Return a registration of a package that is there, None where it has none of that name."""
        ...

    def remove(self, package: str, provider_name: str) -> None:
        """Forget a registration; nothing happens where there is none."""
        ...

    def names(self, package: str) -> Sequence[str]:
        """Return the names in a package that is there, in the order in which they came."""
        ...


class Package(Protocol):
    """One package of a registry, for modules that know no other."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def register_global(
        self,
        provider_name: str,
        factory: ProviderFactory,
        *,
        info: ProviderInfo | None = None,
        config_class: type[ProviderConfig] | None = None,
    ) -> None:
        """Do what `Registry.register_provider` does."""
        ...

    def new_provider(self, ctx: FactoryContext | None, provider_name: str, config: object) -> Any:
        """Do what `Registry.create_provider` does."""
        ...


@runtime_checkable
class Registry(Protocol):
    """A provider registry; every operation may be called by many threads at once.

    No operation holds anything that others wait for while a factory runs.
    """

    @property
    def capabilities(self) -> frozenset[str]:
        """Which of `CAPABILITIES` it offers."""
        ...

    def add_package(self, package_name: str, *, config_class: type[ProviderConfig] = ProviderConfig) -> None:
        """Add an empty package.

        Args:
            package_name: letters, digits, ``.``, ``+``, ``-``, ``_``.
            config_class: the class of its configurations.

        Raises:
            ErrRegistrationFailed: there is one of that name, the name cannot be used, or the store failed.
        """
        ...

    def list_packages(self) -> list[str]:
        """Return the names of all packages.

        Raises:
            ErrRegistryAccessFailed: the store failed.
        """
        ...

    def package(self, package_name: str) -> Package:
        """Return one package.

        Raises:
            ErrPackageNotFound: there is none of that name.
        """
        ...

    def register_provider(
        self,
        package_name: str,
        provider_name: str,
        factory: ProviderFactory,
        *,
        info: ProviderInfo | None = None,
        config_class: type[ProviderConfig] | None = None,
    ) -> None:
        """Add a provider to a package; on failure nothing of it is left.

        Args:
            package_name: name of the package.
            provider_name: letters, digits, ``.``, ``+``, ``-``, ``_``.
            factory: makes the provider; it is not called now.
            info: what is said of the provider; else it is derived from factory and class. Its schema, where it is not
                empty, judges custom fields and the fields of the package.
            config_class: the class of its configurations, where it is not that of the package.

        Raises:
            ErrPackageNotFound: there is no such package.
            ErrProviderExists: the package has a provider of that name; it stays as it is.
            ErrInvalidFactory: the factory cannot be called with a context and a configuration.
            ErrRegistrationFailed: name or info cannot be used, or the store failed, which is the cause.
        """
        ...

    def create_provider(
        self, package_name: str, provider_name: str, config: object, *, ctx: FactoryContext | None = None
    ) -> Any:
        """Make a provider by its factory.

        Args:
            package_name: name of the package.
            provider_name: name of the provider.
            config: a flat mapping or a `ProviderConfig`; it is checked first and never changed.
            ctx: cancellation and deadline; without it the factory has 30 seconds, and this registry as `ctx.registry`.

        Raises:
            ErrPackageNotFound: there is no such package.
            ErrProviderNotFound: the package has no such provider.
            ErrInvalidConfig: naming the fields at fault; the factory was not called.
            ErrProviderCreationFailed: the factory failed, which is the cause, or made nothing, or there was no time.
            ErrRegistryAccessFailed: the store failed.
        """
        ...

    def list_providers(self, package_name: str) -> list[str]:
        """Return the names of all providers of a package, a list of its own for each caller.

        Raises:
            ErrPackageNotFound: there is no such package.
            ErrRegistryAccessFailed: the store failed.
        """
        ...

    def get_provider_info(self, package_name: str, provider_name: str) -> ProviderInfo:
        """Return what is said of a provider.

        Raises:
            ErrPackageNotFound: there is no such package.
            ErrProviderNotFound: the package has no such provider.
            ErrRegistryAccessFailed: the store failed.
        """
        ...

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Forget a provider; what it has made lives on.

        Raises:
            ErrPackageNotFound: there is no such package.
            ErrProviderNotFound: the package has no such provider.
            ErrRegistryAccessFailed: the store failed.
        """
        ...


@runtime_checkable
class SupportsStores(Protocol):
    """A registry that keeps what it knows where it is told to: capability ``stores``."""

    def with_store(self, store: Store) -> Registry:
        """Return a registry like this one that keeps everything in *store*."""
        ...


INTERFACE: Final = interface_of("registry", Registry, supports={"stores": SupportsStores}, capabilities=CAPABILITIES)
"""The interface as data; its factories and classes are live objects, so nothing of it goes over the wire."""


__all__ = [
    "CAPABILITIES",
    "CREATION_SECONDS",
    "ERRORS",
    "INTERFACE",
    "Duration",
    "ErrInvalidConfig",
    "ErrInvalidFactory",
    "ErrPackageNotFound",
    "ErrProviderCreationFailed",
    "ErrProviderExists",
    "ErrProviderNotFound",
    "ErrRegistrationFailed",
    "ErrRegistryAccessFailed",
    "FactoryContext",
    "Package",
    "ProviderConfig",
    "ProviderFactory",
    "ProviderInfo",
    "ProviderType",
    "Registration",
    "Registry",
    "RegistryError",
    "Store",
    "SupportsProviderInfo",
    "SupportsStores",
]
