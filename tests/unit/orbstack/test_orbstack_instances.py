"""Containers of a real engine as instances."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from components import IMAGE
from nomos_contracts.compute.interface import HeartbeatExpectations, HeartbeatTask, InstanceStatus, ListFilter
from nomos_reference.compute.orbstack import OrbstackProvider, make
from unit.orbstack.support import (
    InstanceEndedError,
    Scripted,
    code_of,
    config,
    do,
    names,
    options,
    outcome_of,
    together,
)

FAR = 2**53


def test_an_instance_is_a_container_that_runs(provider: OrbstackProvider, engine: Any) -> None:
    wanted = options(tags={"role": "web", "odd key=": "a=b, c"})
    made = do(provider.spawn(wanted))
    container = engine.inspect_container(made.id)
    assert container["Id"] == made.id
    assert container["State"]["Running"]
    assert container["HostConfig"]["NetworkMode"] == "none"
    labels = container["Config"]["Labels"]
    assert labels["nomos.control-id"] == wanted.control_id
    assert labels["nomos.instance-id"] == str(wanted.instance_id)
    assert json.loads(labels["nomos.tags"]) == wanted.tags
    assert made.status is InstanceStatus.RUNNING
    assert do(provider.get(made.id)) == made
    assert list(do(provider.list())) == [made]


def test_no_label_and_no_command_line_holds_the_token(provider: OrbstackProvider, engine: Any) -> None:
    made = do(provider.spawn(options()))
    assert "a-secret-token" not in json.dumps(engine.inspect_container(made.id))


def test_which_engine_it_is_stands_in_every_instance(provider: OrbstackProvider, engine: Any) -> None:
    made = do(provider.spawn(options()))
    version = engine.version()["Version"]
    assert made.metadata is not None
    assert version in made.metadata["engine"]
    assert engine.base_url.startswith("http") or made.metadata["engine"]
    beat = do(make(config()).hooks.on_heartbeat(HeartbeatExpectations((HeartbeatTask("health_check"),), FAR)))
    assert beat.receipts[0].result is not None
    assert version in beat.receipts[0].result["engine"]


def test_the_same_spawn_again_gives_the_same_instance(provider: OrbstackProvider, run: str, engine: Any) -> None:
    wanted = options()
    first = do(provider.spawn(wanted))
    other = OrbstackProvider(config(run=run, worker="w0"))  # as after a restart: it has nothing but the engine
    assert do(other.spawn(wanted)) == first
    assert len(list(do(provider.list()))) == 1
    other.backend.close()


def test_one_instance_comes_of_the_same_spawn_eight_times_at_once(provider: OrbstackProvider) -> None:
    wanted = options()
    made = together(*(provider.spawn(wanted) for _ in range(8)))
    assert {one.id for one in made} == {made[0].id}
    assert names(list(do(provider.list()))) == [made[0].id]


def test_the_same_ids_with_other_options_are_refused(provider: OrbstackProvider) -> None:
    wanted = options()
    do(provider.spawn(wanted))
    changed = options(instance_id=wanted.instance_id, tags={"new": "tag"})
    assert code_of(provider.spawn(changed)) == "ALREADY_EXISTS"


def test_a_spawn_that_was_cut_off_before_the_start_is_finished_by_the_next(provider: OrbstackProvider) -> None:
    wanted = options()
    provider.backend.create(provider.wish(wanted))
    assert [one.status for one in do(provider.list())] == [InstanceStatus.PENDING]
    made = do(provider.spawn(wanted))
    assert made.status is InstanceStatus.RUNNING
    assert outcome_of(provider, made.id).checksum == provider.generate_bootstrap(wanted.bootstrap).checksum


def test_terminate_works_eight_times_at_once_and_for_what_is_gone(provider: OrbstackProvider, engine: Any) -> None:
    made, other = do(provider.spawn(options())), do(provider.spawn(options()))
    assert together(*(provider.terminate(made.id) for _ in range(8))) == [None] * 8
    do(provider.terminate(made.id))
    assert do(provider.get(made.id)) is None
    assert list(do(provider.list())) == [other]
    assert engine.containers(all=True, filters={"id": made.id}) == []


@pytest.mark.parametrize("identity", ["", "a", "../version", "nomos-nobody", "f" * 64, "\N{SNOWMAN}", "x" * 5000])
def test_an_id_that_nobody_has_is_nothing_and_no_error(provider: OrbstackProvider, identity: str) -> None:
    assert do(provider.get(identity)) is None
    do(provider.terminate(identity))


def test_what_somebody_else_runs_is_neither_seen_nor_touched(provider: OrbstackProvider, engine: Any, run: str) -> None:
    name = f"somebody-elses-{run}"
    foreign = engine.create_container(IMAGE, ["sleep", "1000"], name=name)["Id"]
    try:
        assert do(provider.get(foreign)) is None
        assert do(provider.get(name)) is None
        do(provider.terminate(foreign))
        do(provider.terminate(name))
        do(provider.terminate(foreign[:12]))
        assert list(do(provider.list())) == []
        assert engine.inspect_container(foreign)["Id"] == foreign
        assert code_of(provider.create_snapshot(foreign, _named("x"))) == "NOT_FOUND"
    finally:
        engine.remove_container(foreign, force=True)


def _named(name: str) -> Any:
    from nomos_contracts.compute.interface import CreateSnapshotOptions

    return CreateSnapshotOptions(name)


def test_an_id_is_taken_whole_and_never_by_its_beginning(provider: OrbstackProvider) -> None:
    made = do(provider.spawn(options()))
    assert made.metadata is not None
    for part in (made.id[:12], made.id[:-1], made.metadata["name"], made.id.upper()):
        assert do(provider.get(part)) is None
        do(provider.terminate(part))
    assert do(provider.get(made.id)) == made


def test_another_worker_sees_nothing_of_it(provider: OrbstackProvider, run: str) -> None:
    wanted = options()
    made = do(provider.spawn(wanted))
    other = OrbstackProvider(config(run=run, worker="w1"))
    assert do(other.get(made.id)) is None
    do(other.terminate(made.id))
    assert list(do(other.list())) == []
    theirs = do(other.spawn(wanted))
    assert theirs.id != made.id
    assert list(do(provider.list())) == [made]
    other.backend.close()


def test_a_list_shows_what_matches_each_filter_and_all_at_once(provider: OrbstackProvider) -> None:
    one = do(provider.spawn(options(tags={"role": "web", "tier": "1"})))
    two = do(provider.spawn(options(tags={"role": "webber", "tier": "1"}, spec="medium")))

    def listed(**wanted: Any) -> list[str]:
        return names(list(do(provider.list(ListFilter(**wanted)))))

    assert listed() == [one.id, two.id]
    assert listed(tags={"role": "web"}) == [one.id]
    assert listed(tags={"role": "we"}) == []
    assert listed(tags={"tier": "1"}, spec="medium") == [two.id]
    assert listed(status=(InstanceStatus.RUNNING,), limit=1) == [one.id]
    assert listed(status=(InstanceStatus.STOPPED,)) == []
    assert listed(region="local") == [one.id, two.id]
    assert listed(region="mars") == []
    assert listed(limit=0) == []
    assert code_of(provider.list(ListFilter(limit=-1))) == "INVALID_SPEC"


def test_a_container_that_ends_by_itself_is_stopped(provider: OrbstackProvider, engine: Any) -> None:
    made = do(provider.spawn(options()))
    engine.kill(made.id)
    engine.wait(made.id)
    found = do(provider.get(made.id))
    assert found is not None
    assert found.status is InstanceStatus.STOPPED
    assert [one.status for one in do(provider.list())] == [InstanceStatus.STOPPED]


def test_the_bootstrap_runs_inside_and_writes_down_that_it_did(run: str, engine: Any, tidy: None) -> None:
    script = "#!/bin/sh\necho hello from $(hostname)\necho done >/proof\nexit 3\n"
    provider = Scripted(config(run=run), script)
    made = do(provider.spawn(options()))
    outcome = outcome_of(provider, made.id)
    assert outcome.exit_code == 3
    assert outcome.checksum == hashlib.sha256(script.encode()).hexdigest()
    assert outcome.log == f"hello from {made.id[:12]}\n"
    assert made.metadata is not None
    assert made.metadata["bootstrap_checksum"] == outcome.checksum
    assert _inside(engine, made.id, "cat", "/proof") == "done\n"
    # The script holds the token; what it did stays, it itself does not.
    assert _inside(engine, made.id, "find", "/var/lib/nomos", "-name", "script") == ""
    provider.backend.close()


def _inside(engine: Any, identity: str, *words: str) -> str:
    return engine.exec_start(engine.exec_create(identity, list(words))["Id"]).decode()


def test_a_stopped_and_started_instance_does_not_bootstrap_twice(run: str, engine: Any, tidy: None) -> None:
    provider = Scripted(config(run=run), "echo once >>/count\n")
    made = do(provider.spawn(options()))
    outcome_of(provider, made.id)
    engine.restart(made.id, timeout=1)
    assert _inside(engine, made.id, "cat", "/count") == "once\n"
    provider.backend.close()


def test_the_limits_of_the_spec_hold_inside(run: str, engine: Any, tidy: None) -> None:
    specs = {"tiny": {"cpus": 0.25, "memory_mb": 24, "pids": 10}}
    greedy = (
        "i=0; while [ $i -lt 30 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null\n"
        "(head -c 67108864 /dev/zero | tail -c 67108864 >/dev/null); echo memory $?\n"
        "exit 0\n"
    )
    provider = Scripted(config(run=run, specs=specs), greedy)
    made = do(provider.spawn(options(spec="tiny")))
    host = engine.inspect_container(made.id)["HostConfig"]
    assert (host["Memory"], host["PidsLimit"], host["NanoCpus"]) == (24 << 20, 10, 250_000_000)
    stats = engine.stats(made.id, stream=False)
    assert stats["memory_stats"]["limit"] == 24 << 20
    assert stats["pids_stats"].get("current", 0) <= 10
    provider.backend.close()


def test_memory_over_the_limit_is_refused_inside(run: str, engine: Any, tidy: None) -> None:
    specs = {"tiny": {"cpus": 1, "memory_mb": 24, "pids": 30}}
    # tail keeps what it may have to print: 64 MiB, of which there are 24.
    script = "head -c 67108864 /dev/zero | tail -c 67108864 >/dev/null\n"
    provider = Scripted(config(run=run, specs=specs), script)
    made = do(provider.spawn(options(spec="tiny")))
    try:
        assert outcome_of(provider, made.id).exit_code != 0
    except InstanceEndedError:
        # While what tail had is still being taken back, the kernel now and then ends the shell that waits for it too.
        assert engine.inspect_container(made.id)["State"]["ExitCode"] == 128 + signal.SIGKILL
    roomy = Scripted(config(run=run, specs={"tiny": {"cpus": 1, "memory_mb": 256}}), script)
    other = do(roomy.spawn(options(spec="tiny")))
    assert outcome_of(roomy, other.id).exit_code == 0
    provider.backend.close()
    roomy.backend.close()


def test_processes_over_the_limit_are_refused_inside(run: str, engine: Any, tidy: None) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 30 & done; ls /proc | grep -c '^[0-9]'\n"
    provider = Scripted(config(run=run, specs={"tiny": {"cpus": 1, "memory_mb": 64, "pids": 8}}), script)
    made = do(provider.spawn(options(spec="tiny")))
    assert "fork" in outcome_of(provider, made.id).log
    provider.backend.close()


def test_reconcile_finds_what_was_done_behind_its_back(run: str, engine: Any, tidy: None) -> None:
    registration = make(config(run=run))
    provider = registration.provider
    kept, lost, extra = (do(provider.spawn(options())) for _ in range(3))
    engine.remove_container(lost.id, force=True)
    expected = [{"id": kept.id, "status": "stopped"}, {"id": lost.id}]
    task = HeartbeatTask("reconcile_instances", params={"expected": expected})
    result = do(registration.hooks.on_heartbeat(HeartbeatExpectations((task,), FAR))).receipts[0].result
    assert result == {"missing": [lost.id], "extra": [extra.id], "changed": [kept.id]}
    provider.backend.close()


@pytest.mark.parametrize(
    ("changes", "wanted", "code"),
    [
        ({"image": "nomos-nowhere:1"}, {}, "INVALID_SPEC"),
        ({"network": "nomos-nowhere"}, {}, "INVALID_SPEC"),
        ({"max_instances": 0}, {}, "QUOTA_EXCEEDED"),
        ({"specs": {"small": {"cpus": 4096, "memory_mb": 64}}}, {}, "CAPACITY_ERROR"),
        ({"specs": {"small": {"cpus": 1, "memory_mb": 2**40}}}, {}, "CAPACITY_ERROR"),
        ({}, {"spec": "huge"}, "INVALID_SPEC"),
        ({}, {"snapshot_id": "sha256:" + "0" * 64}, "NOT_FOUND"),
        ({}, {"snapshot_id": "nomos-busybox:test"}, "NOT_FOUND"),
        ({}, {"region": "mars"}, "UNSUPPORTED_OPERATION"),
        ({}, {"spot": True}, "UNSUPPORTED_OPERATION"),
        ({}, {"volume_id": "v"}, "UNSUPPORTED_OPERATION"),
        ({}, {"control_id": ""}, "INVALID_SPEC"),
        ({}, {"disk_size_gb": 0}, "INVALID_SPEC"),
    ],
)
def test_what_cannot_be_spawned_is_refused_and_leaves_nothing(
    run: str, engine: Any, tidy: None, changes: dict[str, Any], wanted: dict[str, Any], code: str
) -> None:
    provider = OrbstackProvider(config(run=run, **changes))
    assert code_of(provider.spawn(options(**wanted))) == code
    assert engine.containers(all=True, filters={"label": f"nomos.run={run}"}) == []
    provider.backend.close()


def test_a_name_that_somebody_else_has_is_a_conflict(provider: OrbstackProvider, engine: Any) -> None:
    wanted = options()
    foreign = engine.create_container(IMAGE, ["true"], name=provider.wish(wanted).name)["Id"]
    try:
        assert code_of(provider.spawn(wanted)) == "ALREADY_EXISTS"
    finally:
        engine.remove_container(foreign)


def test_the_extra_is_named_where_the_sdk_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "docker", None)
    provider = OrbstackProvider(config(engine="unix:///nowhere.sock"))
    with pytest.raises(Exception, match=r"pytest-nomos\[docker\]"):
        do(provider.list())


def test_the_component_that_these_tests_need_is_named(component: Callable[[str], str]) -> None:
    assert component("docker").endswith("docker")
