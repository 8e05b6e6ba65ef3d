"""Types of the memory provider's own: what it knows beside the generic fields, inside its own context only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from nomos_contracts.compute.interface import ProviderInstance, project_instance
from nomos_reference.compute.cloud import MemoryCloud


@dataclass(frozen=True)
class MemoryInstance(ProviderInstance):
    """An instance with its tags and its volume."""

    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    volume_id: str | None = None


class MemoryTypes:
    """Materialises on entry to the provider's context and projects on exit."""

    cloud: MemoryCloud

    def materialise_instance(self, instance: ProviderInstance, /) -> MemoryInstance:
        """Return *instance* with its tags and its volume."""
        machine = self.cloud.peek(instance.id)
        generic = {one.name: getattr(instance, one.name) for one in fields(ProviderInstance)}
        if machine is None:
            return MemoryInstance(**generic)
        return MemoryInstance(**generic, tags=dict(machine.tags), volume_id=machine.volume)

    def project_instance(self, instance: MemoryInstance, /) -> ProviderInstance:
        """Return *instance* with the generic fields alone."""
        return project_instance(instance)
