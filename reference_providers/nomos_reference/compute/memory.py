"""The memory provider: the reference for compute, without a machine behind it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from nomos_contracts.compute.interface import (
    CAPABILITIES,
    BootstrapConfig,
    BootstrapFormat,
    BootstrapScript,
    FeatureName,
    HeartbeatExpectations,
    HeartbeatReceipts,
    InstanceStatus,
    ListFilter,
    ProviderError,
    ProviderInstance,
    ProviderRegistration,
    SpawnOptions,
    TaskType,
)
from nomos_contracts.registry.configuration import ProviderConfig
from nomos_contracts.registry.interface import FactoryContext, ProviderInfo
from nomos_proto.kinds import is_map, is_sequence
from nomos_reference.compute.bootstrap import generate
from nomos_reference.compute.cloud import Machine, MemoryCloud, Order, VendorError
from nomos_reference.compute.cloud_remote import RemoteCloud
from nomos_reference.compute.enhanced import MemoryTypes
from nomos_reference.compute.errors import mapped
from nomos_reference.compute.filters import matching
from nomos_reference.compute.heartbeat import beat
from nomos_reference.compute.reconcile import reconcile
from nomos_reference.compute.settings import MemorySettings, read_settings
from nomos_reference.compute.snapshots import MemorySnapshots
from nomos_reference.compute.spot import MemorySpot

NAME: Final = "memory"

Result = TypeVar("Result")

GPU_FEATURES = frozenset({FeatureName.NVIDIA_DRIVER, FeatureName.CUDA})


class MemoryProvider(MemorySnapshots, MemorySpot, MemoryTypes):
    """A compute provider in memory. Thread-safe.

    Attributes:
        settings: how its cloud behaves.
        cloud: the cloud, whose clock may be moved.
    """

    name = NAME
    cloud_type: ClassVar[type[MemoryCloud]] = MemoryCloud
    remote_type: ClassVar[type[RemoteCloud]] = RemoteCloud

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Make one.

        Raises:
            ProviderError: INVALID_SPEC; *config* cannot be used.
        """
        self.settings: MemorySettings = read_settings(config or {})
        remote = bool(self.settings.cloud)
        self.cloud: MemoryCloud = self.remote_type(self.settings) if remote else self.cloud_type(self.settings)
        # Nobody else is kept waiting while a cloud elsewhere is asked; such a one sees to itself.
        self._lock: AbstractContextManager[Any] = nullcontext() if remote else threading.RLock()
        self._spawned: dict[tuple[str, int], tuple[SpawnOptions, str]] = {}

    @property
    def capabilities(self) -> frozenset[str]:
        """What it declares."""
        return frozenset(self.settings.capabilities)

    def need(self, capability: str, what: str) -> None:
        """Refuse what a flag gates.

        Raises:
            ProviderError: UNSUPPORTED_OPERATION; the flag is not declared.
        """
        if capability not in self.capabilities:
            raise ProviderError(f"{what} needs the capability {capability}", "UNSUPPORTED_OPERATION", provider=NAME)

    def order(self, options: SpawnOptions) -> Order:
        """Return what the cloud is to create.

        Raises:
            ProviderError: UNSUPPORTED_OPERATION, or INVALID_SPEC for a value that nothing can have.
        """
        network = options.network_config
        if options.region is not None and options.region != self.settings.regions[0]:
            self.need("multi_region", "another region than the default one")
        if options.spec in self.settings.gpu_specs:
            self.need("gpu", "a spec with a GPU")
        if options.volume_id is not None:
            self.need("persistent_volumes", "a volume")
        if network is not None:
            self.need("custom_networking", "a network of one's own")
            if network.vpc_id is not None or network.security_group_ids:
                raise ProviderError("network_config: there are subnets alone", "INVALID_SPEC", provider=NAME)
        if options.snapshot_id is not None:
            self.need("snapshots", "a snapshot")
        if options.disk_size_gb is not None and options.disk_size_gb <= 0:
            raise ProviderError("disk_size_gb: must be over 0", "INVALID_SPEC", provider=NAME)
        if not options.control_id:
            raise ProviderError("control_id: must not be empty", "INVALID_SPEC", provider=NAME)
        self.generate_bootstrap(options.bootstrap)
        return Order(
            options.spec,
            options.region or self.settings.regions[0],
            options.tags or {},
            spot=bool(options.spot),
            max_price=options.max_spot_price,
            volume=options.volume_id,
            subnet=network.subnet_id if network else None,
            snapshot=options.snapshot_id,
        )

    async def aside(self, work: Callable[[], Result]) -> Result:
        """Return what *work* returns; a cloud elsewhere is asked in a thread, so that no other call waits for it."""
        return await asyncio.to_thread(work) if self.settings.cloud else work()

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Create an instance; the same control and instance id give the same one while it lives."""
        if options.spot:
            self.need("spot", "a spot instance")
        instance, late = await self.aside(partial(self._spawn, options))
        if late and self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        return instance

    def _spawn(self, options: SpawnOptions) -> tuple[ProviderInstance, bool]:
        with self._lock, mapped(NAME):
            machine = self._existing(options)
            late = machine is None
            if machine is None:
                # Only a cloud elsewhere can have done what was not answered.
                token = self.token(options) if self.settings.cloud else None
                machine = self.cloud.create(replace(self.order(options), token=token))
                # Recorded before anything can interrupt: a caller who gives up will ask again.
                self._spawned[options.control_id, options.instance_id] = (options, machine.id)
            return self.shown(machine, self.cloud.now), late

    def token(self, options: SpawnOptions) -> str | None:
        """Return what stands for the spawn of *options* at the vendor, None where each call is a spawn of its own."""
        if "idempotent_spawn" not in self.capabilities:
            return None
        return json.dumps([options.control_id, options.instance_id])

    def _existing(self, options: SpawnOptions) -> Machine | None:
        if "idempotent_spawn" not in self.capabilities:
            return None
        before = self._spawned.get((options.control_id, options.instance_id))
        if before is None:
            # One that was cut off before its record was written has left what the token finds.
            return None if self.settings.cloud else self.cloud.made_for(self.token(options))
        machine = self.cloud.peek(before[1])
        if machine is None or machine.terminated is not None:
            return None
        if before[0] != options:
            raise VendorError("IdempotentParameterMismatch", "the same spawn was asked for with other options")
        return machine

    def shown(self, machine: Machine, at: float) -> ProviderInstance:
        """Return *machine* as it was seen at a time of the clock, with generic fields."""
        status = machine.status(at, self.settings)
        started = status is not InstanceStatus.PENDING
        number = int(machine.id.removeprefix("i-"), 16)
        return ProviderInstance(
            id=machine.id,
            status=status,
            spec=machine.spec,
            created_at=self.cloud.clock.stamp(machine.created),
            is_spot=machine.spot,
            region=machine.region,
            private_ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" if started else None,
            spot_request_id=machine.spot_request,
        )

    async def terminate(self, provider_id: str, region: str | None = None) -> None:  # noqa: ARG002 # ids are unique
        """Destroy an instance; one that is terminated, or forgotten since, is left as it is."""
        await self.aside(partial(self._terminate, provider_id))

    def _terminate(self, provider_id: str) -> None:
        with self._lock, mapped(NAME):
            try:
                self.cloud.terminate(provider_id)
            except VendorError:
                if self.cloud.peek(provider_id) is None:
                    raise

    async def list(self, filter: ListFilter | None = None) -> Iterable[ProviderInstance]:  # noqa: A002 # the interface's
        """Return all instances that match."""
        pairs = await self.aside(self._pairs)
        return matching(pairs, filter or ListFilter(), provider=NAME)

    def _pairs(self) -> Sequence[tuple[Mapping[str, str], ProviderInstance]]:
        with self._lock, mapped(NAME):
            machines = self._machines()
            return [(one.tags, self.shown(one, self.cloud.seen)) for one in machines]

    def _machines(self) -> Iterable[Machine]:
        found: dict[str, Machine] = {}
        cursor: int | None = 0
        while cursor is not None:
            page, cursor = self.cloud.page(cursor)
            found.update((one.id, one) for one in page)
        return found.values()

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Return an instance, None where there is none of that id, or none in *region*."""
        return await self.aside(partial(self._get, provider_id, region))

    def _get(self, provider_id: str, region: str | None) -> ProviderInstance | None:
        with self._lock, mapped(NAME):
            machine = self.cloud.find(provider_id)
            if machine is None or (region is not None and machine.region != region):
                return None
            return self.shown(machine, self.cloud.seen)

    def sign_of_life(self) -> None:
        """Ask the cloud for one.

        Raises:
            ProviderError: it gives none.
        """
        with mapped(NAME):
            self.cloud.sign_of_life()

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Return the bootstrap script of *cfg*."""
        if any(feature.name in GPU_FEATURES for feature in cfg.features):
            self.need("gpu", "a feature for GPUs")
        native = {FeatureName.TAILSCALE} if "tailscale_native" in self.capabilities else set[FeatureName]()
        return generate(cfg, BootstrapFormat(self.settings.bootstrap), native=frozenset(native), provider=NAME)


class MemoryHooks:
    """The hooks of a memory provider."""

    def __init__(self, provider: MemoryProvider) -> None:
        self._provider = provider

    async def on_startup(self) -> None:
        """Ask the cloud for a sign of life."""
        if not self._provider.settings.startable:
            raise ProviderError("the vendor does not answer", "NETWORK_ERROR", provider=NAME)

    async def on_shutdown(self) -> None:
        """Do nothing: there is nothing to let go of."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Do the tasks."""
        tasks = {
            TaskType.HEALTH_CHECK.value: self._health,
            TaskType.RECONCILE_INSTANCES.value: self._reconcile,
            TaskType.ORPHAN_SCAN.value: self._orphans,
            TaskType.HEARTBEAT_TIMEOUT_SCAN.value: self._silent,
        }
        if "cost_explorer" in self._provider.capabilities:
            tasks[TaskType.REFRESH_PRICING.value] = self._prices
        return await beat(expectations, tasks)

    async def _health(self, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._provider.settings.healthy:
            raise ProviderError("the vendor does not answer", "NETWORK_ERROR", provider=NAME)
        await self._provider.aside(self._provider.sign_of_life)
        return {"healthy": True}

    async def _reconcile(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        expected: Any = params.get("expected", ())
        if not is_sequence(expected) or not all(is_map(one) and "id" in one for one in expected):
            raise ProviderError("expected: must be a list of maps with an id", "INVALID_SPEC", provider=NAME)
        return reconcile(expected, await self._provider.list()).plain

    async def _orphans(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        known = set(params.get("known", ()))
        return {"orphans": sorted(one.id for one in await self._provider.list() if one.id not in known)}

    async def _silent(self, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"timed_out": []}

    async def _prices(self, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"prices": dict(self._provider.settings.specs)}


def make(config: Mapping[str, Any]) -> ProviderRegistration[MemoryProvider]:
    """Return a memory provider with its hooks and workflows.

    Raises:
        ProviderError: INVALID_SPEC; *config* cannot be used.
    """
    from nomos_reference.compute.contract import MemoryClockContract
    from nomos_reference.compute.memory_drift import MemoryDrift
    from nomos_reference.compute.workflows import workflows_of

    provider = MemoryProvider(config)
    return ProviderRegistration(
        provider,
        MemoryHooks(provider),
        workflows=workflows_of(provider),
        contracts=(MemoryClockContract,),
        drift=MemoryDrift(provider),
    )


def new_memory(ctx: FactoryContext, config: ProviderConfig) -> ProviderRegistration[MemoryProvider]:  # noqa: ARG001 # a factory's
    """Return a memory provider as a registry makes it.

    Raises:
        ProviderError: INVALID_SPEC; the configuration cannot be used.
    """
    return make(config.custom_fields)


def provider_info() -> ProviderInfo:
    """Return what the registry tells of it."""
    return ProviderInfo(
        NAME,
        "memory",
        CAPABILITIES,
        MemorySettings.model_json_schema(),
        ("compute.spawn", "compute.list", "compute.bootstrap"),
        MemoryProvider.__doc__ or "",
    )
