"""Mutants of the core: spawn, get and terminate."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from nomos_contracts.compute.interface import (
    InstanceStatus,
    ListFilter,
    ProviderError,
    ProviderInstance,
    ProviderRegistration,
    SpawnOptions,
)
from nomos_mutants.compute.original import Config, Original, mutant
from nomos_reference.compute.cloud import Machine
from nomos_reference.compute.enhanced import MemoryInstance

GONE = frozenset({InstanceStatus.TERMINATING, InstanceStatus.TERMINATED})


class _Hidden:
    """A provider one of whose methods nobody sees."""

    def __init__(self, provider: object, name: str) -> None:
        self._provider = provider
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            raise AttributeError(name)
        return getattr(self._provider, name)


@mutant(
    "CMP-CORE-001",
    defect="there is no generate_bootstrap",
    also=("CMP-BOOT-001", "CMP-FLAG-103", "CMP-FLAG-109"),
)
class NoBootstrap(Original):
    """Left for later."""

    @classmethod
    def mutated(cls, config: Config) -> ProviderRegistration[Any]:
        """Hide the method."""
        made: ProviderRegistration[Any] = super().mutated(config)
        return replace(made, provider=_Hidden(made.provider, "generate_bootstrap"))


class _Shown(Original):
    """Changes each instance that is handed over."""

    def change(self, instance: ProviderInstance) -> Any:
        """Return the changed instance."""
        return instance

    def shown(self, machine: Machine, at: float) -> Any:
        """Hand over the changed instance."""
        return self.change(super().shown(machine, at))


class _Spawned(Original):
    """Changes what spawn answers alone."""

    def change(self, instance: ProviderInstance) -> Any:
        """Return the changed instance."""
        return instance

    async def spawn(self, options: SpawnOptions) -> Any:
        """Answer the changed instance."""
        return self.change(await super().spawn(options))


def _fields(instance: ProviderInstance) -> dict[str, Any]:
    return {key: value for key, value in vars(instance).items() if value is not None}


@mutant("CMP-SHAPE-001", defect="what the provider alone knows gets out")
class OwnFields(_Spawned):
    """Hands over its own type as it is."""

    def change(self, instance: ProviderInstance) -> Any:
        """Add a field."""
        return {**_fields(instance), "ami_id": "ami-1"}


@mutant("CMP-SHAPE-001", "words", defect="the vendor's words for statuses get out, while an instance starts")
class VendorsWords(_Spawned):
    """Translates nothing that it does not need."""

    def change(self, instance: ProviderInstance) -> Any:
        """Say booting."""
        return {**_fields(instance), "status": "booting"}


@mutant("CMP-SHAPE-001", "list", defect="list alone hands over numbers as text")
class NumbersAsText(Original):
    """Reads the vendor's list with another parser."""

    async def list(self, filter: ListFilter | None = None) -> Any:  # noqa: A002 # the interface's
        """Hand over text."""
        return [{**_fields(one), "created_at": str(one.created_at)} for one in await super().list(filter)]


@mutant("CMP-SHAPE-002", defect="projection drops the private address")
class DropsAddress(Original):
    """Forgets a field."""

    def project_instance(self, instance: MemoryInstance, /) -> ProviderInstance:
        """Leave one out."""
        return replace(super().project_instance(instance), private_ip=None)


@mutant("CMP-SHAPE-002", "own", defect="projection hands over the provider's own type")
class ProjectsNothing(Original):
    """Takes a subclass for good enough."""

    def project_instance(self, instance: MemoryInstance, /) -> ProviderInstance:
        """Leave it as it is."""
        return instance


@mutant("CMP-SPAWN-001", defect="spawn answers a status that says nothing: error", also=("CMP-SCHED-001",))
class StartsInError(_Spawned):
    """Knows the status later."""

    def change(self, instance: ProviderInstance) -> ProviderInstance:
        """Say error."""
        return replace(instance, status=InstanceStatus.ERROR)


@mutant("CMP-SPAWN-001", "tags", defect="spawn fails for a tag without a value")
class NoEmptyTags(Original):
    """Hands tags to a vendor that wants values."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Refuse empty values."""
        if "" in (options.tags or {}).values():
            raise ProviderError("tags: must have values", "INVALID_SPEC", provider=self.name)
        return await super().spawn(options)


@mutant("CMP-SPAWN-002", defect="spawn says the default spec, whatever was asked for", also=("CMP-SNAP-005",))
class SaysDefault(_Spawned):
    """Copies from a template."""

    def change(self, instance: ProviderInstance) -> ProviderInstance:
        """Say small."""
        return replace(instance, spec="small")


@mutant(
    "CMP-SPAWN-002",
    "region",
    defect="spawn ignores the region",
    also=("CMP-FILTER-003", "CMP-FLAG-104", "CMP-SNAP-005"),
)
class IgnoresRegion(Original):
    """Uses the default region."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Spawn in the default region, known regions only."""
        if options.region in self.settings.regions and options.region not in self.settings.unavailable_regions:
            options = replace(options, region=None)
        return await super().spawn(options)


