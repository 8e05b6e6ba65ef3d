"""Calls to a real provider through a proxy, of either backend."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nomos_contracts.fault import Bandwidth, Latency, NetworkFault, Reset, Silence, Slices, Truncate
from pytest_nomos.chaos.network.embedded import EmbeddedProxies
from pytest_nomos.chaos.network.proxy import Proxies, Proxy
from pytest_nomos.host import HostedProvider, Launch, Limits, ProviderHost, RemoteProvider, Setup

FILES = (sys.executable, "-m", "nomos_reference", "config/files")
LARGE = "x" * 1_000_000
LIMITS = Limits(grace=2, shutdown_rpc=1, announce=20, call=2)


@dataclass
class Behind:
    """A provider, a proxy before it, and a caller of the proxy."""

    proxy: Proxy
    caller: RemoteProvider

    def answer(self, seconds: float = 20) -> str:
        """Fetch through the proxy; return the code, with the value where there is one."""
        answer = self.caller.fetch(["app", "name"], timeout=seconds)
        return f"{answer.code} {answer.value}" if answer.ok else answer.code

    def heals(self) -> bool:
        """Whether a new connection is answered."""
        self.caller.reconnect()
        return self.answer() == "OK nomos"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("settings")
    (made / "app.json").write_text(json.dumps({"name": "nomos", "large": LARGE}))
    return made


@pytest.fixture(scope="module")
def started(directory: Path) -> Iterator[tuple[HostedProvider, HostedProvider]]:
    """A provider on a port, and one on a Unix socket."""
    with ProviderHost(LIMITS, directory, pings=False) as host:
        found: list[HostedProvider] = []
        for unix in (False, True):
            start = host.start(Launch(FILES, unix=unix), f"files{unix}", Setup(config={"directory": str(directory)}))
            assert isinstance(start.provider, HostedProvider), start.error
            assert start.provider.init().ok
            found.append(start.provider)
        yield found[0], found[1]


def behind(proxies: Proxies, provider: HostedProvider) -> Iterator[Behind]:
    proxy = proxies.create("provider", provider.announcement.address)
    caller = RemoteProvider(f"grpc:{proxy.address}", "through", Setup(), LIMITS)
    assert caller.connect() is None
    yield Behind(proxy, caller)
    caller.stop()


@pytest.fixture
def through(proxies: Proxies, started: tuple[HostedProvider, HostedProvider]) -> Iterator[Behind]:
    yield from behind(proxies, started[0])


def test_calls_are_answered(through: Behind) -> None:
    assert [through.answer() for _ in range(20)] == ["OK nomos"] * 20
    assert through.caller.fetch(["app", "large"]).value == LARGE


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        (Latency(ms=100, jitter=50), {"OK nomos"}),
        (Latency(ms=60_000), {"DEADLINE_EXCEEDED"}),
        (Silence(), {"DEADLINE_EXCEEDED"}),
        (Silence(direction="upstream"), {"DEADLINE_EXCEEDED"}),
        (Bandwidth(rate=0, direction="upstream"), {"DEADLINE_EXCEEDED"}),
        (Bandwidth(rate=100), {"OK nomos"}),
        (Slices(size=1), {"OK nomos"}),
        (Slices(size=1, direction="upstream"), {"OK nomos"}),
        (Reset(), {"UNAVAILABLE"}),
        (Reset(direction="upstream"), {"UNAVAILABLE"}),
        (Truncate(after=1), {"UNAVAILABLE"}),
    ],
    ids=lambda value: value.words if isinstance(value, NetworkFault) else "",
)
def test_a_fault_is_felt_by_a_call_and_gone_when_it_is_removed(
    through: Behind, fault: NetworkFault, codes: set[str]
) -> None:
    assert through.answer() == "OK nomos"
    through.proxy.add("t", fault)
    # A call that is sent on a connection which breaks before it was seen is sent again by gRPC, until its deadline.
    answered = through.answer(20 if "OK nomos" in codes else 1)
    assert answered in codes | ({"DEADLINE_EXCEEDED"} if codes == {"UNAVAILABLE"} else set())
    assert through.proxy.struck("t") != 0
    through.proxy.remove("t")
    assert through.heals()


def test_a_proxy_that_is_down_is_unavailable_and_heals(through: Behind) -> None:
    assert through.answer() == "OK nomos"
    through.proxy.disable()
    assert through.answer(1) in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    through.proxy.enable()
    assert through.heals()


def test_a_provider_on_a_unix_socket_is_called_through_the_embedded_proxy(
    embedded: EmbeddedProxies, started: tuple[HostedProvider, HostedProvider]
) -> None:
    assert started[1].announcement.address.startswith("unix:")
    for through in behind(embedded, started[1]):
        assert through.answer() == "OK nomos"
        through.proxy.add("t", Latency(ms=60_000))
        assert through.answer(0.3) == "DEADLINE_EXCEEDED"
        through.proxy.remove("t")
        assert through.heals()
