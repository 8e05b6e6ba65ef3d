"""Drift of the memory provider: straight to its cloud, past the provider."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from nomos_contracts.compute.interface import SpawnOptions
from nomos_contracts.drift import Drifted
from nomos_reference.compute.memory import MemoryProvider


class MemoryDrift:
    """Changes the store of *provider*'s cloud."""

    def __init__(self, provider: MemoryProvider) -> None:
        self._provider = provider

    def delete(self, instance: str, /) -> Drifted:
        """Take a machine out of the store."""
        self._provider.cloud.vanish(instance)
        return Drifted(instance)

    def change(self, instance: str, /) -> Drifted:
        """Make another spec of a machine's."""
        cloud = self._provider.cloud
        machine = cloud.peek(instance)
        if machine is None:
            raise LookupError(f"there is no {instance}")
        before = machine.spec
        cloud.resize(instance, next(name for name in self._provider.settings.specs if name != before))
        return Drifted(instance, "spec", partial(cloud.resize, instance, before))

    def duplicate(self, instance: str, /) -> Drifted:
        """Put a second machine into the store."""
        cloud = self._provider.cloud
        made = cloud.copy(instance).id
        return Drifted(made, undo=partial(cloud.vanish, made))

    def half_create(self, options: SpawnOptions, /) -> Drifted:
        """Create a machine with the marks of a spawn of which the provider has no record."""
        cloud = self._provider.cloud
        order = replace(self._provider.order(options), token=self._provider.token(options))
        made = cloud.create(order).id
        return Drifted(made, undo=partial(cloud.vanish, made))
