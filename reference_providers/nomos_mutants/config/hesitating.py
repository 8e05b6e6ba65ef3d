"""Mutants that callers harm who are slow to take their answers."""

from __future__ import annotations

import os
import threading
import time

import grpc

from nomos_mutants.mutant import mutant
from nomos_proto.servicer import V1Servicer

SLOTS = 4
SOON = 0.25
PATIENCE = 1.0


@mutant("CFG-CHAOS-018", defect="an answer that its caller has not taken within a second is taken back")
class TakesBack(V1Servicer):
    """Has no room for answers that nobody fetches."""

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Wind a clock up behind the answer."""
        answer = super().Fetch(request, context)
        clock = threading.Timer(PATIENCE, context.cancel)
        clock.daemon = True
        if context.add_callback(clock.cancel) is not False:
            clock.start()
        return answer


@mutant("CFG-CHAOS-019", defect="four answers that are not taken keep all others back")
class CountsDeliveries(V1Servicer):
    """Bounds the answers that are on their way."""

    _on_their_way = threading.BoundedSemaphore(SLOTS)

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Wait for a place, and have it until the answer is delivered."""
        answer = super().Fetch(request, context)
        self._on_their_way.acquire()
        if context.add_callback(self._on_their_way.release) is False:
            self._on_their_way.release()
        return answer


@mutant("CFG-CHAOS-019", "leaks", defect="a caller that leaves without its answer leaves a descriptor behind")
class KeepsUndelivered(V1Servicer):
    """Opens a file for each answer that is not taken at once, to keep it for its caller."""

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """See whether the answer was taken."""
        answer = super().Fetch(request, context)
        ready = time.monotonic()

        def look() -> None:
            if time.monotonic() - ready > SOON:
                os.open(os.devnull, os.O_RDONLY)

        context.add_callback(look)
        return answer
