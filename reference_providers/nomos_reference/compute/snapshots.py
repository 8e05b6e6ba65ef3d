"""Snapshots of the memory provider."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from nomos_contracts.compute.interface import (
    CreateSnapshotOptions,
    ProviderError,
    ProviderSnapshot,
    SnapshotRequest,
    SnapshotState,
    SnapshotStatus,
)
from nomos_reference.compute.cloud import MemoryCloud
from nomos_reference.compute.errors import mapped

NAME = "memory"


class MemorySnapshots:
    """What the flag ``snapshots`` gates."""

    cloud: MemoryCloud
    _lock: AbstractContextManager[Any]

    def need(self, capability: str, what: str) -> None:
        """Refuse what is not declared; the provider's."""
        raise NotImplementedError

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        """Begin a snapshot."""
        self.need("snapshots", "create_snapshot")
        if not options.name:
            raise ProviderError("name: must not be empty", "INVALID_SPEC", provider=NAME)
        with self._lock, mapped(NAME):
            made = self.cloud.snapshot(provider_id, options.name, options.description)
            settings = self.cloud.settings
            return SnapshotRequest(
                made.request,
                made.state(self.cloud.now, settings),
                self.cloud.clock.stamp(made.created + settings.snapshot_delay),
            )

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        """Return how far it is."""
        self.need("snapshots", "get_snapshot_status")
        with self._lock, mapped(NAME):
            found = self.cloud.snapshot_of(request_id)
            state = found.state(self.cloud.now, self.cloud.settings)
            over = state is SnapshotState.AVAILABLE
            return SnapshotStatus(
                state,
                progress=100.0 if over else 50.0 if state is SnapshotState.CREATING else 0.0,
                provider_snapshot_id=found.id if over else None,
                size_bytes=1 << 20 if over else None,
            )

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete it."""
        self.need("snapshots", "delete_snapshot")
        with self._lock, mapped(NAME):
            self.cloud.delete_snapshot(snapshot_id)

    async def get_snapshot_by_name(self, name: str) -> ProviderSnapshot | None:
        """Return the snapshot of exactly that name."""
        self.need("snapshots", "get_snapshot_by_name")
        with self._lock, mapped(NAME):
            found = self.cloud.snapshot_named(name)
            if found is None:
                return None
            state = found.state(self.cloud.now, self.cloud.settings)
            return ProviderSnapshot(
                found.id, found.name, state, self.cloud.clock.stamp(found.created), description=found.description
            )
