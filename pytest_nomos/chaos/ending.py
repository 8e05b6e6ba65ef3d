"""Ending faults for certain: what is in force is ended last in, first out, whatever else goes wrong."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from nomos_contracts.fault import Fault
from pytest_nomos.chaos.applied import Applied, FaultFailed, RevertFailed
from pytest_nomos.chaos.journal import Journal, JournalError

JOIN_SECONDS: Final = 1.0


class Held:
    """One fault in force, until it is ended or its time is up. Thread-safe.

    Attributes:
        id: its name in the journal.
        bites: how it was seen to be felt.
        started_at: when it was in force, on the monotonic clock; 0 before.
        ended_at: when it was seen to have ended, on the monotonic clock; None before.
        expired: whether its time was up before anybody ended it.
        trouble: why it could not be ended when that was tried last, empty where it could.
    """

    def __init__(self, applied: Applied, identity: str, journal: Journal) -> None:
        self.id = identity
        self.bites: list[str] = []
        self.started_at = 0.0
        self.ended_at: float | None = None
        self.expired = False
        self.trouble = ""
        self._applied = applied
        self._journal = journal
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None

    @property
    def fault(self) -> Fault:
        """The fault."""
        return self._applied.fault

    @property
    def mechanism(self) -> str:
        """How it is done."""
        return self._applied.mechanism

    @property
    def escalated(self) -> str:
        """What had to be done beyond the usual to end it, empty where nothing had."""
        return str(getattr(self._applied, "escalated", ""))

    def start(self, ttl: float) -> None:
        """Apply it, and see that it is in force; its time begins.

        Raises:
            FaultFailed: it did not take hold, or its entry could not be written.
        """
        self._applied.apply()
        self.started_at = time.monotonic()
        self._timer = threading.Timer(ttl, self._expire)
        self._timer.daemon = True
        self._timer.name = f"nomos-ttl-{self.id}"
        try:
            self._timer.start()
            self._journal.applied(self.id)
        except (JournalError, RuntimeError) as error:  # no thread can be started, so nothing would end it in time
            raise FaultFailed(f"{self.fault.words}: {error}") from error
        self._applied.verify()

    def bit(self, evidence: str) -> None:
        """Say that it was felt, and by what."""
        with self._lock:
            if evidence in self.bites:
                return
            self.bites.append(evidence)
            self._write(lambda: self._journal.bit(self.id, evidence))

    def failed(self, why: str) -> None:
        """Say that it did not take hold."""
        self._write(lambda: self._journal.failed(self.id, why))

    def end(self) -> None:
        """End it, and see that it has ended; where that failed before it is tried again. Idempotent.

        Raises:
            RevertFailed: it is still in force.
        """
        try:
            self._end()
        finally:
            timer = self._timer
            if timer is not None:
                timer.cancel()
                # An interrupt may have come before it was started.
                if timer.ident is not None and timer is not threading.current_thread():
                    timer.join(JOIN_SECONDS)

    def _end(self) -> None:
        with self._lock:
            if self.ended_at is not None:
                return
            if self.started_at:
                self._look()
            try:
                self._applied.revert()
            except Exception as error:  # whatever it is, the others have to be ended too
                left = str(error) if isinstance(error, RevertFailed) else f"{type(error).__name__}: {error}"
                self.trouble = f"{self.fault.words}: {left}"
                self._write(lambda: self._journal.revert_failed(self.id, left))
                raise RevertFailed(self.trouble) from error
            self.ended_at = time.monotonic()
            self.trouble = ""
            self._write(lambda: self._journal.reverted(self.id, self.escalated))

    def _look(self) -> None:
        """See whether it was felt, as long as that can be seen."""
        try:
            evidence = self._applied.bite()
        except Exception as error:  # noqa: BLE001 # a look that fails is no reason not to end it
            _say(f"{self.fault.words}: whether it was felt cannot be seen: {type(error).__name__}: {error}")
            return
        if evidence:
            self.bit(evidence)

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except JournalError as error:
            # A fault without its last entry is looked at once more by `chaos undo`, which does it no harm.
            _say(str(error))

    def _expire(self) -> None:
        with self._lock:
            if self.ended_at is not None:
                return
            self.expired = True
            try:
                self.end()
            except RevertFailed as error:
                _say(f"its time was up and it could not be ended: {error}")


class Stack:
    """The faults in force in this process. Thread-safe.

    What is left when the interpreter ends is ended then. What is left when it is killed is in the journal.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._held: list[Held] = []
        self._lock = threading.RLock()
        self._closed = False
        self._pid = os.getpid()
        atexit.register(self._at_exit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def held(self) -> tuple[Held, ...]:
        """Every fault so far, in the order in which they were pushed, ended ones included."""
        with self._lock:
            return tuple(self._held)

    def push(self, applied: Applied, ttl: float) -> Held:
        """Write *applied* down, do it, and have it in force for *ttl* seconds at most.

        Raises:
            FaultFailed: it did not take hold; what was done of it has been ended.
            RevertFailed: it did not take hold, and what was done of it cannot be ended.
        """
        if ttl <= 0:
            raise ValueError(f"a fault lasts longer than {ttl} seconds")
        with self._lock:
            if self._closed:
                raise FaultFailed("the experiment is over: nothing is injected any more")
            try:
                held = Held(applied, self.journal.planned(applied, ttl), self.journal)
            except JournalError as error:
                raise FaultFailed(f"{error}; so nothing was injected") from error
            # Before it is applied: an interrupt in the middle finds it here.
            self._held.append(held)
        try:
            held.start(ttl)
        except BaseException as error:
            held.failed(str(error) or type(error).__name__)
            held.end()
            raise
        return held

    def close(self) -> None:
        """End every fault that is in force, the last one first; each is tried, also when another one fails.

        Raises:
            RevertFailed: some are still in force; the message names each.
        """
        with self._lock:
            self._closed = True
            held = list(reversed(self._held))
        left, interrupted = list[str](), None
        for one in held:
            for _ in range(2):
                try:
                    one.end()
                except RevertFailed as error:
                    left.append(str(error))
                except BaseException as error:  # noqa: BLE001 # an interrupt waits until all are ended; raised below
                    interrupted = error
                    continue
                break
        if interrupted is not None:
            raise interrupted
        if left:
            raise RevertFailed("; ".join(left))
        atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        if os.getpid() != self._pid:
            return  # a fork, whose parent has the faults
        try:
            self.close()
        except RevertFailed as error:
            _say(f"{error}; pytest-nomos chaos undo {self.journal.path} tries again")


def _say(text: str) -> None:
    sys.stderr.write(f"pytest-nomos: chaos: {text}\n")
