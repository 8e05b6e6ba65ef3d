"""Mutants of reconciliation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from nomos_contracts.compute.interface import HeartbeatTask, InstanceStatus, ListFilter, ProviderInstance, TaskReceipt
from nomos_mutants.compute.hooking import ChangedHooks, hooked
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.cloud import Machine
from nomos_reference.compute.memory import MemoryHooks


class _Reconciled(ChangedHooks):
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


class _HomeExtras(MemoryHooks):
    """Looks for extras where it would create."""

    async def _reconcile(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        found = dict(await super()._reconcile(params))
        home = await self._provider.list(ListFilter(region=self._provider.settings.regions[0]))
        found["extra"] = [one for one in found["extra"] if one in {each.id for each in home}]
        return found


HomeExtras = hooked(_HomeExtras, "CMP-HOOK-009", "away", defect="reconciliation does not see extras of other regions")


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


class _SomeFields(MemoryHooks):
    """Compares the fields of an older version.

    Attributes:
        without: fields that are not compared.
    """

    without: ClassVar[tuple[str, ...]] = ("created_at", "private_ip")

    def kept(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is compared of a record."""
        return {name: value for name, value in record.items() if name not in self.without}

    async def _reconcile(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        expected = params.get("expected", ())
        if isinstance(expected, str | Mapping) or not all(isinstance(one, Mapping) for one in expected):
            return await super()._reconcile(params)
        return await super()._reconcile({"expected": [self.kept(one) for one in expected]})


SomeFields = hooked(_SomeFields, "CMP-HOOK-009", "fields", defect="reconciliation does not compare times and addresses")


class _OneField(_SomeFields):
    """Has no place for spot requests in its records."""

    without = ("spot_request_id",)


OneField = hooked(_OneField, "CMP-HOOK-009", "request", defect="reconciliation does not compare spot_request_id")


class _TrueOnly(_SomeFields):
    """Takes what is false for what is not given."""

    def kept(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Drop what is false."""
        return {name: value for name, value in record.items() if value}


TrueOnly = hooked(
    _TrueOnly, "CMP-HOOK-009", "false", defect="reconciliation does not compare what is recorded as false"
)


class _NothingExpected(ChangedHooks):
    """Has nothing to do where nothing is expected."""

    def change(self, receipt: TaskReceipt, task: HeartbeatTask) -> TaskReceipt | None:
        """Find nothing."""
        if receipt.type == "reconcile_instances" and task.params == {"expected": []}:
            return replace(receipt, result={"missing": [], "extra": [], "changed": []})
        return receipt


NothingExpected = hooked(
    _NothingExpected,
    "CMP-HOOK-009",
    "nothing",
    defect="reconciliation finds nothing extra where nothing is expected",
    also=("CMP-CHAOS-004",),
)


class _OnItsWayIsThere(MemoryHooks):
    """Takes what is terminating for there."""

    async def _reconcile(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        hidden = await self._provider.list()
        found = dict(await super()._reconcile(params))
        going = {one.id for one in hidden if one.status is InstanceStatus.TERMINATING}
        return {**found, "missing": [one for one in found["missing"] if one not in going]}


@mutant("CMP-HOOK-009", "going", defect="reconciliation takes what is terminating for there")
class OnItsWayIsThere(Original):
    """Ends its machines in its own time, which a list of many pages would use up."""

    hooks_type = _OnItsWayIsThere

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__({"stop_delay": 14, "page": 1000, **(config or {})})


class _Identity(MemoryHooks):
    """Compares metadata by what it is in memory."""

    async def _reconcile(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        found = dict(await super()._reconcile(params))
        told = {one["id"] for one in params.get("expected", ()) if one.get("metadata") is not None}
        return {**found, "changed": sorted({*found["changed"], *told} - {*found["missing"]})}


class _Described(Original):
    """Tells what machine an instance is in its metadata."""

    def shown(self, machine: Machine, at: float) -> ProviderInstance:
        """Add the metadata."""
        return replace(super().shown(machine, at), metadata={"machine": machine.id})


@mutant("CMP-HOOK-009", "same", defect="reconciliation finds equal metadata changed")
class Identity(_Described):
    """Compares references."""

    hooks_type = _Identity


class _NoMetadata(_SomeFields):
    """Does not look into maps."""

    without = ("metadata",)


@mutant("CMP-HOOK-009", "metadata", defect="reconciliation does not compare metadata")
class NoMetadata(_Described):
    """Compares texts and numbers."""

    hooks_type = _NoMetadata
