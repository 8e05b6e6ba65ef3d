"""Which engine is used: the option, DOCKER_HOST, the context, then the known sockets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nomos_contracts.compute.interface import ProviderError
from nomos_reference.compute.orbstack_engine import EngineFacts, connect
from unit.orbstack.support import Engine, engine_at, http


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "h"
    folder.mkdir()
    return folder


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Engine]:
    with engine_at(tmp_path / "one.sock") as engine:
        yield engine


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Engine]:
    with engine_at(tmp_path / "two.sock") as engine:
        yield engine


def found(option: str | None, environment: dict[str, str], home: Path) -> EngineFacts:
    client, facts = connect(option, 5, environment={"XDG_RUNTIME_DIR": str(home), **environment}, folder=home)
    client.close()
    return facts


def write_context(home: Path, name: str, url: str, *, current: bool) -> None:
    meta = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": url}}}))
    (home / ".docker/config.json").write_text(json.dumps({"currentContext": name} if current else {}))


def test_the_option_wins_over_everything(one: Engine, two: Engine, home: Path) -> None:
    facts = found(one.url, {"DOCKER_HOST": two.url}, home)
    assert (facts.url, facts.found_by) == (one.url, "the option engine")
    assert two.asked == []


def test_docker_host_wins_over_the_context(one: Engine, two: Engine, home: Path) -> None:
    write_context(home, "two", two.url, current=True)
    facts = found(None, {"DOCKER_HOST": one.url}, home)
    assert (facts.url, facts.found_by) == (one.url, "DOCKER_HOST")
    assert two.asked == []


def test_the_current_context_is_used(two: Engine, home: Path) -> None:
    write_context(home, "two", two.url, current=True)
    facts = found(None, {}, home)
    assert (facts.url, facts.found_by) == (two.url, "the docker context two")


def test_a_context_that_a_variable_names_wins_over_the_current_one(one: Engine, two: Engine, home: Path) -> None:
    write_context(home, "one", one.url, current=False)
    write_context(home, "two", two.url, current=True)
    assert found(None, {"DOCKER_CONTEXT": "one"}, home).url == one.url


def test_a_context_that_is_not_there_is_named(home: Path) -> None:
    with pytest.raises(ProviderError, match="docker context lost") as raised:
        found(None, {"DOCKER_CONTEXT": "lost"}, home)
    assert raised.value.code == "INVALID_SPEC"


@pytest.mark.parametrize(
    "place", [".orbstack/run/docker.sock", ".docker/run/docker.sock", ".colima/default/docker.sock"]
)
def test_a_known_socket_is_found(home: Path, place: str) -> None:
    (home / place).parent.mkdir(parents=True)
    with engine_at(home / place) as engine:
        facts = found(None, {}, home)
        assert facts.url == engine.url
        assert "known socket" in facts.found_by
        assert facts.words in f"{facts.product} 1.0 (none) at {engine.url}, found by {facts.found_by}"


def test_the_first_socket_that_answers_is_used_not_the_first_that_is_there(home: Path) -> None:
    dead, alive = home / ".orbstack/run/docker.sock", home / ".colima/default/docker.sock"
    for path in (dead, alive):
        path.parent.mkdir(parents=True)
    dead.write_text("")
    with engine_at(alive) as engine:
        assert found(None, {}, home).url == engine.url


def test_an_engine_that_was_named_and_does_not_answer_is_not_replaced_by_another(one: Engine, home: Path) -> None:
    (home / ".orbstack/run").mkdir(parents=True)
    with engine_at(home / ".orbstack/run/docker.sock") as other:
        with pytest.raises(ProviderError, match="DOCKER_HOST") as raised:
            found(None, {"DOCKER_HOST": "unix:///nowhere.sock"}, home)
        assert raised.value.code == "NETWORK_ERROR"
        one.replies["/info"] = http(503, '{"message": "starting"}')
        with pytest.raises(ProviderError, match="503"):
            found(one.url, {}, home)
        assert other.asked == []


def test_no_engine_at_all_names_every_place_that_was_looked_at(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nomos_reference.compute.orbstack_engine.Path.exists", lambda _self: False)
    with pytest.raises(ProviderError) as raised:
        found(None, {}, home)
    assert raised.value.code == "NETWORK_ERROR"
    for place in (".orbstack/run", ".docker/run", ".colima", "/var/run/docker.sock", "podman"):
        assert place in raised.value.message


@pytest.mark.parametrize(
    ("system", "product"),
    [("OrbStack", "OrbStack"), ("Docker Desktop", "Docker Desktop"), ("Debian GNU/Linux 12", "Docker Engine")],
)
def test_the_product_is_told(one: Engine, home: Path, system: str, product: str) -> None:
    one.replies["/info"] = http(200, json.dumps({"OperatingSystem": system, "ServerVersion": "9", "Driver": "vfs"}))
    assert found(one.url, {}, home).words.startswith(f"{product} 9 (vfs) at {one.url}")


def test_an_engine_is_only_asked_and_never_changed(one: Engine, home: Path) -> None:
    found(one.url, {}, home)
    assert {line.partition(" ")[0] for line in one.asked} == {"GET"}
