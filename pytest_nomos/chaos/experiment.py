"""Experiments: a provider in its steady state, faults, and how soon it is in that state again."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from nomos_contracts.chaos import Probe
from nomos_contracts.fault import Down, Fault, NetworkFault
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.provider import Answer, RunningProvider, Start
from nomos_contracts.violation import Blocked, NotApplicable, Violation, same
from pytest_nomos.chaos.applied import Applied
from pytest_nomos.chaos.course import Course, LiveFault, see_that_all_bit
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.network.proxy import Proxies, Proxy, ProxyError
from pytest_nomos.chaos.network.striking import Striking
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import ProcessSubject
from pytest_nomos.chaos.upstream import UpstreamSide
from pytest_nomos.report.timeline import Timeline


class Laboratory(Protocol):
    """What an experiment needs: processes of the target, callers of them, and a proxy to put between the two."""

    @property
    def proxies(self) -> Proxies:
        """The proxies, made when they are asked for."""
        ...

    def start(self, ready_for: Fault | None = None, *, anew: bool = False) -> Start:
        """Return a process of the target that nobody has called, into which *ready_for* can be injected.

        Args:
            ready_for: a fault for which it has to be started in a special way.
            anew: it starts now, and not ahead of the experiment.

        Raises:
            Blocked: this machine has no mechanism for that fault.
        """
        ...

    def caller(self, address: str) -> RunningProvider:
        """Return a caller of whatever answers at *address* (``host:port``), whose process it cannot see."""
        ...

    def release(self, provider: RunningProvider) -> None:
        """Let go of what `start` or `caller` returned."""
        ...


class LiveExperiment:
    """One experiment; a `nomos_contracts.chaos.Experiment`, used in a ``with``.

    Args:
        laboratory: where it takes place.
        stack: keeps the faults, and ends them for certain.
        steady: what is answered OK in the steady state.
        ready_for: a fault for which processes have to be started in a special way.
        side: where faults of connections strike between provider and upstream, None where they strike callers.
        init: whether processes are initialised with the good config; without it there is no steady state either.
    """

    def __init__(
        self,
        laboratory: Laboratory,
        stack: Stack,
        steady: Probe,
        *,
        ready_for: Fault | None = None,
        side: UpstreamSide | None = None,
        init: bool = True,
    ) -> None:
        self._laboratory = laboratory
        self._ready_for = ready_for
        self._steady = steady
        self._side = side
        self._init = init
        self._course = Course(stack)
        self._direct: RunningProvider | None = None
        self._through: RunningProvider | None = None
        self._proxy: Proxy | None = None
        self._striking: Striking | None = None
        self._subject: ProcessSubject | None = None
        self._before: Answer | None = None
        # Kept, so that no other answer gets the identity of one that was shown.
        self._shown: dict[int, Answer] = {}

    @contextmanager
    def running(self) -> Generator[LiveExperiment]:
        """Begin in the steady state, and let go of everything at the end.

        Raises:
            Blocked: the target does not start, its good Init fails, or the steady state is none.
            NotApplicable: faults are to strike before an upstream that it does not use.
        """
        try:
            self._direct = self._initialised(running(self._started()))
            if not self._init:
                yield self
                return
            answer = self._probe(self._direct)
            self._before = answer
            if answer.code not in {"OK", "NOT_FOUND"}:
                raise Blocked("sample:values", f"there is no steady state: {answer.method} answered {answer.summary}")
            if self._side is not None and not self._side.used:
                raise NotApplicable(f"it made no connection to the upstream of {self._side.place.shown}")
            yield self
        finally:
            self._let_go()

    def _initialised(self, provider: RunningProvider) -> RunningProvider:
        self._direct = provider
        if not self._init:
            return provider
        if self._side is None:
            return initialised(provider)
        answer = provider.init()
        if not answer.ok:
            where = f"with the proxy in the place of the upstream of {self._side.place.shown}"
            raise Blocked("environment", f"{where}, Init answered {answer.summary}")
        return provider

    def _started(self, *, anew: bool = False) -> Start:
        start = self._laboratory.start(self._ready_for, anew=anew)
        if self._ready_for is not None and start.error is not None:
            why = f"a process that is ready for {self._ready_for.words} does not start: {start.error.message}"
            raise Blocked("environment", why)
        return start

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
        """The provider, reached through the proxy where that stands before callers."""
        if self._side is not None:
            return self.direct
        if self._through is None:
            try:
                self._proxy = self._laboratory.proxies.create(
                    f"provider-{self.direct.pid}", self.direct.announcement.address
                )
            except ProxyError as error:
                raise Blocked("environment", str(error)) from error
            self._striking = Striking(self._proxy)
            self._through = self._laboratory.caller(self._proxy.address)
            if self._before is None:
                return self._through
            answer = self._probe(self._through)
            if not self._as_before(answer):
                raise Blocked("environment", f"through the proxy, {answer.method} answered {answer.summary}")
        return self._through

    @property
    def doing(self) -> str:
        """What goes on, in a few words."""
        return self._course.doing

    @property
    def upstream(self) -> UpstreamSide:
        """What the provider gets its values from; see `nomos_contracts.chaos.Experiment`."""
        if self._side is None:
            raise Blocked("kit", "the experiment is not about an upstream: experiment(steady, upstream=True)")
        return self._side

    @contextmanager
    def inject(self, fault: Fault, ttl: float = 10.0) -> Generator[LiveFault]:
        """Have *fault* in force; see `nomos_contracts.chaos.Experiment`.

        Raises:
            Blocked: no mechanism for it, or it did not take hold, or it cannot be ended.
        """
        try:
            with self._course.inject(fault, ttl, self._applied) as live:
                yield live
        finally:
            self._see()

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
        self._course.show(answer, ok=self._before is None or self._as_before(answer))

    def _applied(self, part: Fault) -> Applied:
        if isinstance(part, NetworkFault | Down):
            if self._side is not None:
                return self._side.striking.applied(part)
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
        start = self._started(anew=True)  # what the one before left behind is what this one starts with
        if start.provider is None:
            assert start.error is not None  # noqa: S101 # a Start holds one of the two
            raise Violation("a further process starts after one was killed", start.error.message)
        self._direct = start.provider
        if not self._init:
            return
        answer = self._direct.init()
        if not answer.ok:
            raise Violation("Init after a kill answers OK, as before", answer.summary, answer)

    def recover(self, within: float, good: int = 3) -> float:
        """Probe until it is well; see `nomos_contracts.chaos.Experiment`.

        Raises:
            Violation: it was not well in time.
            Blocked: nothing was injected, or what was injected never bit.
        """
        seconds = self._course.recover(
            within, good, self._probed, lost=self._lost, unwell=lambda answer: self._not_well(within, answer)
        )
        see_that_all_bit([word for fault in self._course.faults for word in fault.mute])
        return seconds

    def _probed(self) -> tuple[Answer, bool]:
        answer = self._probe(self._through or self.direct)
        return answer, self._as_before(answer)

    def _lost(self) -> bool:
        """Whether the process has ended: it does not come back by itself. Else call over a new connection."""
        if not self.direct.alive():
            return True
        (self._through or self.direct).reconnect()
        return False

    def _not_well(self, within: float, answer: Answer) -> Violation:
        assert self._before is not None  # noqa: S101 # the experiment has begun
        ended = self.direct.wait(0.2)
        state = f"the process {ended.words}" if ended else f"{answer.method} answered {answer.summary}"
        return Violation(
            f"within {within:g} s after {self._course.words}, {self._before.method} answers as before, "
            f"{self._before.summary}",
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
        return self._course.timeline(clause, target)
