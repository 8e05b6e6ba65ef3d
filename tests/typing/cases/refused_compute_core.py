"""A compute provider without terminate, and one whose get answers a dict: refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapScript,
    Flags,
    ListFilter,
    Provider,
    ProviderInstance,
    ProviderSnapshot,
    SpawnOptions,
)


class Endless:
    """Everything but terminate."""

    name = "endless"
    capabilities: Flags = frozenset()

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        raise NotImplementedError

    async def list(self, filter: ListFilter | None = None) -> Iterable[ProviderInstance]:  # noqa: A002 # the interface's
        raise NotImplementedError

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        raise NotImplementedError

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        raise NotImplementedError


class Loose(Endless):
    """Answers of another kind."""

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        raise NotImplementedError

    async def get(self, provider_id: str, region: str | None = None) -> dict[str, Any]:  # type: ignore[override]
        raise NotImplementedError


endless: Provider[ProviderInstance, ProviderSnapshot] = Endless()  # error: Incompatible types in assignment
loose: Provider[ProviderInstance, ProviderSnapshot] = Loose()  # error: Incompatible types in assignment
