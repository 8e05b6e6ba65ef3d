"""Mutants of hooks and registrations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from nomos_contracts.compute.interface import (
    HeartbeatExpectations,
    HeartbeatReceipts,
    HeartbeatTask,
    ProviderError,
    ReceiptStatus,
    TaskReceipt,
)
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.memory import MemoryHooks

MINUTE = 60_000
"""In milliseconds."""


class ChangedHooks(MemoryHooks):
    """Changes expectations and receipts."""

    def ask(self, expectations: HeartbeatExpectations) -> HeartbeatExpectations:
        """Return the expectations that are used."""
        return expectations

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Return the changed receipt."""
        return receipt

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Change both."""
        asked = self.ask(expectations)
        made = await super().on_heartbeat(asked)
        changed = [self.change(one, task) for one, task in zip(made.receipts, asked.tasks, strict=True)]
        return replace(made, receipts=tuple(one for one in changed if one is not None))


def hooked(
    hooks: type[MemoryHooks], clause_id: str, variant: str = "", *, defect: str, also: Iterable[str] = ()
) -> type[Original]:
    """Return the mutant that has these hooks."""
    body = {"hooks_type": hooks, "__module__": hooks.__module__, "__doc__": hooks.__doc__}
    found: type[Original] = mutant(clause_id, variant, defect=defect, also=also)(
        type(hooks.__name__, (Original,), body)
    )
    return found


class _StartsNever(MemoryHooks):
    """Wants to be started by somebody else."""

    async def on_startup(self) -> None:
        """Fail."""
        raise ProviderError("not the right time", "INVALID_STATE", provider="memory")


StartsNever = hooked(_StartsNever, "CMP-HOOK-001", defect="on_startup fails")


class _OneForEachType(ChangedHooks):
    """Keeps receipts in a map by type."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Keep one of each type."""
        made = await super().on_heartbeat(expectations)
        return replace(made, receipts=tuple({one.type: one for one in made.receipts}.values()))


OneForEachType = hooked(_OneForEachType, "CMP-HOOK-002", defect="two tasks of one type have one receipt")


class _NoReason(ChangedHooks):
    """Says nothing where it skips a priority."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Defer what is of low priority, without a reason."""
        return TaskReceipt(receipt.type, ReceiptStatus.DEFERRED) if task.priority == "low" else receipt


NoReason = hooked(
    _NoReason,
    "CMP-HOOK-002",
    "reason",
    defect="a task of low priority is deferred without a reason",
    also=("CMP-HOOK-003",),
)


class _NoReasonLate(ChangedHooks):
    """Says nothing where the time is over."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Drop the reason."""
        return replace(receipt, reason="") if receipt.status is ReceiptStatus.DEFERRED else receipt


NoReasonLate = hooked(_NoReasonLate, "CMP-HOOK-002", "late", defect="what is deferred has no reason")


class _FirstTasks(MemoryHooks):
    """Has a table of so many."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Do the first ones."""
        return await super().on_heartbeat(replace(expectations, tasks=tuple(expectations.tasks)[:40]))


FirstTasks = hooked(_FirstTasks, "CMP-HOOK-002", "first", defect="of many tasks the first forty have receipts")


class _RaisesAuth(MemoryHooks):
    """Asks the vendor for a sign of life before everything else."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Raise what the vendor says of the credentials."""
        try:
            await self._provider.list()
        except ProviderError as error:
            if error.code == "AUTH_ERROR":
                raise
        return await super().on_heartbeat(expectations)


RaisesAuth = hooked(_RaisesAuth, "CMP-HOOK-002", "auth", defect="with wrong credentials a heartbeat fails")


class _LowNever(ChangedHooks):
    """Defers what is not urgent, for ever."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Say that there is no time."""
        return (
            TaskReceipt(receipt.type, ReceiptStatus.DEFERRED, reason="not urgent")
            if task.priority == "low"
            else receipt
        )


LowNever = hooked(_LowNever, "CMP-HOOK-003", "low", defect="tasks of low priority are never done")


class _NoResult(ChangedHooks):
    """Completes without a result."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Drop the result of a health check."""
        return replace(receipt, result=None) if receipt.type == "health_check" else receipt


NoResult = hooked(_NoResult, "CMP-HOOK-003", defect="a health check has no result")


class _Once(ChangedHooks):
    """Reconciles once."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._done = 0

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Skip a second reconciliation of nothing where its host says that there was a first one."""
        if receipt.type == "reconcile_instances" and task.params == {"expected": []} and task.last_run is not None:
            self._done += 1
            if self._done > 1:
                return TaskReceipt(receipt.type, ReceiptStatus.SKIPPED, reason="it was done")
        return receipt


Once = hooked(_Once, "CMP-HOOK-003", "again", defect="a second reconciliation is skipped")


class _DoneLately(ChangedHooks):
    """Does nothing twice in a minute."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Skip what was done a moment ago."""
        if task.last_run is not None and time.time() * 1000 - task.last_run < MINUTE:
            return TaskReceipt(receipt.type, ReceiptStatus.SKIPPED, reason="it was done lately")
        return receipt


DoneLately = hooked(_DoneLately, "CMP-HOOK-003", "lately", defect="a task that was done a moment ago is skipped")


class _StopsAtFailure(MemoryHooks):
    """Leaves the rest for later where one fails."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Defer what stands after a failure."""
        made = await super().on_heartbeat(expectations)
        failed = [at for at, one in enumerate(made.receipts) if one.status is ReceiptStatus.FAILED]
        kept = made.receipts[: failed[0] + 1] if failed else made.receipts
        left = made.receipts[len(kept) :]
        deferred = (TaskReceipt(one.type, ReceiptStatus.DEFERRED, reason="an earlier task failed") for one in left)
        return replace(made, receipts=(*kept, *deferred))


