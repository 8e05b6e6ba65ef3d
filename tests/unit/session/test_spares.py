"""Spares: processes that are started while an experiment on another one goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from nomos_contracts.clause import Profile
from nomos_contracts.fault import Descriptors, Kill, parse_fault
from nomos_contracts.provider import Answer, RunningProvider, Start
from pytest_nomos.session.background import Background
from pytest_nomos.session.chaos import TargetChaos, WorkerChaos
from pytest_nomos.session.pool import Pool, TargetRun
from pytest_nomos.session.spare import Spare
from pytest_nomos.settings import Settings
from pytest_nomos.targets.plan import plan_targets
from pytest_nomos.targets.surroundings import Surroundings

FILES = "registered:config/files"


def steady(provider: RunningProvider) -> Answer:
    return provider.info(timeout=2)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerChaos]:
    with closing(WorkerChaos(lambda: tmp_path / "chaos.jsonl", 1)) as worker:
        yield worker


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    before = set(psutil.Process().children(recursive=True))
    with Surroundings() as surroundings:
        (plan,) = plan_targets((FILES,), Settings(), tmp_path, surroundings)
        with closing(Pool({plan.name: plan}, {plan.name: Profile.STANDARD})) as pool:
            yield pool
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.fixture
def run(pool: Pool) -> TargetRun:
    """The run of the built-in file provider."""
    return pool.run(next(iter(pool._plans)))


@pytest.fixture
def chaos(run: TargetRun, worker: WorkerChaos) -> TargetChaos:
    return TargetChaos(run, worker, "CFG-CHAOS-001", lambda _: None)


def spare_of(run: TargetRun) -> psutil.Process:
    """The one process of *run* that was started last."""
    run.settle_spare()
    return psutil.Process(list(run._host.providers.values())[-1].pid)


def test_the_process_of_the_next_experiment_was_started_during_the_one_before(
    chaos: TargetChaos, run: TargetRun
) -> None:
    with chaos.experiment(steady) as x:
        spare = spare_of(run)
        assert spare.pid != x.direct.pid
    with chaos.experiment(steady) as x:
        assert x.direct.pid == spare.pid
        assert spare_of(run).pid != spare.pid


def test_a_process_that_takes_the_place_of_a_killed_one_is_started_after_it(chaos: TargetChaos, run: TargetRun) -> None:
    with chaos.experiment(steady) as x:
        spare = spare_of(run)
        with x.inject(Kill()):
            pass
        x.restart()
        assert x.direct.pid != spare.pid
        assert psutil.Process(x.direct.pid).create_time() > spare.create_time()


def test_one_that_has_to_be_ready_for_a_fault_is_started_for_it(chaos: TargetChaos, run: TargetRun) -> None:
    with chaos.experiment(steady):
        spare = spare_of(run)
    with chaos.experiment(steady, ready_for=Descriptors(spare=9)) as x:
        assert x.direct.pid != spare.pid


def test_one_that_has_died_meanwhile_is_not_taken(chaos: TargetChaos, run: TargetRun) -> None:
    with chaos.experiment(steady):
        spare = spare_of(run)
        spare.kill()
        (died,) = [one for one in run._host.providers.values() if one.pid == spare.pid]
        assert died.wait(10) is not None
    with chaos.experiment(steady) as x:
        assert x.direct.pid != spare.pid
        assert steady(x.direct).ok


def test_under_faults_of_the_command_line_none_is_started_ahead(
    pool: Pool, run: TargetRun, worker: WorkerChaos
) -> None:
    struck = TargetRun(run.plan, pool._host, Profile.STANDARD, pool._stopping, Background(parse_fault("pause"), worker))
    struck.prepare()
    assert struck._spare.take() is None


def test_checks_that_measure_wait_for_it(pool: Pool, run: TargetRun) -> None:
    run.prepare()
    pool.settled()
    assert run._host.providers


def test_an_error_of_its_start_is_left_to_the_start_in_its_place(run: TargetRun) -> None:
    def failing(_: threading.Event) -> Start:
        raise RuntimeError("no process can be started")

    spare = Spare(failing, lambda _: None)
    spare.prepare()
    spare.wait()
    assert spare.take() is None
    spare.close()


def test_only_one_is_there_at_a_time(run: TargetRun) -> None:
    started: list[float] = []

    def start(_: threading.Event) -> Start:
        started.append(time.monotonic())
        return run.start()

    spare = Spare(start, run.release)
    with closing(spare):
        spare.prepare()
        spare.prepare()
        spare.wait()
        spare.prepare()
    assert len(started) == 1


def test_a_start_that_goes_on_is_given_up_at_the_end() -> None:
    waiting = threading.Event()

    def start(closing: threading.Event) -> Start:
        waiting.set()
        assert closing.wait(30)
        raise RuntimeError("given up")

    spare = Spare(start, lambda _: None)
    spare.prepare()
    assert waiting.wait(10)
    spare.close()
    spare.prepare()
    assert spare.take() is None
