"""Mutants of snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from nomos_contracts.compute.interface import (
    CreateSnapshotOptions,
    ProviderError,
    ProviderInstance,
    ProviderSnapshot,
    SnapshotRequest,
    SnapshotState,
    SnapshotStatus,
    SpawnOptions,
)
from nomos_mutants.compute.original import Original, mutant


@mutant("CMP-SNAP-001", defect="a snapshot never gets beyond creating")
class ForeverCreating(Original):
    """Does not look again."""

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        """Say creating."""
        return replace(await super().get_snapshot_status(request_id), status=SnapshotState.CREATING)


@mutant("CMP-SNAP-001", "id", defect="a snapshot that is available has no id")
class NoSnapshotId(Original):
    """Leaves the id out."""

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        """Leave it out."""
        return replace(await super().get_snapshot_status(request_id), provider_snapshot_id=None)


@mutant("CMP-SNAP-001", "stops", defect="a snapshot ends its instance")
class EndsInstance(Original):
    """Stops it for the snapshot."""

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        """End it."""
        made = await super().create_snapshot(provider_id, options)
        if options.description:
            machine = self.cloud.peek(provider_id)
            if machine is not None and sum(one.created >= 0 for one in self.cloud.snapshots()) == 1:
                machine.terminated = self.cloud.now
        return made


@mutant("CMP-SNAP-001", "progress", defect="the progress of a snapshot counts on beyond 100")
class CountsOn(Original):
    """Divides what was copied by what there was at first."""

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        """Count on."""
        made = await super().get_snapshot_status(request_id)
        return replace(made, progress=112.5) if made.status is SnapshotState.AVAILABLE else made


@mutant("CMP-SNAP-001", "estimate", defect="the estimate of a snapshot is in seconds")
class EstimateSeconds(Original):
    """Hands over the vendor's time."""

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        """Divide."""
        made = await super().create_snapshot(provider_id, options)
        return replace(made, estimated_completion_at=(made.estimated_completion_at or 0) // 1000)


@mutant("CMP-SNAP-002", defect="delete_snapshot deletes nothing")
class KeepsSnapshots(Original):
    """Only looks whether it is there."""

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Keep it."""
        self.need("snapshots", "delete_snapshot")


@mutant("CMP-SNAP-002", "all", defect="delete_snapshot deletes every snapshot")
class DeletesAll(Original):
    """Takes the account for its own."""

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete all."""
        await super().delete_snapshot(snapshot_id)
        for one in [*self.cloud.snapshots()]:
            self.cloud.delete_snapshot(one.id)


@mutant("CMP-SNAP-002", "again", defect="delete_snapshot again fails with INVALID_STATE")
class DeletesOnce(Original):
    """Lets the vendor's word out."""

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Fail the second time."""
        if snapshot_id.startswith("snap-") and snapshot_id not in {one.id for one in self.cloud.snapshots()}:
            raise ProviderError("it is being deleted", "INVALID_STATE", provider=self.name)
        await super().delete_snapshot(snapshot_id)


class _Obliging(Original):
    """Deletes by something else than the id, too."""

    async def named(self, text: str) -> str | None:
        """Return the id of the snapshot that *text* is taken to mean."""
        raise NotImplementedError

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Guess what is meant."""
        await super().delete_snapshot(await self.named(snapshot_id) or snapshot_id)


@mutant("CMP-SNAP-002", "name", defect="delete_snapshot takes a name, too")
class DeletesByName(_Obliging):
    """Hands on what the vendor's command takes."""

    async def named(self, text: str) -> str | None:
        """Look by name."""
        found = await self.get_snapshot_by_name(text) if "snapshots" in self.capabilities else None
        return found.id if found else None


@mutant("CMP-SNAP-002", "request", defect="delete_snapshot takes the request of a snapshot, too")
class DeletesByRequest(_Obliging):
    """Has one table for both."""

    async def named(self, text: str) -> str | None:
        """Look by request."""
        with suppress(ProviderError):
            return (await self.get_snapshot_status(text)).provider_snapshot_id
        return None


@mutant("CMP-SNAP-002", "unfinished", defect="delete_snapshot deletes what is not available yet as well")
class DeletesUnfinished(Original):
    """Cancels what the vendor is at."""

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete what is not available."""
        await super().delete_snapshot(snapshot_id)
        for one in [*self.cloud.snapshots()]:
            if one.state(self.cloud.now, self.settings) is not SnapshotState.AVAILABLE:
                self.cloud.delete_snapshot(one.id)


@mutant("CMP-SNAP-002", "spawn", defect="an instance starts from a snapshot that is deleted")
class StartsFromDeleted(Original):
    """Looks into the table of all that were ever made."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Forget the snapshot, if there was one."""
        if options.snapshot_id in {one.id for one in self.cloud.made_snapshots if one.deleted is not None}:
            options = replace(options, snapshot_id=None)
        return await super().spawn(options)


@mutant("CMP-SNAP-003", defect="names of snapshots match by their beginning")
class NameBegins(Original):
    """Hands the name to a filter with a star."""

    async def get_snapshot_by_name(self, name: str) -> ProviderSnapshot | None:
        """Match beginnings."""
        self.need("snapshots", "get_snapshot_by_name")
        for one in self.cloud.snapshots():
            if one.name.startswith(name) and name:
                return await super().get_snapshot_by_name(one.name)
        return None


@mutant("CMP-SNAP-003", "trim", defect="blanks around the name of a snapshot do not count")
class TrimmedName(Original):
    """Is kind to callers."""

    async def get_snapshot_by_name(self, name: str) -> ProviderSnapshot | None:
        """Take them off."""
        return await super().get_snapshot_by_name(name.strip(" "))


@mutant("CMP-SNAP-003", "unknown", defect="an unknown name fails with NOT_FOUND", also=("CMP-SNAP-002",))
class UnknownName(Original):
    """Lets the vendor's word out."""

    async def get_snapshot_by_name(self, name: str) -> ProviderSnapshot | None:
        """Raise."""
        found = await super().get_snapshot_by_name(name)
        if found is None:
            raise ProviderError("there is no such snapshot", "NOT_FOUND", provider=self.name)
        return found


@mutant("CMP-SNAP-003", "again", defect="a name that a deleted snapshot had finds no new one")
class NameIsUsedUp(Original):
    """Looks for the first of that name, deleted or not."""

    async def get_snapshot_by_name(self, name: str) -> ProviderSnapshot | None:
        """Look at the first one alone."""
        found = await super().get_snapshot_by_name(name)
        first = next((one for one in self.cloud.made_snapshots if one.name == name), None)
        return found if first is not None and first.deleted is None else None


@mutant("CMP-SNAP-004", defect="a snapshot of an unknown instance is taken")
class SnapshotOfNothing(Original):
    """Looks later."""

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        """Answer a request."""
        if self.cloud.peek(provider_id) is None and options.name:
            return SnapshotRequest("req-0", SnapshotState.PENDING)
        return await super().create_snapshot(provider_id, options)


@mutant("CMP-SNAP-004", "request", defect="the status of an unknown request is failed", also=())
class UnknownRequestFailed(Original):
    """Has no word for unknown."""

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        """Say failed."""
        try:
            return await super().get_snapshot_status(request_id)
        except ProviderError as error:
            known = request_id in {one.request for one in self.cloud.made_snapshots}
            if error.code != "NOT_FOUND" or known or not request_id.startswith("req-"):
                raise
            return SnapshotStatus(SnapshotState.FAILED, error="unknown")


@mutant("CMP-SNAP-004", "own", defect="the id of a snapshot is taken for that of its request")
class AnyId(Original):
    """Looks for either."""

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        """Look for a snapshot of that id first."""
        either = {one.id: one.request for one in self.cloud.snapshots()}
        return await super().get_snapshot_status(either.get(request_id, request_id))


@mutant("CMP-SNAP-005", defect="spawn ignores the snapshot", also=("CMP-SNAP-002",))
class IgnoresSnapshot(Original):
    """Left for later."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Drop it."""
        if options.snapshot_id is not None and "snapshots" in self.capabilities:
            options = replace(options, snapshot_id=None)
        return await super().spawn(options)


class _LikeItsSource(Original):
    """Knows the spawn of each instance that a snapshot was made of."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._sources: dict[str, SpawnOptions] = {}

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        """Note the source."""
        made = await super().create_snapshot(provider_id, options)
        spawned = {machine: wish for wish, machine in self._spawned.values()}
        snapshot = next(one.id for one in self.cloud.made_snapshots if one.request == made.request_id)
        self._sources[snapshot] = spawned[provider_id]
        return made

    def source(self, options: SpawnOptions) -> SpawnOptions:
        """Return the spawn of the source, that of *options* where there is none."""
        return self._sources.get(options.snapshot_id or "", options)


@mutant("CMP-SNAP-005", "spec", defect="an instance from a snapshot has the spec of the snapshot's source")
class SpecOfSource(_LikeItsSource):
    """Takes what the vendor noted with the snapshot."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Take the source's."""
        return await super().spawn(replace(options, spec=self.source(options).spec))


@mutant("CMP-SNAP-005", "region", defect="an instance from a snapshot is where the snapshot's source is")
class RegionOfSource(_LikeItsSource):
    """Starts it where the disk is."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Take the source's."""
        return await super().spawn(replace(options, region=self.source(options).region))


@mutant("CMP-SNAP-005", "tags", defect="an instance from a snapshot has the tags of the snapshot's source")
class TagsOfSource(_LikeItsSource):
    """Lets the vendor copy them."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Take the source's."""
        return await super().spawn(replace(options, tags=self.source(options).tags))


@mutant("CMP-SNAP-005", "elsewhere", defect="an unknown snapshot is accepted in another region than the first")
class UnknownElsewhere(Original):
    """Looks where the snapshots are."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Forget the snapshot there."""
        known = {one.id for one in self.cloud.made_snapshots}
        if options.region == self.settings.regions[-1] and options.snapshot_id not in known:
            options = replace(options, snapshot_id=None)
        return await super().spawn(options)


@mutant("CMP-SNAP-006", defect="a snapshot goes with its instance")
class GoesWithInstance(Original):
    """Keeps snapshots beside the disk."""

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        """Note whose it is."""
        made = await super().create_snapshot(provider_id, options)
        self._owners = {**getattr(self, "_owners", {}), made.request_id: provider_id}
        return made

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Delete them."""
        await super().terminate(provider_id, region)
        for one in [*self.cloud.snapshots()]:
            if getattr(self, "_owners", {}).get(one.request) == provider_id:
                self.cloud.delete_snapshot(one.id)
