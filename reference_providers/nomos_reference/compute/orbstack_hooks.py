"""The hooks of the OrbStack provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nomos_contracts.compute.interface import HeartbeatExpectations, HeartbeatReceipts, ProviderError, TaskType
from nomos_proto.kinds import is_map, is_sequence
from nomos_reference.compute.heartbeat import beat
from nomos_reference.compute.orbstack_settings import NAME
from nomos_reference.compute.reconcile import reconcile

if TYPE_CHECKING:
    from nomos_reference.compute.orbstack import OrbstackProvider


class OrbstackHooks:
    """What is called around the life of a provider."""

    def __init__(self, provider: OrbstackProvider) -> None:
        self._provider = provider

    async def on_startup(self) -> None:
        """Ask the engine for a sign of life.

        Raises:
            ProviderError: it gives none.
        """
        await self._provider.run(self._provider.backend.facts)

    async def on_shutdown(self) -> None:
        """Close the connections; instances stay, and the next call opens connections anew."""
        await self._provider.run(self._provider.backend.close)

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Do the tasks."""
        return await beat(
            expectations,
            {
                TaskType.HEALTH_CHECK.value: self._health,
                TaskType.RECONCILE_INSTANCES.value: self._reconcile,
                TaskType.ORPHAN_SCAN.value: self._orphans,
                TaskType.HEARTBEAT_TIMEOUT_SCAN.value: self._silent,
            },
        )

    async def _health(self, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"healthy": True, **await self._provider.run(self._provider.backend.facts)}

    async def _reconcile(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        expected = params.get("expected", ())
        if not is_sequence(expected) or not all(is_map(one) and "id" in one for one in expected):
            raise ProviderError("expected: must be a list of maps with an id", "INVALID_SPEC", provider=NAME)
        return reconcile(expected, await self._provider.list()).plain

    async def _orphans(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        known = set(params.get("known", ()))
        return {"orphans": sorted(one.id for one in await self._provider.list() if one.id not in known)}

    async def _silent(self, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"timed_out": []}
