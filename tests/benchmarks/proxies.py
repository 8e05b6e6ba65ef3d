"""What a proxy adds to a call, and how much goes through it: the embedded one against a real Toxiproxy."""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from nomos_proto.v1 import provider_pb2
from pytest_nomos.chaos.network.embedded import EmbeddedProxies
from pytest_nomos.chaos.network.toxiproxy import ToxiproxyProxies
from pytest_nomos.host.channels import channel_options, dial_name
from pytest_nomos.host.host import ProviderHost
from pytest_nomos.host.launch import Launch, Setup
from pytest_nomos.host.limits import Limits
from table import Measurement
from targets import Provider

METHOD = "/nomos.provider.v1.ProviderService/Fetch"
ROUNDS = 21
CALLS = 200
MEGABYTES = 64
NAMES = ("latency added to a call, embedded / Toxiproxy", "throughput, embedded / Toxiproxy")

# In a process of its own: the embedded proxy shares this one's interpreter with whoever calls, and with nobody else.
SOURCE = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
data = bytes(1 << 18)
while True:
    end, _ = listener.accept()
    with end:
        try:
            for _ in range(int(end.recv(16)) * 4):
                end.sendall(data)
        except OSError:
            pass
"""


def _call_seconds(address: str, request: bytes) -> Generator[float]:
    """Yield the median seconds of a call, again and again, over one connection."""
    with grpc.insecure_channel(dial_name(address), options=channel_options(Limits())) as channel:
        call: Any = channel.unary_unary(METHOD)
        while True:
            taken: list[float] = []
            for _ in range(CALLS):
                began = time.perf_counter()
                call(request, timeout=30.0)
                taken.append(time.perf_counter() - began)
            yield statistics.median(taken)


def _megabytes_a_second(address: str) -> float:
    host, _, port = address.rpartition(":")
    room = bytearray(1 << 18)
    left = MEGABYTES << 20
    with socket.create_connection((host, int(port))) as end:
        end.sendall(str(MEGABYTES).encode())
        began = time.perf_counter()
        while left > 0 and (size := end.recv_into(room)):
            left -= size
        return MEGABYTES / (time.perf_counter() - began)


@contextmanager
def _source() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", SOURCE], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def measure(scratch: Path, provider: Provider) -> list[Measurement]:
    """Compare both, in turn, before the same upstreams."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from components import COMPONENTS

    component = COMPONENTS["toxiproxy"]
    server = component.find()
    if server is None:
        why = f"toxiproxy is absent; {component.command}"
        return [Measurement(NAMES[0], None, 1.0, detail=why), Measurement(NAMES[1], None, 0.5, True, detail=why)]
    with EmbeddedProxies() as embedded, ToxiproxyProxies(server) as real, _source() as source:
        with ProviderHost(folder=scratch, pings=False) as host:
            started = host.start(Launch(provider.command), "bench", Setup(config=provider.config))
            if started.provider is None or not started.provider.init().ok:
                raise RuntimeError(started.error.message if started.error else "the provider does not start")
            direct = started.provider.announcement.address
            request = provider_pb2.FetchRequest(path=provider.path).SerializeToString()
            addresses = (direct, embedded.create("call", direct).address, real.create("call", direct).address)
            ways = [_call_seconds(address, request) for address in addresses]
            for way in ways:
                next(way)
            rounds = [[next(way) for way in ways] for _ in range(ROUNDS)]
            for way in ways:
                way.close()
        plain, ours, theirs = (statistics.median(side) for side in zip(*rounds, strict=True))
        latency = Measurement(
            NAMES[0],
            (ours - plain) / (theirs - plain),
            1.0,
            detail=f"{(ours - plain) * 1e6:.0f} us / {(theirs - plain) * 1e6:.0f} us on top of {plain * 1e6:.0f} us, "
            f"{ROUNDS} rounds of {CALLS}, {real.name}",
        )
        pair = (embedded.create("bytes", source).address, real.create("bytes", source).address)
        speeds = [[_megabytes_a_second(address) for address in pair] for _ in range(7)]
        fast, slow = (statistics.median(side) for side in zip(*speeds, strict=True))
        detail = f"{fast:.0f} MB/s / {slow:.0f} MB/s, 7 rounds of {MEGABYTES} MB, {real.name}"
        return [latency, Measurement(NAMES[1], fast / slow, 0.5, at_least=True, detail=detail)]
