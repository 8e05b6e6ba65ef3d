"""The course of an experiment: the faults that were in force, the probes between them, and the recovery."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from nomos_contracts.fault import Fault
from nomos_contracts.provider import Answer
from nomos_contracts.violation import Blocked, Violation
from pytest_nomos.chaos.applied import Applied, FaultFailed, RevertFailed, Unavailable
from pytest_nomos.chaos.ending import Held, Stack
from pytest_nomos.chaos.network.proxy import ProxyError
from pytest_nomos.report.timeline import Bar, Dot, Recovery, Timeline

PAUSE: Final = 0.02
"""Seconds between two probes while the provider is not well."""


class LiveFault:
    """A fault in force: its parts, and whether each has bitten."""

    def __init__(self, fault: Fault, held: list[Held]) -> None:
        self.fault = fault
        self._held = held

    @property
    def words(self) -> str:
        """The fault as text."""
        return self.fault.words

    @property
    def mechanism(self) -> str:
        """How it was done."""
        return " & ".join(dict.fromkeys(held.mechanism for held in self._held))

    @property
    def mute(self) -> list[str]:
        """The parts that have not bitten, as text."""
        return [held.fault.words for held in self._held if not held.bites]

    @property
    def in_force(self) -> bool:
        """Whether a part of it has not ended yet."""
        return any(held.ended_at is None for held in self._held)

    @property
    def bites(self) -> str:
        """How it was felt, as text."""
        return "; ".join(dict.fromkeys(word for held in self._held for word in held.bites))

    def bit(self, evidence: str) -> None:
        """Say that it was felt, and by what."""
        for held in self._held:
            held.bit(evidence)

    def end(self) -> None:
        """End it, the last part first.

        Raises:
            Blocked: a part cannot be ended.
        """
        failed: list[str] = []
        for held in reversed(self._held):
            try:
                held.end()
            except RevertFailed as error:
                failed.append(str(error))
        if failed:
            raise Blocked("environment", "; ".join(failed))


class Course:
    """What happens from the beginning of an experiment on; times in its timeline are seconds from there.

    Args:
        stack: keeps the faults, and ends them for certain.

    Attributes:
        faults: those that were injected, in that order.
    """

    def __init__(self, stack: Stack) -> None:
        self.faults: list[LiveFault] = []
        self._stack = stack
        self._began = time.monotonic()
        self._ended: float | None = None
        self._bars: list[Bar] = []
        self._dots: list[Dot] = []
        self._recovery: Recovery | None = None

    @property
    def words(self) -> str:
        """The faults that were injected, as text."""
        return " and ".join(dict.fromkeys(fault.words for fault in self.faults))

    @property
    def doing(self) -> str:
        """What goes on, in a few words."""
        words = " and ".join(fault.words for fault in self.faults if fault.in_force)
        return words or ("recovers" if self.faults else "steady state")

    @contextmanager
    def inject(self, fault: Fault, ttl: float, applied: Callable[[Fault], Applied]) -> Generator[LiveFault]:
        """Have *fault* in force, whose parts *applied* makes, for *ttl* seconds at most.

        Raises:
            Blocked: no mechanism for it, or it did not take hold, or it cannot be ended.
        """
        live = LiveFault(fault, held := list[Held]())
        self.faults.append(live)
        began = time.monotonic()
        try:
            try:
                for part in fault.parts:
                    held.append(self._stack.push(applied(part), ttl))  # what is held is ended, also if the next fails
            except (Unavailable, FaultFailed, ProxyError) as error:
                raise Blocked("environment", f"{fault.words}: {error}") from error
            yield live
        finally:
            try:
                live.end()
            finally:
                self._ended = time.monotonic()
                self._bars += [
                    Bar(
                        fault=part.fault.words,
                        mechanism=part.mechanism,
                        start=max(0.0, (part.started_at or began) - self._began),
                        end=self._ended - self._began,
                        bit="; ".join(part.bites),
                    )
                    for part in held
                ]

    def show(self, answer: Answer, *, ok: bool) -> None:
        """Have a probe in the timeline; *ok* says whether it was answered as in the steady state."""
        at = max(0.0, answer.ended - answer.elapsed - self._began)
        self._dots.append(Dot(at=at, ok=ok, code=answer.code, elapsed=answer.elapsed))

    def recover(
        self,
        within: float,
        good: int,
        probe: Callable[[], tuple[Answer, bool]],
        *,
        lost: Callable[[], bool],
        unwell: Callable[[Answer], Violation],
    ) -> float:
        """Probe until *good* probes in a row are well.

        Args:
            within: the bound, in seconds from the end of the last fault.
            good: how many.
            probe: returns an answer, and whether it is well.
            lost: called after one that is not; whether there is nothing to wait for any more.
            unwell: makes the finding from the last answer.

        Returns:
            Seconds from the end of the last fault to the first of these probes.

        Raises:
            Violation: it was not well in time.
            Blocked: nothing was injected.
        """
        if self._ended is None:
            raise Blocked("kit", "no fault was injected before the recovery")
        ended = self._ended
        first: float | None = None
        well = 0
        while True:
            at = time.monotonic()
            answer, is_well = probe()
            if is_well:
                first = at if first is None else first
                well += 1
                if well >= good:
                    break
                continue
            first, well = None, 0
            if at - ended > within or lost():
                self._recovery = Recovery(at_start=ended - self._began, seconds=at - ended, within=within, met=False)
                raise unwell(answer)
            time.sleep(PAUSE)
        seconds = max(0.0, first - ended)
        self._recovery = Recovery(at_start=ended - self._began, seconds=seconds, within=within, met=seconds <= within)
        if seconds > within:
            raise unwell(answer)
        return seconds

    def timeline(self, clause: str, target: str) -> Timeline:
        """Return what happened."""
        return Timeline(
            clause=clause,
            target=target,
            seconds=time.monotonic() - self._began,
            faults=tuple(self._bars),
            probes=tuple(sorted(self._dots, key=lambda dot: dot.at)),
            recovery=self._recovery,
        )


def see_that_all_bit(mute: list[str]) -> None:
    """See that no fault was *mute*.

    Raises:
        Blocked: one was, so that nothing was shown.
    """
    if mute:
        raise Blocked("environment", f"{', '.join(mute)} never bit, so that nothing was shown")
