"""Mutants of hooks and registrations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from nomos_contracts.compute.interface import (
    HeartbeatExpectations,
    HeartbeatReceipts,
    HeartbeatTask,
    ListFilter,
    ProviderError,
    ReceiptStatus,
    TaskReceipt,
)
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.memory import MemoryHooks


class _Hooks(MemoryHooks):
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
    body = {"hooks_type": hooks, "__module__": __name__, "__doc__": hooks.__doc__}
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


class _OneForEachType(_Hooks):
    """Keeps receipts in a map by type."""

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Keep one of each type."""
        made = await super().on_heartbeat(expectations)
        return replace(made, receipts=tuple({one.type: one for one in made.receipts}.values()))


OneForEachType = hooked(_OneForEachType, "CMP-HOOK-002", defect="two tasks of one type have one receipt")


class _NoReason(_Hooks):
    """Says nothing where it skips a priority."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Defer what is of low priority, without a reason."""
        return TaskReceipt(receipt.type, ReceiptStatus.DEFERRED) if task.priority == "low" else receipt


NoReason = hooked(_NoReason, "CMP-HOOK-002", "reason", defect="a task of low priority is deferred without a reason")


class _NoResult(_Hooks):
    """Completes without a result."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Drop the result of a health check."""
        return replace(receipt, result=None) if receipt.type == "health_check" else receipt


NoResult = hooked(_NoResult, "CMP-HOOK-003", defect="a health check has no result")


class _Once(_Hooks):
    """Reconciles once."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._done = 0

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Skip a second reconciliation of nothing."""
        if receipt.type == "reconcile_instances" and task.params == {"expected": []}:
            self._done += 1
            if self._done > 1:
                return TaskReceipt(receipt.type, ReceiptStatus.SKIPPED, reason="it was done")
        return receipt


Once = hooked(_Once, "CMP-HOOK-003", "again", defect="a second reconciliation is skipped")


class _FailsUnknown(_Hooks):
    """Takes the unknown for a failure."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Fail where it would skip."""
        known = {"refresh_pricing"}
        if receipt.status is ReceiptStatus.SKIPPED and receipt.type not in known:
            return replace(receipt, status=ReceiptStatus.FAILED)
        return receipt


FailsUnknown = hooked(_FailsUnknown, "CMP-HOOK-004", defect="an unknown task is failed")


class _AnyCase(_Hooks):
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


class _Late(_Hooks):
    """Does not look at the clock."""

    def ask(self, expectations: HeartbeatExpectations) -> HeartbeatExpectations:
        """Move the deadline."""
        return replace(expectations, deadline=2**52)


Late = hooked(_Late, "CMP-HOOK-005", defect="the deadline is ignored")


class _SecondsLate(_Hooks):
    """Takes milliseconds for seconds."""

    def ask(self, expectations: HeartbeatExpectations) -> HeartbeatExpectations:
        """Multiply the deadline."""
        return replace(expectations, deadline=max(expectations.deadline, 0) * 1000)


SecondsLate = hooked(_SecondsLate, "CMP-HOOK-005", "unit", defect="the deadline is taken for seconds")


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


class _Reconciled(_Hooks):
    """Changes what reconciliation finds."""

    def found(self, result: dict[str, Any], task: HeartbeatTask) -> dict[str, Any]:
        """Return the changed result."""
        return result

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Change it."""
        if receipt.type != "reconcile_instances" or receipt.result is None:
            return receipt
        return replace(receipt, result=self.found(dict(receipt.result), task))


class _NoChanges(_Reconciled):
    """Compares ids alone."""

    def found(self, result: dict[str, Any], task: HeartbeatTask) -> dict[str, Any]:
        """Find no changes."""
        return {**result, "changed": []}


NoChanges = hooked(
    _NoChanges, "CMP-HOOK-009", defect="reconciliation does not see what changed", also=("CMP-CHAOS-002",)
)


class _NoExtras(_Reconciled):
    """Looks one way."""

    def found(self, result: dict[str, Any], task: HeartbeatTask) -> dict[str, Any]:
        """Find no extras."""
        return {**result, "extra": []}


NoExtras = hooked(
    _NoExtras,
    "CMP-HOOK-009",
    "extra",
    defect="reconciliation does not see what is extra",
    also=("CMP-CHAOS-003", "CMP-CHAOS-004"),
)


class _TerminatedIsThere(MemoryHooks):
    """Takes what is terminated for there."""

    async def _reconcile(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        found = dict(await super()._reconcile(params))
        listed = await self._provider.list(ListFilter(include_terminated=True))
        found["missing"] = [one for one in found["missing"] if one not in {each.id for each in listed}]
        return found


TerminatedIsThere = hooked(
    _TerminatedIsThere, "CMP-HOOK-009", "missing", defect="reconciliation takes what is terminated for there"
)


class _ChangesAll(_Reconciled):
    """Compares with fields that are not recorded."""

    def found(self, result: dict[str, Any], task: HeartbeatTask) -> dict[str, Any]:
        """Find changes in all that is there."""
        ids = [one["id"] for one in (task.params or {}).get("expected", ())]
        return {**result, "changed": [one for one in ids if one not in result["missing"]]}


ChangesAll = hooked(_ChangesAll, "CMP-HOOK-009", "all", defect="reconciliation sees changes where there are none")
