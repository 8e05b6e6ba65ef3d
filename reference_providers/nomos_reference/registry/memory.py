"""The registry: thread-safe, and never holding its lock while somebody else's code runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from nomos_contracts.registry.configuration import read_config
from nomos_contracts.registry.interface import (
    CAPABILITIES,
    INTERFACE,
    ErrPackageNotFound,
    ErrProviderCreationFailed,
    ErrProviderExists,
    ErrProviderNotFound,
    ErrRegistrationFailed,
    ErrRegistryAccessFailed,
    FactoryContext,
    ProviderConfig,
    ProviderFactory,
    ProviderInfo,
    Registration,
    RegistryError,
    Store,
)
from nomos_contracts.registry.registration import check_name, make_registration
from nomos_reference.registry.package import RegistryPackage
from nomos_reference.registry.store import MemoryStore

Answer = TypeVar("Answer")


class MemoryRegistry:
    """A registry; all that it keeps is in its store, and nothing is shared between two of them."""

    capabilities = frozenset(CAPABILITIES)

    def __init__(self, store: Store | None = None) -> None:
        """Begin with what *store* holds; without one, empty."""
        self._store: Store = MemoryStore() if store is None else store
        self._lock = threading.Lock()

    def with_store(self, store: Store) -> MemoryRegistry:
        """Return a registry that keeps everything in *store*."""
        return type(self)(store)

    def add_package(self, package_name: str, *, config_class: type[ProviderConfig] = ProviderConfig) -> None:
        """Add an empty package."""
        check_name(package_name, "", of=package_name)
        with self._lock, self._registering(package_name):
            if package_name in self._store.packages():
                raise ErrRegistrationFailed(package_name, "", "there is a package of that name")
            self._store.add_package(package_name, config_class)

    def list_packages(self) -> list[str]:
        """Return the names of all packages."""
        return self._read("", "", lambda: list(self._store.packages()))

    def package(self, package_name: str) -> RegistryPackage:
        """Return one package."""
        self._config_class(package_name)
        return RegistryPackage(package_name, lambda: self)

    def register_provider(
        self,
        package_name: str,
        provider_name: str,
        factory: ProviderFactory,
        *,
        info: ProviderInfo | None = None,
        config_class: type[ProviderConfig] | None = None,
    ) -> None:
        """Add a provider to a package."""
        with self._registering(package_name, provider_name):
            common = self._config_class(package_name)
            made = self._registration(package_name, provider_name, factory, info, config_class or common)
            with self._lock:
                self._keep(made)

    def _registration(
        self,
        package_name: str,
        provider_name: str,
        factory: ProviderFactory,
        info: ProviderInfo | None,
        config_class: type[ProviderConfig],
    ) -> Registration:
        return make_registration(package_name, provider_name, factory, info, config_class)

    def _keep(self, made: Registration) -> None:
        """Put *made* into the store, whole or not at all; called under the lock."""
        if self._store.get(made.package, made.name) is not None:
            raise ErrProviderExists(made.package, made.name, "unregister it first, or choose another name")
        try:
            self._store.put(made)
        except Exception:
            with contextlib.suppress(Exception):
                self._store.remove(made.package, made.name)
            raise

    def create_provider(
        self, package_name: str, provider_name: str, config: object, *, ctx: FactoryContext | None = None
    ) -> Any:
        """Make a provider by its factory, outside of the lock."""
        found = self._find(package_name, provider_name)
        with self._reading(package_name, provider_name):
            schema = found.schema
        made = self._validated(found, config, schema)
        return self._make(found, FactoryContext(registry=self) if ctx is None else ctx, made)

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        try:
            context.check()
            provider = found.factory(context, config)
        except Exception as error:
            raise ErrProviderCreationFailed(found.package, found.name, _words(error, config)) from error
        if provider is None:
            raise ErrProviderCreationFailed(found.package, found.name, "the factory returned None")
        return provider

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        return read_config(found.package, found.name, config, found.config_class, schema)

    def list_providers(self, package_name: str) -> list[str]:
        """Return the names of all providers of a package, in the order in which they were registered."""
        self._config_class(package_name)
        return self._read(package_name, "", lambda: list(self._store.names(package_name)))

    def get_provider_info(self, package_name: str, provider_name: str) -> ProviderInfo:
        """Return what is said of a provider."""
        found = self._find(package_name, provider_name)
        with self._reading(package_name, provider_name):
            info = found.info
        return replace(info)  # with a schema of its own

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Forget a provider."""
        self._config_class(package_name)
        with self._lock, self._reading(package_name, provider_name):
            if self._store.get(package_name, provider_name) is None:
                raise ErrProviderNotFound(package_name, provider_name)
            self._store.remove(package_name, provider_name)

    def _config_class(self, package_name: str) -> type[ProviderConfig]:
        found = self._read(package_name, "", lambda: self._store.packages().get(package_name))
        if found is None:
            raise ErrPackageNotFound(package_name)
        return found

    def _find(self, package_name: str, provider_name: str) -> Registration:
        self._config_class(package_name)
        found = self._read(package_name, provider_name, lambda: self._store.get(package_name, provider_name))
        if found is None:
            raise ErrProviderNotFound(package_name, provider_name)
        return found

    def _read(self, package_name: str, provider_name: str, ask: Callable[[], Answer]) -> Answer:
        with self._lock, self._reading(package_name, provider_name):
            return ask()

    @contextlib.contextmanager
    def _reading(self, package_name: str, provider_name: str = "") -> Generator[None]:
        try:
            yield
        except RegistryError:
            raise
        except Exception as error:
            raise ErrRegistryAccessFailed(package_name, provider_name, _words(error)) from error

    @contextlib.contextmanager
    def _registering(self, package_name: str, provider_name: str = "") -> Generator[None]:
        try:
            yield
        except ErrRegistryAccessFailed as error:
            raise ErrRegistrationFailed(package_name, provider_name, error.reason) from error.__cause__
        except RegistryError:
            raise
        except Exception as error:
            raise ErrRegistrationFailed(package_name, provider_name, _words(error)) from error


def _words(error: Exception, config: ProviderConfig | None = None) -> str:
    """Return what *error* says, without the secret of *config*."""
    words = f"{type(error).__name__}: {error}"
    if config is None or config.api_key is None:
        return words
    return words.replace(config.api_key.get_secret_value(), "***")


def new_registry(ctx: FactoryContext, config: ProviderConfig) -> MemoryRegistry:  # noqa: ARG001 # as every factory
    """Make an empty registry: the factory of ``registry/memory``."""
    return MemoryRegistry()


def provider_info() -> ProviderInfo:
    """Return what is said of ``registry/memory``."""
    functions = tuple(f"registry.{name}" for name in INTERFACE.methods)
    schema = {"type": "object", "additionalProperties": False}
    documentation = "A registry in memory; it takes no configuration."
    return ProviderInfo("memory", "memory", CAPABILITIES, schema, functions, documentation)
