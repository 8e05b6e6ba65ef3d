"""Mutants of terminate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from nomos_contracts.compute.interface import (
    InstanceStatus,
    ProviderError,
    ProviderInstance,
)
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.cloud import Machine, MemoryCloud, Order, VendorError
from nomos_reference.compute.errors import mapped


@mutant(
    "CMP-TERM-001",
    defect="terminate of an instance that runs does nothing",
    also=("CMP-TERM-003", "CMP-FLAG-104", "CMP-SCHED-001"),
)
class Deaf(Original):
    """Asks, and does not look whether it was heard."""

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Ignore what runs."""
        found = await self.get(provider_id)
        if found is None or found.status is not InstanceStatus.RUNNING:
            await super().terminate(provider_id, region)


@mutant(
    "CMP-TERM-002",
    defect="terminate of a terminated instance fails with NOT_FOUND",
    also=("CMP-TERM-003", "CMP-SCHED-001"),
)
class NeverTwice(Original):
    """Was never tried twice."""

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Fail for what is over."""
        found = await self.get(provider_id)
        if found is not None and found.status is InstanceStatus.TERMINATED:
            raise ProviderError("there is no such instance", "NOT_FOUND", provider=self.name)
        await super().terminate(provider_id, region)


@mutant("CMP-TERM-002", "fifth", defect="terminate fails the fifth time after the end", also=("CMP-TERM-003",))
class FourTimes(Original):
    """Remembers one id."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._times: dict[str, int] = {}

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Fail the fifth time after the end."""
        found = await self.get(provider_id)
        await super().terminate(provider_id, region)
        if found is not None and found.status is InstanceStatus.TERMINATED:
            self._times[provider_id] = self._times.get(provider_id, 0) + 1
            if self._times[provider_id] == 5:
                raise ProviderError("the instance is terminated", "INVALID_STATE", provider=self.name)


@mutant("CMP-TERM-003", defect="terminate while another one is under way fails with INVALID_STATE")
class OneAtATime(Original):
    """Has a lock that it does not wait for."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._busy: set[str] = set()

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Fail while it is busy."""
        import asyncio

        if provider_id in self._busy:
            raise ProviderError("the instance is being terminated", "INVALID_STATE", provider=self.name)
        self._busy.add(provider_id)
        try:
            await asyncio.sleep(0.02)
            await super().terminate(provider_id, region)
        finally:
            self._busy.discard(provider_id)


@mutant("CMP-TERM-004", defect="terminate of an unknown id fails with INVALID_STATE", also=("CMP-ERROR-016",))
class UnknownIsState(Original):
    """Has one code for all."""

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Change the code."""
        try:
            await super().terminate(provider_id, region)
        except ProviderError as error:
            if error.code != "NOT_FOUND":
                raise
            raise ProviderError(error.message, "INVALID_STATE", provider=self.name) from error


