"""Read files within limits and deadlines."""

from __future__ import annotations

import os
import select
from typing import Final

from nomos_proto.errors import ProviderError
from nomos_reference.config.limits import Budget
from nomos_reference.config.tree import kind_of

CHUNK: Final = 256 * 1024
_POLL_SECONDS: Final = 0.1


def read(descriptor: int, name: str, budget: Budget) -> bytes:
    """Return everything that *descriptor* holds; it was opened without blocking.

    A FIFO is waited for until its writer closes it, or until the call ends.

    Raises:
        ProviderError: INVALID_STATE for what is neither file nor FIFO, LIMIT_EXCEEDED, or the call has ended.
        OSError: as the system says.
    """
    kind = kind_of(descriptor)
    if kind not in {"file", "fifo"}:
        raise ProviderError(f"{name}: is neither a file nor a FIFO", "INVALID_STATE")
    if kind == "file" and os.fstat(descriptor).st_size > budget.bytes_left:
        budget.spend_bytes(os.fstat(descriptor).st_size)
    chunks: list[bytes] = []
    while True:
        if kind == "fifo":
            _await_data(descriptor, budget)
        try:
            chunk = os.read(descriptor, CHUNK)
        except BlockingIOError:
            continue
        if not chunk:
            return b"".join(chunks)
        budget.spend_bytes(len(chunk))
        chunks.append(chunk)


def _await_data(descriptor: int, budget: Budget) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while True:
        budget.context.check()
        left = budget.context.remaining()
        seconds = _POLL_SECONDS if left is None else min(_POLL_SECONDS, left)
        # Without a writer so far there is no event at all; after the last writer there is POLLHUP.
        if poll.poll(max(1, round(seconds * 1000))):
            return
