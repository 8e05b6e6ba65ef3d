"""The compute interface in Python: what a provider object offers, and one Protocol for each optional part.

Optional methods stand in a Protocol of their own, so that a type checker refuses ``create_snapshot`` on a provider
that does not declare ``snapshots``. Source of the methods, flags and error codes: seed document 004.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Final, Protocol, TypeVar

from nomos_contracts.compute.extras import (
    CreateSnapshotOptions,
    InterruptionBehavior,
    ProviderSnapshot,
    SnapshotRequest,
    SnapshotState,
    SnapshotStatus,
    SpotOptions,
    SpotPriceInfo,
    SpotRequest,
    SpotRequestStatus,
    SpotRequestType,
)
from nomos_contracts.compute.hooks import (
    HeartbeatExpectations,
    HeartbeatReceipts,
    HeartbeatTask,
    LifecycleHooks,
    NextHeartbeat,
    ProviderRegistration,
    ReceiptStatus,
    TaskPriority,
    TaskReceipt,
    TaskType,
    Workflow,
    WorkflowConstraints,
)
from nomos_contracts.compute.instances import (
    BootstrapConfig,
    BootstrapFeature,
    BootstrapFormat,
    BootstrapScript,
    FeatureName,
    InstanceStatus,
    ListFilter,
    NetworkConfig,
    ProviderInstance,
    SpawnOptions,
)
from nomos_contracts.functions import interface_of
from nomos_proto.errors import ProviderError

CAPABILITIES: Final = (
    "snapshots",
    "spot",
    "gpu",
    "multi_region",
    "persistent_volumes",
    "warm_volumes",
    "hibernation",
    "cost_explorer",
    "tailscale_native",
    "idempotent_spawn",
    "custom_networking",
)
"""The eleven flags; a provider declares those that it supports, all others are off."""

FLAGS_CLAUSE: Final = "CMP-FLAG-001"
"""The clause that a provider breaks whose flags are not among them, so that it cannot be made at all."""

LOOK: Final = "list"
"""The method that checks about processes call: it does work, needs no argument and changes nothing."""

Flags = frozenset[str] | Mapping[str, bool]
"""How a provider declares its flags: the set of those that are on, or each with its value."""

ERROR_CODES: Final = (
    "CAPACITY_ERROR",
    "AUTH_ERROR",
    "RATE_LIMIT_ERROR",
    "SPOT_INTERRUPTED",
    "QUOTA_EXCEEDED",
    "INVALID_SPEC",
    "NOT_FOUND",
    "REGION_UNAVAILABLE",
    "NETWORK_ERROR",
    "TIMEOUT_ERROR",
    "ALREADY_EXISTS",
    "INVALID_STATE",
    "PROVIDER_INTERNAL",
    "UNSUPPORTED_OPERATION",
)
"""Codes that a compute provider's errors carry; the first seven are those of the seed document."""

TInstance = TypeVar("TInstance", bound=ProviderInstance)
TInstance_co = TypeVar("TInstance_co", bound=ProviderInstance, covariant=True)
TSnapshot = TypeVar("TSnapshot", bound=ProviderSnapshot)
TSnapshot_co = TypeVar("TSnapshot_co", bound=ProviderSnapshot, covariant=True)


def declared(flags: Flags) -> frozenset[str]:
    """Return the flags that are on.

    Raises:
        ProviderError: INVALID_SPEC, a flag is none of the eleven.
    """
    unknown = sorted(set(flags) - set(CAPABILITIES))
    if unknown:
        raise ProviderError(f"unknown capability {unknown[0]!r}; there are {', '.join(CAPABILITIES)}", "INVALID_SPEC")
    return frozenset(name for name in flags if not isinstance(flags, Mapping) or flags[name])


class Provider(Protocol[TInstance_co, TSnapshot_co]):
    """The core of every compute provider.

    The type arguments are those of the provider's own context. What leaves it has generic fields only: a provider with
    types of its own materialises on entry and projects on exit (`EnhancedTypes`).
    """

    @property
    def name(self) -> str:
        """Its name, which its errors carry."""
        ...

    @property
    def capabilities(self) -> Flags:
        """The optional features that it supports."""
        ...

    async def spawn(self, options: SpawnOptions) -> TInstance_co:
        """Create an instance.

        Raises:
            ProviderError: nothing was created.
        """
        ...

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Destroy an instance for good, in *region* or wherever it is; one that is gone is left so, without an error.

        No other one comes in its place, and what it took of a limit or of the capacity is there again.
        """
        ...

    async def list(self, filter: ListFilter | None = None) -> Iterable[TInstance_co]:  # noqa: A002 # as the seed says
        """Return all instances that match, each once, however many pages the vendor cuts them into."""
        ...

    async def get(self, provider_id: str, region: str | None = None) -> TInstance_co | None:
        """Return an instance, from *region* or wherever it is; None where there is none of that id."""
        ...

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Return the script for the first start; equal configurations give equal scripts."""
        ...


