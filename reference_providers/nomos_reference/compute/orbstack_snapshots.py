"""Snapshots of the OrbStack provider: images made from containers, clones of machines."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nomos_contracts.compute.interface import (
    CreateSnapshotOptions,
    ProviderError,
    ProviderSnapshot,
    SnapshotRequest,
    SnapshotState,
    SnapshotStatus,
)
from nomos_reference.compute.orbstack_backend import Backend, Found
from nomos_reference.compute.orbstack_labels import KIND, SNAPSHOT, SNAPSHOT_NAME, name_of, snapshot_labels, snapshot_of
from nomos_reference.compute.orbstack_settings import NAME, OrbstackSettings


class OrbstackSnapshots:
    """What the flag ``snapshots`` gates. A snapshot is there when its request is answered; both have one id."""

    settings: OrbstackSettings
    backend: Backend
    scope: Mapping[str, str]
    own: Callable[[Found | None], Found | None]
    run: Callable[..., Awaitable[Any]]

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        """Make a snapshot of an instance's disk.

        Raises:
            ProviderError: NOT_FOUND, there is no such instance; ALREADY_EXISTS, the name is taken;
                UNSUPPORTED_OPERATION, its memory is wanted as well.
        """
        if not options.name:
            raise ProviderError("name: must not be empty", "INVALID_SPEC", provider=NAME)
        if options.include_memory:
            raise ProviderError("a snapshot holds no memory", "UNSUPPORTED_OPERATION", provider=NAME)
        return SnapshotRequest(await self.run(self._create_snapshot, provider_id, options), SnapshotState.AVAILABLE)

    def _create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> str:
        found = self.own(self.backend.find(provider_id))
        if found is None:
            raise ProviderError("provider_id: there is no such instance", "NOT_FOUND", provider=NAME)
        if self._named(options.name) is not None:
            raise ProviderError("name: there is a snapshot of that name", "ALREADY_EXISTS", provider=NAME)
        labels = snapshot_labels(options, self.scope, of=found.id, created=int(time.time() * 1000))
        name = name_of(
            f"{self.settings.prefix}-snapshot", self.settings.run, self.settings.worker, options.name, found.id
        )
        return self.backend.commit(found, name, labels)

    def _all(self) -> list[Found]:
        return list(self.backend.snapshots({**self.scope, KIND: SNAPSHOT}))

    def _named(self, name: str) -> Found | None:
        return next((one for one in self._all() if one.labels.get(SNAPSHOT_NAME) == name), None)

    def snapshot_named_by_id(self, snapshot_id: str) -> Found:
        """Return the snapshot of that id.

        Raises:
            ProviderError: NOT_FOUND, this provider has none.
        """
        found = next((one for one in self._all() if one.id == snapshot_id), None)
        if found is None:
            raise ProviderError("snapshot_id: there is no such snapshot", "NOT_FOUND", provider=NAME)
        return found

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        """Return how far it is.

        Raises:
            ProviderError: NOT_FOUND, there is no such request.
        """
        found = await self.run(self.snapshot_named_by_id, request_id)
        return SnapshotStatus(
            SnapshotState.AVAILABLE, progress=100.0, provider_snapshot_id=found.id, size_bytes=found.size
        )

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete it.

        Raises:
            ProviderError: NOT_FOUND, there is none; INVALID_STATE, an instance runs on it.
        """
        found = await self.run(self.snapshot_named_by_id, snapshot_id)
        await self.run(self.backend.remove_snapshot, found.id)

    async def get_snapshot_by_name(self, name: str) -> ProviderSnapshot | None:
        """Return the snapshot of exactly that name."""
        found = await self.run(self._named, name)
        return None if found is None else snapshot_of(found.id, found.labels, found.size)
