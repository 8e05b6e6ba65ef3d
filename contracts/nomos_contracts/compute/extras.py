"""What the optional methods take and hand over: snapshots and spot requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from nomos_contracts.compute.instances import SpawnOptions


class SnapshotState(StrEnum):
    """Where a snapshot is in its life."""

    PENDING = "pending"
    CREATING = "creating"
    AVAILABLE = "available"
    FAILED = "failed"
    DELETING = "deleting"


@dataclass(frozen=True)
class CreateSnapshotOptions:
    """What to call a snapshot, and whether it holds memory beside disks."""

    name: str
    description: str | None = None
    tags: Mapping[str, str] | None = None
    include_memory: bool | None = None


@dataclass(frozen=True)
class SnapshotRequest:
    """The answer to the wish for a snapshot; the estimate is in milliseconds since the epoch."""

    request_id: str
    status: SnapshotState
    estimated_completion_at: int | None = None


@dataclass(frozen=True)
class SnapshotStatus:
    """How far a snapshot is.

    Attributes:
        status: where it is in its life.
        progress: from 0 to 100.
        provider_snapshot_id: its id, from the time that it is available; `spawn` and `delete_snapshot` take it.
        error: why it failed.
        size_bytes: how large it is.
    """

    status: SnapshotState
    progress: float | None = None
    provider_snapshot_id: str | None = None
    error: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class ProviderSnapshot:
    """One snapshot, with the fields that every provider has."""

    id: str
    name: str
    status: SnapshotState
    created_at: int
    description: str | None = None
    size_bytes: int | None = None


class InterruptionBehavior(StrEnum):
    """What becomes of a spot instance that is reclaimed."""

    TERMINATE = "terminate"
    STOP = "stop"
    HIBERNATE = "hibernate"


class SpotRequestType(StrEnum):
    """Whether a request is fulfilled once or again after each interruption."""

    ONE_TIME = "one-time"
    PERSISTENT = "persistent"


class SpotRequestStatus(StrEnum):
    """Where a spot request is in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class SpotOptions:
    """A wish for a spot instance: how it is made, and the highest price in dollars an hour."""

    spawn: SpawnOptions
    max_spot_price: float
    interruption_behavior: InterruptionBehavior = InterruptionBehavior.TERMINATE
    request_type: SpotRequestType = SpotRequestType.ONE_TIME


@dataclass(frozen=True)
class SpotRequest:
    """The answer to that wish; the price is in dollars an hour."""

    request_id: str
    status: SpotRequestStatus
    instance_id: str | None = None
    spot_price: float | None = None


@dataclass(frozen=True)
class SpotPriceInfo:
    """What an hour costs: dollars, when (milliseconds since the epoch), and the saving against the usual price."""

    spec: str
    region: str
    price: float
    timestamp: int
    availability_zone: str | None = None
    savings_percent: float | None = None
