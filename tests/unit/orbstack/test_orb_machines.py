"""Machines of the `orb` command, by a stand-in that keeps machines in a folder and checks what it is called with."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.compute.interface import CreateSnapshotOptions, InstanceStatus, ListFilter, ProviderError
from nomos_reference.compute.orbstack import OrbstackProvider, make
from nomos_reference.compute.orbstack_leftovers import OrbstackLeftovers
from pytest_nomos.sweep.owner import Owner
from pytest_nomos.sweep.sweeping import Sweep, sweep
from unit.orbstack.support import Scripted, code_of, do, names, options, outcome_of, together


@dataclass
class Orb:
    """The stand-in: its folder, and the configuration of a provider that uses it."""

    folder: Path
    config: dict[str, Any]

    @property
    def machines(self) -> set[str]:
        return {path.name for path in (self.folder / "machines").iterdir()}

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def fail(self, text: str) -> None:
        (self.folder / "fail").write_text(text)


@pytest.fixture
def orb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Orb:
    program = tmp_path / "bin" / "orb"
    program.parent.mkdir()
    shutil.copyfile(Path(__file__).parent / "orb.py", program)
    program.chmod(0o755)
    monkeypatch.setenv("ORB_STATE", str(tmp_path / "orb"))
    (tmp_path / "orb/machines").mkdir(parents=True)
    return Orb(
        tmp_path / "orb",
        {"kind": "machines", "orb": str(program), "records": str(tmp_path / "records"), "run": "r", "worker": "w"},
    )


@pytest.fixture
def provider(orb: Orb) -> OrbstackProvider:
    return OrbstackProvider(orb.config)


def test_an_instance_is_a_machine(provider: OrbstackProvider, orb: Orb) -> None:
    made = do(provider.spawn(options(tags={"a": "b"})))
    assert made.status is InstanceStatus.RUNNING
    assert made.metadata is not None
    assert orb.machines == {made.metadata["name"]}
    assert ["create", "debian", made.metadata["name"]] in orb.calls
    assert do(provider.get(made.id)) == made
    assert list(do(provider.list(ListFilter(tags={"a": "b"})))) == [made]
    assert list(do(provider.list(ListFilter(tags={"a": "c"})))) == []


def test_the_bootstrap_runs_inside_the_machine(orb: Orb) -> None:
    provider = Scripted(orb.config, "echo hello\nexit 4\n")
    made = do(provider.spawn(options()))
    outcome = outcome_of(provider, made.id)
    assert (outcome.exit_code, outcome.log) == (4, "hello\n")
    assert made.metadata is not None
    assert outcome.checksum == made.metadata["bootstrap_checksum"]
    assert list(orb.folder.rglob("script")) == []


def test_the_token_is_in_no_argument(provider: OrbstackProvider, orb: Orb) -> None:
    do(provider.spawn(options()))
    assert "a-secret-token" not in (orb.folder / "calls").read_text()


def test_the_same_spawn_gives_the_same_machine_also_from_another_process(provider: OrbstackProvider, orb: Orb) -> None:
    wanted = options()
    made = together(*(provider.spawn(wanted) for _ in range(4)), OrbstackProvider(orb.config).spawn(wanted))
    assert {one.id for one in made} == {made[0].id}
    assert len(orb.machines) == 1


def test_a_machine_that_was_made_before_its_record_was_lost_is_taken(provider: OrbstackProvider, orb: Orb) -> None:
    wanted = options()
    name = provider.wish(wanted).name
    (orb.folder / "machines" / name / "home").mkdir(parents=True)
    (orb.folder / "machines" / name / "state").write_text("running")
    assert do(provider.spawn(wanted)).status is InstanceStatus.RUNNING
    assert orb.machines == {name}


def test_terminate_works_many_times_and_the_name_gets_a_new_id(provider: OrbstackProvider, orb: Orb) -> None:
    wanted = options()
    made = do(provider.spawn(wanted))
    assert together(*(provider.terminate(made.id) for _ in range(4))) == [None] * 4
    assert orb.machines == set()
    assert do(provider.get(made.id)) is None
    again = do(provider.spawn(wanted))
    assert again.id != made.id
    assert do(provider.get(made.id)) is None


def test_a_machine_that_was_deleted_behind_its_back_is_gone_and_terminate_does_not_mind(
    provider: OrbstackProvider, orb: Orb
) -> None:
    made = do(provider.spawn(options()))
    assert made.metadata is not None
    shutil.rmtree(orb.folder / "machines" / made.metadata["name"])
    assert do(provider.get(made.id)) is None
    do(provider.terminate(made.id))


def test_a_machine_without_a_record_is_somebody_elses(provider: OrbstackProvider, orb: Orb) -> None:
    (orb.folder / "machines/mine-alone").mkdir()
    (orb.folder / "machines/mine-alone/state").write_text("running")
    assert list(do(provider.list())) == []
    do(provider.terminate("mine-alone"))
    assert orb.machines == {"mine-alone"}


@pytest.mark.parametrize(
    ("state", "status"),
    [("stopped", "stopped"), ("creating", "pending"), ("starting", "starting"), ("deleting", "terminating")],
)
def test_the_state_of_a_machine_is_that_of_the_instance(
    provider: OrbstackProvider, orb: Orb, state: str, status: str
) -> None:
    made = do(provider.spawn(options()))
    assert made.metadata is not None
    (orb.folder / "machines" / made.metadata["name"] / "state").write_text(state)
    found = do(provider.get(made.id))
    assert found is not None
    assert found.status == status


def test_a_snapshot_is_a_clone(orb: Orb) -> None:
    provider = Scripted(orb.config, 'cd; test -e "$HOME/kept" && echo again; : >"$HOME/kept"\n')
    source = do(provider.spawn(options()))
    outcome_of(provider, source.id)
    request = do(provider.create_snapshot(source.id, CreateSnapshotOptions("kept")))
    assert names(list(do(provider.list()))) == [source.id]
    copy = do(provider.spawn(options(snapshot_id=request.request_id)))
    assert outcome_of(provider, copy.id).log == "again\n"
    do(provider.delete_snapshot(request.request_id))
    assert do(provider.get_snapshot_by_name("kept")) is None
    assert len(orb.machines) == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no space left on device", "CAPACITY_ERROR"),
        ("unknown distro: x", "INVALID_SPEC"),
        ("dial unix: connect: connection refused", "NETWORK_ERROR"),
        ("something broke", "PROVIDER_INTERNAL"),
    ],
)
def test_what_the_command_fails_with_is_told_by_its_code(
    provider: OrbstackProvider, orb: Orb, text: str, code: str
) -> None:
    orb.fail(text)
    with pytest.raises(ProviderError, match=text) as raised:
        do(provider.run(provider.backend.facts))
    assert raised.value.code == code
    assert list(do(provider.list())) == []


def test_a_create_that_fails_leaves_no_record(orb: Orb) -> None:
    provider = OrbstackProvider({**orb.config, "distro": "solaris"})
    assert code_of(provider.spawn(options())) == "INVALID_SPEC"
    assert list(Path(orb.config["records"]).glob("*.json")) == []


def test_a_command_that_is_not_there_is_named() -> None:
    registration = make({"kind": "machines", "orb": "nomos-no-such-orb"})
    with pytest.raises(ProviderError, match="nomos-no-such-orb") as raised:
        do(registration.hooks.on_startup())
    assert raised.value.code == "INVALID_STATE"


def test_a_command_that_hangs_is_a_timeout(tmp_path: Path) -> None:
    program = tmp_path / "orb"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    provider = OrbstackProvider({"kind": "machines", "orb": str(program), "timeout": 0.2})
    assert code_of(provider.list()) == "TIMEOUT_ERROR"
    assert code_of(provider.run(provider.backend.facts)) == "TIMEOUT_ERROR"


def test_what_a_run_that_has_ended_left_behind_is_swept(orb: Orb) -> None:
    from dataclasses import replace

    ended = replace(Owner.of_process(), started=1)
    dead = OrbstackProvider({**orb.config, "run": str(ended)})
    alive = OrbstackProvider({**orb.config, "run": str(Owner.of_process())})
    lost, kept = do(dead.spawn(options())), do(alive.spawn(options()))
    do(dead.create_snapshot(lost.id, CreateSnapshotOptions("left")))
    removed = [one.leftover.kind for one in sweep(OrbstackLeftovers(dead.backend), Sweep()) if one.removed]
    assert removed == ["instance", "snapshot"]
    assert kept.metadata is not None
    assert orb.machines == {kept.metadata["name"]}
