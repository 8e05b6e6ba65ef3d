from __future__ import annotations

from collections.abc import Callable

import pytest

from nomos_contracts.provider import RunningProvider, StartFailure
from nomos_contracts.violation import NotApplicable
from pytest_nomos.host import AddressError, HostedProvider, Launch, Limits, ProviderHost, RemoteProvider, Setup
from pytest_nomos.host.remote import parse_address


@pytest.mark.parametrize("unix", [False, True])
def test_a_provider_that_runs_already_is_talked_to_and_left_running(
    host: ProviderHost, small: Callable[..., Launch], unix: bool
) -> None:
    start = host.start(small(unix=unix), "ran-before")
    assert isinstance(start.provider, HostedProvider)
    address = start.provider.announcement.address
    remote = RemoteProvider(address if unix else f"grpc:{address}", "remote", Setup(config={"a": 1}), Limits())
    assert remote.connect() is None
    provider: RunningProvider = remote
    assert provider.init().ok
    assert provider.fetch(["config"]).value == {"a": 1}
    assert provider.start_fetch(["config"]).answer(5).ok
    assert provider.raw("Health", b"").ok
    provider.reconnect()
    assert provider.health().ok
    assert remote.figures().opened == 2
    assert provider.stop() is None
    assert provider.health().code == "UNAVAILABLE"
    assert start.provider.health().ok


def test_what_concerns_its_process_is_not_applicable() -> None:
    remote = RemoteProvider("grpc:127.0.0.1:1", "remote", Setup(), Limits())
    asked: list[Callable[[], object]] = [
        lambda: remote.pid,
        lambda: remote.announcement,
        lambda: remote.scratch,
        remote.stdout,
        remote.stderr,
        remote.stdout_bytes,
        remote.alive,
        lambda: remote.signal("SIGTERM"),
        lambda: remote.wait(1),
        remote.usage,
        remote.listeners,
        remote.descendants,
    ]
    for ask in asked:
        with pytest.raises(NotApplicable, match="no process"):
            ask()
    remote.stop()


def test_nobody_at_the_address_is_a_start_error() -> None:
    remote = RemoteProvider("grpc:127.0.0.1:1", "remote", Setup(), Limits(connect_backoff=0.01))
    error = remote.connect()
    assert error is not None
    assert error.failure is StartFailure.NOT_LISTENING
    assert "failed to connect after 3 attempts" in error.message
    remote.stop()


def test_addresses_are_read() -> None:
    assert parse_address("grpc:example.org:50051") == "example.org:50051"
    assert parse_address("grpc:[::1]:50051") == "[::1]:50051"
    assert parse_address("unix:/run/p.sock") == "unix:/run/p.sock"


@pytest.mark.parametrize(
    "target", ["grpc:", "grpc:host", "grpc::5", "grpc:host:0", "grpc:host:65536", "grpc:h:5x", "unix:p.sock"]
)
def test_what_is_no_address_is_refused(target: str) -> None:
    with pytest.raises(AddressError, match=r"127\.0\.0\.1:50051|absolute"):
        parse_address(target)
