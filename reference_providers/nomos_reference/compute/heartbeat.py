"""Heartbeats: tasks in order of priority until the deadline, a receipt for each."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nomos_contracts.compute.interface import (
    HeartbeatExpectations,
    HeartbeatReceipts,
    HeartbeatTask,
    NextHeartbeat,
    ProviderError,
    ReceiptStatus,
    TaskPriority,
    TaskReceipt,
)

Task = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Does one task; a `ProviderError` is its failure."""

INTERVAL = 30_000
"""Milliseconds between heartbeats that a provider likes."""


async def beat(
    expectations: HeartbeatExpectations,
    tasks: Mapping[str, Task],
    *,
    now: Callable[[], float] = time.time,
) -> HeartbeatReceipts:
    """Do the tasks of one heartbeat.

    Args:
        expectations: the tasks and the deadline.
        tasks: what can be done, by type.
        now: seconds since the epoch.
    """
    order = list(TaskPriority)
    ranked = sorted(enumerate(expectations.tasks), key=lambda pair: order.index(pair[1].priority))
    receipts: dict[int, TaskReceipt] = {}
    for position, task in ranked:
        receipts[position] = await _receipt(task, tasks, late=now() * 1000 >= expectations.deadline)
    in_order = tuple(receipts[position] for position in range(len(expectations.tasks)))
    return HeartbeatReceipts(in_order, next_heartbeat=NextHeartbeat(INTERVAL))


async def _receipt(task: HeartbeatTask, tasks: Mapping[str, Task], *, late: bool) -> TaskReceipt:
    if task.type not in tasks:
        return TaskReceipt(task.type, ReceiptStatus.SKIPPED, reason="this provider has no such task")
    if late:
        return TaskReceipt(task.type, ReceiptStatus.DEFERRED, reason="the deadline has passed")
    try:
        return TaskReceipt(task.type, ReceiptStatus.COMPLETED, result=await tasks[task.type](task.params or {}))
    except ProviderError as error:
        return TaskReceipt(task.type, ReceiptStatus.FAILED, reason=f"{error.code}: {error.message}")
