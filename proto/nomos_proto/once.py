"""Calls that carry the same idempotency key are one call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Final

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext

MAX_KEYS: Final = 1024
"""Answers that are kept; the oldest goes first."""

_POLL = 0.05


class Once:
    """Remembers the answer to each key."""

    def __init__(self, limit: int = MAX_KEYS) -> None:
        """Keep at most *limit* answers."""
        self._limit = limit
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, tuple[bytes, Future[bytes]]] = OrderedDict()

    def run(self, key: Hashable, request: bytes, work: Callable[[], bytes], context: CallContext) -> bytes:
        """Return what *work* answered to *key* the first time; a failure is not remembered.

        Raises:
            ProviderError: the key was used for another request, or what *work* or the context raises.
        """
        while True:
            with self._lock:
                known = self._answers.get(key)
                if known is None:
                    mine: Future[bytes] = Future()
                    self._answers[key] = (request, mine)
                    while len(self._answers) > self._limit:
                        self._answers.popitem(last=False)
                    break
                self._answers.move_to_end(key)
            if known[0] != request:
                raise ProviderError("the idempotency key was used for another request", "INVALID_SPEC")
            while not known[1].done():
                context.wait(_POLL)
            if known[1].exception() is None:
                return known[1].result()
            # The first call failed; let one of those who waited try again.
        try:
            answer = work()
        except BaseException as error:
            with self._lock:
                self._answers.pop(key, None)
            mine.set_exception(error)
            raise
        mine.set_result(answer)
        return answer