@mutant("CMP-TERM-005", defect="terminate of an instance that starts does nothing")
class TooEarly(Original):
    """Ends what runs only."""

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Ignore what starts, once it is older than this call."""
        with mapped(self.name):
            machine = self.cloud.peek(provider_id)
        if machine is not None and machine.status(self.cloud.now, self.settings) is InstanceStatus.PENDING:
            return
        await super().terminate(provider_id, region)


@mutant("CMP-TERM-005", "revived", defect="what is terminated while it starts runs once it would have started")
class Revived(Original):
    """Has a task for each start, which says in the end that it runs."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self._starting: dict[str, float] = {}
        super().__init__(config)

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """End it; the task goes on."""
        with mapped(self.name):
            machine = self.cloud.peek(provider_id)
        if machine is not None and machine.status(self.cloud.now, self.settings) is InstanceStatus.PENDING:
            self._starting[provider_id] = machine.created + self.settings.boot_delay
        await super().terminate(provider_id, region)

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Say what the task has said."""
        found = await super().get(provider_id, region)
        over = provider_id in self._starting and self.cloud.now >= self._starting[provider_id]
        return replace(found, status=InstanceStatus.RUNNING) if found and over else found


@mutant("CMP-TERM-006", defect="terminate ends all instances of one control plane")
class EndsAll(Original):
    """Ends by tag."""

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """End the youngest sibling too."""
        await super().terminate(provider_id, region)
        owners = {made: key[0] for key, (_, made) in self._spawned.items()}
        owner = owners.get(provider_id, "")
        siblings = [made for made, one in owners.items() if one == owner and owner.endswith("-one")]
        if siblings:
            await super().terminate(siblings[-1], region)


@mutant("CMP-TERM-006", "beginnings", defect="terminate matches beginnings of ids")
class EndsByBeginning(Original):
    """Hands the id to a filter."""

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Match beginnings."""
        with mapped(self.name):
            known = self.cloud.peek(provider_id) is not None
        if not known and len(provider_id) >= 4:  # the filter's least
            for one in await super().list():
                if one.id.startswith(provider_id):
                    await super().terminate(one.id)
        await super().terminate(provider_id, region)


class _Group(MemoryCloud):
    """Keeps as many machines as were asked for."""

    def terminate(self, machine_id: str) -> None:
        """Make another one in the place of one that ran."""
        found = self.peek(machine_id)
        ran = found is not None and found.status(self.now, self.settings) is InstanceStatus.RUNNING
        super().terminate(machine_id)
        if ran:
            made = self.copy(machine_id)
            made.terminated, made.token, made.created = None, None, self.now


@mutant("CMP-TERM-007", defect="a group makes another instance in the place of one that was terminated")
class Healed(Original):
    """Spawns groups of one."""

    cloud_type = _Group


class _Persistent(MemoryCloud):
    """Fulfils a request for as long as it is open."""

    def terminate(self, machine_id: str) -> None:
        """Open the request again."""
        super().terminate(machine_id)
        for wish in self._wishes.values():
            if wish.machine == machine_id:
                wish.machine, wish.created = None, self.now


@mutant("CMP-TERM-007", "spot", defect="a spot request brings another instance once its first one is terminated")
class ComesAgain(Original):
    """Asks for persistent requests."""

    cloud_type = _Persistent


class _CountsEver(MemoryCloud):
    """Has a counter that goes up."""

    _taken: ClassVar[Mapping[str, str]] = {"quota": "InstanceLimitExceeded"}

    def create(self, order: Order) -> Machine:
        """Count what has ended too."""
        for name, code in self._taken.items():
            limit = getattr(self.settings, name)
            if limit is not None and self.made_for(order.token) is None and self.taken() >= limit:
                self.refused()
                raise VendorError(code, "there is no room for another instance")
        return super().create(order)

    def taken(self) -> int:
        """Count all that were ever made."""
        return len(self._machines)

    def refused(self) -> None:
        """Do nothing about it."""


@mutant("CMP-TERM-008", defect="what is terminated counts against the account's limit for ever")
class CountsEver(Original):
    """Counts up and never down."""

    cloud_type = _CountsEver


class _PlacesEver(_CountsEver):
    _taken: ClassVar = {"capacity": "InsufficientInstanceCapacity"}


@mutant("CMP-TERM-008", "places", defect="the place of a terminated instance stays taken")
class PlacesEver(Original):
    """Never clears a place."""

    cloud_type = _PlacesEver


class _CountsFailed(_CountsEver):
    """Takes a place before it knows whether it gets a machine."""

    _failed = 0

    def taken(self) -> int:
        """Count what lives and what failed."""
        return len(self._live()) + self._failed

    def refused(self) -> None:
        """Keep its place."""
        self._failed += 1


@mutant("CMP-TERM-008", "failed", defect="a spawn that failed counts against the account's limit")
class CountsFailed(Original):
    """Does not give back what it took for a failure."""

    cloud_type = _CountsFailed
