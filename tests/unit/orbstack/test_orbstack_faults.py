"""What an engine can answer, and what the way to it can do, in the words of the taxonomy; each on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.compute.interface import ProviderError
from nomos_proto.errors import row_of
from nomos_reference.compute.orbstack import OrbstackProvider, make
from nomos_reference.compute.orbstack_faults import code_of_answer
from unit.orbstack.support import Engine, code_of, config, cut, do, engine_at, http, options


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Engine]:
    with engine_at(tmp_path / "docker.sock") as engine:
        yield engine


def listing(engine: Engine, **changes: Any) -> OrbstackProvider:
    return OrbstackProvider(config(engine=engine.url, **changes))


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "bad parameter", "INVALID_SPEC"),
        (400, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", "CAPACITY_ERROR"),
        (401, "unauthorized", "AUTH_ERROR"),
        (403, "forbidden", "AUTH_ERROR"),
        (409, "removal of container x is already in progress", "INVALID_STATE"),
        (409, "a thing of that name", "ALREADY_EXISTS"),
        (429, "slow down", "RATE_LIMIT_ERROR"),
        (500, "mkdir /var/lib/docker/x: no space left on device", "CAPACITY_ERROR"),
        (500, "fork/exec: resource temporarily unavailable", "CAPACITY_ERROR"),
        (500, "container limit exceeded", "QUOTA_EXCEEDED"),
        (500, "something broke", "PROVIDER_INTERNAL"),
        (501, "not here", "UNSUPPORTED_OPERATION"),
        (503, "this node is going down", "REGION_UNAVAILABLE"),
        (504, "too late", "TIMEOUT_ERROR"),
        (404, "No such image: x:1", "INVALID_SPEC"),
        (404, "page not found", "NOT_FOUND"),
    ],
)
def test_an_engine_that_refuses_is_told_by_its_code(broken: Engine, status: int, message: str, code: str) -> None:
    broken.replies["/containers/json"] = http(status, f'{{"message": "{message}"}}', {"Retry-After": "7"})
    provider = listing(broken)
    with pytest.raises(ProviderError) as raised:
        do(provider.list())
    error = raised.value
    row = row_of(code)
    assert (error.code, error.category, error.retryable) == (code, row.category, row.retryable)
    assert error.provider == "orbstack"
    assert error.retry_after == 7
    assert error.details["http_status"] == status
    assert message in error.message
    provider.backend.close()


def test_half_an_answer_is_a_failure_of_the_network(broken: Engine) -> None:
    broken.replies["/containers/json"] = cut
    provider = listing(broken)
    assert code_of(provider.list()) == "NETWORK_ERROR"
    provider.backend.close()


def test_an_answer_that_is_no_json_is_a_failure_of_the_network(broken: Engine) -> None:
    broken.replies["/containers/json"] = http(200, "<html>")
    provider = listing(broken)
    assert code_of(provider.list()) == "NETWORK_ERROR"
    provider.backend.close()


def test_a_connection_that_is_closed_without_an_answer_is_a_failure_of_the_network(broken: Engine) -> None:
    broken.replies["/containers/json"] = lambda peer: peer.shutdown(socket.SHUT_RDWR)
    provider = listing(broken)
    assert code_of(provider.list()) == "NETWORK_ERROR"
    provider.backend.close()


def test_an_engine_that_does_not_answer_in_time_is_a_timeout(broken: Engine) -> None:
    broken.replies["/containers/json"] = lambda peer: broken.mute.wait(20) and None
    provider = listing(broken, timeout=0.3)
    assert code_of(provider.list()) == "TIMEOUT_ERROR"
    broken.mute.set()
    provider.backend.close()


def test_a_create_whose_answer_was_lost_is_found_by_the_next_try(broken: Engine) -> None:
    wanted = options()
    provider = listing(broken)
    name = provider.wish(wanted).name
    created = http(
        200,
        f'{{"Id": "{"a" * 64}", "Name": "/{name}", "State": {{"Status": "running"}}, "Config": {{"Labels": '
        f"{_labels(provider, wanted)}}}}}",
    )

    def reset(peer: socket.socket) -> None:
        broken.replies[f"/containers/{name}/json"] = created
        broken.replies[f"/containers/{'a' * 64}/json"] = created
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()

    broken.replies["/containers/create"] = reset
    assert code_of(provider.spawn(wanted)) == "NETWORK_ERROR"
    assert do(provider.spawn(wanted)).id == "a" * 64
    assert len([line for line in broken.asked if line.endswith("/containers/create")]) == 1
    provider.backend.close()


def _labels(provider: OrbstackProvider, wanted: Any) -> str:
    import json

    return json.dumps(dict(provider.wish(wanted).labels))


@pytest.mark.parametrize("url", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:9"])
def test_no_engine_is_a_failure_of_the_network_from_every_method(url: str) -> None:
    registration = make(config(engine=url))
    provider = registration.provider
    for work in (
        lambda: provider.spawn(options()),
        lambda: provider.list(),
        lambda: provider.get("f" * 64),
        lambda: provider.terminate("f" * 64),
        lambda: provider.get_snapshot_by_name("x"),
        lambda: provider.delete_snapshot("x"),
        lambda: registration.hooks.on_startup(),
    ):
        assert code_of(work()) == "NETWORK_ERROR"
    do(registration.hooks.on_shutdown())
    do(registration.hooks.on_shutdown())


def test_a_permission_that_is_missing_is_a_failure_of_credentials() -> None:
    from nomos_reference.compute.orbstack_faults import from_engine

    wrapped = OSError("wrapped")
    wrapped.__cause__ = PermissionError(13, "Permission denied")
    assert from_engine(wrapped, "list").code == "AUTH_ERROR"


@pytest.mark.parametrize("error", [KeyError("Id"), RuntimeError("x"), AttributeError("y")])
def test_what_nobody_thought_of_is_internal_and_never_raw(broken: Engine, error: Exception) -> None:
    from nomos_reference.compute.orbstack_faults import mapped

    with pytest.raises(ProviderError) as raised, mapped("list"):
        raise error
    assert raised.value.code == "PROVIDER_INTERNAL"
    assert type(error).__name__ in raised.value.message


def test_a_disk_that_is_full_is_capacity_whatever_the_status() -> None:
    assert {code_of_answer(status, "no space left on device") for status in (400, 404, 409, 500)} == {"CAPACITY_ERROR"}


@pytest.mark.parametrize(
    ("config_of", "where"),
    [
        ({"engine": "somewhere"}, "engine"),
        ({"specs": {"small": {"cpus": 0, "memory_mb": 64}}}, "specs.small.cpus"),
        ({"specs": {}}, "specs"),
        ({"unknown": 1}, "unknown"),
        ({"prefix": "Not A Name"}, "prefix"),
        ({"timeout": 0}, "timeout"),
        ({"run": "a b"}, "run"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused_naming_the_key(config_of: dict[str, Any], where: str) -> None:
    with pytest.raises(ProviderError, match=f"^{where}: ") as raised:
        make(config_of)
    assert raised.value.code == "INVALID_SPEC"
