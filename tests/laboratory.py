"""A laboratory for experiments in tests: processes of a host, and embedded proxies."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from nomos_contracts.chaos import Probe
from nomos_contracts.fault import Fault
from nomos_contracts.provider import RunningProvider, Start
from nomos_contracts.violation import NotApplicable
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.experiment import LiveExperiment
from pytest_nomos.chaos.journal import Journal
from pytest_nomos.chaos.network.embedded import EmbeddedProxies
from pytest_nomos.chaos.network.proxy import Proxies
from pytest_nomos.host import Limits, RemoteProvider, Setup


class Bench:
    """Starts what *start* starts, and reaches it as *setup* says; a `pytest_nomos.chaos.experiment.Laboratory`.

    *start* is given the fault that the process is to be ready for, where there is one.
    """

    def __init__(self, start: Callable[..., Start], setup: Setup) -> None:
        self._start = start
        self._setup = setup
        self.proxies: Proxies = EmbeddedProxies(7)

    def start(self, ready_for: Fault | None = None, *, anew: bool = False) -> Start:  # it always is
        return self._start() if ready_for is None else self._start(ready_for)

    def caller(self, address: str) -> RunningProvider:
        remote = RemoteProvider(f"grpc:{address}", "through", self._setup, Limits())
        error = remote.connect()
        assert error is None, error
        return remote

    def release(self, provider: RunningProvider) -> None:
        provider.stop()


class BenchChaos:
    """A `nomos_contracts.chaos.Chaos` on a bench."""

    def __init__(self, start: Callable[[], Start], setup: Setup) -> None:
        self._start = start
        self._setup = setup

    @contextmanager
    def experiment(
        self, steady: Probe, *, ready_for: Fault | None = None, upstream: bool = False
    ) -> Generator[LiveExperiment]:
        if upstream:
            raise NotApplicable("what runs on a bench has no upstream")
        bench = Bench(self._start, self._setup)
        with (
            tempfile.TemporaryDirectory() as folder,
            bench.proxies,
            Stack(Journal(Path(folder, "chaos.jsonl"))) as stack,
            LiveExperiment(bench, stack, steady, ready_for=ready_for).running() as live,
        ):
            yield live
