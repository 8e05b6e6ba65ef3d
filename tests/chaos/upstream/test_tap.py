"""The tap before an upstream: it counts, looks, changes, and leaves nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pytest_nomos.chaos.network.proxy import ProxyError
from pytest_nomos.chaos.network.tap import Tap

Talk = Callable[[socket.socket], None]


@contextmanager
def serving(talk: Talk) -> Iterator[str]:
    """Yield the address of a server that talks to one caller after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    talk(caller)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def ask(tap: Tap, request: bytes = b"hello") -> bytes:
    """Say something and return everything that comes."""
    host, _, port = tap.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as end:
        end.sendall(request)
        end.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := end.recv(65536):
            answer += piece
        return answer


def replying(*pieces: bytes) -> Talk:
    """Return what answers in pieces of its own once the request is over."""

    def talk(caller: socket.socket) -> None:
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while caller.recv(65536):
            pass
        for piece in pieces:
            caller.sendall(piece)
            threading.Event().wait(0.01)

    return talk


def echo(caller: socket.socket) -> None:
    while data := caller.recv(65536):
        caller.sendall(data)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name == "nomos-tap"]


def test_what_is_said_passes_both_ways_and_is_counted() -> None:
    with serving(echo) as address, Tap(address) as tap:
        assert tap.connections == 0
        assert ask(tap, b"x" * 1_000_000) == b"x" * 1_000_000
        assert ask(tap) == b"hello"
        assert tap.connections == 2
        assert tap.carried(b"hello")
        assert not tap.carried(b"hallo")


def test_a_change_is_made_also_where_a_text_comes_in_pieces() -> None:
    with serving(replying(b'{"a": "sh', b"op", b'", "b": "shop"}')) as address, Tap(address) as tap:
        assert ask(tap) == b'{"a": "shop", "b": "shop"}'
        tap.change(b"shop", b"shoq")
        assert ask(tap) == b'{"a": "shoq", "b": "shoq"}'


def test_the_beginning_of_a_text_that_does_not_go_on_is_not_kept_back() -> None:
    went_on = threading.Event()

    def talk(caller: socket.socket) -> None:
        caller.sendall(b"no more than sh")
        went_on.wait(5)

    with serving(talk) as address, Tap(address) as tap:
        tap.change(b"shop", b"shoq")
        host, _, port = tap.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as end:
            got = b""
            while len(got) < len(b"no more than sh"):
                got += end.recv(100)
            assert got == b"no more than sh"
            went_on.set()


def test_callers_that_ask_whether_there_is_a_change_get_the_whole() -> None:
    with serving(echo) as address, Tap(address) as tap:
        request = b'GET / HTTP/1.1\r\nif-none-match: "x"\r\nIf-Modified-Since: now\r\nX: If-Any\r\n\r\n'
        assert ask(tap, request) == request
        tap.change(b"shop", b"shoq")
        changed = ask(tap, request)
        assert len(changed) == len(request)
        assert b"if-none-match" not in changed.lower()
        assert b"if-modified-since" not in changed.lower()
        assert b"X: If-Any" in changed


def test_a_change_has_to_keep_the_length() -> None:
    with serving(echo) as address, Tap(address) as tap:
        for old, new in ((b"shop", b"shops"), (b"", b"")):
            with pytest.raises(ValueError, match="as long as"):
                tap.change(old, new)


@pytest.mark.parametrize(
    ("answer", "cuts"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789", (19, 44, 48)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", (23, 54, 60)),
        (b"HTTP/1.0 200 OK\r\n\r\nwho knows where this ends", ()),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n0123456789", ()),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", ()),
        (b"something else", ()),
    ],
)
def test_only_answers_that_tell_their_length_can_be_cut(answer: bytes, cuts: tuple[int, ...]) -> None:
    with serving(replying(answer)) as address, Tap(address) as tap:
        assert ask(tap) == answer
        assert tap.cuts() == cuts
        assert all(cut < len(answer) for cut in cuts)


def test_an_upstream_that_is_gone_is_as_gone_behind_the_tap() -> None:
    with serving(echo) as address:
        pass
    with Tap(address) as tap, pytest.raises(OSError, match=r"reset|pipe|not connected"):
        ask(tap)


def test_connections_are_broken_off_when_it_closes() -> None:
    with serving(echo) as address:
        tap = Tap(address)
        host, _, port = tap.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as end:
            end.sendall(b"x")
            assert end.recv(1) == b"x"
            tap.close()
            tap.close()
            assert end.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        ask(tap)


def test_an_upstream_that_names_nothing_is_refused() -> None:
    with pytest.raises(ProxyError, match="write host:port"):
        Tap("nowhere")


def test_it_closes_while_it_accepts_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    starting, start = threading.Event(), threading.Thread.start

    def late(thread: threading.Thread) -> None:
        if thread.name == "nomos-tap":
            starting.set()
            threading.Event().wait(0.1)  # long enough for whoever closes meanwhile
        start(thread)

    for _ in range(10):  # which thread it waits for first is up to chance
        with serving(echo) as upstream, Tap(upstream) as tap, monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", late)
            host, _, port = tap.address.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=5):
                assert starting.wait(5)
                tap.close()
        starting.clear()
