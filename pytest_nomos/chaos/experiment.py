"""Experiments: a provider in its steady state, faults, and how soon it is in that state again."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol

from nomos_contracts.chaos import Probe
from nomos_contracts.fault import Down, Fault, NetworkFault
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.provider import Answer, RunningProvider, Start
from nomos_contracts.violation import Blocked, Violation, same
from pytest_nomos.chaos.applied import Applied, FaultFailed, RevertFailed, Unavailable
from pytest_nomos.chaos.ending import Held, Stack
from pytest_nomos.chaos.network.proxy import Proxies, Proxy, ProxyError
from pytest_nomos.chaos.network.striking import Striking
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import ProcessSubject
from pytest_nomos.report.timeline import Bar, Dot, Recovery, Timeline

PAUSE: Final = 0.02
"""Seconds between two probes while the provider is not well."""


class Laboratory(Protocol):
    """What an experiment needs: processes of the target, callers of them, and a proxy to put between the two."""

    @property
    def proxies(self) -> Proxies:
        """The proxies, made when they are asked for."""
        ...

    def start(self) -> Start:
        """Start a process of the target."""
        ...

    def caller(self, address: str) -> RunningProvider:
        """Return a caller of whatever answers at *address* (``host:port``), whose process it cannot see."""
        ...

    def release(self, provider: RunningProvider) -> None:
        """Let go of what `start` or `caller` returned."""
        ...


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


class LiveExperiment:
    """One experiment; a `nomos_contracts.chaos.Experiment`, used in a ``with``.

    Args:
        laboratory: where it takes place.
        stack: keeps the faults, and ends them for certain.
        steady: what is answered OK in the steady state.
    """

    def __init__(self, laboratory: Laboratory, stack: Stack, steady: Probe) -> None:
        self._laboratory = laboratory
        self._stack = stack
        self._steady = steady
        self._began = time.monotonic()
        self._direct: RunningProvider | None = None
        self._through: RunningProvider | None = None
        self._proxy: Proxy | None = None
        self._striking: Striking | None = None
        self._subject: ProcessSubject | None = None
        self._before: Answer | None = None
        self._ended: float | None = None
        self._faults: list[LiveFault] = []
        self._bars: list[Bar] = []
        self._dots: list[Dot] = []
        # Kept, so that no other answer gets the identity of one that was shown.
        self._shown: dict[int, Answer] = {}
        self._recovery: Recovery | None = None

    @contextmanager
    def running(self) -> Generator[LiveExperiment]:
        """Begin in the steady state, and let go of everything at the end.

        Raises:
            Blocked: the target does not start, its good Init fails, or the steady state is none.
        """
        try:
            self._direct = initialised(running(self._laboratory.start()))
            answer = self._probe(self._direct)
            self._before = answer
            if answer.code not in {"OK", "NOT_FOUND"}:
                raise Blocked("sample:values", f"there is no steady state: {answer.method} answered {answer.summary}")
            yield self
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._see()
        proxy, self._proxy, self._striking, self._subject = self._proxy, None, None, None
        providers, self._through, self._direct = (self._through, self._direct), None, None
        for provider in providers:
            if provider is not None:
                self._laboratory.release(provider)
        if proxy is not None:
            proxy.close()

    @property
    def direct(self) -> RunningProvider:
        """The provider, reached beside the proxy."""
        if self._direct is None:
            raise Blocked("kit", "the experiment is over")
        return self._direct

    @property
    def provider(self) -> RunningProvider:
        """The provider, reached through the proxy."""
        if self._through is None:
            try:
                self._proxy = self._laboratory.proxies.create(
                    f"provider-{self.direct.pid}", self.direct.announcement.address
                )
            except ProxyError as error:
                raise Blocked("environment", str(error)) from error
            self._striking = Striking(self._proxy)
            self._through = self._laboratory.caller(self._proxy.address)
            answer = self._probe(self._through)
            if not self._as_before(answer):
                raise Blocked("environment", f"through the proxy, {answer.method} answered {answer.summary}")
        return self._through

    @contextmanager
    def inject(self, fault: Fault, ttl: float = 10.0) -> Generator[LiveFault]:
        """Have *fault* in force; see `nomos_contracts.chaos.Experiment`.

        Raises:
            Blocked: no mechanism for it, or it did not take hold, or it cannot be ended.
        """
        live = LiveFault(fault, held := [])
        self._faults.append(live)
        began = time.monotonic()
        try:
            try:
                for part in fault.parts:
                    held.append(self._stack.push(self._applied(part), ttl))  # noqa: PERF401 # what is held is ended, also when the next one fails
            except (Unavailable, FaultFailed, ProxyError) as error:
                raise Blocked("environment", f"{fault.words}: {error}") from error
            yield live
        finally:
            try:
                live.end()
            finally:
                self._ended = time.monotonic()
                self._see()
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

    def _see(self) -> None:
        """Show the calls of the check that asked what a probe asks; providers remember the latest ones."""
        if self._before is None:
            return
        question = (self._before.method, self._before.request)
        for provider in filter(None, (self._through, self._direct)):
            for answer in provider.answers:
                if (answer.method, answer.request) == question and id(answer) not in self._shown:
                    self._show(answer)

    def _show(self, answer: Answer) -> None:
        self._shown[id(answer)] = answer
        at = max(0.0, answer.ended - answer.elapsed - self._began)
        ok = self._before is None or self._as_before(answer)
        self._dots.append(Dot(at=at, ok=ok, code=answer.code, elapsed=answer.elapsed))

    def _applied(self, part: Fault) -> Applied:
        if isinstance(part, NetworkFault | Down):
            _ = self.provider
            assert self._striking is not None  # noqa: S101 # made for the provider
            return self._striking.applied(part)
        if self._subject is None:
            self._subject = ProcessSubject.of(self.direct.pid)
        return process_fault(part, self._subject)

    def restart(self) -> None:
        """Start another process in the place of one that is gone.

        Raises:
            Violation: it does not start, or Init with the configuration that was good fails.
        """
        self._let_go()
        start = self._laboratory.start()
        if start.provider is None:
            assert start.error is not None  # noqa: S101 # a Start holds one of the two
            raise Violation("a further process starts after one was killed", start.error.message)
        self._direct = start.provider
        answer = self._direct.init()
        if not answer.ok:
            raise Violation("Init after a kill answers OK, as before", answer.summary, answer)

    def recover(self, within: float, good: int = 3) -> float:
        """Probe until it is well; see `nomos_contracts.chaos.Experiment`.

        Raises:
            Violation: it was not well in time.
            Blocked: nothing was injected, or what was injected never bit.
        """
        if self._ended is None:
            raise Blocked("kit", "no fault was injected before the recovery")
        ended = self._ended
        first: float | None = None
        well = 0
        while True:
            at = time.monotonic()
            answer = self._probe(self._through or self.direct)
            if self._as_before(answer):
                first = at if first is None else first
                well += 1
                if well >= good:
                    break
                continue
            first, well = None, 0
            # One that has ended does not come back by itself.
            if at - ended > within or not self.direct.alive():
                self._recovery = Recovery(at_start=ended - self._began, seconds=at - ended, within=within, met=False)
                raise self._not_well(within, answer)
            (self._through or self.direct).reconnect()
            time.sleep(PAUSE)
        seconds = max(0.0, first - ended)
        self._recovery = Recovery(at_start=ended - self._began, seconds=seconds, within=within, met=seconds <= within)
        if seconds > within:
            raise self._not_well(within, answer)
        mute = [word for fault in self._faults for word in fault.mute]
        if mute:
            raise Blocked("environment", f"{', '.join(mute)} never bit, so that nothing was shown")
        return seconds

    def _not_well(self, within: float, answer: Answer) -> Violation:
        assert self._before is not None  # noqa: S101 # the experiment has begun
        ended = self.direct.wait(0.2)
        state = f"the process {ended.words}" if ended else f"{answer.method} answered {answer.summary}"
        words = " and ".join(dict.fromkeys(fault.words for fault in self._faults))
        return Violation(
            f"within {within:g} s after {words}, {self._before.method} answers as before, {self._before.summary}",
            state,
            self._before,
            answer,
        )

    def _probe(self, provider: RunningProvider) -> Answer:
        answer = self._steady(provider)
        self._show(answer)
        return answer

    def _as_before(self, answer: Answer) -> bool:
        before = self._before
        return before is not None and answer.code == before.code and same(answer.value, before.value)

    def timeline(self, clause: str, target: str) -> Timeline:
        """Return what happened, in seconds from the beginning."""
        return Timeline(
            clause=clause,
            target=target,
            seconds=time.monotonic() - self._began,
            faults=tuple(self._bars),
            probes=tuple(sorted(self._dots, key=lambda dot: dot.at)),
            recovery=self._recovery,
        )
