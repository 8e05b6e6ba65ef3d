"""Optional methods on a provider that has the core alone, and what only the provider knows outside it: refused."""

from __future__ import annotations

from collections.abc import Iterable

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapScript,
    CreateSnapshotOptions,
    Flags,
    ListFilter,
    Provider,
    ProviderInstance,
    ProviderSnapshot,
    SpawnOptions,
    SupportsSnapshots,
    SupportsSpot,
    project_instance,
)


class Plain:
    """The core, and no capability."""

    name = "plain"
    capabilities: Flags = frozenset()

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        raise NotImplementedError

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        raise NotImplementedError

    async def list(self, filter: ListFilter | None = None) -> Iterable[ProviderInstance]:  # noqa: A002 # the interface's
        raise NotImplementedError

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        raise NotImplementedError

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        raise NotImplementedError


plain: Provider[ProviderInstance, ProviderSnapshot] = Plain()
snapshots: SupportsSnapshots[ProviderSnapshot] = Plain()  # error: incompatible type|Incompatible types in assignment
spot: SupportsSpot = Plain()  # error: incompatible type|Incompatible types in assignment


async def back_up(provider: Provider[ProviderInstance, ProviderSnapshot]) -> None:
    await provider.create_snapshot("i-1", CreateSnapshotOptions("nightly"))  # error: has no attribute "create_snapshot"
    await provider.get_spot_prices("small")  # error: has no attribute "get_spot_prices"


def zone_of(instance: ProviderInstance) -> str:
    return project_instance(instance).availability_zone  # error: has no attribute "availability_zone"
