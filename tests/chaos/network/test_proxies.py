"""Both backends, held to the same; where Toxiproxy does something else, that stands here too."""

from __future__ import annotations

import os
import socket
import time
from typing import cast

import pytest

from nomos_contracts.fault import (
    Bandwidth,
    Direction,
    Down,
    Latency,
    NetworkFault,
    Reset,
    Silence,
    Slices,
    SlowClose,
    Truncate,
)
from pytest_nomos.chaos.network.embedded import EmbeddedProxies
from pytest_nomos.chaos.network.proxy import Proxies, ProxyError
from pytest_nomos.chaos.network.toxiproxy import ToxiproxyProxies
from wires import Line, ending, line, quiet, read, read_all, sending

EVER = 600_000
"""Milliseconds that no test lives to see."""


@pytest.fixture(params=["downstream", "upstream"])
def direction(request: pytest.FixtureRequest) -> Direction:
    return cast("Direction", request.param)


@pytest.fixture
def other(direction: Direction) -> Direction:
    return "upstream" if direction == "downstream" else "downstream"


def struck(through: Line, toxic: str = "t") -> bool:
    """Whether the toxic bit, as far as the backend knows."""
    count = through.proxy.struck(toxic)
    return count is None or count > 0


class TestProxies:
    def test_bytes_pass_unchanged_both_ways_at_once(self, through: Line) -> None:
        wire = through.connect()
        there, back = os.urandom(3_000_000), os.urandom(2_000_000)
        with sending(wire.caller, there), sending(wire.served, back):
            with sending(wire.caller, b""):
                assert read(wire.served, len(there)) == there
            assert read(wire.caller, len(back)) == back
        traffic = through.proxy.traffic
        assert (traffic.up, traffic.down) in {(len(there), len(back)), (None, None)}
        assert traffic.connections in {1, None}

    def test_latency_holds_one_direction_for_its_time(
        self, through: Line, direction: Direction, other: Direction
    ) -> None:
        through.proxy.add("t", Latency(ms=200, direction=direction))
        wire = through.connect()
        sender, receiver = wire.ends(direction)
        before = time.monotonic()
        sender.sendall(b"late")
        first, second = wire.ends(other)
        first.sendall(b"early")
        assert read(second, 5) == b"early"
        assert read(receiver, 4) == b"late"
        assert time.monotonic() - before >= 0.2
        assert struck(through)

    def test_what_waits_in_a_removed_latency_is_delivered_on_a_live_connection(
        self, through: Line, direction: Direction
    ) -> None:
        wire = through.connect()
        assert wire.works()
        sender, receiver = wire.ends(direction)
        through.proxy.add("t", Latency(ms=EVER, direction=direction))
        for piece in (b"one,", b"two,", b"three"):
            sender.sendall(piece)
        assert quiet(receiver)
        through.proxy.remove("t")
        assert read(receiver, 13) == b"one,two,three"
        assert wire.works()
        assert struck(through)

    def test_bandwidth_takes_its_time_for_the_bytes(self, through: Line, direction: Direction) -> None:
        through.proxy.add("t", Bandwidth(rate=20, direction=direction))
        sender, receiver = through.connect().ends(direction)
        before = time.monotonic()
        sender.sendall(bytes(4000))
        assert read(receiver, 4000) == bytes(4000)
        assert time.monotonic() - before >= 0.19
        assert struck(through)

    def test_no_bandwidth_lets_nothing_through_until_it_is_removed(self, through: Line, direction: Direction) -> None:
        wire = through.connect()
        assert wire.works()
        through.proxy.add("t", Bandwidth(rate=0, direction=direction))
        sender, receiver = wire.ends(direction)
        sender.sendall(b"held")
        assert quiet(receiver)
        through.proxy.remove("t")
        assert read(receiver, 4) == b"held"
        assert struck(through)

    def test_slow_close_delays_the_end_and_not_the_data(self, through: Line, direction: Direction) -> None:
        through.proxy.add("t", SlowClose(ms=200, direction=direction))
        sender, receiver = through.connect().ends(direction)
        sender.sendall(b"data")
        assert read(receiver, 4) == b"data"
        before = time.monotonic()
        sender.close()
        assert receiver.recv(1) == b""
        assert time.monotonic() - before >= 0.2
        assert struck(through)

    def test_an_end_that_waits_in_a_removed_slow_close_passes_on(self, through: Line, direction: Direction) -> None:
        through.proxy.add("t", SlowClose(ms=EVER, direction=direction))
        sender, receiver = through.connect().ends(direction)
        sender.close()
        assert quiet(receiver)
        through.proxy.remove("t")
        assert receiver.recv(1) == b""

    def test_silence_with_a_time_and_a_sender_that_goes_on(
        self, through: Line, direction: Direction, backend: str
    ) -> None:
        through.proxy.add("t", Silence(ms=300, direction=direction))
        sender, receiver = through.connect().ends(direction)
        before = time.monotonic()
        try:
            while time.monotonic() < before + 1 and quiet(receiver, 0.03):
                sender.sendall(b"still here")
        except OSError:
            pass  # it was closed between the look and the word
        assert quiet(receiver, 0) is (backend == "toxiproxy")  # whose time begins anew with each word

    def test_silence_swallows_one_direction_and_closes_when_it_is_removed(
        self, through: Line, direction: Direction, other: Direction
    ) -> None:
        wire = through.connect()
        assert wire.works()
        through.proxy.add("t", Silence(direction=direction))
        sender, receiver = wire.ends(direction)
        sender.sendall(b"lost")
        first, second = wire.ends(other)
        first.sendall(b"heard")
        assert read(second, 5) == b"heard"
        assert quiet(receiver)
        through.proxy.remove("t")
        assert ending(receiver) in {"FIN", "RST"}
        assert struck(through)
        assert through.connect().works()

    def test_silence_with_a_time_closes_after_it(self, through: Line, direction: Direction) -> None:
        before = time.monotonic()
        through.proxy.add("t", Silence(ms=150, direction=direction))
        wire = through.connect()
        _, receiver = wire.ends(direction)
        assert receiver.recv(1) == b""
        assert time.monotonic() - before >= 0.15
        assert struck(through)

    def test_reset_gives_both_ends_of_a_new_connection_an_rst(self, through: Line, direction: Direction) -> None:
        through.proxy.add("t", Reset(direction=direction))
        wire = through.connect()
        sender, receiver = wire.ends(direction)
        assert quiet(receiver, 0.05)
        sender.sendall(b"data")
        assert ending(receiver) == "RST"
        assert ending(sender) == "RST"
        assert struck(through)

    def test_reset_waits_its_time(self, through: Line, direction: Direction) -> None:
        through.proxy.add("t", Reset(ms=200, direction=direction))
        sender, receiver = through.connect().ends(direction)
        before = time.monotonic()
        sender.sendall(b"data")
        assert ending(receiver) == "RST"
        assert time.monotonic() - before >= 0.2

    def test_reset_strikes_live_connections(self, through: Line, direction: Direction, backend: str) -> None:
        wire = through.connect()
        assert wire.works()
        sender, receiver = wire.ends(direction)
        through.proxy.add("t", Reset(direction=direction))
        if backend == "toxiproxy":
            assert quiet(receiver)
            sender.sendall(b"data")
            assert ending(receiver) == "FIN"
        else:
            assert ending(receiver) == "RST"
            assert ending(sender) == "RST"
        assert struck(through)

    def test_slices_come_one_after_the_other_and_complete(self, through: Line, direction: Direction) -> None:
        through.proxy.add("t", Slices(size=10, variation=3, delay=10_000, direction=direction))
        sender, receiver = through.connect().ends(direction)
        data = os.urandom(130)
        before = time.monotonic()
        sender.sendall(data)
        assert read(receiver, 130) == data
        assert time.monotonic() - before >= 0.09  # 10 slices at least, as none is longer than 13
        assert struck(through)

    def test_slices_of_one_byte_without_a_pause(self, through: Line, direction: Direction) -> None:
        through.proxy.add("t", Slices(size=1, direction=direction))
        sender, receiver = through.connect().ends(direction)
        data = os.urandom(3000)
        sender.sendall(data)
        assert read(receiver, 3000) == data
        assert struck(through)

    def test_truncate_lets_so_many_bytes_of_each_connection_through(self, through: Line, direction: Direction) -> None:
        through.proxy.add("t", Truncate(after=5, direction=direction))
        for _ in range(2):
            wire = through.connect()
            sender, receiver = wire.ends(direction)
            sender.sendall(b"abc")
            assert read(receiver, 3) == b"abc"
            sender.sendall(b"defgh")
            assert read_all(receiver) == b"de"
            assert ending(sender) in {"FIN", "RST"}
        assert struck(through)

    def test_truncate_after_nothing_closes_with_the_first_data(self, through: Line, direction: Direction) -> None:
        through.proxy.add("t", Truncate(after=0, direction=direction))
        sender, receiver = through.connect().ends(direction)
        sender.sendall(b"abc")
        assert read_all(receiver) == b""

    def test_truncate_counts_from_when_it_was_added(self, through: Line, direction: Direction) -> None:
        wire = through.connect()
        assert wire.works()
        through.proxy.add("t", Truncate(after=2, direction=direction))
        sender, receiver = wire.ends(direction)
        sender.sendall(b"abc")
        assert read_all(receiver) == b"ab"

    def test_toxicity_strikes_some_connections_and_not_others(self, through: Line) -> None:
        through.proxy.add("t", Truncate(after=0, toxicity=0.5))
        spared = 0
        for _ in range(30):
            wire = through.connect()
            wire.served.sendall(b"x")
            spared += len(read(wire.caller, 1))
        assert 0 < spared < 30
        assert through.proxy.struck("t") in {30 - spared, None}

    def test_toxics_work_together_and_are_removed_one_by_one(self, through: Line) -> None:
        wire = through.connect()
        through.proxy.add("cut", Truncate(after=4))
        through.proxy.add("late", Latency(ms=EVER))
        through.proxy.add("up", Latency(ms=EVER, direction="upstream"))
        assert list(through.proxy.toxics) == ["cut", "late", "up"]
        wire.served.sendall(b"abcdef")
        wire.caller.sendall(b"up")
        assert quiet(wire.caller)
        assert quiet(wire.served, 0.01)
        through.proxy.remove("up")
        assert read(wire.served, 2) == b"up"
        through.proxy.remove("late")
        assert read_all(wire.caller) == b"abcd"
        assert list(through.proxy.toxics) == ["cut"]

    def test_a_disabled_proxy_refuses_and_cuts_and_comes_back_where_it_was(self, through: Line) -> None:
        wire = through.connect()
        assert wire.works()
        before = through.proxy.address
        for _ in range(2):
            through.proxy.disable()
            assert not through.proxy.enabled
        assert ending(wire.caller) in {"FIN", "RST"}
        assert ending(wire.served) in {"FIN", "RST"}
        with pytest.raises(ConnectionRefusedError):
            through.dial()
        for _ in range(2):
            through.proxy.enable()
            assert through.proxy.enabled
        assert through.proxy.address == before
        assert through.connect().works()
        assert through.proxy.traffic.severed in {1, None}

    def test_it_flaps_and_heals_with_its_toxics(self, through: Line) -> None:
        through.proxy.add("t", Truncate(after=0))
        for _ in range(10):
            through.proxy.disable()
            through.proxy.enable()
        wire = through.connect()
        wire.served.sendall(b"x")
        assert read_all(wire.caller) == b""

    def test_reset_of_the_proxy_removes_all_toxics_and_listens(self, through: Line) -> None:
        through.proxy.add("a", Silence())
        through.proxy.add("b", Latency(ms=EVER, direction="upstream"))
        through.proxy.disable()
        through.proxy.reset()
        assert through.proxy.enabled
        assert through.proxy.toxics == {}
        assert through.connect().works()

    def test_the_end_of_one_direction_passes_on_while_the_other_goes_on(
        self, through: Line, direction: Direction, backend: str
    ) -> None:
        sender, receiver = through.connect().ends(direction)
        sender.sendall(b"question")
        sender.shutdown(socket.SHUT_WR)
        assert read_all(receiver) == b"question"
        if backend == "toxiproxy":
            assert ending(sender) in {"FIN", "RST"}  # before there was an answer
            return
        assert quiet(sender, 0.05)
        answer = os.urandom(300_000)
        with sending(receiver, answer):
            assert read(sender, len(answer)) == answer
        receiver.shutdown(socket.SHUT_WR)
        assert sender.recv(1) == b""

    def test_the_end_of_one_direction_passes_on_after_data_that_wait(self, through: Line, backend: str) -> None:
        through.proxy.add("t", Latency(ms=100, direction="upstream"))
        wire = through.connect()
        wire.caller.sendall(b"question")
        wire.caller.shutdown(socket.SHUT_WR)
        assert read_all(wire.served) == b"question"
        if backend == "embedded":
            wire.served.sendall(b"answer")
            wire.served.close()
            assert read_all(wire.caller) == b"answer"

    def test_a_connection_that_is_refused_upstream_is_ended(self, through: Line) -> None:
        through.listener.close()
        try:
            with through.dial() as caller:
                assert ending(caller) in {"FIN", "RST"}
        except ConnectionResetError:
            pass  # before dialling was over

    def test_a_stopped_reader_stops_the_writer_and_what_is_removed_ends(
        self, through: Line, proxies: Proxies, backend: str
    ) -> None:
        through.proxy.add("t", Latency(ms=20))
        wire = through.connect()
        data = os.urandom(1_000_000) * 200  # 60 MB once fitted into Toxiproxy's buffers
        wire.served.settimeout(0.5)
        with sending(wire.served, data) as taken:
            pass  # it gives up when nothing was taken for half a second
        assert 0 < taken[0] < len(data)
        before = time.monotonic()
        through.proxy.remove("t")
        assert through.proxy.toxics == {}
        if isinstance(proxies, ToxiproxyProxies):
            # It hangs over this; ours is killed in time, and another one has the same proxies.
            assert proxies.respawns == 1
            assert time.monotonic() - before < 20
            assert through.connect().works()
        else:
            wire.served.shutdown(socket.SHUT_WR)
            assert read_all(wire.caller) == data[: taken[0]]

    def test_a_unix_upstream(self, proxies: Proxies, backend: str, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("u") / "s"
        if backend == "toxiproxy":
            with pytest.raises(ProxyError, match="knows TCP only"), line(proxies, path=path):
                pass
            return
        with line(proxies, path=path) as through:
            wire = through.connect()
            assert wire.works()
            wire.caller.shutdown(socket.SHUT_WR)
            assert wire.served.recv(1) == b""
            wire.served.sendall(b"answer")
            wire.served.close()
            assert read_all(wire.caller) == b"answer"
            through.proxy.add("t", Reset(direction="upstream"))
            wire = through.connect()
            wire.caller.sendall(b"x")
            assert ending(wire.caller) == "RST"

    def test_proxies_do_not_disturb_each_other(self, proxies: Proxies) -> None:
        with line(proxies, "a") as first, line(proxies, "b") as second:
            first.proxy.add("t", Silence())
            assert second.proxy.toxics == {}
            assert second.connect().works()
            second.proxy.close()
            second.proxy.close()
            with pytest.raises(ConnectionRefusedError):
                second.dial()
            assert first.proxy.enabled

    def test_names_can_be_used_again(self, through: Line, proxies: Proxies) -> None:
        through.proxy.add("t", Latency(ms=1))
        through.proxy.remove("t")
        through.proxy.add("t", Silence(direction="upstream"))
        assert through.proxy.toxics == {"t": Silence(direction="upstream")}
        through.proxy.close()
        assert proxies.create("line", through.proxy.upstream).toxics == {}

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            (Slices(size=5, variation=5), "variation has to be less than size"),
            (Bandwidth.model_construct(rate=-1, direction="downstream", toxicity=1.0), "rate: .*greater than or equal"),
            (Slices.model_construct(size=0, direction="downstream", toxicity=1.0), "size: "),
            (Latency.model_construct(ms="soon", direction="downstream", toxicity=1.0), "ms: "),
            (Down(), "no fault of a connection"),
            ("latency", "no fault of a connection"),
        ],
    )
    def test_a_fault_that_cannot_be_is_refused(self, through: Line, fault: NetworkFault, message: str) -> None:
        with pytest.raises(ProxyError, match=f"toxic t: .*{message}"):
            through.proxy.add("t", fault)
        assert through.proxy.toxics == {}
        assert through.connect().works()

    def test_names_that_cannot_be_are_refused(self, through: Line, proxies: Proxies) -> None:
        for name in ("", "a/b", "a?b", "..", "x" * 200, "ä", "a\n"):
            with pytest.raises(ProxyError, match="a name is 1 to 100 of"):
                through.proxy.add(name, Latency(ms=1))
            with pytest.raises(ProxyError, match="a name is 1 to 100 of"):
                proxies.create(name, "127.0.0.1:80")
        through.proxy.add("t", Latency(ms=1))
        with pytest.raises(ProxyError, match="has a toxic t already"):
            through.proxy.add("t", Latency(ms=1))
        with pytest.raises(ProxyError, match="has no toxic other; it has t"):
            through.proxy.remove("other")
        with pytest.raises(ProxyError, match="there is a proxy line already"):
            proxies.create("line", "127.0.0.1:80")

    @pytest.mark.parametrize(
        "upstream",
        ["", "host", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http", "unix:", "unix:a", "a b:80",
         "unix:/" + "x" * 120, "http://127.0.0.1:80", "127.0.0.1:80/x"],
    )  # fmt: skip
    def test_an_upstream_that_cannot_be_is_refused(self, proxies: Proxies, upstream: str) -> None:
        with pytest.raises(ProxyError, match=r"upstream .*: "):
            proxies.create("p", upstream)
        assert proxies.create("p", "127.0.0.1:80").upstream == "127.0.0.1:80"

    def test_what_is_closed_says_so(self, proxies: Proxies) -> None:
        with line(proxies) as through:
            proxy = through.proxy
            wire = through.connect()
            proxy.add("t", Latency(ms=EVER))
            wire.served.sendall(b"never")
            proxies.close()
            proxies.close()
            assert ending(wire.caller) in {"FIN", "RST"}
            assert ending(wire.served) in {"FIN", "RST"}
            for use in (lambda: proxy.add("u", Latency(ms=1)), proxy.enable, lambda: proxies.create("q", "a:1")):
                with pytest.raises(ProxyError, match=r"closed|not known"):
                    use()
            proxy.close()

    def test_it_says_what_it_is(self, through: Line, proxies: Proxies, backend: str) -> None:
        expected = "embedded proxy" if isinstance(proxies, EmbeddedProxies) else "toxiproxy 2."
        assert proxies.name.startswith(expected)
        assert through.proxy.mechanism == proxies.name
        assert through.proxy.name == "line"
        assert through.proxy.address.startswith("127.0.0.1:")
        # Both end with this process: the embedded one is in it, and the server is one of ours.
        assert through.proxy.undo is None