StopsAtFailure = hooked(
    _StopsAtFailure,
    "CMP-HOOK-003",
    "beside",
    defect="tasks after one that failed are not done",
)


class _FailsUnknown(ChangedHooks):
    """Takes the unknown for a failure."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Fail where it would skip."""
        known = {"refresh_pricing"}
        if receipt.status is ReceiptStatus.SKIPPED and receipt.type not in known:
            return replace(receipt, status=ReceiptStatus.FAILED)
        return receipt


FailsUnknown = hooked(_FailsUnknown, "CMP-HOOK-004", defect="an unknown task is failed")


class _AnyCase(ChangedHooks):
    """Compares without case."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Do what is written in capitals."""
        lowered = tuple(
            replace(one, type=one.type.lower()) if one.type.isupper() else one for one in expectations.tasks
        )
        made = await super().on_heartbeat(replace(expectations, tasks=lowered))
        pairs = zip(made.receipts, expectations.tasks, strict=True)
        return replace(made, receipts=tuple(replace(one, type=task.type) for one, task in pairs))


AnyCase = hooked(_AnyCase, "CMP-HOOK-004", "case", defect="the case of a task's type does not count")


class _ByName(ChangedHooks):
    """Finds the work of a task among its own attributes."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Complete whatever has the name of one."""
        if receipt.status is ReceiptStatus.SKIPPED and hasattr(self, task.type):
            return TaskReceipt(receipt.type, ReceiptStatus.COMPLETED, result={})
        return receipt


ByName = hooked(_ByName, "CMP-HOOK-004", "attribute", defect="a task with the name of an attribute is completed")


class _Late(ChangedHooks):
    """Does not look at the clock."""

    def ask(self, expectations: HeartbeatExpectations) -> HeartbeatExpectations:
        """Move the deadline."""
        return replace(expectations, deadline=2**52)


Late = hooked(_Late, "CMP-HOOK-005", defect="the deadline is ignored")


class _SecondsLate(ChangedHooks):
    """Takes milliseconds for seconds."""

    def ask(self, expectations: HeartbeatExpectations) -> HeartbeatExpectations:
        """Multiply the deadline."""
        return replace(expectations, deadline=max(expectations.deadline, 0) * 1000)


SecondsLate = hooked(_SecondsLate, "CMP-HOOK-005", "unit", defect="the deadline is taken for seconds")


class _LooksOnce(MemoryHooks):
    """Looks at the clock when a heartbeat begins."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Do everything, or nothing."""
        if time.time() * 1000 < expectations.deadline:
            expectations = replace(expectations, deadline=2**52)
        return await super().on_heartbeat(expectations)

    async def _health(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        await asyncio.sleep(0.06)
        return await super()._health(params)


LooksOnce = hooked(_LooksOnce, "CMP-HOOK-005", "once", defect="the deadline is looked at once for all tasks")


class _RaisesHealth(MemoryHooks):
    """Does not catch what a task raises."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Raise what the health check raises."""
        if any(one.type == "health_check" for one in expectations.tasks):
            await self._health({})
        return await super().on_heartbeat(expectations)


RaisesHealth = hooked(_RaisesHealth, "CMP-HOOK-006", defect="a failing health check is a failing heartbeat")


class _AlwaysHealthy(MemoryHooks):
    """Asks nobody."""

    async def _health(self, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"healthy": True}


AlwaysHealthy = hooked(
    _AlwaysHealthy, "CMP-HOOK-006", "asks", defect="a health check asks nobody", also=("CMP-CHAOS-010",)
)


class _DropsTheRest(MemoryHooks):
    """Leaves the loop where the vendor is not well."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Drop the receipts after that of a health check that failed."""
        made = await super().on_heartbeat(expectations)
        ill = [at for at, one in enumerate(made.receipts) if (one.type, one.status) == ("health_check", "failed")]
        return replace(made, receipts=made.receipts[: ill[0] + 1]) if ill else made


DropsTheRest = hooked(
    _DropsTheRest, "CMP-HOOK-006", "rest", defect="tasks after a health check that failed have no receipt"
)


class _StartsAnyway(MemoryHooks):
    """Logs, and goes on."""

    async def on_startup(self) -> None:
        """Succeed."""


StartsAnyway = hooked(_StartsAnyway, "CMP-HOOK-007", defect="on_startup hides its failure")


class _RawStart(MemoryHooks):
    """Lets out what comes."""

    async def on_startup(self) -> None:
        """Raise it."""
        try:
            await super().on_startup()
        except ProviderError as error:
            raise ConnectionError("refused") from error


RawStart = hooked(_RawStart, "CMP-HOOK-007", "raw", defect="on_startup fails with an exception of the language")


class _EndsOnce(MemoryHooks):
    """Closes what is closed."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._ended = False

    async def on_shutdown(self) -> None:
        """Fail the second time."""
        if self._ended:
            raise ProviderError("already closed", "INVALID_STATE", provider="memory")
        self._ended = True


EndsOnce = hooked(_EndsOnce, "CMP-HOOK-008", defect="a second on_shutdown fails")


class _WantsStart(MemoryHooks):
    """Closes what was never opened."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._started = False

    async def on_startup(self) -> None:
        """Note it."""
        self._started = True
        await super().on_startup()

    async def on_shutdown(self) -> None:
        """Fail without a start."""
        if not self._started:
            raise ProviderError("it was never started", "INVALID_STATE", provider="memory")


WantsStart = hooked(_WantsStart, "CMP-HOOK-008", "start", defect="on_shutdown without a start fails")
