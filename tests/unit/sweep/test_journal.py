"""What the checks of a run spawned is written down, and whatever is not struck out is terminated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.compute.interface import INTERFACE, BootstrapConfig, SpawnOptions
from nomos_contracts.faces import InProcessFace
from nomos_reference.compute.memory import make
from pytest_nomos.sweep.custody import Custody
from pytest_nomos.sweep.journal import Journal, left_open, terminate_left

PLAIN = BootstrapConfig("https://agent.example.com/a", "https://control.example.com", "token")


@pytest.fixture
def face(tmp_path: Path) -> Iterator[InProcessFace]:
    made = InProcessFace(make({}), INTERFACE, name="memory")
    made.watcher = Journal(lambda: tmp_path / "spawned-memory-gw0.jsonl")
    yield made
    made.close()


def spawn(face: InProcessFace, number: int, **changes: Any) -> Any:
    options = SpawnOptions(**{"spec": "small", "control_id": "c", "instance_id": number, "bootstrap": PLAIN} | changes)
    return face.invoke("spawn", options=options)


def living(face: InProcessFace) -> set[str]:
    return {one.id for one in face.invoke("list").value}


def test_what_is_not_terminated_is_open(face: InProcessFace, tmp_path: Path) -> None:
    kept, gone = spawn(face, 1).value.id, spawn(face, 2).value.id
    face.invoke("terminate", provider_id=gone)
    assert left_open(tmp_path, "memory").ids == [kept]
    assert not left_open(tmp_path, "another")


def test_a_spawn_that_was_refused_leaves_nothing_open(face: InProcessFace, tmp_path: Path) -> None:
    assert not spawn(face, 1, spec="nothing-of-that-name").ok
    assert not left_open(tmp_path, "memory")


def test_a_spawn_is_written_down_before_it_is_asked_for(face: InProcessFace, tmp_path: Path) -> None:
    options = SpawnOptions("small", "c", 1, PLAIN, tags={"mark": "x"})
    face.watcher = watcher = face.watcher
    assert watcher is not None
    watcher.begins("spawn", {"options": {"control_id": "c", "instance_id": 1, "tags": {"mark": "x"}}})
    assert list(left_open(tmp_path, "memory").lost.values()) == [{"mark": "x"}]
    assert face.invoke("spawn", options=options).ok
    assert left_open(tmp_path, "memory").lost == {}


def test_the_token_of_a_spawn_is_not_written_down(face: InProcessFace, tmp_path: Path) -> None:
    spawn(face, 1, bootstrap=BootstrapConfig("https://a", "https://c", "very-secret"))
    assert "very-secret" not in (tmp_path / "spawned-memory-gw0.jsonl").read_text()


def test_what_is_open_is_terminated_and_what_was_lost_is_found_by_its_tags(face: InProcessFace, tmp_path: Path) -> None:
    spawn(face, 1)
    other = InProcessFace(face.subject, INTERFACE)  # its answers reach no journal: as if they were lost
    lost = spawn(other, 2, tags={"mark": "lost"}).value.id
    foreign = spawn(other, 3, tags={"mark": "foreign"}).value.id
    assert face.watcher is not None
    face.watcher.begins("spawn", {"options": {"control_id": "c", "instance_id": 2, "tags": {"mark": "lost"}}})
    assert lost in living(face)
    assert terminate_left(face, left_open(tmp_path, "memory")) == []
    ended = {one.id for one in face.invoke("list").value if one.status.value not in {"terminating", "terminated"}}
    assert ended == {foreign}
    assert not left_open(tmp_path, "memory").ids


def test_what_cannot_be_terminated_is_told(tmp_path: Path) -> None:
    face = InProcessFace(make({"outage": "network"}), INTERFACE)
    (tmp_path / "spawned-x-main.jsonl").write_text('{"event": "spawned", "key": "c/1", "id": "i-1"}\n{"event": "spaw')
    (trouble,) = terminate_left(face, left_open(tmp_path, "x"))
    assert "i-1" in trouble
    assert "UNAVAILABLE" in trouble
    face.close()


def test_a_provider_is_not_even_started_where_nothing_is_left(tmp_path: Path) -> None:
    custody = Custody()
    custody.write_to(lambda: tmp_path)

    def start() -> InProcessFace:
        raise AssertionError("started")

    custody.settle("memory", start)
    assert list(tmp_path.iterdir()) == []
