"""What the host costs on the way of a call, and what its pool saves."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from nomos_proto.v1 import provider_pb2
from nomos_proto.v1.provider_pb2_grpc import ProviderServiceStub
from pytest_nomos.host.channels import channel_options, dial_name
from pytest_nomos.host.external import ExternalProvider
from pytest_nomos.host.host import ProviderHost
from pytest_nomos.host.launch import Launch, Setup
from pytest_nomos.host.limits import Limits
from table import Measurement
from targets import Provider

METHOD = "/nomos.provider.v1.ProviderService/Fetch"
SINGLE = 400
ROUNDS = 25
PARALLEL = 100


def _seconds(call: Callable[[], Any], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - began


def _compare(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float, float]:
    """Return the median ratio of alternating rounds, and the median seconds of one call on either side."""
    for call in (ours, theirs):
        _seconds(call, SINGLE)
    rounds: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        if number % 2:
            mine, other = _seconds(ours, SINGLE), _seconds(theirs, SINGLE)
        else:
            other, mine = _seconds(theirs, SINGLE), _seconds(ours, SINGLE)
        rounds.append((mine, other))
    ratio = statistics.median(mine / other for mine, other in rounds)
    return (
        ratio,
        statistics.median(mine for mine, _ in rounds) / SINGLE,
        statistics.median(other for _, other in rounds) / SINGLE,
    )


def _single(external: ExternalProvider, provider: Provider) -> Measurement:
    address = external.channel.address if external.channel else ""
    request = provider_pb2.FetchRequest(path=provider.path)
    encoded = request.SerializeToString()
    # The same options and one connection on either side: the way of a call is compared, not the settings of gRPC.
    with grpc.insecure_channel(dial_name(address), options=channel_options(Limits())) as channel:
        stub: Any = ProviderServiceStub  # generated
        fetch = stub(channel).Fetch
        ratio, ours, theirs = _compare(
            lambda: external.call(METHOD, encoded, 30.0), lambda: fetch(request, timeout=30.0)
        )
    detail = f"{ours * 1e6:.0f} us / {theirs * 1e6:.0f} us, {ROUNDS} rounds of {SINGLE}, {provider.name}"
    return Measurement("host call / raw stub call", ratio, 1.05, detail=detail)


def _parallel(external: ExternalProvider, provider: Provider) -> Measurement:
    address = external.channel.address if external.channel else ""
    encoded = provider_pb2.FetchRequest(path=provider.path).SerializeToString()
    options = channel_options(Limits())

    def pooled(_: int) -> None:
        reply = external.call(METHOD, encoded, 30.0)
        if reply.code != "OK":
            raise RuntimeError(reply.message)

    def unpooled(_: int) -> None:
        with grpc.insecure_channel(dial_name(address), options=options) as channel:
            call: Any = channel.unary_unary(METHOD)
            call(encoded, timeout=30.0)

    with ThreadPoolExecutor(PARALLEL) as threads:

        def at_once(call: Callable[[int], None]) -> float:
            began = time.perf_counter()
            list(threads.map(call, range(PARALLEL)))
            return time.perf_counter() - began

        for call in (pooled, unpooled):
            at_once(call)
        rounds = [(at_once(unpooled), at_once(pooled)) for _ in range(9)]
    ratio = statistics.median(slow / fast for slow, fast in rounds)
    slow, fast = (statistics.median(side) for side in zip(*rounds, strict=True))
    opened = external.channel.figures().open if external.channel else 0
    detail = f"{slow * 1e3:.0f} ms / {fast * 1e3:.0f} ms for 100 calls at once, {opened} connections, {provider.name}"
    return Measurement("100 parallel calls, unpooled / pooled", ratio, 8.0, at_least=True, detail=detail)


def measure(scratch: Path, provider: Provider) -> list[Measurement]:
    """Compare a call through the host with a call through a raw stub, and pooled with unpooled calls."""
    with ProviderHost(folder=scratch, pings=False) as host:
        started = host.start(Launch(provider.command), "bench", Setup(config=provider.config))
        if started.provider is None:
            raise RuntimeError(started.error.message if started.error else "the provider does not start")
        answer = started.provider.init()
        if not answer.ok:
            raise RuntimeError(answer.summary)
        external = host.providers["bench"].external
        return [_single(external, provider), _parallel(external, provider)]
