"""Lifecycle hooks, workflows and the registration that carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from nomos_contracts.compute.instances import SpawnOptions
from nomos_contracts.contract import Contract
from nomos_contracts.drift import Drift


class TaskType(StrEnum):
    """Tasks that every provider knows; a heartbeat may carry others."""

    HEALTH_CHECK = "health_check"
    HEARTBEAT_TIMEOUT_SCAN = "heartbeat_timeout_scan"
    RECONCILE_INSTANCES = "reconcile_instances"
    ORPHAN_SCAN = "orphan_scan"
    REFRESH_PRICING = "refresh_pricing"


class TaskPriority(StrEnum):
    """In which order tasks are done where time is short."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class ReceiptStatus(StrEnum):
    """What became of a task."""

    COMPLETED = "completed"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    FAILED = "failed"


@dataclass(frozen=True)
class HeartbeatTask:
    """One thing to do.

    Attributes:
        type: a `TaskType`, or a type that the provider may not know.
        priority: in which order.
        last_run: when it was last done, in milliseconds since the epoch.
        params: arguments. `reconcile_instances` takes ``expected``, a list of maps with ``id`` and any further fields
            of an instance; its result holds ``missing``, ``extra`` and ``changed``, each a list of ids. An instance
            that is terminated, or on its way there, is missing; one that shows another value in a field of its
            record is changed.
    """

    type: str
    priority: TaskPriority = TaskPriority.NORMAL
    last_run: int | None = None
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class HeartbeatExpectations:
    """The tasks of one heartbeat, and when it ends, in milliseconds since the epoch."""

    tasks: tuple[HeartbeatTask, ...]
    deadline: int


@dataclass(frozen=True)
class TaskReceipt:
    """What became of one task; whatever was not completed has a reason."""

    type: str
    status: ReceiptStatus
    result: Mapping[str, Any] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class NextHeartbeat:
    """When the provider would like to be asked again, in milliseconds from now."""

    preferred_interval: int


@dataclass(frozen=True)
class HeartbeatReceipts:
    """One receipt for each task, what the provider did beside them, and the workflows that it started."""

    receipts: tuple[TaskReceipt, ...]
    provider_tasks: tuple[TaskReceipt, ...] | None = None
    workflows_launched: tuple[str, ...] | None = None
    next_heartbeat: NextHeartbeat | None = None


class LifecycleHooks(Protocol):
    """What a host calls around the life of a provider."""

    async def on_startup(self) -> None:
        """Make ready; a `ProviderError` makes the registration fail. The other methods do not depend on it."""
        ...

    async def on_shutdown(self) -> None:
        """Let go of everything; also after errors, more than once and without a start."""
        ...

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Do the tasks that fit before the deadline and hand over a receipt for each."""
        ...


@dataclass(frozen=True)
class WorkflowConstraints:
    """How long a workflow may take, in milliseconds, and what its output must hold."""

    max_duration_ms: int
    required_output_fields: tuple[str, ...] = ()


class Workflow(Protocol):
    """One workflow of a provider, for instance ``spawn-instance``, ``terminate-instance`` or ``create-snapshot``."""

    @property
    def type(self) -> str:
        """Its type, unique in a registration."""
        ...

    @property
    def provider(self) -> str:
        """Name of its provider."""
        ...

    @property
    def description(self) -> str:
        """What it does, in one sentence."""
        ...

    @property
    def constraints(self) -> WorkflowConstraints:
        """What it promises."""
        ...

    def validate_input(self, arguments: Mapping[str, Any], /) -> None:
        """Raise a `ProviderError` with code INVALID_SPEC where *arguments* cannot be used; changes nothing."""
        ...

    async def run(self, arguments: Mapping[str, Any], /) -> Mapping[str, Any]:
        """Do it and return its output."""
        ...

    async def compensate(self, arguments: Mapping[str, Any], output: Mapping[str, Any] | None, /) -> None:
        """Take back what `run` did; *output* is None where it did not end. Also when there is nothing to take back."""
        ...


TProvider = TypeVar("TProvider")


@dataclass(frozen=True)
class ProviderRegistration(Generic[TProvider]):
    """A provider with all that belongs to it, as a control plane takes it.

    Attributes:
        provider: the provider.
        hooks: what is called around its life.
        workflows: its own workflows by type.
        contracts: contract classes of its own, to be kept beside those of the interface.
        drift: what changes its instances behind its back, for tests of that; None where nothing can.
    """

    provider: TProvider
    hooks: LifecycleHooks
    workflows: Mapping[str, Workflow] | None = None
    contracts: tuple[type[Contract], ...] | None = None
    drift: Drift[SpawnOptions] | None = None

    if not TYPE_CHECKING:  # a type checker asks for `registration.provider`; what serves a provider by name need not

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or "provider" not in self.__dict__:
                raise AttributeError(name)
            for part in (self.provider, self.hooks):
                if hasattr(part, name):
                    return getattr(part, name)
            raise AttributeError(f"neither provider nor hooks have {name}")