@mutant("CMP-SPAWN-003", defect="spawns of one moment share an instance")
class SharesInstances(Original):
    """Has a pool keyed by spec and time."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Take the eighth one for the seventh."""
        made = await super().spawn(options)
        live = [one for one in await super().list() if one.status is not InstanceStatus.TERMINATING]
        if len(live) == 10 and options.instance_id < 2**31:  # the size of the pool, and of its keys
            await super().terminate(made.id)
            return next(one for one in live if one.id != made.id)
        return made


@mutant("CMP-SPAWN-004", defect="created_at is in seconds")
class Seconds(_Shown):
    """Hands over the vendor's time."""

    def change(self, instance: ProviderInstance) -> ProviderInstance:
        """Divide."""
        return replace(instance, created_at=instance.created_at // 1000)


@mutant("CMP-SPAWN-004", "nanoseconds", defect="created_at is in microseconds")
class Microseconds(_Shown):
    """Hands over another vendor's time."""

    def change(self, instance: ProviderInstance) -> ProviderInstance:
        """Multiply."""
        return replace(instance, created_at=instance.created_at * 1000)


@mutant("CMP-STATE-001", defect="list keeps the status of the spawn", also=("CMP-LIST-002", "CMP-FILTER-001"))
class StaleList(Original):
    """Has a cache."""

    async def list(self, filter: ListFilter | None = None) -> Iterable[ProviderInstance]:  # noqa: A002 # the interface's
        """Say pending for what runs."""
        found = await super().list(replace(filter, status=None) if filter else None)
        stale = [
            replace(one, status=InstanceStatus.PENDING) if one.status is InstanceStatus.RUNNING else one
            for one in found
        ]
        wanted = filter.status if filter else None
        return [one for one in stale if not wanted or one.status in wanted]


@mutant("CMP-STATE-002", defect="get says the time of the question for that of the creation", also=("CMP-LIST-002",))
class CreatedNow(Original):
    """Fills in what the vendor leaves out."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Say now."""
        found = await super().get(provider_id, region)
        return found and replace(found, created_at=self.cloud.clock.stamp())


@mutant("CMP-STATE-002", "spec", defect="after terminate the spec of an instance is unknown")
class ForgetsSpec(_Shown):
    """Reads from two places."""

    def change(self, instance: ProviderInstance) -> ProviderInstance:
        """Say unknown."""
        return replace(instance, spec="unknown") if instance.status in GONE else instance


@mutant(
    "CMP-GET-001",
    defect="get of the oldest of three or more instances answers the second one",
    also=("CMP-SCHED-001",),
)
class SecondOne(Original):
    """Counts from 1."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Answer another one."""
        found = await super().get(provider_id, region)
        live = [one for one in await super().list() if one.status not in GONE]
        return live[1] if found and len(live) > 2 and live[0].id == provider_id else found


@mutant("CMP-GET-001", "swap", defect="get beside another get answers the other one's instance")
class AnswersTheLatest(Original):
    """Keeps what is asked for in one place."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Look for what was asked for last."""
        self.__dict__["_wanted"] = provider_id
        await asyncio.sleep(0.002)  # as long as asking a vendor
        return await super().get(str(self.__dict__["_wanted"]), region)


@mutant("CMP-GET-002", defect="get of an unknown id fails with NOT_FOUND")
class NotFoundInGet(Original):
    """Lets the vendor's word out."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Raise for unknown ids."""
        found = await super().get(provider_id, region)
        if found is None and self.cloud.peek(provider_id) is None:
            raise ProviderError("there is no such instance", "NOT_FOUND", provider=self.name)
        return found


@mutant("CMP-GET-003", defect="get matches beginnings of ids")
class Beginnings(Original):
    """Hands the id to a filter."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Match beginnings."""
        found = await super().get(provider_id, region)
        if found is not None or len(provider_id) < 4:  # the least that the filter takes
            return found
        return next((one for one in await super().list() if one.id.startswith(provider_id)), None)


@mutant("CMP-GET-003", "blanks", defect="get trims ids")
class Trims(Original):
    """Is too kind."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Trim."""
        return await super().get(provider_id.strip(), region)


@mutant(
    "CMP-GET-004",
    defect="get says stopped of what is terminated",
    also=("CMP-TERM-001", "CMP-TERM-003", "CMP-TERM-005", "CMP-FLAG-104", "CMP-SCHED-001"),
)
class SaysStopped(Original):
    """Does not know the difference."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Say stopped."""
        found = await super().get(provider_id, region)
        return replace(found, status=InstanceStatus.STOPPED) if found and found.status in GONE else found


@mutant("CMP-GET-004", "back", defect="what is terminated comes back when it is asked for the fourth time")
class ComesBack(Original):
    """Asks two caches."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._asked: dict[str, int] = {}

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Say running once."""
        found = await super().get(provider_id, region)
        if found is not None and found.status is InstanceStatus.TERMINATED:
            self._asked[provider_id] = self._asked.get(provider_id, 0) + 1
            if self._asked[provider_id] == 4:
                return replace(found, status=InstanceStatus.RUNNING)
        return found
