"""Mutants of snapshots and spot requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    SpotOptions,
    SpotPriceInfo,
    SpotRequest,
)
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.cloud import Machine, MemoryCloud, Order, Wish


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


@mutant("CMP-SNAP-003", "unknown", defect="an unknown name fails with NOT_FOUND", also=("CMP-SNAP-002",))
class UnknownName(Original):
    """Lets the vendor's word out."""

    async def get_snapshot_by_name(self, name: str) -> ProviderSnapshot | None:
        """Raise."""
        found = await super().get_snapshot_by_name(name)
        if found is None:
            raise ProviderError("there is no such snapshot", "NOT_FOUND", provider=self.name)
        return found


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


@mutant("CMP-SNAP-005", defect="spawn ignores the snapshot")
class IgnoresSnapshot(Original):
    """Left for later."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Drop it."""
        if options.snapshot_id is not None and "snapshots" in self.capabilities:
            options = replace(options, snapshot_id=None)
        return await super().spawn(options)


@mutant("CMP-SPOT-001", defect="an instance of a request does not say so")
class NoRequestId(Original):
    """Leaves the id out."""

    def shown(self, machine: Machine, at: float) -> ProviderInstance:
        """Leave it out."""
        return replace(super().shown(machine, at), spot_request_id=None)


@mutant("CMP-SPOT-001", "usual", defect="a request is fulfilled by a usual instance")
class UsualInstance(Original):
    """Falls back."""

    def shown(self, machine: Machine, at: float) -> ProviderInstance:
        """Say that it is none."""
        made = super().shown(machine, at)
        return replace(made, is_spot=False) if made.spot_request_id else made


@mutant("CMP-SPOT-001", "tags", defect="an instance of a request has none of its tags")
class LosesTags(Original):
    """Hands over the wish without its labels."""

    async def request_spot_instance(self, options: SpotOptions) -> SpotRequest:
        """Drop the tags."""
        return await super().request_spot_instance(replace(options, spawn=replace(options.spawn, tags=None)))


@mutant("CMP-SPOT-001", "region", defect="an instance of a request is in the first region, whichever was asked for")
class LosesRegion(Original):
    """Hands over the wish without its region."""

    async def request_spot_instance(self, options: SpotOptions) -> SpotRequest:
        """Drop a region that there is."""
        known = options.spawn.region in self.settings.regions
        spawn = replace(options.spawn, region=None) if known else options.spawn
        return await super().request_spot_instance(replace(options, spawn=spawn))


class _KeepsWishes(MemoryCloud):
    """Does not take back a request that was withdrawn."""

    def cancel(self, request_id: str) -> None:
        """Look only whether it is there."""
        super().cancel(request_id)
        self._wishes[request_id].cancelled = False

    def wish(self, order: Order, price: float) -> Wish:
        """Take it."""
        return super().wish(order, price)


@mutant("CMP-SPOT-002", defect="a request that is withdrawn is fulfilled nevertheless")
class KeepsRequests(Original):
    """Only notes the wish."""

    cloud_type = _KeepsWishes

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__({**(config or {}), "spot_delay": 12.0})


@mutant("CMP-SPOT-002", "again", defect="a request can be withdrawn once")
class CancelsOnce(Original):
    """Lets the vendor's word out."""

    async def cancel_spot_request(self, request_id: str) -> None:
        """Fail the second time."""
        done: set[str] = self.__dict__.setdefault("_cancelled", set())
        if request_id in done:
            raise ProviderError("the request is cancelled", "INVALID_STATE", provider=self.name)
        await super().cancel_spot_request(request_id)
        done.add(request_id)


@mutant("CMP-SPOT-003", defect="prices have the time in seconds")
class PriceSeconds(Original):
    """Hands over the vendor's time."""

    async def get_spot_prices(self, spec: str, regions: tuple[str, ...] | None = None) -> Iterable[SpotPriceInfo]:
        """Divide."""
        return [replace(one, timestamp=one.timestamp // 1000) for one in await super().get_spot_prices(spec, regions)]


@mutant("CMP-SPOT-003", "regions", defect="prices come for all regions, whichever were asked for")
class AllRegions(Original):
    """Asks for everything."""

    async def get_spot_prices(self, spec: str, regions: tuple[str, ...] | None = None) -> Iterable[SpotPriceInfo]:
        """Drop the regions that there are."""
        known = regions is None or set(regions) <= set(self.settings.regions)
        return await super().get_spot_prices(spec, None if known else regions)


@mutant("CMP-SPOT-003", "spec", defect="the prices of every spec are those of the first one")
class OneSpec(Original):
    """Has a table of one line."""

    async def get_spot_prices(self, spec: str, regions: tuple[str, ...] | None = None) -> Iterable[SpotPriceInfo]:
        """Say the first spec."""
        first = next(iter(self.settings.specs))
        return [replace(one, spec=first) for one in await super().get_spot_prices(spec, regions)]


class _AnyPrice(MemoryCloud):
    """Sells at any price."""

    def wish(self, order: Order, price: float) -> Wish:
        """Take any price."""
        return super().wish(order, max(price, 1000.0))


@mutant("CMP-SPOT-004", defect="the highest price is ignored")
class AnyPrice(Original):
    """Pays what is asked."""

    cloud_type = _AnyPrice


@mutant("CMP-SPOT-004", "zero", defect="a price of 0 is taken for none")
class ZeroIsNone(Original):
    """Tests a price for truth."""

    async def request_spot_instance(self, options: SpotOptions) -> SpotRequest:
        """Take the usual price for it."""
        return await super().request_spot_instance(replace(options, max_spot_price=options.max_spot_price or 1000.0))


@mutant("CMP-SPOT-005", defect="spawn with spot falls back to a usual instance", also=("CMP-ERROR-014",))
class FallsBack(Original):
    """Falls back."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Forget spot."""
        if "spot" in self.capabilities and (options.max_spot_price or 0) >= 0:
            options = replace(options, spot=False)
        return await super().spawn(options)


@mutant("CMP-SPOT-005", "price", defect="spawn ignores the highest price")
class SpawnsAtAnyPrice(Original):
    """Pays what is asked."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Forget the price."""
        return await super().spawn(replace(options, max_spot_price=None))
