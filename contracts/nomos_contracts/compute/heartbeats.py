"""Hooks: start, heartbeats with their tasks, shutdown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import Configured, Fleet, fleet_of, shaped, told
from nomos_contracts.compute.interface import (
    HOOKS,
    HeartbeatExpectations,
    HeartbeatTask,
    ProviderInstance,
    ReceiptStatus,
    TaskPriority,
    TaskReceipt,
    TaskType,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten

RECEIPTS = "clause:CMP-HOOK-002"
LONG = 20.0
"""Seconds of a heartbeat whose deadline is no matter."""


def deadline(seconds: float) -> int:
    """Return a deadline so many seconds from now, in milliseconds since the epoch."""
    return round((time.time() + seconds) * 1000)


def beat(provider: InterfaceProvider, tasks: Iterable[HeartbeatTask], seconds: float = LONG) -> Answer:
    """Send one heartbeat."""
    return shaped(provider.invoke("on_heartbeat", expectations=HeartbeatExpectations(tuple(tasks), deadline(seconds))))


def receipt_of(
    provider: InterfaceProvider, kind: str, params: Mapping[str, Any] | None = None
) -> tuple[Answer, TaskReceipt]:
    """Send a heartbeat with one task and return its receipt.

    Raises:
        Blocked: there is none, which is another clause's matter.
    """
    answer = beat(provider, [HeartbeatTask(str(kind), params=params)])
    if answer.code != "OK" or len(answer.value.receipts) != 1:
        raise Blocked(RECEIPTS, f"a heartbeat with {kind} gave no receipt: {told(answer)}")
    receipt: TaskReceipt = answer.value.receipts[0]
    return answer, receipt


class HookContract(Contract):
    """A provider starts, answers heartbeats and ends, and none of its failures is its host's.

    Answer a receipt for each task: completed with a result, or skipped, deferred or failed with a reason. Catch what a
    task raises and make it the reason of its receipt.
    """

    @clause("CMP-HOOK-001")
    def test_starts_beats_and_ends(self, nomos_fresh: InterfaceProvider) -> None:
        """In that order, once."""
        for hook in HOOKS:
            if not nomos_fresh.offers(hook):
                raise Violation(f"the provider has the hook {hook}", "it has none")
        started = nomos_fresh.invoke("on_startup")
        if started.code != "OK":
            raise Violation("on_startup succeeds", told(started), started)
        beaten = beat(nomos_fresh, ())
        if beaten.code != "OK":
            raise Violation("on_heartbeat without a task succeeds", told(beaten), beaten)
        ended = nomos_fresh.invoke("on_shutdown")
        if ended.code != "OK":
            raise Violation("on_shutdown succeeds", told(ended), ended)

    @clause("CMP-HOOK-002")
    def test_gives_a_receipt_for_each_task(self, nomos_provider: InterfaceProvider, nomos_random: Random) -> None:
        """All types in several orders and priorities, the same one twice, and none at all."""
        known = [HeartbeatTask(one.value, priority) for one in TaskType for priority in TaskPriority]
        unknown = HeartbeatTask(f"nomos-{nomos_random.getrandbits(32):08x}")
        cases: list[Sequence[HeartbeatTask]] = [(), known[:1], [known[0], known[0]], [*known, unknown]]
        cases.append(nomos_random.sample([*known, unknown], len(known) + 1))
        for tasks in cases:
            answer = beat(nomos_provider, tasks)
            if answer.code != "OK":
                raise Violation("a heartbeat answers receipts, whatever becomes of its tasks", told(answer), answer)
            receipts: Sequence[TaskReceipt] = answer.value.receipts
            asked, got = Counter(one.type for one in tasks), Counter(one.type for one in receipts)
            if asked != got:
                raise Violation(f"a receipt for each of {shorten(dict(asked))}", shorten(dict(got)), answer)
            for one in receipts:
                if one.status is not ReceiptStatus.COMPLETED and not (one.reason or "").strip():
                    raise Violation(f"a task that is {one.status.value} has a reason", shorten(one), answer)

    @clause("CMP-HOOK-003")
    def test_does_what_every_provider_does(
        self, nomos_provider: InterfaceProvider, nomos_observe: Callable[[str, object], None]
    ) -> None:
        """Health check and reconciliation are completed, with a result, time after time.

        What the health check tells stands in the report: which engine was used, for instance.
        """
        for _ in range(3):
            nothing: dict[str, Any] = {"expected": []}
            for kind, params in ((TaskType.HEALTH_CHECK, None), (TaskType.RECONCILE_INSTANCES, nothing)):
                answer, receipt = receipt_of(nomos_provider, kind, params)
                if receipt.status is not ReceiptStatus.COMPLETED or receipt.result is None:
                    raise Violation(f"{kind.value} is completed, with a result", shorten(receipt), answer)
                if kind is TaskType.HEALTH_CHECK:
                    for name, value in receipt.result.items():
                        nomos_observe(f"health check: {name}", value)

    @clause("CMP-HOOK-004")
    def test_skips_what_it_does_not_know(self, nomos_provider: InterfaceProvider, nomos_random: Random) -> None:
        """With a reason; what it knows beside it is done."""
        names = [
            f"nomos_{nomos_random.getrandbits(32):08x}",
            "",
            "HEALTH_CHECK",
            "health_check ",
            "__class__",
            "ü" * 50,
        ]
        for name in names:
            health = HeartbeatTask(TaskType.HEALTH_CHECK.value)
            answer = beat(nomos_provider, [HeartbeatTask(name, TaskPriority.HIGH), health])
            receipts = {one.type: one for one in answer.value.receipts} if answer.ok else {}
            if set(receipts) != {name, health.type}:
                raise Violation(f"receipts for {name!r} and {health.type}", told(answer), answer)
            if receipts[name].status is not ReceiptStatus.SKIPPED or not receipts[name].reason:
                raise Violation(f"the unknown task {name!r} is skipped with a reason", shorten(receipts[name]), answer)
            if receipts[health.type].status is ReceiptStatus.SKIPPED:
                raise Violation("the known task beside it is done", shorten(receipts[health.type]), answer)

    @clause("CMP-HOOK-005")
    def test_stops_at_the_deadline(self, nomos_provider: InterfaceProvider) -> None:
        """One that has passed long ago: each task has a receipt, none is completed."""
        tasks = [HeartbeatTask(one.value) for one in TaskType]
        for seconds in (-3600.0, -1.0):
            answer = beat(nomos_provider, tasks, seconds)
            if answer.code != "OK" or len(answer.value.receipts) != len(tasks):
                raise Violation("a heartbeat past its deadline answers a receipt for each task", told(answer), answer)
            done = [one for one in answer.value.receipts if one.status is ReceiptStatus.COMPLETED]
            if done:
                raise Violation("no task is done after the deadline", shorten(done), answer)

    @clause("CMP-HOOK-006")
    def test_a_failing_task_is_a_failed_receipt(
        self, nomos_configured: Configured, nomos_samples: ComputeSamples
    ) -> None:
        """Under the sample `unhealthy`; the heartbeat itself succeeds, time after time."""
        provider = nomos_configured(nomos_samples.unhealthy)
        for _ in range(3):
            answer = beat(provider, [HeartbeatTask(TaskType.HEALTH_CHECK.value)])
            if answer.code != "OK" or len(answer.value.receipts) != 1:
                raise Violation("a heartbeat whose task fails answers its receipt", told(answer), answer)
            receipt = answer.value.receipts[0]
            if receipt.status is not ReceiptStatus.FAILED or not receipt.reason:
                raise Violation("the failed health check is failed, with a reason", shorten(receipt), answer)

    @clause("CMP-HOOK-007")
    def test_a_failing_start_says_so(self, nomos_configured: Configured, nomos_samples: ComputeSamples) -> None:
        """Under the sample `unstartable`; on_shutdown succeeds nevertheless."""
        provider = nomos_configured(nomos_samples.unstartable)
        answer = provider.invoke("on_startup")
        if not answer.details.get("code"):
            raise Violation("on_startup fails with an error of the taxonomy", told(answer), answer)
        ended = provider.invoke("on_shutdown")
        if ended.code != "OK":
            raise Violation("on_shutdown succeeds after a failed start", told(ended), ended)

    @clause("CMP-HOOK-008")
    def test_ends_more_than_once(self, nomos_fresh: InterfaceProvider) -> None:
        """Without a start, twice in a row, and after a call that failed."""
        for when in ("without a start", "again"):
            answer = nomos_fresh.invoke("on_shutdown")
            if answer.code != "OK":
                raise Violation(f"on_shutdown {when} succeeds", told(answer), answer)
        nomos_fresh.invoke("get", provider_id="")
        answer = nomos_fresh.invoke("on_shutdown")
        if answer.code != "OK":
            raise Violation("on_shutdown after a failed call succeeds", told(answer), answer)

    @clause("CMP-HOOK-009")
    def test_reconciles(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Finds what is missing, what is there beside the record and what differs from it, and nothing else."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            same, changed, extra, lost = fleet.spawn_many(4)
            fleet.run_all((same, changed, extra, lost))
            fleet.end(lost.id)
            fleet.visible((same, changed, extra))
            never = fleet.nobody(same.id)
            records = [_record(same), {**_record(changed), "spec": f"no-{fleet.name()}"}, _record(lost), {"id": never}]
            wanted = {"missing": {lost.id, never}, "extra": {extra.id}, "changed": {changed.id}}
            self._expect(fleet, records, wanted, ids={same.id, changed.id, extra.id, lost.id, never})
            records = [_record(same), _record(changed), _record(extra)]
            self._expect(fleet, records, {}, ids={same.id, changed.id, extra.id, lost.id, never})

    @staticmethod
    def _expect(
        fleet: Fleet, records: Sequence[Mapping[str, Any]], wanted: Mapping[str, set[str]], *, ids: set[str]
    ) -> None:
        def look() -> tuple[Answer, dict[str, set[str]]]:
            answer, receipt = receipt_of(fleet.provider, TaskType.RECONCILE_INSTANCES, {"expected": list(records)})
            done = receipt.status is ReceiptStatus.COMPLETED
            result: Mapping[str, Any] = receipt.result if done and receipt.result else {}
            return answer, {key: set(result.get(key, ())) & ids for key in ("missing", "extra", "changed")}

        full = {key: wanted.get(key, set[str]()) for key in ("missing", "extra", "changed")}
        fleet.poll(fleet.settle, lambda: look()[1] == full)
        answer, seen = look()
        if seen != full:
            raise Violation(f"reconciliation finds {full}", shorten(seen, 400), answer)

    @clause("CMP-HOOK-010")
    def test_a_task_with_arguments_that_make_no_sense_fails(self, nomos_provider: InterfaceProvider) -> None:
        """As its receipt, not as an error of the heartbeat, and it is not completed."""
        cases: tuple[dict[str, Any], ...] = (
            {"expected": "all"},
            {"expected": [5]},
            {"expected": [{}]},
            {"expected": {"id": 1}},
        )
        for params in cases:
            answer, receipt = receipt_of(nomos_provider, TaskType.RECONCILE_INSTANCES, params)
            if receipt.status is ReceiptStatus.COMPLETED or not receipt.reason:
                raise Violation(f"reconciliation with {params} fails, with a reason", shorten(receipt), answer)


def _record(instance: ProviderInstance) -> dict[str, Any]:
    return {"id": instance.id, "spec": instance.spec, "is_spot": instance.is_spot}
