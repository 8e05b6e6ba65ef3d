"""The original: the correct registry of which mutants are variations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nomos_contracts.registry.interface import (
    FactoryContext,
    ProviderConfig,
    ProviderFactory,
    ProviderInfo,
    Registration,
)
from nomos_contracts.registry.registration import make_registration
from nomos_mutants.functions import function_mutant
from nomos_reference.registry.memory import MemoryRegistry

__all__ = ["FactoryContext", "Original", "ProviderConfig", "ProviderFactory", "ProviderInfo", "Registration", "mutant"]


class Original(MemoryRegistry):
    """The registry in memory."""

    @classmethod
    def mutated(cls, config: Mapping[str, Any]) -> MemoryRegistry:
        """Make one: it takes no configuration."""
        return cls()

    def registration(self, *args: Any) -> Registration:
        """Return a registration made of package, name, factory, info and config class, all of them judged."""
        return make_registration(*args)

    def _registration(
        self,
        package_name: str,
        provider_name: str,
        factory: ProviderFactory,
        info: ProviderInfo | None,
        config_class: type[ProviderConfig],
    ) -> Registration:
        return self.registration(package_name, provider_name, factory, info, config_class)


def mutant(clause: str, variant: str = "", *, defect: str, also: Iterable[str] = ()) -> Callable[[Any], Any]:
    """Declare a mutant of the registry."""
    return function_mutant("registry", clause, variant, defect=defect, also=also)