class SupportsSnapshots(Protocol[TSnapshot_co]):
    """Gated by ``snapshots``."""

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        """Begin a snapshot of an instance, which it outlives.

        Raises:
            ProviderError: NOT_FOUND, there is no such instance.
        """
        ...

    async def get_snapshot_status(self, request_id: str) -> SnapshotStatus:
        """Return how far it is.

        Raises:
            ProviderError: NOT_FOUND, there is no such request.
        """
        ...

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot by its own id."""
        ...

    async def get_snapshot_by_name(self, name: str) -> TSnapshot_co | None:
        """Return the snapshot of exactly that name, None where there is none."""
        ...


class SupportsSpot(Protocol):
    """Gated by ``spot``."""

    async def request_spot_instance(self, options: SpotOptions) -> SpotRequest:
        """Ask for a spot instance; one that comes has its region, tags, and its id in `spot_request_id`."""
        ...

    async def cancel_spot_request(self, request_id: str) -> None:
        """Withdraw a request; one that is cancelled already is left as it is."""
        ...

    async def get_spot_prices(self, spec: str, regions: tuple[str, ...] | None = None) -> Iterable[SpotPriceInfo]:
        """Return the prices of *spec*, in *regions* or everywhere."""
        ...


class EnhancedTypes(Protocol[TInstance]):
    """A provider's own instance type: what it knows beside the generic fields, inside its own context only.

    ``project_instance(materialise_instance(x))`` equals x for every instance that the provider handed out.
    """

    def materialise_instance(self, instance: ProviderInstance, /) -> TInstance:
        """Return the same instance with the provider's own fields."""
        ...

    def project_instance(self, instance: TInstance, /) -> ProviderInstance:
        """Return the same instance with the generic fields alone."""
        ...


class EnhancedSnapshots(Protocol[TSnapshot]):
    """The same for a provider's own snapshot type."""

    def materialise_snapshot(self, snapshot: ProviderSnapshot, /) -> TSnapshot:
        """Return the same snapshot with the provider's own fields."""
        ...

    def project_snapshot(self, snapshot: TSnapshot, /) -> ProviderSnapshot:
        """Return the same snapshot with the generic fields alone."""
        ...


def project_instance(instance: ProviderInstance) -> ProviderInstance:
    """Return *instance* with the generic fields alone, whatever its class adds."""
    return ProviderInstance(**{field.name: getattr(instance, field.name) for field in fields(ProviderInstance)})


def project_snapshot(snapshot: ProviderSnapshot) -> ProviderSnapshot:
    """Return *snapshot* with the generic fields alone, whatever its class adds."""
    return ProviderSnapshot(**{field.name: getattr(snapshot, field.name) for field in fields(ProviderSnapshot)})


class ComputeSurface(Provider[ProviderInstance, ProviderSnapshot], LifecycleHooks, Protocol):
    """What the contract and the wire see of every compute provider: the core and the hooks."""


INTERFACE: Final = interface_of(
    "compute",
    ComputeSurface,
    version="1",
    supports={"snapshots": SupportsSnapshots, "spot": SupportsSpot},
    capabilities=CAPABILITIES,
    idempotent=("terminate", "list", "get", "generate_bootstrap", "get_snapshot_status", "get_snapshot_by_name"),
)
"""Its methods as data."""

CORE: Final = ("spawn", "terminate", "list", "get", "generate_bootstrap")
"""The methods without which nothing is a compute provider."""

HOOKS: Final = ("on_startup", "on_shutdown", "on_heartbeat")

__all__ = [
    "CAPABILITIES",
    "CORE",
    "ERROR_CODES",
    "FLAGS_CLAUSE",
    "HOOKS",
    "INTERFACE",
    "LOOK",
    "BootstrapConfig",
    "BootstrapFeature",
    "BootstrapFormat",
    "BootstrapScript",
    "ComputeSurface",
    "CreateSnapshotOptions",
    "EnhancedSnapshots",
    "EnhancedTypes",
    "FeatureName",
    "Flags",
    "HeartbeatExpectations",
    "HeartbeatReceipts",
    "HeartbeatTask",
    "InstanceStatus",
    "InterruptionBehavior",
    "LifecycleHooks",
    "ListFilter",
    "NetworkConfig",
    "NextHeartbeat",
    "Provider",
    "ProviderError",
    "ProviderInstance",
    "ProviderRegistration",
    "ProviderSnapshot",
    "ReceiptStatus",
    "SnapshotRequest",
    "SnapshotState",
    "SnapshotStatus",
    "SpawnOptions",
    "SpotOptions",
    "SpotPriceInfo",
    "SpotRequest",
    "SpotRequestStatus",
    "SpotRequestType",
    "SupportsSnapshots",
    "SupportsSpot",
    "TaskPriority",
    "TaskReceipt",
    "TaskType",
    "Workflow",
    "WorkflowConstraints",
    "declared",
    "project_instance",
    "project_snapshot",
]
