"""Compute providers that are programs: they stand still until their callers have left, and then serve as before."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from laboratory import BenchChaos
from nomos_contracts.codec import to_wire
from nomos_contracts.compute.fleet import bootstrap
from nomos_contracts.compute.interface import SpawnOptions
from nomos_contracts.faces import interface_in
from nomos_contracts.fault import Kill, Pause
from nomos_contracts.provider import Answer, RunningProvider
from pytest_nomos.host import Launch, Limits, ProviderHost, Setup

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["python", "go"])
def command(request: pytest.FixtureRequest, component: Callable[[str], str], tmp_path: Path) -> tuple[str, ...]:
    if request.param == "python":
        return (sys.executable, "-m", "nomos_reference", "compute/memory")
    go = component("go")
    folder, built = tmp_path / "toycloud", tmp_path / "provider"
    shutil.copytree(ROOT / "examples" / "compute-in-go", folder, ignore=shutil.ignore_patterns("nomos-provider-*"))
    subprocess.run([go, "build", "-o", built, "."], cwd=folder, check=True, timeout=300)
    return (str(built),)


@pytest.fixture
def chaos(command: tuple[str, ...]) -> Iterator[BenchChaos]:
    names = iter(f"provider-{number}" for number in range(10))
    with ProviderHost(Limits(grace=2, shutdown_rpc=1)) as host:
        setup = Setup(config={})
        yield BenchChaos(lambda: host.start(Launch(command), next(names), setup), setup)


def listed(provider: RunningProvider) -> Answer:
    return provider.call("list", {"filter": None}, interface="compute", timeout=1)


def spawn(provider: RunningProvider, number: int, timeout: float = 10) -> Answer:
    options: Any = to_wire(SpawnOptions("small", "control", number, bootstrap()))
    return provider.call("spawn", {"options": options}, interface="compute", timeout=timeout)


def test_a_caller_who_left_while_it_stood_still_asks_again_and_is_served(chaos: BenchChaos) -> None:
    with chaos.experiment(listed) as x:
        with x.inject(Pause()) as fault:
            left = [spawn(x.direct, 1, timeout=0.3) for _ in range(3)]
            assert {answer.code for answer in left} == {"DEADLINE_EXCEEDED"}
            fault.bit("three callers met their deadlines")
        again = [spawn(x.direct, 1) for _ in range(2)]
        assert {answer.code for answer in again} == {"OK"}
        declared = interface_in(x.direct.describe().value, "compute")["capabilities"]
        made = {answer.value["id"] for answer in again}
        assert len(made) == (1 if "idempotent_spawn" in declared else 2)
        # What the callers who left have asked for was not done, or done as well where nothing says that it is the same.
        there = {one["id"] for one in listed(x.direct).value}
        assert there == made if "idempotent_spawn" in declared else made <= there
        for one in there:
            assert x.direct.call("terminate", {"provider_id": one}, interface="compute").ok
        x.recover(within=5)


def test_calls_that_wait_while_it_stands_still_are_answered(chaos: BenchChaos) -> None:
    with chaos.experiment(listed) as x:
        with x.inject(Pause()) as fault:
            waiting = [x.direct.start_call("list", {"filter": None}, interface="compute", timeout=20) for _ in range(4)]
            assert listed(x.direct).code == "DEADLINE_EXCEEDED"
            fault.bit("a caller met its deadline")
        assert [call.answer().code for call in waiting] == ["OK"] * 4
        x.recover(within=5)


def test_a_killed_one_is_started_again(chaos: BenchChaos) -> None:
    with chaos.experiment(listed) as x:
        with x.inject(Kill()):
            assert listed(x.direct).code == "UNAVAILABLE"
        x.restart()
        x.recover(within=5)
