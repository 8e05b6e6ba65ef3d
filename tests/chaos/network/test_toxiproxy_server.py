"""The Toxiproxy server: one of ours ends with us, one that was named is left as it was."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from nomos_contracts.fault import Latency
from pytest_nomos.chaos.network import toxiproxy_api, toxiproxy_server
from pytest_nomos.chaos.network.choosing import open_proxies
from pytest_nomos.chaos.network.embedded import EmbeddedProxies
from pytest_nomos.chaos.network.proxy import ProxyError
from pytest_nomos.chaos.network.toxiproxy import ToxiproxyProxies
from pytest_nomos.chaos.network.toxiproxy_server import ToxiproxyServer
from pytest_nomos.chaos.recipes import RemoveProxy, read_recipe
from pytest_nomos.chaos.undo import UndoError, undo_journal
from victims import until
from wires import line

LEAVES = """
import sys
from nomos_contracts.fault import Latency
from pytest_nomos.chaos.network.toxiproxy import ToxiproxyProxies
proxies = ToxiproxyProxies(sys.argv[1])
proxy = proxies.create("left", "127.0.0.1:9")
proxy.add("t", Latency(ms=1))
print(proxies.pid or 0, proxy.address, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def named(program: str) -> Iterator[str]:
    """The API of a server that is not ours."""
    server = ToxiproxyServer(program)
    try:
        api = server.start()
        api.close()
        yield api.address
    finally:
        server.close()


@pytest.fixture
def left() -> Iterator[Callable[[str], tuple[subprocess.Popen[str], int, str]]]:
    """Start a process that makes a proxy; returns it, the process id of its server, and the proxy's address."""
    made: list[subprocess.Popen[str]] = []

    def start(server: str) -> tuple[subprocess.Popen[str], int, str]:
        command = [sys.executable, "-c", LEAVES, server]
        made.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert made[-1].stdout is not None
        pid, address = made[-1].stdout.readline().split()
        return made[-1], int(pid), address

    yield start
    for process in made:
        process.kill()
        process.communicate()


def test_a_server_of_ours_is_gone_soon_after_we_were_killed(
    program: str, left: Callable[[str], tuple[subprocess.Popen[str], int, str]]
) -> None:
    process, pid, _ = left(program)
    server = psutil.Process(pid)
    process.kill()
    process.wait()
    assert psutil.wait_procs([server], timeout=10)[1] == []


def test_what_a_killed_process_left_in_a_named_server_is_removed_by_the_next(
    named: str, left: Callable[[str], tuple[subprocess.Popen[str], int, str]]
) -> None:
    process, _, address = left(named)
    with ToxiproxyProxies(named) as proxies:
        assert address in str(proxies.ask("GET", "/proxies"))  # its maker lives
    process.kill()
    process.wait()
    with ToxiproxyProxies(named) as proxies:
        assert proxies.ask("GET", "/proxies") == {}


BETWEEN_FAULTS = """
import sys
from pathlib import Path
from pytest_nomos.session.chaos import WorkerChaos
worker = WorkerChaos(lambda: Path(sys.argv[1]), 1)
worker.proxies.create("left", "127.0.0.1:9")
print("made", flush=True)
sys.stdin.read()
"""


def test_undo_removes_what_a_run_left_in_a_named_server_that_was_killed_between_two_faults(
    named: str, tmp_path: Path
) -> None:
    journal = tmp_path / "chaos.jsonl"
    command = [sys.executable, "-c", BETWEEN_FAULTS, str(journal)]
    env = os.environ | {"NOMOS_TOXIPROXY": named}
    client = toxiproxy_api.ToxiproxyApi(named)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "made\n"
        with pytest.raises(UndoError, match="is alive"):
            undo_journal(journal, print)
        run.kill()
    (left,) = client.ask("GET", "/proxies")
    client.ask("POST", "/proxies", {"name": "theirs", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"})
    said: list[str] = []
    assert undo_journal(journal, said.append).done == [f"proxy {left} removed from {named}"]
    assert list(client.ask("GET", "/proxies")) == ["theirs"]
    assert undo_journal(journal, said.append).left == []
    assert said[1:] == ["nothing to undo: every fault in the journal has ended, and no proxy is left"]
    client.close()


def test_what_outlives_us_says_how_it_is_removed(named: str) -> None:
    with ToxiproxyProxies(named) as proxies:
        undo = proxies.create("left", "127.0.0.1:9").undo
        assert undo is not None
        recipe = read_recipe(undo)
        assert isinstance(recipe, RemoveProxy)
        assert recipe.api == named
        assert list(proxies.ask("GET", "/proxies")) == [recipe.proxy]


def test_a_named_server_keeps_what_is_not_ours(named: str) -> None:
    client = toxiproxy_api.ToxiproxyApi(named)
    client.ask("POST", "/proxies", {"name": "theirs", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"})
    with ToxiproxyProxies(named) as proxies, ToxiproxyProxies(named) as beside:
        assert proxies.pid is None
        for each in (proxies, beside):
            each.create("same-name", "127.0.0.1:9").add("t", Latency(ms=1))
        assert len(client.ask("GET", "/proxies")) == 3
    assert list(client.ask("GET", "/proxies")) == ["theirs"]
    client.close()


def test_a_server_of_ours_that_hangs_is_replaced_with_all_that_is_in_force(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toxiproxy_api, "ANSWER_SECONDS", 0.5)
    with ToxiproxyProxies(program) as proxies, line(proxies) as through:
        through.proxy.add("stays", Latency(ms=1))
        through.proxy.add("goes", Latency(ms=60_000))
        down = proxies.create("down", "127.0.0.1:9")
        down.disable()
        address, pid = through.proxy.address, proxies.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        assert until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        through.proxy.remove("goes")
        assert proxies.respawns == 1
        assert not psutil.pid_exists(pid)
        assert through.proxy.address == address
        assert list(through.proxy.toxics) == ["stays"]
        assert not down.enabled
        assert through.connect().works()
        assert proxies.pid is not None
        os.kill(proxies.pid, signal.SIGKILL)
        assert list(through.proxy.toxics) == ["stays"]
        assert proxies.respawns == 2


def test_a_named_server_that_hangs_is_reported_in_time(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setattr(toxiproxy_api, "ANSWER_SECONDS", 0.5)
    (server,) = [
        process
        for process in psutil.Process().children(recursive=True)
        if process.name().startswith(("server", "toxiproxy"))
    ]
    proxies = ToxiproxyProxies(named)
    proxy = proxies.create("p", "127.0.0.1:9")
    proxy.add("t", Latency(ms=1))
    server.suspend()
    assert until(lambda: server.status() == psutil.STATUS_STOPPED)
    try:
        before = time.monotonic()
        with pytest.raises(ProxyError, match=r"no answer.*it is not ours: start it anew"):
            proxy.remove("t")
        with pytest.raises(ProxyError, match=r"these proxies are left: .*p"):
            proxies.close()
        assert time.monotonic() - before < 10
    finally:
        server.resume()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"hello", "what answers there is no Toxiproxy"),
        (b'{"name": "x"}', "this is no Toxiproxy 2"),
        (b"[]", "this is no Toxiproxy 2"),
        (None, "no answer"),
    ],
)
def test_what_answers_and_is_no_toxiproxy_is_one_clear_error(answer: bytes | None, message: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if answer is not None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(ProxyError, match=f"Toxiproxy at 127.0.0.1:{server.server_port}: .*{message}"):
                ToxiproxyProxies(f"127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_is_not_there_or_not_here_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ProxyError, match="no answer"):
        ToxiproxyProxies(f"127.0.0.1:{port}")
    with pytest.raises(ProxyError, match="it has to run on this machine"):
        ToxiproxyProxies("toxiproxy.example.org:8474")
    for absent in ("no-such-program", "/no/such/program", "/etc/passwd", "/"):
        with pytest.raises(ProxyError, match="is no program that can be started"):
            ToxiproxyProxies(absent)


def test_a_program_that_is_no_toxiproxy_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toxiproxy_server, "START_SECONDS", 0.5)
    fake = tmp_path / "toxiproxy-server"
    for text, message in (
        ("#!/bin/sh\nexit 3\n", "instead of listening"),
        ("#!/bin/sh\nsleep 100\n", "does not listen after 0.5 s"),
        ("#!/no/such/shell\n", "cannot be started"),
    ):
        fake.write_text(text)
        fake.chmod(0o755)
        with pytest.raises(ProxyError, match=message):
            ToxiproxyProxies(str(fake))
        assert [each for each in psutil.Process().children(recursive=True) if each.name() == "sleep"] == []


def test_nothing_named_means_the_embedded_proxy_also_where_a_server_runs(named: str) -> None:
    with open_proxies("", 3) as proxies:
        assert isinstance(proxies, EmbeddedProxies)
    with open_proxies(named, 3) as proxies:
        assert isinstance(proxies, ToxiproxyProxies)
