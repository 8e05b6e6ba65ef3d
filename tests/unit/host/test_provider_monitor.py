from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_nomos.host import Event, EventKind, HostedProvider, Launch, Limits, ProviderHost

Small = Callable[..., Launch]
Eventually = Callable[..., None]
QUICK = Limits(ping_interval=0.05, ping_timeout=2, grace=2, shutdown_rpc=0.5)


def started(host: ProviderHost, launch: Launch, alias: str = "target") -> HostedProvider:
    start = host.start(launch, alias)
    assert isinstance(start.provider, HostedProvider), start.error
    return start.provider


def test_a_provider_is_pinged_by_health_calls_over_and_over(
    tmp_path: Path, small: Small, eventually: Eventually
) -> None:
    with ProviderHost(QUICK, tmp_path) as host:
        provider = started(host, small())
        eventually(lambda: provider.fetch(["calls"]).value["Health"] >= 6)
        assert host.unhealthy == {}
        assert all(answer.method == "Fetch" for answer in provider.answers)
        assert provider.figures().open <= 2


def test_a_stopped_process_is_reported_and_so_is_its_recovery(
    tmp_path: Path, small: Small, eventually: Eventually
) -> None:
    heard: list[Event] = []
    with ProviderHost(QUICK, tmp_path, listener=heard.append) as host:
        provider = started(host, small(), "sleeper")
        other = started(host, small(), "other")
        provider.signal("SIGSTOP")
        eventually(lambda: "sleeper" in host.unhealthy)
        assert "DEADLINE_EXCEEDED" in host.unhealthy["sleeper"]
        assert "other" not in host.unhealthy
        provider.signal("SIGCONT")
        eventually(lambda: host.unhealthy == {})
        assert other.health().ok
        kinds = [(event.alias, event.kind) for event in heard]
        assert kinds == [("sleeper", EventKind.UNHEALTHY), ("sleeper", EventKind.HEALTHY)]


def test_a_dead_process_is_reported_and_forgotten_once_it_is_stopped(
    tmp_path: Path, small: Small, eventually: Eventually
) -> None:
    with ProviderHost(QUICK, tmp_path) as host:
        provider = started(host, small())
        provider.signal("SIGKILL")
        eventually(lambda: "was ended by SIGKILL" in host.unhealthy.get("target", ""))
        provider.stop()
        assert host.unhealthy == {}


def test_connections_that_nobody_uses_are_closed_and_the_link_still_answers(
    tmp_path: Path, small: Small, eventually: Eventually
) -> None:
    with ProviderHost(QUICK.model_copy(update={"pool_idle": 0.2}), tmp_path) as host:
        provider = started(host, small())
        pending = [provider.start_fetch(["sleep", "0.1"]) for _ in range(5)]
        assert provider.figures().open in {5, 6}  # one more where a ping is in flight
        assert all(item.answer(5).ok for item in pending)
        eventually(lambda: provider.figures().open == 1)
        assert provider.health().ok


@pytest.mark.parametrize("pings", [True, False])
def test_pings_can_be_switched_off(tmp_path: Path, small: Small, eventually: Eventually, pings: bool) -> None:
    with ProviderHost(QUICK, tmp_path, pings=pings) as host:
        provider = started(host, small())
        host._monitor.look()
        assert (provider.fetch(["calls"]).value["Health"] > 1) is pings
