"""Spot requests of the memory provider."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from nomos_contracts.compute.interface import (
    InterruptionBehavior,
    ProviderError,
    SpawnOptions,
    SpotOptions,
    SpotPriceInfo,
    SpotRequest,
    SpotRequestStatus,
)
from nomos_reference.compute.cloud import SPOT_RATE, MemoryCloud, Order
from nomos_reference.compute.errors import mapped

NAME = "memory"


class MemorySpot:
    """What the flag ``spot`` gates."""

    cloud: MemoryCloud
    _lock: AbstractContextManager[Any]

    def need(self, capability: str, what: str) -> None:
        """Refuse what is not declared; the provider's."""
        raise NotImplementedError

    def order(self, options: SpawnOptions) -> Order:
        """Return what the cloud is to create; the provider's."""
        raise NotImplementedError

    async def request_spot_instance(self, options: SpotOptions) -> SpotRequest:
        """Ask for a spot instance."""
        self.need("spot", "request_spot_instance")
        if options.interruption_behavior is InterruptionBehavior.HIBERNATE:
            self.need("hibernation", "to hibernate on interruption")
        if not math.isfinite(options.max_spot_price) or options.max_spot_price <= 0:
            raise ProviderError("max_spot_price: must be over 0", "INVALID_SPEC", provider=NAME)
        with self._lock, mapped(NAME):
            wish = self.cloud.wish(self.order(options.spawn), options.max_spot_price)
            return SpotRequest(
                wish.id, SpotRequestStatus.PENDING, spot_price=self.cloud.settings.specs[wish.spec] * SPOT_RATE
            )

    async def cancel_spot_request(self, request_id: str) -> None:
        """Withdraw a request; its instance, if it has one, stays."""
        self.need("spot", "cancel_spot_request")
        with self._lock, mapped(NAME):
            self.cloud.cancel(request_id)

    async def get_spot_prices(self, spec: str, regions: tuple[str, ...] | None = None) -> Iterable[SpotPriceInfo]:
        """Return the prices of *spec*."""
        self.need("spot", "get_spot_prices")
        with self._lock, mapped(NAME):
            wanted = self.cloud.settings.regions if regions is None else regions
            return [
                SpotPriceInfo(
                    spec, region, self.cloud.price(spec, region), self.cloud.clock.stamp(), savings_percent=60.0
                )
                for region in wanted
            ]
