"""Workflows of the memory provider: spawn until it runs, and a pool of warm volumes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nomos_contracts.codec import from_wire
from nomos_contracts.compute.interface import (
    InstanceStatus,
    ProviderError,
    SpawnOptions,
    Workflow,
    WorkflowConstraints,
)

if TYPE_CHECKING:
    from nomos_reference.compute.memory import MemoryProvider

PATIENCE = 1000
"""Looks at an instance before it counts as lost; the simulated clock moves with each."""


class SpawnInstance:
    """Spawns an instance and waits until it runs."""

    type = "spawn-instance"
    description = "Spawns an instance and waits until it runs."
    constraints = WorkflowConstraints(max_duration_ms=60_000, required_output_fields=("id",))

    def __init__(self, provider: MemoryProvider) -> None:
        self._provider = provider
        self.provider = provider.name

    def _options(self, arguments: Mapping[str, Any]) -> SpawnOptions:
        if set(arguments) != {"options"}:
            raise ProviderError("the arguments are exactly: options", "INVALID_SPEC", provider=self.provider)
        given = arguments["options"]
        options: SpawnOptions = given if isinstance(given, SpawnOptions) else from_wire(SpawnOptions, given, "options")
        return options

    def validate_input(self, arguments: Mapping[str, Any], /) -> None:
        """Refuse anything but the options of a spawn that can be tried."""
        self._provider.order(self._options(arguments))

    async def run(self, arguments: Mapping[str, Any], /) -> Mapping[str, Any]:
        """Spawn and wait."""
        made = await self._provider.spawn(self._options(arguments))
        for _ in range(PATIENCE):
            found = await self._provider.get(made.id)
            if found is not None and found.status is InstanceStatus.RUNNING:
                return {"id": made.id}
        raise ProviderError("the instance does not run", "TIMEOUT_ERROR", provider=self.provider)

    async def compensate(self, arguments: Mapping[str, Any], output: Mapping[str, Any] | None, /) -> None:
        """Terminate what was spawned; the same spawn again finds it where its answer was lost."""
        if output is not None:
            await self._provider.terminate(str(output["id"]))
            return
        if "idempotent_spawn" in self._provider.capabilities:
            await self._provider.terminate((await self._provider.spawn(self._options(arguments))).id)


class WarmVolumes:
    """Lends prepared volumes."""

    type = "warm-volumes"
    description = "Takes a prepared volume from the pool, and puts it back."
    constraints = WorkflowConstraints(max_duration_ms=5_000, required_output_fields=("volume_id",))

    def __init__(self, provider: MemoryProvider) -> None:
        self.provider = provider.name
        self._free = sorted(provider.settings.volumes)

    def validate_input(self, arguments: Mapping[str, Any], /) -> None:
        """Refuse arguments: there are none."""
        if arguments:
            raise ProviderError("there are no arguments", "INVALID_SPEC", provider=self.provider)

    async def run(self, arguments: Mapping[str, Any], /) -> Mapping[str, Any]:
        """Take one."""
        self.validate_input(arguments)
        if not self._free:
            raise ProviderError("no prepared volume is left", "CAPACITY_ERROR", provider=self.provider)
        return {"volume_id": self._free.pop(0)}

    async def compensate(self, arguments: Mapping[str, Any], output: Mapping[str, Any] | None, /) -> None:  # noqa: ARG002 # the interface's
        """Put it back."""
        if output is not None and output["volume_id"] not in self._free:
            self._free.append(str(output["volume_id"]))


def workflows_of(provider: MemoryProvider) -> Mapping[str, Workflow]:
    """Return the workflows of *provider* by type."""
    found: list[Workflow] = [SpawnInstance(provider)]
    if "warm_volumes" in provider.capabilities:
        found.append(WarmVolumes(provider))
    return MappingProxyType({one.type: one for one in found})
