"""A compute provider with types and a capability of its own, and one with the core alone: accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapScript,
    CreateSnapshotOptions,
    EnhancedTypes,
    Flags,
    ListFilter,
    Provider,
    ProviderInstance,
    ProviderSnapshot,
    SnapshotRequest,
    SnapshotStatus,
    SpawnOptions,
    SupportsSnapshots,
    project_instance,
)


@dataclass(frozen=True)
class AWSInstance(ProviderInstance):
    """An instance with what AWS knows beside the generic fields."""

    availability_zone: str = ""
    subnet_id: str | None = None


@dataclass(frozen=True)
class AWSSnapshot(ProviderSnapshot):
    """A snapshot with what AWS knows beside the generic fields."""

    ami_id: str = ""


class AWS:
    """The core, typed by the provider's own types, and snapshots."""

    name = "aws"
    capabilities: Flags = frozenset({"snapshots"})

    async def spawn(self, options: SpawnOptions) -> AWSInstance:
        raise NotImplementedError

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        raise NotImplementedError

    async def list(self, filter: ListFilter | None = None) -> Iterable[AWSInstance]:  # noqa: A002 # the interface's
        raise NotImplementedError

    async def get(self, provider_id: str, region: str | None = None) -> AWSInstance | None:
        raise NotImplementedError

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        raise NotImplementedError

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        raise NotImplementedError

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        raise NotImplementedError

    async def delete_snapshot(self, snapshot_id: str) -> None:
        raise NotImplementedError

    async def get_snapshot_by_name(self, name: str) -> AWSSnapshot | None:
        raise NotImplementedError

    def materialise_instance(self, instance: ProviderInstance, /) -> AWSInstance:
        raise NotImplementedError

    def project_instance(self, instance: AWSInstance, /) -> ProviderInstance:
        return project_instance(instance)


own: Provider[AWSInstance, AWSSnapshot] = AWS()
generic: Provider[ProviderInstance, ProviderSnapshot] = own
snapshots: SupportsSnapshots[AWSSnapshot] = AWS()
types: EnhancedTypes[AWSInstance] = AWS()


async def back_up(provider: SupportsSnapshots[ProviderSnapshot], instance: ProviderInstance) -> str:
    made = await provider.create_snapshot(instance.id, CreateSnapshotOptions("nightly"))
    return made.request_id


async def zone_of(provider: Provider[AWSInstance, AWSSnapshot], options: SpawnOptions) -> str:
    return (await provider.spawn(options)).availability_zone
