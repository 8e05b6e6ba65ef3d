"""What only the embedded proxy can be held to."""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nomos_contracts.fault import (
    Bandwidth,
    Direction,
    Latency,
    NetworkFault,
    Reset,
    Silence,
    Slices,
    SlowClose,
    Truncate,
)
from pytest_nomos.chaos.network import gate
from pytest_nomos.chaos.network.embedded import EmbeddedProxies
from pytest_nomos.chaos.network.proxy import ProxyError
from wires import Line, ending, line, quiet, read, read_all, sending

EVER = 600_000


@pytest.fixture
def through(embedded: EmbeddedProxies) -> Iterator[Line]:
    with line(embedded) as made:
        yield made


def spared(seed: int) -> list[int]:
    """Which of twenty connections a toxic of half toxicity spares."""
    found: list[int] = []
    with EmbeddedProxies(seed) as proxies, line(proxies) as through:
        through.proxy.add("other", Latency(ms=1, jitter=1))
        through.proxy.add("t", Truncate(after=0, toxicity=0.5))
        for number in range(20):
            wire = through.connect()
            wire.served.sendall(b"x")
            if read(wire.caller, 1):
                found.append(number)
    return found


def test_the_seed_says_which_connections_are_struck() -> None:
    assert spared(1) == spared(1)
    assert len({tuple(spared(seed)) for seed in range(4)}) > 1


def test_a_removed_reset_gives_back_what_it_held(through: Line) -> None:
    through.proxy.add("t", Reset(ms=EVER))
    wire = through.connect()
    wire.served.sendall(b"data")
    assert quiet(wire.caller)
    through.proxy.remove("t")
    assert read(wire.caller, 4) == b"data"
    assert wire.works()
    assert through.proxy.struck("t") == 0


def test_a_connection_that_one_end_reset_is_reset_for_the_other(through: Line) -> None:
    for direction in ("upstream", "downstream"):
        wire = through.connect()
        assert wire.works()
        sender, receiver = wire.ends(direction)
        sender.sendall(b"last words")
        assert read(receiver, 10) == b"last words"
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sender.close()
        assert ending(receiver) == "RST"


def test_an_answer_given_before_the_question_was_read_to_its_end_arrives(through: Line) -> None:
    wire = through.connect()
    with sending(wire.caller, bytes(30_000_000)):
        assert read(wire.served, 10) == bytes(10)
        wire.served.sendall(b"enough")
        wire.served.close()
        assert read(wire.caller, 6) == b"enough"
        # As without a proxy: the one who sends in vain may have learnt of the RST first.
        assert ending(wire.caller) in {"FIN", "RST"}


def test_the_port_of_a_disabled_proxy_is_nobody_elses(through: Line) -> None:
    through.proxy.disable()
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(through.place)
    through.proxy.enable()
    assert through.connect().works()


def test_an_upstream_that_never_accepts_holds_up_nobody_else(
    embedded: EmbeddedProxies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "CONNECT_SECONDS", 0.3)
    with socket.socket() as full, line(embedded) as through:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        proxy = embedded.create("hole", f"127.0.0.1:{full.getsockname()[1]}")
        host, _, port = proxy.address.partition(":")
        with socket.create_connection((host, int(port)), 10) as stuck, socket.create_connection((host, int(port)), 10):
            assert through.connect().works()
            assert ending(stuck) == "RST"
        for each in waiting:
            each.close()


def test_a_unix_upstream_that_comes_and_goes(embedded: EmbeddedProxies, tmp_path: Path) -> None:
    proxy = embedded.create("p", f"unix:{tmp_path}/absent")
    host, _, port = proxy.address.partition(":")
    try:
        with socket.create_connection((host, int(port)), 10) as caller:
            assert ending(caller) == "RST"
    except ConnectionResetError:
        pass
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{tmp_path}/absent")
    listener.listen()
    with listener, socket.create_connection((host, int(port)), 10) as caller:
        served, _ = listener.accept()
        with served:
            caller.sendall(b"there")
            assert read(served, 5) == b"there"


