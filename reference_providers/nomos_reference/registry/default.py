"""The default registry: the one for imports. Everything else takes a registry as an argument."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from nomos_contracts.registry.interface import FactoryContext, Registry
from nomos_reference.registry.builtin import register_built_in
from nomos_reference.registry.entry_points import Problem, register_found
from nomos_reference.registry.memory import MemoryRegistry


class _Default:
    def __init__(self) -> None:
        # Taken again by a module that registers itself while its entry point is loaded.
        self._lock = threading.RLock()
        self._registry: Registry | None = None
        self._problems: tuple[Problem, ...] = ()

    def registry(self) -> Registry:
        with self._lock:
            if self._registry is None:
                made = MemoryRegistry()
                register_built_in(made)
                self._registry = made
                self._problems = tuple(register_found(made))
            return self._registry

    def problems(self) -> tuple[Problem, ...]:
        self.registry()
        with self._lock:
            return self._problems


_DEFAULT: Final = _Default()
"""The one shared object, since an import has nothing to be given: it is filled when somebody first asks."""


def default_registry() -> Registry:
    """Return the default registry: the providers of the kit, and those of installed packages."""
    return _DEFAULT.registry()


def problems() -> tuple[Problem, ...]:
    """Return the entry points that gave no provider."""
    return _DEFAULT.problems()


def names(registry: Registry | None = None) -> tuple[str, ...]:
    """Return the names of all providers of a registry as targets have them, for instance ``config/files``."""
    chosen = default_registry() if registry is None else registry
    return tuple(f"{package}/{name}" for package in chosen.list_packages() for name in chosen.list_providers(package))


def create(
    name: str, config: Mapping[str, Any], *, ctx: FactoryContext | None = None, registry: Registry | None = None
) -> Any:
    """Make a provider.

    Args:
        name: registered name, for instance ``compute/memory``.
        config: its configuration in the flat form, `provider_name` left out.
        ctx: cancellation and deadline.
        registry: where to look it up; the default one if none is given.

    Raises:
        RegistryError: as `Registry.create_provider`.
    """
    package, _, provider = name.partition("/")
    chosen = default_registry() if registry is None else registry
    return chosen.create_provider(package, provider, {**config, "provider_name": provider}, ctx=ctx)
