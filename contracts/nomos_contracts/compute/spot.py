"""Spot requests: what the flag `spot` promises."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import TAG, Fleet, code_of, expect_taxonomy, fleet_of, shaped, told, words
from nomos_contracts.compute.interface import (
    ListFilter,
    ProviderInstance,
    SpotOptions,
    SpotPriceInfo,
    SpotRequestStatus,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.spawn import DAY
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten

PRICE = "clause:CMP-SPOT-003"
WAITING = (SpotRequestStatus.PENDING, SpotRequestStatus.ACTIVE, SpotRequestStatus.FULFILLED)


def prices_of(fleet: Fleet) -> Sequence[SpotPriceInfo]:
    """Return the prices of the sample spec in dollars an hour, the lowest one first.

    Raises:
        Blocked: there are none, or one is no price, which is another clause's matter.
    """
    answer = fleet.provider.invoke("get_spot_prices", spec=fleet.samples.spec)
    if not answer.ok or not answer.value or not all(one.price > 0 for one in answer.value):
        raise Blocked(PRICE, f"the price of {fleet.samples.spec} is not known: {told(answer)}")
    return sorted(answer.value, key=lambda one: float(one.price))


def price_of(fleet: Fleet) -> float:
    """Return the lowest price of the sample spec in dollars an hour.

    Raises:
        Blocked: there is none, which is another clause's matter.
    """
    return float(prices_of(fleet)[0].price)


def ask(fleet: Fleet, price: float, **changes: Any) -> Answer:
    """Ask for a spot instance, with *changes* to its spawn; what comes of it belongs to the fleet."""
    options = SpotOptions(fleet.options(**changes), max_spot_price=price)
    return fleet.followed(shaped(fleet.provider.invoke("request_spot_instance", options=options)))


def fulfilled(fleet: Fleet, request: str, seconds: float) -> ProviderInstance | None:
    """Wait for the instance of a request; None where none comes."""

    def look() -> ProviderInstance | None:
        return next((one for one in fleet.shown() if one.spot_request_id == request), None)

    found: ProviderInstance | None = fleet.poll(seconds, look)
    return found


def _tagged(fleet: Fleet, instance_id: str) -> bool:
    wanted = ListFilter(tags={TAG: fleet.mark})
    return any(one.id == instance_id for one in fleet.shown(wanted))


class SpotContract(Contract):
    """A spot request is fulfilled by an instance that says so, or withdrawn; prices are prices.

    Set `spot_request_id` and `is_spot` on the instance that comes of a request. A request that is withdrawn before it
    is fulfilled brings no instance.
    """

    @clause("CMP-SPOT-001")
    def test_a_request_is_fulfilled(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """By one instance of the spec, the tags and the region asked for, which runs and carries the request's id."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            prices = prices_of(fleet)
            # The last one that may be asked for: a provider that forgets the region takes the first.
            regions = nomos_samples.regions[: 2 if "multi_region" in nomos_provider.capabilities else 1]
            region = next((one for one in reversed(regions) if one in {each.region for each in prices}), None)
            answer = ask(fleet, prices[-1].price * 2, **({"region": region} if region else {}))
            if answer.code != "OK" or not answer.value.request_id or answer.value.status not in WAITING:
                raise Violation("request_spot_instance answers a request that waits", told(answer), answer)
            found = fulfilled(fleet, answer.value.request_id, fleet.boot)
            if found is None:
                raise Violation(f"an instance for {answer.value.request_id} within {fleet.boot:g} s", "none", answer)
            if not found.is_spot or found.spec != nomos_samples.spec:
                raise Violation(f"a spot instance of {nomos_samples.spec}", words(found), *nomos_provider.answers[-1:])
            if region and found.region not in {None, region}:
                raise Violation(f"a spot instance in {region}", words(found), answer, *nomos_provider.answers[-1:])
            if not fleet.poll(fleet.settle, _tagged, fleet, found.id):
                raise Violation(
                    f"list with the tags of the request shows {found.id} within {fleet.settle:g} s",
                    "it does not",
                    answer,
                    *nomos_provider.answers[-1:],
                )
            if fleet.running(found.id) is None:
                raise Violation("the instance of the request runs", words(fleet.get(found.id)))

    @clause("CMP-SPOT-002")
    def test_a_request_is_withdrawn(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Twice, also after it was fulfilled; no instance comes of it, and of another request one does."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            price = price_of(fleet) * 2
            answer = ask(fleet, price)
            if not answer.ok:
                raise Blocked("clause:CMP-SPOT-001", told(answer))
            request = str(answer.value.request_id)
            stays = ask(fleet, price)
            for when in ("of a request", "of a request that is withdrawn"):
                done = nomos_provider.invoke("cancel_spot_request", request_id=request)
                if done.code != "OK":
                    raise Violation(f"cancel_spot_request {when} succeeds", told(done), done)
            # What was made before may be seen late: the provider's own clock says which it is.
            after = fleet.spawn().created_at
            # By the time that a later request is fulfilled, the one before it would have been.
            stays = stays if stays.ok else ask(fleet, price)
            if stays.ok:
                self._stays(fleet, str(stays.value.request_id), price)
            for _ in range(8):
                fleet.poll(0.02, lambda: False)
                of_it = ((one, fleet.get(one.id)) for one in fleet.shown() if one.spot_request_id == request)
                # Both say when it was made; where they differ, another clause tells which is wrong.
                late = [one.id for one, got in of_it if got and min(one.created_at, got.created_at) > after]
                if late:
                    raise Violation("no instance comes of a withdrawn request", shorten(late))
            unknown = nomos_provider.invoke("cancel_spot_request", request_id=fleet.other(request))
            if unknown.code != "OK" and code_of(unknown) != "NOT_FOUND":
                raise Violation("cancel of an unknown request succeeds or is NOT_FOUND", told(unknown), unknown)

    @staticmethod
    def _stays(fleet: Fleet, request: str, price: float) -> None:
        if fulfilled(fleet, request, fleet.boot) is None:
            later = ask(fleet, price)
            if later.ok and fulfilled(fleet, later.value.request_id, fleet.boot) is not None:
                raise Violation(f"an instance for {request}, as only another request was withdrawn", "none", later)
            return
        cancel = partial(fleet.provider.invoke, "cancel_spot_request", request_id=request)
        # Whether one that is fulfilled can be withdrawn is the provider's choice; afterwards it is withdrawn.
        if cancel().ok and not (again := cancel()).ok:
            raise Violation("cancel_spot_request of a request that is withdrawn succeeds", told(again), again)

    @clause("CMP-SPOT-003")
    def test_prices_are_prices(self, nomos_provider: InterfaceProvider, nomos_samples: ComputeSamples) -> None:
        """Positive, of the spec and each of the regions asked for, with the time in milliseconds since the epoch."""
        specs = [one for one in (nomos_samples.spec, nomos_samples.other_spec) if one]
        for spec in specs:
            for regions in (*((one,) for one in nomos_samples.regions), nomos_samples.regions or None, None):
                answer = shaped(nomos_provider.invoke("get_spot_prices", spec=spec, regions=regions))
                if answer.code != "OK" or not answer.value:
                    raise Violation(f"get_spot_prices of {spec} in {regions} answers prices", told(answer), answer)
                # Each of them has a price where it is asked for alone.
                missing = set(nomos_samples.regions) - {one.region for one in answer.value}
                if len(regions or ()) != 1 and missing:
                    raise Violation(
                        f"prices of {spec} in {regions or 'all regions'}", f"none in {sorted(missing)}", answer
                    )
                for one in answer.value:
                    if not one.price > 0 or one.spec != spec or (regions and one.region not in regions):
                        raise Violation(f"a price over 0 of {spec} in {regions or 'a region'}", shorten(one), answer)
                    if abs(one.timestamp - time.time() * 1000) > 30 * DAY:
                        raise Violation("a time in milliseconds since the epoch", str(one.timestamp), answer)

    @clause("CMP-SPOT-004")
    def test_a_price_below_all_brings_no_instance(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Refused with INVALID_SPEC or CAPACITY_ERROR, or a request that waits; 0 and less are refused."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            low = price_of(fleet) / 1000
            for price in (low, 0.0, -1.0):
                answer = ask(fleet, price)
                if answer.code != "OK":
                    expect_taxonomy(answer, *(("INVALID_SPEC",) if price <= 0 else ("INVALID_SPEC", "CAPACITY_ERROR")))
                    continue
                if price <= 0:
                    raise Violation(f"a price of {price} is refused with INVALID_SPEC", told(answer), answer)
                found = fulfilled(fleet, answer.value.request_id, 0.1)
                nomos_provider.invoke("cancel_spot_request", request_id=answer.value.request_id)
                if found is not None:
                    raise Violation(f"no instance for {price} dollars an hour", words(found), answer)

    @clause("CMP-SPOT-005")
    def test_spawn_makes_a_spot_instance(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Where `spot` is asked for, and says so by get and list; too low a price is refused."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            price = price_of(fleet)
            answer = shaped(fleet.try_spawn(spot=True, max_spot_price=price * 2))
            if answer.code != "OK" or not answer.value.is_spot:
                raise Violation("spawn with spot gives a spot instance", told(answer), answer)
            found = fleet.running(answer.value.id)
            if found is not None and not found.is_spot:
                raise Violation("the spot instance stays one", words(found))
            low = shaped(fleet.try_spawn(spot=True, max_spot_price=price / 1000))
            expect_taxonomy(low, "INVALID_SPEC", "CAPACITY_ERROR", because="nobody sells at that price")
