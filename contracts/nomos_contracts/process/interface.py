"""What all provider processes have in common: how a start can fail, and what is blocked by that."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nomos_contracts.provider import Answer, RunningProvider, Start, StartError, StartFailure
from nomos_contracts.violation import Blocked

START_CLAUSES: Final[Mapping[StartFailure, str]] = MappingProxyType(
    {
        StartFailure.NOT_FOUND: "PROC-START-001",
        StartFailure.NOT_EXECUTABLE: "PROC-START-001",
        StartFailure.SPAWN: "PROC-START-001",
        StartFailure.EXITED: "PROC-START-002",
        StartFailure.DIED: "PROC-START-002",
        StartFailure.NOT_LISTENING: "PROC-START-003",
        StartFailure.NOT_GRPC: "PROC-START-004",
        StartFailure.MUTE: "PROC-START-005",
        StartFailure.MALFORMED: "PROC-ANNOUNCE-001",
        StartFailure.UNTERMINATED: "PROC-ANNOUNCE-002",
        StartFailure.SILENT: "PROC-ANNOUNCE-003",
        StartFailure.CLOSED: "PROC-ANNOUNCE-003",
        StartFailure.PORT_RANGE: "PROC-ANNOUNCE-004",
    }
)
"""The one clause that fails when a first start fails in this way; a cancelled start is nobody's fault and not here."""

REPEATED_START: Final = "PROC-START-006"
"""The clause that fails when the first process runs and a further one does not start."""

GOOD_INIT: Final = "CFG-INIT-001"
"""The clause that fails when Init with the good config does not answer OK."""

CLOSED_CODES: Final = ("UNAVAILABLE", "CANCELLED")
"""Status codes by which a caller learns that the process closed the connection."""


def blocked_by(error: StartError, *, first: bool) -> Blocked:
    """Return the outcome of everything that needs a process which did not start.

    Args:
        error: why it did not start.
        first: whether it was the first process of the target in this run; a later one that fails while the first one
            runs breaks the clause about further processes, because the others have just been seen to hold.
    """
    clause = START_CLAUSES.get(error.failure)
    if clause is None:
        return Blocked("environment", error.message)
    return Blocked(f"clause:{clause if first else REPEATED_START}", f"the provider does not start: {error.failure}")


def first_running(start: Start) -> RunningProvider:
    """Return the provider of the one start attempt.

    Raises:
        Blocked: it failed; by the clause that it broke.
    """
    if start.provider is None:
        assert start.error is not None  # noqa: S101 # a Start holds one of the two
        raise blocked_by(start.error, first=True)
    return start.provider


def running(start: Start) -> RunningProvider:
    """Return the provider of a further start, beside a first one that runs.

    Raises:
        Blocked: it failed; by the clause about further processes.
    """
    if start.provider is None:
        assert start.error is not None  # noqa: S101 # a Start holds one of the two
        raise blocked_by(start.error, first=False)
    return start.provider


def initialised(provider: RunningProvider) -> RunningProvider:
    """Call Init with the good config and return *provider*.

    Raises:
        Blocked: it does not answer OK; by the clause about the good Init.
    """
    answer = provider.init()
    if not answer.ok:
        raise Blocked(f"clause:{GOOD_INIT}", f"Init with the good config answered {answer.summary}")
    return provider


def closed(answer: Answer) -> bool:
    """Whether *answer* says that the connection was closed or refused, as it is once the process ends."""
    # grpc-core says UNKNOWN "Stream removed" for some connections that are reset under a call.
    return answer.code in CLOSED_CODES or (answer.code == "UNKNOWN" and "stream removed" in answer.message.lower())
