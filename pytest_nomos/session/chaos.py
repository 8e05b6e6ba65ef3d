"""Chaos in a session: what the experiments of a worker share, and the experiments on one target for one check."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nomos_contracts.chaos import Probe
from nomos_contracts.fault import Fault
from nomos_contracts.process.interface import first_running
from nomos_contracts.provider import RunningProvider, Start
from nomos_contracts.violation import Blocked, NotApplicable
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.experiment import Laboratory, LiveExperiment
from pytest_nomos.chaos.journal import Journal
from pytest_nomos.chaos.network.choosing import open_proxies
from pytest_nomos.chaos.network.proxy import Proxies, ProxyError
from pytest_nomos.chaos.upstream import UpstreamSide, find_upstream
from pytest_nomos.session.progress import Progress
from pytest_nomos.session.upstream import UpstreamLaboratory

if TYPE_CHECKING:
    from pytest_nomos.session.pool import TargetRun


class WorkerChaos:
    """The faults in force and the proxies of one worker; made when they are asked for, gone at its end.

    Args:
        journal: returns the file in which faults are written down before they are applied.
        seed: of what the proxies roll.
    """

    def __init__(self, journal: Callable[[], Path], seed: int) -> None:
        self._journal = journal
        self._seed = seed
        self._lock = threading.Lock()
        self._stack: Stack | None = None
        self._proxies: Proxies | None = None
        self._numbers = itertools.count(1)

    def next_number(self) -> int:
        """Return a number that it has not returned before."""
        return next(self._numbers)

    @property
    def stack(self) -> Stack:
        """The faults in force."""
        with self._lock:
            return self._faults()

    def _faults(self) -> Stack:
        if self._stack is None:
            self._stack = Stack(Journal(self._journal()))
        return self._stack

    @property
    def proxies(self) -> Proxies:
        """The proxies: those of the Toxiproxy that NOMOS_TOXIPROXY names, else embedded ones.

        Raises:
            Blocked: the server that was named cannot be used.
        """
        with self._lock:
            if self._proxies is None:
                try:
                    proxies = open_proxies(os.environ.get("NOMOS_TOXIPROXY", ""), self._seed)
                except ProxyError as error:
                    raise Blocked("environment", str(error)) from error
                if proxies.foreign:
                    # Before the first proxy: between two faults nothing else tells of one that a killed run leaves.
                    self._faults().journal.opened(proxies.foreign)
                self._proxies = proxies
            return self._proxies

    def close(self) -> None:
        """End what is in force, then the proxies. Idempotent."""
        stack, self._stack = self._stack, None
        proxies, self._proxies = self._proxies, None
        if stack is not None:
            stack.close()
        if proxies is not None:
            proxies.close()


class TargetChaos:
    """Experiments on one target for one check; a `nomos_contracts.chaos.Chaos`.

    Args:
        run: the target.
        worker: what the experiments of the worker share.
        clause: id of the clause that is tried.
        record: takes the timeline of each experiment, as plain JSON types.
        progress: shows what an experiment is doing, None where nobody looks.
    """

    def __init__(
        self,
        run: TargetRun,
        worker: WorkerChaos,
        clause: str,
        record: Callable[[dict[str, Any]], None],
        progress: Progress | None = None,
    ) -> None:
        self._run = run
        self._worker = worker
        self._clause = clause
        self._record = record
        self._progress = progress

    @contextmanager
    def experiment(
        self, steady: Probe, *, ready_for: Fault | None = None, upstream: bool = False
    ) -> Generator[LiveExperiment]:
        """Make one; see `nomos_contracts.chaos.Chaos`.

        Raises:
            NotApplicable: the target runs already, or has no upstream that faults can strike before.
            Blocked: the target does not start, or has no steady state.
        """
        self._needs_process()
        with ExitStack() as stack:
            side: UpstreamSide | None = None
            laboratory: Laboratory = self
            if upstream:
                place = find_upstream(self._run.good_config(), self._run.plan.settings.chaos.upstream)
                before = UpstreamSide.before(place, self.proxies, f"upstream-{self._worker.next_number()}")
                side = stack.enter_context(before)
                laboratory = UpstreamLaboratory(self, self._run, side)
            experiment = LiveExperiment(laboratory, self._worker.stack, steady, ready_for=ready_for, side=side)
            try:
                if self._progress is not None:
                    stack.enter_context(self._progress.shown(lambda: f"{self._clause}: {experiment.doing}"))
                with experiment.running() as live:
                    # The next one finds its process started: interpreters and virtual machines take their time.
                    self._run.prepare()
                    yield live
            finally:
                self._record(experiment.timeline(self._clause, self._run.plan.name).evidence())

    @contextmanager
    def bare(self) -> Generator[LiveExperiment]:
        """Make one without Init and without a timeline; see `nomos_contracts.chaos.Chaos`.

        Raises:
            NotApplicable: the target runs already.
            Blocked: the target does not start.
        """
        self._needs_process()
        with LiveExperiment(self, self._worker.stack, lambda provider: provider.info(), init=False).running() as live:
            yield live

    def _needs_process(self) -> None:
        if not self._run.plan.command:
            raise NotApplicable("the target already runs; the kit does no harm to a process that it has not started")
        first_running(self._run.first_start())

    @property
    def proxies(self) -> Proxies:
        """The proxies of the worker.

        Raises:
            Blocked: there are none.
        """
        return self._worker.proxies

    def start(self, ready_for: Fault | None = None, *, anew: bool = False) -> Start:
        """Start a process of the target, or take one that was started ahead.

        Raises:
            Blocked: none can be started that *ready_for* could be injected into.
        """
        return self._run.start(ready_for=ready_for) if anew or ready_for is not None else self._run.prepared()

    def caller(self, address: str) -> RunningProvider:
        """Return a caller of what answers at *address*.

        Raises:
            Blocked: nothing does.
        """
        start = self._run.caller(address)
        if start.provider is None:
            assert start.error is not None  # noqa: S101 # a Start holds one of the two
            raise Blocked("environment", f"the provider is not reached through the proxy: {start.error.message}")
        return start.provider

    def release(self, provider: RunningProvider) -> None:
        """Let go of a process or a caller."""
        self._run.release(provider)
