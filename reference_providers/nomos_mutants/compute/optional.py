"""Mutants of spot requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from nomos_contracts.compute.interface import (
    ProviderError,
    ProviderInstance,
    SpawnOptions,
    SpotOptions,
    SpotPriceInfo,
    SpotRequest,
)
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.cloud import Machine, MemoryCloud, Order, Wish


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


class _CancelsAll(MemoryCloud):
    """Takes back every request that waits."""

    def cancel(self, request_id: str) -> None:
        """Take back all."""
        super().cancel(request_id)
        for one in self._wishes.values():
            one.cancelled = one.cancelled or one.machine is None


@mutant("CMP-SPOT-002", "all", defect="with one request every open one is withdrawn")
class CancelsAll(Original):
    """Takes the account for its own."""

    cloud_type = _CancelsAll


@mutant("CMP-SPOT-002", "fulfilled", defect="a request that was fulfilled can be withdrawn once")
class CancelsFulfilledOnce(Original):
    """Lets the vendor's word out for those that have an instance."""

    async def cancel_spot_request(self, request_id: str) -> None:
        """Fail the second time."""
        done: set[str] = self.__dict__.setdefault("_cancelled", set())
        if request_id in done and any(one.spot_request_id == request_id for one in await self.list()):
            raise ProviderError("the request is fulfilled", "INVALID_STATE", provider=self.name)
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


@mutant("CMP-SPOT-003", "one", defect="of several regions the first one alone has prices")
class FirstRegion(Original):
    """Asks the vendor once."""

    async def get_spot_prices(self, spec: str, regions: tuple[str, ...] | None = None) -> Iterable[SpotPriceInfo]:
        """Drop the others."""
        return await super().get_spot_prices(spec, regions and regions[:1])


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
