"""Providers on a small disk or with a clock of their own, for tests that need Linux."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from laboratory import Bench
from nomos_contracts.chaos import Probe
from nomos_contracts.fault import Fault
from nomos_contracts.provider import Answer, RunningProvider, Start
from nomos_contracts.violation import Blocked
from pytest_nomos.chaos.applied import Unavailable
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.experiment import LiveExperiment
from pytest_nomos.chaos.journal import Journal
from pytest_nomos.chaos.readying import readied
from pytest_nomos.host import Launch, Limits, ProviderHost, Setup

if sys.platform != "linux":
    collect_ignore_glob = ["test_*"]  # they look into /proc

Make = Callable[..., AbstractContextManager[LiveExperiment]]
"""Begin an experiment on ``python -m`` words, ready for a fault."""


def steady(provider: RunningProvider) -> Answer:
    return provider.fetch(("app", "name"), timeout=2)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "app.json").write_text('{"name": "kit"}\n')
    return folder


@pytest.fixture
def make(tmp_path: Path, data: Path) -> Iterator[Make]:
    with ExitStack() as outer:
        host = outer.enter_context(ProviderHost(Limits(grace=2, shutdown_rpc=1)))
        stack = outer.enter_context(Stack(Journal(tmp_path / "chaos.jsonl")))
        names = (f"provider-{number}" for number in itertools.count(1))

        @contextmanager
        def experiment(
            *module: str, ready_for: Fault | None = None, probe: Probe = steady
        ) -> Generator[LiveExperiment]:
            command = (sys.executable, "-m", *(module or ("nomos_reference", "config/files")))
            setup = Setup(config={"directory": str(data)})

            def start(fault: Fault | None = None) -> Start:
                try:
                    return host.start(Launch(readied(command, fault) if fault else command), next(names), setup)
                except Unavailable as error:
                    raise Blocked("environment", str(error)) from error

            bench = Bench(start, setup)
            outer.callback(bench.proxies.close)
            with LiveExperiment(bench, stack, probe, ready_for=ready_for).running() as live:
                yield live

        yield experiment
