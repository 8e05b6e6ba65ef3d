"""A real engine behind a proxy: connections that are upgraded, dropped in the middle, or closed in one direction."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import docker
import pytest

from components import IMAGE
from nomos_contracts.compute.interface import INTERFACE
from nomos_contracts.faces import InProcessFace
from nomos_contracts.fault import Reset
from nomos_reference.compute.orbstack import make
from nomos_reference.compute.orbstack_engine import connect
from pytest_nomos.chaos.network.embedded import EmbeddedProxies
from pytest_nomos.chaos.network.proxy import Proxies, Proxy
from pytest_nomos.chaos.network.tap import Tap
from pytest_nomos.chaos.network.toxiproxy import ToxiproxyProxies
from pytest_nomos.chaos.vendor import proxied
from sweeping import one_sweeper

ANSWER = 10.0
"""Seconds in which an engine answers."""


@pytest.fixture(params=["embedded", "toxiproxy"])
def backend(request: pytest.FixtureRequest) -> str:
    return cast("str", request.param)


@pytest.fixture
def named(backend: str, component: Callable[[str], str]) -> str:
    """What NOMOS_TOXIPROXY says for a backend."""
    return (shutil.which("toxiproxy-server") or component("toxiproxy")) if backend == "toxiproxy" else ""


@pytest.fixture
def engine(component: Callable[[str], str]) -> Iterator[str]:
    """The address of an engine, as proxies take it."""
    component("docker")
    client, facts = connect(None, ANSWER)
    client.close()
    with one_sweeper():
        yield proxied(facts.url)


@pytest.fixture
def proxy(engine: str, named: str) -> Iterator[Proxy]:
    """A proxy of a backend before the engine; Toxiproxy cannot reach a Unix socket, so there is a bridge between."""
    with ToxiproxyProxies(named) if named else EmbeddedProxies(7) as proxies, Tap(engine) as bridge:
        made: Proxies = proxies
        yield made.create("engine", bridge.address)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[Any]:
    found = docker.APIClient(base_url=f"tcp://{proxy.address}", version="auto", timeout=ANSWER)
    yield found
    found.close()


@contextlib.contextmanager
def container(client: Any, *command: str, **options: Any) -> Iterator[str]:
    """A container of the tests, removed afterwards."""
    made = client.create_container(
        IMAGE,
        list(command),
        name=f"nomos-test-{uuid.uuid4().hex[:12]}",
        host_config=client.create_host_config(network_mode="none"),
        **options,
    )["Id"]
    try:
        client.start(made)
        yield made
    finally:
        with contextlib.closing(connect(None, ANSWER)[0]) as other:
            other.remove_container(made, force=True)


@contextlib.contextmanager
def upgraded(proxy: Proxy, path: str, body: str = "{}") -> Iterator[socket.socket]:
    """A connection that the engine has taken over; by hand, since the SDK keeps a hand on it."""
    host, _, port = proxy.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=ANSWER) as end:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        end.sendall(head.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += end.recv(1)
        assert b" 101 " in answer.partition(b"\r\n")[0] + b" ", answer
        yield end


def everything(end: socket.socket) -> bytes:
    """Read to the end of a connection, however it ends."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := end.recv(65536):
            found += piece
    return found


def test_a_dropped_exec_ends_for_its_caller_and_harms_nobody_else(proxy: Proxy, client: Any) -> None:
    with container(client, "/bin/sleep", "60") as one:
        made = client.exec_create(one, ["/bin/sh", "-c", "echo begun; sleep 60"], tty=True)["Id"]
        with upgraded(proxy, f"/exec/{made}/start", '{"Detach": false, "Tty": true}') as end:
            assert b"begun" in end.recv(100)
            proxy.disable()
            assert everything(end) == b""
        proxy.enable()
        assert client.inspect_container(one)["State"]["Status"] == "running"


def test_a_reset_attachment_ends_for_its_caller_and_the_next_one_is_served(proxy: Proxy, client: Any) -> None:
    with container(client, "/bin/sh", "-c", "while :; do echo more; sleep 0.1; done", tty=True) as one:
        attach = f"/containers/{one}/attach?stream=1&stdout=1"
        with upgraded(proxy, attach) as end:
            assert b"more" in end.recv(100)
            proxy.add("reset", Reset())
            everything(end)
        proxy.remove("reset")
        with upgraded(proxy, attach) as again:
            assert b"more" in again.recv(100)


def test_what_follows_a_half_close_arrives_where_the_proxy_passes_half_closes_on(
    backend: str, proxy: Proxy, client: Any
) -> None:
    said = b"and so on\n" * 1000
    # It answers when its input is over, and a little later than a proxy could take that for the end of all.
    speak = "n=$(wc -c); sleep 0.5; echo heard $n"
    with (
        container(client, "/bin/sh", "-c", speak, stdin_open=True) as one,
        upgraded(proxy, f"/containers/{one}/attach?stream=1&stdin=1&stdout=1") as end,
    ):
        end.sendall(said)
        end.shutdown(socket.SHUT_WR)
        heard = everything(end)
    # With Toxiproxy as the table of `pytest_nomos.chaos.network.proxy` says: the whole connection is closed.
    assert (f"heard {len(said)}".encode() in heard) == (backend == "embedded")


def test_an_engine_that_is_gone_and_back_is_an_error_and_then_none(proxy: Proxy) -> None:
    registration = make({"engine": f"tcp://{proxy.address}", "timeout": 3, "run": f"test-{uuid.uuid4().hex[:12]}"})
    face = InProcessFace(registration, INTERFACE, name="orbstack")
    try:
        assert face.invoke("list", filter=None).ok
        proxy.disable()
        answer = face.invoke("list", filter=None)
        assert (answer.details["code"], answer.details["retryable"]) == ("NETWORK_ERROR", True)
        proxy.enable()
        assert face.invoke("list", filter=None).ok
    finally:
        face.close()


def test_the_resilience_clauses_have_the_same_verdicts_with_both_proxies(
    named: str, engine: str, tmp_path: Path
) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-k", "CMP-CHAOS"]
    command += ["--nomos-provider=registered:compute/orbstack", "--nomos-tier=additional", "-rA"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**clean, "NOMOS_TOXIPROXY": named},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "11 passed, 1 skipped" in done.stdout, done.stdout[-3000:]
