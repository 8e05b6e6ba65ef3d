"""Experiments between a real provider and a real web server; hesitant callers of a real provider."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from laboratory import Bench
from nomos_contracts.fault import Down, Kill, Silence, Truncate
from nomos_contracts.process.http2 import HesitantCaller
from nomos_contracts.provider import Answer, RunningProvider
from nomos_contracts.violation import Blocked, NotApplicable
from nomos_proto.messages import decode_fetch_response, encode_fetch_request
from nomos_reference.upstream import Upstream
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.experiment import LiveExperiment
from pytest_nomos.chaos.journal import Journal
from pytest_nomos.chaos.upstream import UpstreamSide, find_upstream
from pytest_nomos.host import Launch, Limits, ProviderHost, Setup

PATH = ("app", "name")
Make = Callable[..., LiveExperiment]


def steady(provider: RunningProvider) -> Answer:
    return provider.fetch(PATH, timeout=0.5)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def host() -> Iterator[ProviderHost]:
    children = set(psutil.Process().children(recursive=True))
    with ProviderHost(Limits(grace=2, shutdown_rpc=1)) as host:
        yield host
    assert set(psutil.Process().children(recursive=True)) <= children


@pytest.fixture
def make(tmp_path: Path, upstream: Upstream, host: ProviderHost) -> Iterator[Make]:
    """Make an experiment before the upstream of a provider, by its module and name, with a configuration."""
    with ExitStack() as everything:
        stack = everything.enter_context(Stack(Journal(tmp_path / "chaos.jsonl")))

        def experiment(
            name: str = "config/http", probe: Callable[[RunningProvider], Answer] = steady, **config: str
        ) -> LiveExperiment:
            config = {"base_url": f"{upstream.url}/settings"} | config
            aliases = (f"provider-{number}" for number in itertools.count(1))
            launch = Launch((sys.executable, "-m", "nomos_reference", name))
            bench = Bench(lambda: host.start(launch, next(aliases), Setup(config=side.config(config))), Setup())
            everything.enter_context(bench.proxies)
            place = find_upstream(config, "base_url")
            side = everything.enter_context(UpstreamSide.before(place, bench.proxies, "upstream"))
            return LiveExperiment(bench, stack, probe, side=side)

        yield experiment
    left = [thread.name for thread in threading.enumerate() if thread.name in {"nomos-tap", "nomos-proxies"}]
    assert not left, left


def test_a_fault_strikes_between_provider_and_upstream_and_no_caller(make: Make) -> None:
    with make().running() as x:
        assert x.provider is x.direct
        with x.inject(Down()) as fault:
            assert steady(x.direct).code == "UNAVAILABLE"
            assert x.direct.info().ok
            fault.bit("a Fetch failed")
        assert x.recover(5) < 5
        seen = x.timeline("CFG-CHAOS-013", "provider")
    assert [bar.fault for bar in seen.faults] == ["down"]
    assert not all(dot.ok for dot in seen.probes)


def test_an_upstream_that_hangs_keeps_its_callers_to_their_deadlines(make: Make) -> None:
    with make().running() as x:
        with x.inject(Silence(direction="upstream")):
            assert steady(x.direct).code == "DEADLINE_EXCEEDED"
        x.recover(5)


def test_an_answer_is_cut_where_the_upstream_said_it_could_be(make: Make) -> None:
    with make().running() as x:
        cuts = x.upstream.cuts()
        assert len(cuts) == 3
        for after in cuts:
            with x.inject(Truncate(after=after)):
                assert steady(x.direct).code in {"UNAVAILABLE", "FAILED_PRECONDITION"}
        x.recover(5)


def test_a_process_that_is_started_again_gets_what_the_upstream_has_now(make: Make) -> None:
    with make().running() as x:
        assert x.upstream.carried(b"shop")
        with x.inject(Kill()):
            pass
        x.upstream.change(b"shop", b"shoq")
        x.restart()
        assert steady(x.direct).value == "shoq"


def test_a_provider_that_does_not_use_what_was_named_proves_nothing(make: Make, tmp_path: Path) -> None:
    (tmp_path / "app.json").write_text('{"name": "kit"}')
    experiment = make("config/files", directory=str(tmp_path))
    with pytest.raises(Blocked, match="with the proxy in the place of the upstream of base_url, Init answered"):
        experiment.running().__enter__()


def test_a_value_that_nobody_connects_to_is_no_upstream(make: Make) -> None:
    # Info needs no upstream.
    idle = make(probe=lambda provider: provider.info())
    with pytest.raises(NotApplicable, match="it made no connection to the upstream of base_url"), idle.running():
        pass


def test_an_experiment_on_callers_has_no_upstream(host: ProviderHost, tmp_path: Path) -> None:
    with Stack(Journal(tmp_path / "chaos.jsonl")) as stack, pytest.raises(Blocked, match="upstream=True"):
        _ = LiveExperiment(Bench(host.start, Setup()), stack, steady).upstream


@pytest.fixture
def provider(host: ProviderHost, tmp_path: Path) -> RunningProvider:
    (tmp_path / "app.json").write_text('{"name": "kit", "text": "' + "x" * 100_000 + '"}')
    launch = Launch((sys.executable, "-m", "nomos_reference", "config/files"))
    start = host.start(launch, "provider", Setup(config={"directory": str(tmp_path)}))
    assert start.provider is not None
    assert start.provider.init().ok
    return start.provider


def until(caller: HesitantCaller, condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        caller.listen(0.05)
    raise AssertionError("it did not come")


def test_no_more_of_an_answer_comes_than_is_granted(provider: RunningProvider) -> None:
    with HesitantCaller(provider.announcement.address) as caller:
        stream = caller.begin(encode_fetch_request(PATH), 20)
        caller.listen(0.3)
        assert stream.data == b""
        assert not stream.ended
        caller.grant(stream, 3)
        until(caller, lambda: len(stream.data) == 3)
        caller.listen(0.1)
        assert len(stream.data) == 3
        assert stream.message is None
        caller.grant(stream, 1000)
        until(caller, lambda: stream.ended)
        assert stream.broken == ""
        assert stream.message is not None
        assert decode_fetch_response(stream.message) == {"value": "kit"}


def test_a_long_answer_comes_as_a_whole_however_little_is_granted_at_a_time(provider: RunningProvider) -> None:
    with HesitantCaller(provider.announcement.address) as caller:
        stream = caller.begin(encode_fetch_request(("app", "text")), 20)
        while not stream.ended:
            caller.grant(stream, 4096)
            caller.listen(0.001)
        assert stream.message is not None
        assert decode_fetch_response(stream.message) == {"value": "x" * 100_000}


def test_a_refusal_and_an_end_of_the_process_end_the_call(provider: RunningProvider) -> None:
    with HesitantCaller(provider.announcement.address) as caller:
        unknown = caller.begin(b"", 20, "/" + "n" * 300 + "/Fetch")
        until(caller, lambda: unknown.ended)
        assert unknown.data == b""
        held = caller.begin(encode_fetch_request(PATH), 20)
        caller.listen(0.1)
        provider.signal("SIGKILL")
        until(caller, lambda: held.ended)
        assert held.broken
