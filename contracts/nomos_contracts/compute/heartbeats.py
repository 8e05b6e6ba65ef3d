"""Hooks: start, heartbeats with their tasks, shutdown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import product
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import Configured, shaped, told
from nomos_contracts.compute.interface import (
    HOOKS,
    HeartbeatExpectations,
    HeartbeatTask,
    ReceiptStatus,
    TaskPriority,
    TaskReceipt,
    TaskType,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.inherited import INHERITED
from nomos_contracts.provider import Answer, InterfaceProvider
from nomos_contracts.violation import Blocked, Violation, shorten

RECEIPTS = "clause:CMP-HOOK-002"
LONG = 20.0
"""Seconds of a heartbeat whose deadline is no matter."""
SOON = 0.1
"""Seconds of one whose deadline passes while slow tasks are done."""
MANY = 8
"""Times all types in all priorities: more tasks than anybody keeps a table of."""
PAIRS, AGAIN = 6, 2
"""So many pairs of tasks it has, and so many times all of them have to be done for certainty."""


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


def _timed(provider: InterfaceProvider, tasks: Sequence[HeartbeatTask], seconds: float = LONG) -> tuple[Answer, float]:
    """Return the answer to a heartbeat, and how long it took, in seconds."""
    began = time.monotonic()
    return beat(provider, tasks, seconds), time.monotonic() - began


def _health(**changes: Any) -> HeartbeatTask:
    return HeartbeatTask(TaskType.HEALTH_CHECK.value, **changes)


def _nothing(**changes: Any) -> HeartbeatTask:
    """Return a reconciliation with no records."""
    return HeartbeatTask(TaskType.RECONCILE_INSTANCES.value, params={"expected": []}, **changes)


def _completed(answer: Answer, task: HeartbeatTask) -> Mapping[str, Any]:
    """Return the result of *task*.

    Raises:
        Blocked: it has not one receipt, which is another clause's matter.
        Violation: it is not completed, or without a result.
    """
    receipts = [one for one in answer.value.receipts if one.type == task.type] if answer.code == "OK" else []
    if len(receipts) != 1:
        raise Blocked(RECEIPTS, f"a heartbeat with {task.type} gave no receipt: {told(answer)}")
    receipt: TaskReceipt = receipts[0]
    if receipt.status is not ReceiptStatus.COMPLETED or receipt.result is None:
        raise Violation(f"{task.type} is completed, with a result", shorten(receipt), answer)
    return receipt.result


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
    def test_gives_a_receipt_for_each_task(
        self,
        nomos_provider: InterfaceProvider,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_random: Random,
    ) -> None:
        """All types in several orders and priorities, the same one twice, very many, and none at all.

        Also after the deadline, and with the credentials of the sample `auth`, with which what asks the vendor fails.
        """
        known = [HeartbeatTask(one.value, priority) for one in TaskType for priority in TaskPriority]
        unknown = HeartbeatTask(f"nomos-{nomos_random.getrandbits(32):08x}")
        cases: list[Sequence[HeartbeatTask]] = [(), known[:1], [known[0], known[0]], [*known, unknown]]
        cases.append(nomos_random.sample([*known, unknown], len(known) + 1))
        asked_of = [(nomos_provider, tasks, LONG) for tasks in (*cases, [*known] * MANY)]
        asked_of.append((nomos_provider, cases[-1], -1.0))  # nothing is done after the deadline
        if nomos_samples.auth is not None:
            with suppress(Blocked):  # it may look at its credentials when it is made
                asked_of.append((nomos_configured(nomos_samples.auth.config), cases[-1], LONG))
        for provider, tasks, seconds in asked_of:
            answer = beat(provider, tasks, seconds)
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
        """Health check and reconciliation are completed, with a result, whenever they ran last and however urgent.

        Also beside a task that fails. What the health check tells stands in the report: which engine was used.
        """
        for last_run, priority in product(
            (None, None, deadline(0), deadline(-60)), (TaskPriority.LOW, TaskPriority.HIGH)
        ):
            changes: dict[str, Any] = {"last_run": last_run, "priority": priority}
            health, nothing = _health(**changes), _nothing(**changes)
            for name, value in _completed(beat(nomos_provider, [health]), health).items():
                nomos_observe(f"health check: {name}", value)
            _completed(beat(nomos_provider, [nothing]), nothing)
        senseless = HeartbeatTask(TaskType.RECONCILE_INSTANCES.value, TaskPriority.HIGH, params={"expected": "all"})
        answer = beat(nomos_provider, [senseless, _health()])
        if answer.code == "OK":
            _completed(answer, _health())

    @clause("CMP-HOOK-004")
    def test_skips_what_it_does_not_know(self, nomos_provider: InterfaceProvider, nomos_random: Random) -> None:
        """With a reason; what it knows beside it is done."""
        names = [
            f"nomos_{nomos_random.getrandbits(32):08x}",
            "",
            "HEALTH_CHECK",
            "health_check ",
            " health_check",
            f"health_check_{nomos_random.getrandbits(32):08x}",
            # What maps, objects and the provider itself have without anybody having put it there.
            *INHERITED,
            "list",
            "on_startup",
            "ü" * 50,
        ]
        health = _health()
        for some in (names[:1], names[1:6], names[6:]):
            answer = beat(nomos_provider, [*(HeartbeatTask(name, TaskPriority.HIGH) for name in some), health])
            receipts = {one.type: one for one in answer.value.receipts} if answer.ok else {}
            if set(receipts) != {*some, health.type}:
                raise Violation(f"receipts for {some} and {health.type}", told(answer), answer)
            for one in (receipts[name] for name in some):
                if one.status is not ReceiptStatus.SKIPPED or not one.reason:
                    raise Violation(f"the unknown task {one.type!r} is skipped with a reason", shorten(one), answer)
            if receipts[health.type].status is ReceiptStatus.SKIPPED:
                raise Violation("the known task beside it is done", shorten(receipts[health.type]), answer)

    @clause("CMP-HOOK-005")
    def test_stops_at_the_deadline(self, nomos_provider: InterfaceProvider) -> None:
        """One that has passed long ago, also before the epoch: each task has a receipt, none is completed."""
        tasks = [HeartbeatTask(one.value) for one in TaskType]
        for seconds in (-3600.0, -1.0, -2 * time.time()):
            answer = beat(nomos_provider, tasks, seconds)
            if answer.code != "OK" or len(answer.value.receipts) != len(tasks):
                raise Violation("a heartbeat past its deadline answers a receipt for each task", told(answer), answer)
            done = [one for one in answer.value.receipts if one.status is ReceiptStatus.COMPLETED]
            if done:
                raise Violation("no task is done after the deadline", shorten(done), answer)
        self._looks_at_the_clock_again(nomos_provider)

    @staticmethod
    def _looks_at_the_clock_again(provider: InterfaceProvider) -> None:
        """A deadline that passes between slow tasks: what began before it may still end, and nothing begins after it.

        Quick tasks show nothing. One that is slow by chance is not enough: it has to be so again and again.
        """
        shown: list[tuple[Answer, float, float]] = []
        while len(shown) < AGAIN:
            answer, took = _timed(provider, [_health(), _nothing()] * PAIRS, SOON)
            late = took - SOON
            if answer.code != "OK" or late <= 0:
                return
            if any(one.status is not ReceiptStatus.COMPLETED for one in answer.value.receipts):
                return
            single = [min(_timed(provider, [one])[1] for _ in range(2)) for one in (_health(), _nothing())]
            # All of them one after another takes this long; at the same time it would not.
            if sum(single) * PAIRS < 2 * SOON or late <= 2 * max(single):
                return
            shown.append((answer, took, max(single)))
        answer, took, longest = shown[-1]
        raise Violation(
            f"a heartbeat with {2 * PAIRS} tasks and a deadline in {SOON:g} s leaves some undone",
            f"all are done, after {took:.3f} s; one by itself takes {longest:.3f} s",
            answer,
        )

    @clause("CMP-HOOK-006")
    def test_a_failing_task_is_a_failed_receipt(
        self, nomos_configured: Configured, nomos_samples: ComputeSamples, nomos_random: Random
    ) -> None:
        """Under the sample `unhealthy`; the heartbeat succeeds, time after time, with the receipts of other tasks."""
        provider = nomos_configured(nomos_samples.unhealthy)
        unknown = HeartbeatTask(f"nomos-{nomos_random.getrandbits(32):08x}", TaskPriority.LOW)
        for tasks in ([_health()], [_health()], [_health(priority=TaskPriority.HIGH), unknown]):
            answer = beat(provider, tasks)
            receipts = {one.type: one for one in answer.value.receipts} if answer.code == "OK" else {}
            if answer.code != "OK" or set(receipts) != {one.type for one in tasks}:
                raise Violation("a heartbeat whose task fails answers a receipt for each task", told(answer), answer)
            receipt = receipts[TaskType.HEALTH_CHECK.value]
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
