"""Where the upstream of a provider is: found in its configuration, or named; and how a proxy takes its place."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from nomos_contracts.violation import Blocked, NotApplicable
from pytest_nomos.chaos.upstream import find_upstream

CLOSED = "http://127.0.0.1:9/settings"


def _name_of_this_machine() -> str:
    try:
        return "localhost" if socket.gethostbyname("localhost") else ""
    except OSError:
        return "127.0.0.1"  # a bare root has no /etc/hosts


HOST = _name_of_this_machine()


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_an_http_url_at_which_somebody_listens_is_found_wherever_it_stands(port: int) -> None:
    config = {"name": "x", "servers": [{"url": CLOSED}, {"url": f"http://{HOST}:{port}/a?b=c"}]}
    place = find_upstream(config, "")
    assert place.address == f"{HOST}:{port}"
    assert place.shown == "servers.1.url"
    moved = place.moved(config, "127.0.0.1:4711")
    assert moved == {"name": "x", "servers": [{"url": CLOSED}, {"url": "http://127.0.0.1:4711/a?b=c"}]}
    assert config["servers"][1] == {"url": f"http://{HOST}:{port}/a?b=c"}


def test_one_server_that_several_values_name_is_moved_in_all_of_them(port: int) -> None:
    config = {"a": f"http://127.0.0.1:{port}/a", "b": f"http://user:pass@127.0.0.1:{port}", "c": 5}
    moved = find_upstream(config, "").moved(config, "127.0.0.1:4711")
    assert moved == {"a": "http://127.0.0.1:4711/a", "b": "http://user:pass@127.0.0.1:4711", "c": 5}


def test_a_value_that_is_named_may_be_host_and_port_or_a_url(port: int) -> None:
    config: dict[str, Any] = {"db": {"at": [f"127.0.0.1:{port}"]}, "doc": f"http://127.0.0.1:{port}/"}
    place = find_upstream(config, "db.at.0")
    assert place.address == f"127.0.0.1:{port}"
    assert place.moved(config, "127.0.0.1:4711") == {**config, "db": {"at": ["127.0.0.1:4711"]}}
    assert find_upstream(config, "doc").moved(config, "127.0.0.1:4711")["doc"] == "http://127.0.0.1:4711/"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "no upstream is known: name it under [chaos] upstream"),
        ({"url": CLOSED, "port": 5432, "list": [None, True]}, "no upstream is known"),
        ({"url": "http://example.com/"}, "no upstream is known"),
        ({"url": "http://127.0.0.1:notaport/"}, "no upstream is known"),
        ({"url": "https://127.0.0.1:1/"}, "url speaks TLS"),
    ],
)
def test_where_there_is_none_the_reason_is_said(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotApplicable) as raised:
        find_upstream(config, "")
    assert reason in str(raised.value)


def test_two_servers_have_to_be_told_apart_by_name(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        config = {"one": f"http://127.0.0.1:{port}", "two": f"http://127.0.0.1:{other.getsockname()[1]}"}
        with pytest.raises(NotApplicable, match=r"\(one, two\): name one"):
            find_upstream(config, "")
        assert find_upstream(config, "two").shown == "two"


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("nowhere", "the configuration has no 'nowhere'"),
        ("servers.7", "the configuration has no '7'"),
        ("port", "is no text"),
        ("word", "neither http://host:port/ nor host:port"),
        ("wrong", "neither http://host:port/ nor host:port"),
        ("closed", "nobody accepts connections"),
    ],
)
def test_a_name_that_leads_nowhere_blocks_with_the_place(named: str, reason: str) -> None:
    config = {"servers": [], "port": 80, "word": "shop", "wrong": "127.0.0.1:99999", "closed": CLOSED}
    with pytest.raises(Blocked) as raised:
        find_upstream(config, named)
    assert f"chaos.upstream = {named!r}" in str(raised.value)
    assert reason in str(raised.value)
    assert "shop" not in str(raised.value)


def test_a_server_behind_tls_that_is_named_does_not_apply() -> None:
    with pytest.raises(NotApplicable, match="url speaks TLS"):
        find_upstream({"url": "https://127.0.0.1:1/"}, "url")