@pytest.mark.parametrize(
    "fault",
    [None, Latency(ms=EVER), Bandwidth(rate=0), Bandwidth(rate=1), Reset(ms=EVER), Slices(size=1, delay=1_000_000)],
    ids=lambda fault: fault.words if fault else "none",
)
def test_memory_is_bounded_when_nothing_gets_out(through: Line, fault: NetworkFault | None) -> None:
    if fault is not None:
        through.proxy.add("t", fault)
    wire = through.connect()
    wire.served.settimeout(0.3)
    before = psutil.Process().memory_info().rss
    with sending(wire.served, bytes(100_000_000)) as taken:
        pass
    held = through.proxy.traffic.down
    assert held is not None
    # The rest of what was taken waits in the kernel.
    assert held <= (5_000_000 if isinstance(fault, Latency) else 15_000_000 if fault is None else 200_000)
    assert taken[0] < 60_000_000
    assert psutil.Process().memory_info().rss - before < 40_000_000


def test_lossless_toxics_that_come_and_go_lose_and_reorder_nothing(through: Line) -> None:
    dice = random.Random(5)
    data = os.urandom(500_000)
    # So that it takes a second, and all that follows happens on the way.
    through.proxy.add("down", Bandwidth(rate=500))
    through.proxy.add("up", Bandwidth(rate=500, direction="upstream"))
    wires = [through.connect() for _ in range(3)]
    arrived: list[bytes] = []
    readers = [
        threading.Thread(target=lambda end=end: arrived.append(read(end, len(data))))
        for wire in wires
        for end in (wire.caller, wire.served)
    ]
    senders = [
        threading.Thread(target=end.sendall, args=(data,)) for wire in wires for end in (wire.caller, wire.served)
    ]
    for thread in (*readers, *senders):
        thread.start()
    live: list[str] = []
    number = 0
    for _ in range(300):
        if len(live) < 4 and dice.random() < 0.6:
            way: Direction = "upstream" if dice.random() < 0.5 else "downstream"
            fault = dice.choice(
                [
                    Latency(ms=5, jitter=5, direction=way),
                    Latency(ms=EVER, direction=way),
                    Bandwidth(rate=50_000, direction=way),
                    Bandwidth(rate=0, direction=way),
                    Slices(size=3000, variation=2999, direction=way),
                    SlowClose(ms=1, direction=way),
                    Reset(ms=EVER, direction=way, toxicity=1e-9),
                ]
            )
            number += 1
            live.append(f"t{number}")
            through.proxy.add(live[-1], fault)
        elif live:
            through.proxy.remove(live.pop(dice.randrange(len(live))))
        readers[0].join(0.003)
    through.proxy.reset()
    for thread in (*readers, *senders):
        thread.join(10)
    assert number > 50
    assert arrived == [data] * 6


def test_closing_with_everything_in_force_leaves_nothing() -> None:
    process = psutil.Process()
    threads, descriptors = threading.active_count(), process.num_fds()
    proxies = EmbeddedProxies()
    lines = [Line(proxies, f"p{number}") for number in range(4)]
    faults: list[NetworkFault] = [
        Latency(ms=EVER),
        Bandwidth(rate=0),
        SlowClose(ms=EVER),
        Silence(ms=EVER, direction="upstream"),
        Reset(ms=EVER, direction="upstream"),
        Slices(size=1, delay=1_000_000, direction="upstream"),
    ]
    for each in lines:
        for _ in range(5):
            each.connect()
        for number, fault in enumerate(faults):
            each.proxy.add(f"t{number}", fault)
        for wire in each.wires:
            wire.served.sendall(bytes(100_000))
            wire.caller.sendall(bytes(100_000))
            wire.served.shutdown(socket.SHUT_WR)
    proxies.close()
    for each in lines:
        each.close()
    assert threading.active_count() == threads
    assert process.num_fds() == descriptors


def test_a_thousand_connections_leave_nothing_behind(through: Line) -> None:
    process = psutil.Process()
    assert through.connect().works()
    through.wires.pop().close()
    before: int | None = None
    for number in range(1000):
        wire = through.connect()
        wire.caller.sendall(b"x")
        assert read(wire.served, 1) == b"x"
        wire.caller.close()
        assert read_all(wire.served) == b""
        wire.served.close()
        if number == 10:
            before = process.num_fds()
    through.wires.clear()
    through.proxy.disable()
    assert before is not None
    assert process.num_fds() <= before
    assert through.proxy.traffic.connections == 1001


def test_a_host_that_is_not_known_is_one_clear_error(embedded: EmbeddedProxies) -> None:
    with pytest.raises(ProxyError, match=r"upstream 'no\.such\.host\.invalid:80': .* is not known"):
        embedded.create("p", "no.such.host.invalid:80")


def test_closing_what_never_ran_is_nothing() -> None:
    proxies = EmbeddedProxies()
    proxies.close()
    with pytest.raises(ProxyError, match="closed"):
        proxies.create("p", "127.0.0.1:1")
