"""Experiments on real processes: steady state, faults, recovery, and what is left of them."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from laboratory import Bench
from nomos_contracts.fault import Descriptors, Down, Kill, Latency, Memory, Pause, Reset, Silence
from nomos_contracts.provider import Answer, RunningProvider
from nomos_contracts.violation import Blocked, Violation
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.experiment import LiveExperiment
from pytest_nomos.chaos.journal import Journal, read_journal
from pytest_nomos.host import Launch, Limits, ProviderHost, Setup

Make = Callable[..., LiveExperiment]


def steady(provider: RunningProvider) -> Answer:
    return provider.fetch(("app", "name"), timeout=0.5)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(Journal(tmp_path / "chaos.jsonl")) as stack:
        yield stack


@pytest.fixture
def make(tmp_path: Path, stack: Stack) -> Iterator[Make]:
    data = tmp_path / "data"
    data.mkdir()
    (data / "app.json").write_text('{"name": "kit"}\n')
    before = {thread.name for thread in threading.enumerate()}
    children = set(psutil.Process().children(recursive=True))
    benches: list[Bench] = []
    with ProviderHost(Limits(grace=2, shutdown_rpc=1)) as host:

        def experiment(*module: str, probe: Callable[[RunningProvider], Answer] = steady) -> LiveExperiment:
            launch = Launch((sys.executable, "-m", *(module or ("nomos_reference", "config/files"))))
            setup = Setup(config={"directory": str(data)})
            aliases = (f"provider-{number}" for number in itertools.count(1))
            benches.append(Bench(lambda: host.start(launch, next(aliases), setup), setup))
            return LiveExperiment(benches[-1], stack, probe)

        yield experiment
        for bench in benches:
            bench.proxies.close()
    left = {thread.name for thread in threading.enumerate()} - before
    assert not {name for name in left if "nomos" in name}, left
    assert set(psutil.Process().children(recursive=True)) <= children


def test_a_fault_is_felt_ended_and_recovered_from(make: Make, stack: Stack) -> None:
    with make().running() as x:
        with x.inject(Pause()) as fault:
            assert steady(x.direct).code == "DEADLINE_EXCEEDED"
            assert "SIGSTOP" in fault.mechanism
        assert 0 <= x.recover(5) < 5
        assert psutil.Process(x.direct.pid).status() != psutil.STATUS_STOPPED
        seen = x.timeline("CFG-CHAOS-001", "provider")
    assert [bar.fault for bar in seen.faults] == ["pause"]
    assert seen.faults[0].bit
    assert seen.recovery is not None
    assert seen.recovery.met
    assert [dot.ok for dot in seen.probes][-3:] == [True] * 3
    assert seen.faults[0].start < seen.faults[0].end <= seen.recovery.at_start + 0.1
    kinds = [type(entry).__name__ for entry in read_journal(stack.journal.path).entries]
    assert kinds.index("Planned") < kinds.index("InForce") < kinds.index("Reverted")


def test_network_faults_strike_callers_through_the_proxy_and_nobody_else(make: Make) -> None:
    with make().running() as x:
        assert steady(x.provider).value == "kit"
        with x.inject(Silence(direction="upstream") & Latency(ms=1)) as fault:
            assert steady(x.provider).code == "DEADLINE_EXCEEDED"
            assert steady(x.direct).value == "kit"
            fault.bit("a call was not answered")
        x.recover(5)
        with x.inject(Down()):
            assert steady(x.provider).code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
        x.recover(5)


def test_a_fault_that_never_bit_shows_nothing(make: Make) -> None:
    with make().running() as x:
        # Struck would be calls over the proxy, and there are none.
        _ = x.provider
        with x.inject(Reset(direction="upstream", toxicity=0.000001)):
            assert steady(x.provider).value == "kit"
        with pytest.raises(Blocked, match="never bit") as caught:
            x.recover(5)
    assert caught.value.by == "environment"


def test_without_a_fault_there_is_no_recovery(make: Make) -> None:
    with make().running() as x, pytest.raises(Blocked, match="no fault was injected"):
        x.recover(5)


def test_what_is_not_served_before_is_no_steady_state(make: Make) -> None:
    def nobody(provider: RunningProvider) -> Answer:
        return provider.call("no_such_function", {})

    with pytest.raises(Blocked, match="there is no steady state"), make(probe=nobody).running():
        pytest.fail("it has begun")


def test_one_that_never_recovers_is_convicted_with_the_bound_and_what_was_seen(make: Make) -> None:
    with make("nomos_mutants", "CFG-CHAOS-001").running() as x:
        with x.inject(Pause()):
            calls = [x.direct.start_fetch(("app", "name"), timeout=0.3) for _ in range(8)]
            assert {call.answer().code for call in calls} == {"DEADLINE_EXCEEDED"}
        with pytest.raises(Violation) as caught:
            x.recover(1)
        assert "within 1 s after pause" in caught.value.expected
        assert "the source was lost" in caught.value.got
        seen = x.timeline("CFG-CHAOS-001", "provider")
    assert seen.recovery is not None
    assert not seen.recovery.met


def test_one_that_died_is_convicted_with_how_it_ended(make: Make) -> None:
    with make().running() as x:
        with x.inject(Kill()):
            pass
        with pytest.raises(Violation, match=r"SIGKILL|signal 9"):
            x.recover(0.5)
        x.restart()
        assert x.recover(5) < 5


def test_what_was_done_is_undone_also_when_the_check_breaks_off(make: Make) -> None:
    with make().running() as x:
        with pytest.raises(ZeroDivisionError), x.inject(Pause() & Descriptors(spare=50)):
            raise ZeroDivisionError
        assert psutil.Process(x.direct.pid).status() != psutil.STATUS_STOPPED
        assert steady(x.direct).value == "kit"


def test_what_cannot_be_done_is_the_machines_affair(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_nomos.chaos import experiment
    from pytest_nomos.chaos.applied import Unavailable

    def refuse(*_: Any) -> Any:
        raise Unavailable("there is no such mechanism")

    monkeypatch.setattr(experiment, "process_fault", refuse)
    with (
        make().running() as x,
        pytest.raises(Blocked, match="there is no such mechanism") as caught,
        x.inject(Pause() & Memory(spare=1)),
    ):
        pytest.fail("it is in force")
    assert caught.value.by == "environment"


def test_a_fault_ends_by_itself_when_its_time_is_up(make: Make) -> None:
    with make().running() as x, x.inject(Pause(), ttl=0.2):
        # Nobody ends it here: the call is answered because the time of the fault is up.
        assert x.direct.fetch(("app", "name"), timeout=10).value == "kit"
