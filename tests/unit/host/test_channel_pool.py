from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from pytest_nomos.host.channels import ChannelPool, PoolClosedError, channel_options, dial_name
from pytest_nomos.host.limits import Limits


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> Iterator[ChannelPool]:
    pool = ChannelPool("127.0.0.1:1", Limits(pool_size=3, pool_idle=300), clock)
    yield pool
    pool.close()


def figures(pool: ChannelPool) -> tuple[int, int, int, int, int]:
    seen = pool.figures()
    return seen.open, seen.busy, seen.idle, seen.opened, seen.reused


def test_a_connection_that_is_free_is_reused(pool: ChannelPool) -> None:
    link = pool.acquire()
    assert figures(pool) == (1, 1, 0, 1, 0)
    pool.release(link)
    assert pool.acquire() is link
    assert figures(pool) == (1, 1, 0, 1, 1)


def test_beyond_the_size_the_least_busy_one_is_shared(pool: ChannelPool) -> None:
    links = [pool.acquire() for _ in range(3)]
    assert len({id(link) for link in links}) == 3
    shared = [pool.acquire() for _ in range(3)]
    assert {id(link) for link in shared} == {id(link) for link in links}
    assert [link.busy for link in links] == [2, 2, 2]
    assert figures(pool) == (3, 3, 0, 3, 3)


def test_idle_connections_are_closed_after_five_minutes_and_busy_ones_are_not(pool: ChannelPool, clock: Clock) -> None:
    busy, idle = pool.acquire(), pool.acquire()
    pool.release(idle)
    clock.now += 299
    assert pool.close_idle() == 0
    clock.now += 1
    assert pool.close_idle() == 1
    assert figures(pool)[:3] == (1, 1, 0)
    with pytest.raises(ValueError, match="closed"):
        idle.unary("/a/b")(b"", timeout=1)
    pool.release(busy)
    clock.now += 299
    assert pool.close_idle() == 0


def test_use_starts_the_idle_time_anew(pool: ChannelPool, clock: Clock) -> None:
    link = pool.acquire()
    pool.release(link)
    clock.now += 200
    pool.release(pool.acquire())
    clock.now += 200
    assert pool.close_idle() == 0


def test_renewing_lets_busy_ones_finish(pool: ChannelPool) -> None:
    busy, idle = pool.acquire(), pool.acquire()
    pool.release(idle)
    pool.renew()
    assert figures(pool)[0] == 0
    with pytest.raises(ValueError, match="closed"):
        idle.unary("/a/b")(b"", timeout=1)
    with pytest.raises(grpc.RpcError):
        busy.unary("/a/b")(b"", timeout=1)
    pool.release(busy)
    with pytest.raises(ValueError, match="closed"):
        busy.unary("/a/b")(b"", timeout=1)
    assert pool.acquire() not in (busy, idle)


def test_a_closed_pool_gives_nothing(pool: ChannelPool) -> None:
    link = pool.acquire()
    pool.close()
    pool.close()
    with pytest.raises(PoolClosedError):
        pool.acquire()
    pool.release(link)


def test_the_options_keep_connections_apart_and_calls_single() -> None:
    options = dict(channel_options(Limits(receive=123)))
    assert options["grpc.use_local_subchannel_pool"] == 1
    assert options["grpc.enable_retries"] == 0
    assert options["grpc.max_receive_message_length"] == 123


def test_addresses_become_names_that_grpc_takes() -> None:
    assert dial_name("127.0.0.1:5") == "ipv4:127.0.0.1:5"
    assert dial_name("unix:/a") == "unix:/a"
    assert dial_name("localhost:5") == "localhost:5"


def test_on_a_unix_socket_the_authority_is_a_host_and_no_path(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        listener.settimeout(5)
        pool = ChannelPool(f"unix:{tmp_path / 's'}", Limits())
        link = pool.open()
        call = link.channel.unary_unary("/some.Service/Call").future(b"", timeout=5)
        server, _ = listener.accept()
        with server:
            server.settimeout(5)
            server.sendall(bytes.fromhex("000000040000000000"))  # SETTINGS, as every server begins
            sent = b""
            while b"/some.Service/Call" not in sent:
                sent += server.recv(65536)
        call.cancel()
        link.channel.close()
        pool.close()
    assert b"localhost" in sent
    assert b"%2F" not in sent
