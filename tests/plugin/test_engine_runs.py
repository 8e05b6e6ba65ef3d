"""Runs against a real engine leave it as it was: at their end, when a worker dies, and after a kill and a sweep."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from nomos_reference.compute.orbstack_engine import connect
from plugin.conftest import Runner
from pytest_nomos.sweep.owner import Owner
from sweeping import one_sweeper

TARGET = "registered:compute/orbstack"
SOME = "CMP-SPAWN or CMP-TERM or CMP-LIST"


@pytest.fixture
def client(component: Callable[[str], str]) -> Iterator[Any]:
    component("docker")
    found, _ = connect(None, 60)
    with one_sweeper():
        yield found
    found.close()


@contextlib.contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run pytest on the engine in an empty folder; whatever happens, it is gone afterwards."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", f"--nomos-provider={TARGET}", "-p", "no:cacheprovider", "-k", SOME]
    with subprocess.Popen([*command, *words], cwd=folder, env=clean, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()


def has(client: Any, run: str) -> list[str]:
    """Return what the engine has of a run."""
    wanted = {"label": f"nomos.run={run}"}
    found: Sequence[Any] = [*client.containers(all=True, filters=wanted), *client.images(all=True, filters=wanted)]
    return [one["Id"] for one in found]


def wait_for_an_instance(client: Any, run: str) -> None:
    """Return when a container of the run has started; the engine tells."""
    wanted = {"label": f"nomos.run={run}", "type": "container", "event": "start"}
    with contextlib.closing(client.events(filters=wanted, decode=True)) as events:
        if not client.containers(filters={"label": f"nomos.run={run}"}):
            next(iter(events))


def sweep() -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_nomos.cli", "sweep"], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_killed_run_leaves_what_a_sweep_takes_and_a_live_one_keeps_what_is_its_own(
    client: Any, tmp_path: Path
) -> None:
    with running(tmp_path) as process:
        run = str(Owner.of_process(process.pid))
        wait_for_an_instance(client, run)
        process.send_signal(signal.SIGSTOP)
        left = has(client, run)
        assert left
        assert run in sweep()
        assert has(client, run) == left
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert "removed instance" in "".join(line for line in sweep().splitlines() if run in line)
    assert has(client, run) == []


def test_the_end_of_a_run_takes_what_a_killed_worker_left(client: Any, tmp_path: Path) -> None:
    with running(tmp_path, "-n", "2", "--max-worker-restart=0") as process:
        run = str(Owner.of_process(process.pid))
        wait_for_an_instance(client, run)
        children = psutil.Process(process.pid).children()
        workers = [child for child in children if "stdin.readline" in " ".join(child.cmdline())]
        assert workers
        for worker in workers:
            worker.kill()
        out, _ = process.communicate(timeout=180)
    assert process.returncode not in {0, None}, out
    assert has(client, run) == []


def test_a_finished_run_leaves_the_engine_as_it_was_and_its_report_names_the_engine(
    client: Any, tmp_path: Path
) -> None:
    with running(tmp_path, "-k", "CMP-SPAWN-001 or CMP-HOOK-003", "--nomos-report=rep") as process:
        run = str(Owner.of_process(process.pid))
        out, _ = process.communicate(timeout=240)
    assert "2 passed" in out, out
    assert has(client, run) == []
    text = (tmp_path / "rep/report.json").read_text()
    assert f"Docker Engine {client.version()['Version']}" in text or "OrbStack" in text


def test_all_leaves_out_what_this_machine_has_no_engine_for_and_says_so(author: Runner) -> None:
    ran = author("--nomos-provider=all", "--collect-only", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert "nomos: all leaves out registered:compute/orbstack: no engine answers at unix:///nowhere/" in ran.out
    assert "registered:compute/memory" in ran.out
    assert "[registered-compute-orbstack" not in ran.out


def test_the_extra_that_is_missing_blocks_and_is_named(author: Runner, tmp_path: Path) -> None:
    # A module of this name that cannot be found: what an environment without the extra looks like.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['docker'] = None\n")
    ran = author(f"--nomos-provider={TARGET}", "-k", "CMP-GET-001", "-rs", env={"PYTHONPATH": str(tmp_path)})
    assert ran.code == 10, ran.text
    assert "blocked by kit" in ran.text
    assert 'pip install "pytest-nomos[docker]"' in ran.text
