from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_nomos.host import EventKind, HostedProvider, Launch, Limits, ProviderHost, Setup

Small = Callable[..., Launch]
Eventually = Callable[..., None]


@pytest.fixture
def supervised(host: ProviderHost, small: Small) -> HostedProvider:
    setup = Setup(config={"name": "value"})
    start = host.start(small(), "phoenix", setup, restart=True)
    assert isinstance(start.provider, HostedProvider), start.error
    return start.provider


def crash(provider: HostedProvider, eventually: Eventually) -> int:
    """Kill the process and wait for the next one; return its process id."""
    before = provider.pid
    provider.signal("SIGKILL")
    eventually(lambda: provider.pid != before and provider.unavailable is None)
    return provider.pid


def test_it_is_started_three_times_more_and_the_fourth_crash_lasts(
    host: ProviderHost, supervised: HostedProvider, eventually: Eventually
) -> None:
    supervised.init()
    pids = {supervised.pid} | {crash(supervised, eventually) for _ in range(3)}
    assert len(pids) == 4
    supervised.signal("SIGKILL")
    eventually(lambda: "not started again" in (supervised.unavailable or ""))
    answer = supervised.health()
    assert answer.code == "UNAVAILABLE"
    assert "crashed 4 times" in answer.message
    assert "SIGKILL" in answer.message
    assert [event.kind for event in host.events] == [EventKind.CRASHED, EventKind.RESTARTED] * 3 + [EventKind.GAVE_UP]
    assert supervised.stop() is not None


def test_the_latest_good_init_is_repeated(supervised: HostedProvider, eventually: Eventually) -> None:
    supervised.init()
    supervised.init({"second": 2}, alias="other", source_file_path="/x")
    crash(supervised, eventually)
    assert supervised.fetch(["config"]).value == {"second": 2}
    assert supervised.info().value["alias"] == "other"
    assert supervised.fetch(["calls"]).value["Init"] == 1


def test_without_an_init_none_is_made_up(supervised: HostedProvider, eventually: Eventually) -> None:
    crash(supervised, eventually)
    assert "Init" not in supervised.fetch(["calls"]).value


def test_calls_in_flight_fail_and_later_ones_reach_the_new_process(
    supervised: HostedProvider, eventually: Eventually
) -> None:
    pending = supervised.start_fetch(["sleep", "10"])
    crash(supervised, eventually)
    answer = pending.answer(5)
    assert answer.code == "UNAVAILABLE", answer.message
    assert supervised.health().ok


def test_the_new_process_has_folders_of_its_own_and_the_old_ones_are_gone(
    supervised: HostedProvider, eventually: Eventually, gone: Callable[[int], bool]
) -> None:
    child = int(supervised.fetch(["child", "away"]).value)
    scratch = supervised.scratch
    crash(supervised, eventually)
    assert supervised.scratch != scratch
    assert not scratch.exists()
    assert gone(child)


def test_a_start_that_fails_counts_as_a_crash(
    host: ProviderHost, script: Small, small: Small, tmp_path: Path, eventually: Eventually
) -> None:
    import shlex

    command = shlex.join(small().command)
    launch = script(f"echo x >> {tmp_path}/starts; [ -e {tmp_path}/broken ] && exit 5; exec {command}")
    start = host.start(launch, "phoenix", restart=True)
    assert isinstance(start.provider, HostedProvider)
    (tmp_path / "broken").touch()
    start.provider.signal("SIGKILL")
    eventually(lambda: "not started again" in (start.provider.unavailable or ""))
    assert "exited with code 5" in (start.provider.unavailable or "")
    assert (tmp_path / "starts").read_text() == "x\n" * 4
    start.provider.stop()


def test_an_orderly_end_is_no_crash(
    host: ProviderHost, supervised: HostedProvider, gone: Callable[[int], bool]
) -> None:
    pid = supervised.pid
    supervised.stop()
    assert gone(pid)
    assert host.events == ()
    assert host.providers == {}


def test_stopping_in_the_middle_of_a_restart_leaves_no_process(
    host: ProviderHost, script: Small, small: Small, tmp_path: Path, eventually: Eventually
) -> None:
    import shlex

    command = shlex.join(small().command)
    launch = script(f"[ -e {tmp_path}/mute ] && echo $$ >> {tmp_path}/pids && exec sleep 1000; exec {command}")
    start = host.start(launch, "phoenix", restart=True, limits=Limits(announce=60, grace=2))
    assert isinstance(start.provider, HostedProvider)
    (tmp_path / "mute").touch()
    start.provider.signal("SIGKILL")
    eventually(lambda: (tmp_path / "pids").exists())
    assert start.provider.health().code == "UNAVAILABLE"
    assert "restart 1 of 3" in start.provider.health().message
    start.provider.stop()
    assert host.providers == {}


def test_restarts_are_off_unless_asked_for(host: ProviderHost, running: HostedProvider) -> None:
    running.signal("SIGKILL")
    assert running.wait(5) is not None
    assert host.events == ()
    assert running.health().code == "UNAVAILABLE"


def test_the_number_of_restarts_is_a_limit(host: ProviderHost, small: Small, eventually: Eventually) -> None:
    start = host.start(small(), "phoenix", restart=True, limits=Limits(restarts=0, grace=2))
    assert isinstance(start.provider, HostedProvider)
    start.provider.signal("SIGKILL")
    eventually(lambda: "crashed once" in (start.provider.unavailable or ""))
