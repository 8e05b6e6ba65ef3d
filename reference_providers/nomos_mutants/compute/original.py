"""The original: the memory provider, in parts that a mutant can exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self

from nomos_contracts.compute.interface import CAPABILITIES, ProviderRegistration
from nomos_mutants.functions import function_mutant
from nomos_reference.compute.memory import MemoryHooks, MemoryProvider
from nomos_reference.compute.memory_drift import MemoryDrift
from nomos_reference.compute.workflows import workflows_of

Config = Mapping[str, Any]


def mutant(clause: str, variant: str = "", *, defect: str, also: Iterable[str] = ()) -> Callable[[Any], Any]:
    """Declare a mutant of a compute provider; see `nomos_mutants.functions.function_mutant`."""
    return function_mutant("compute", clause, variant, defect=defect, also=also)


class Original(MemoryProvider):
    """The memory provider and its registration.

    Attributes:
        hooks_type: its hooks.
        without: flags that it does not declare.
    """

    hooks_type: ClassVar[type[MemoryHooks]] = MemoryHooks
    without: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def mutated(cls, config: Config) -> ProviderRegistration[Self]:
        """Make the provider with all that belongs to it."""
        flags = [one for one in config.get("capabilities", CAPABILITIES) if one not in cls.without]
        provider = cls({**config, "capabilities": flags})
        return provider.registration()

    def registration(self) -> ProviderRegistration[Self]:
        """Return its registration."""
        return ProviderRegistration(self, self.hooks_type(self), workflows=workflows_of(self), drift=MemoryDrift(self))
