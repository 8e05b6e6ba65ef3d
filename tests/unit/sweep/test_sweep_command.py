"""``pytest-nomos sweep`` on a real engine: what a killed process left behind goes, and the engine is as before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from components import IMAGE
from nomos_reference.compute.orbstack_engine import connect
from sweeping import one_sweeper

SPAWN = """
import asyncio, sys
from nomos_contracts.compute.interface import BootstrapConfig, CreateSnapshotOptions, SpawnOptions
from nomos_reference.compute.orbstack import OrbstackProvider
from pytest_nomos.sweep.owner import Owner

async def main():
    run = str(Owner.of_process())
    provider = OrbstackProvider({"image": sys.argv[1], "run": run, "worker": "gw0"})
    plain = BootstrapConfig("https://a.example.com/a", "https://c.example.com", "token")
    made = await provider.spawn(SpawnOptions("small", "sweep", 1, plain))
    request = await provider.create_snapshot(made.id, CreateSnapshotOptions("left"))
    second = await provider.spawn(SpawnOptions("small", "sweep", 2, plain, snapshot_id=request.request_id))
    await provider.create_snapshot(second.id, CreateSnapshotOptions("left on it"))
    print(run, made.id, second.id, flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


@pytest.fixture
def client(component: Callable[[str], str]) -> Iterator[Any]:
    component("docker")
    found, _ = connect(None, 30)
    with one_sweeper():
        yield found
    found.close()


def state(client: Any, run: str) -> set[str]:
    """Return what ``docker ps -a`` and ``docker images -a`` show, but for what other runs make meanwhile."""
    found = [*client.containers(all=True), *client.images(all=True)]
    labels = {one["Id"]: one.get("Labels") or {} for one in found}
    return {key for key, has in labels.items() if has.get("nomos.run", run) in {run, "not-ours"}}


def sweep(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest_nomos.cli", "sweep", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | (env or {}),
    )


def about(run: str, done: subprocess.CompletedProcess[str]) -> str:
    """Return the lines that are about one run: others may be at work on the same engine."""
    return "\n".join(line for line in done.stdout.splitlines() if run in line)


def test_what_a_killed_run_left_behind_is_swept_and_nothing_else(client: Any) -> None:
    before = state(client, "")
    foreign = client.create_container(IMAGE, ["true"], labels={"nomos.run": "not-ours"})["Id"]
    words = [sys.executable, "-c", SPAWN, IMAGE]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            run, *spawned = process.stdout.readline().split()
            alive = sweep()
            assert alive.returncode == 0, alive.stderr
            assert about(run, alive).count("its run is alive") == 4
            assert len(state(client, run) - before) == 5
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert about(run, sweep("--dry-run")).count("would remove") == 4
    assert {foreign, *spawned} <= state(client, run)
    done = sweep()
    assert about(run, done).count("its run has ended") == 4, done.stderr
    assert foreign in state(client, run)
    client.remove_container(foreign)
    assert state(client, run) == before
    assert about(run, sweep()) == ""


def test_a_sweep_says_which_engine_it_swept(client: Any) -> None:
    assert client.version()["Version"] in sweep("--dry-run").stdout.splitlines()[0]


def test_an_engine_that_does_not_answer_is_one_line_and_no_traceback() -> None:
    done = sweep("--engine", "unix:///nowhere/docker.sock")
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.startswith("pytest-nomos: no engine answers at unix:///nowhere/docker.sock (the option engine)")
    assert len(done.stderr.splitlines()) == 1


def test_an_address_that_is_none_is_refused() -> None:
    done = sweep("--engine", "somewhere")
    assert done.returncode == 4
    assert "engine: " in done.stderr
