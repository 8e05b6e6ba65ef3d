"""SIGKILL of a chaos run, while faults of every kind are in force: what does not end with it, a command ends and says.

NOMOS_KILLS says how many moments are tried, over all tests of this file together.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from nomos_reference.compute.orbstack_engine import connect
from plugin.killing import LONGEST, assert_kills_leave_nothing, share
from pytest_nomos.chaos.journal import Planned, read_journal
from pytest_nomos.chaos.network.toxiproxy_server import ToxiproxyServer
from pytest_nomos.sweep.owner import Life, Owner
from sweeping import one_sweeper

SHARES = {"resources": 3, "toxics": 3, "toxics on a server of somebody": 2, "engine": 2}
CLI = (sys.executable, "-m", "pytest_nomos.cli")
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nomos-report=rep", "--nomos-tier=additional")
FILES = "--nomos-provider=registered:config/files"
KINDS = {"pause", "latency", "descriptors", "memory", "file_size", "cpu", "silence"}
MAKING = 5
"""Sweeps after which an engine has made what it was asked for by a run that was killed meanwhile."""
HELD = 0.4
"""Seconds for which each fault is in force: most of the run."""
EVERYTHING = f'''
import time

from nomos_contracts.fault import Clock, Cpu, Descriptors, FileSize, FullDisk, Latency, Memory, Pause, Silence
from pytest_nomos.testing import Chaos, Contract, clause


class EverythingContract(Contract):
    """Faults of every kind, one after the other."""

    @clause("CFG-CHAOS-001")
    def test_everything(self, nomos_chaos: Chaos) -> None:
        for fault in (
            Latency(ms=50) & Pause(), Descriptors(spare=0), Memory(spare=1) & FileSize(limit=0), Cpu(percent=20),
            Silence(ms=0), FullDisk(), Clock(shift=86_400),
        ):
            ready = fault if isinstance(fault, FullDisk | Clock) else None
            with nomos_chaos.experiment(lambda one: one.fetch(["app", "name"], timeout=2), ready_for=ready) as x:
                with x.inject(fault, ttl=60):
                    time.sleep({HELD})
'''


def undone(folder: Path) -> list[str]:
    """Undo what the journal of a killed run says, where it came to have one; return what could not be undone."""
    journal = folder / "rep" / "chaos.jsonl"
    if not journal.exists():
        return []
    before = [json.loads(line) for line in journal.read_text().splitlines()]
    words = [*CLI, "chaos", "undo", str(journal)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        return [f"chaos undo: exit {done.returncode}", done.stdout, done.stderr, str(before)]
    return []


def groups() -> set[str]:
    """Return the control groups of runs that have ended; others may be at work on this machine."""
    found = {path for path in Path("/sys/fs/cgroup").rglob("nomos-*") if path.is_dir()}
    return {str(path) for path in found if not psutil.pid_exists(int(path.name.rpartition("-")[2]))}


def mounts() -> set[str]:
    """Return the file systems of ours that any process sees."""
    found = set()
    for table in Path("/proc").glob("[0-9]*/mounts"):
        try:
            found |= {line for line in table.read_text().splitlines() if line.startswith("nomos-disk ")}
        except OSError:
            continue  # it has ended
    return found


def test_faults_of_every_kind_end_with_a_killed_run_or_by_undo(tmp_path: Path) -> None:
    (tmp_path / "test_everything.py").write_text(EVERYTHING)
    before = groups() | mounts()

    def after(folder: Path) -> list[str]:
        return undone(folder) + sorted((groups() | mounts()) - before)

    command = (*PYTEST, FILES, "--rootdir", str(tmp_path), str(tmp_path / "test_everything.py"), "-k", "everything")
    wanted = share("resources", list(SHARES), SHARES)
    assert_kills_leave_nothing("resources", command, wanted, tmp_path, after=after)
    applied = read_journal(tmp_path / "whole" / "rep" / "chaos.jsonl").entries
    assert {one.fault["kind"] for one in applied if isinstance(one, Planned)} >= KINDS


def test_toxics_end_with_a_killed_run_that_started_their_server(
    component: Callable[[str], str], tmp_path: Path
) -> None:
    server = component("toxiproxy")
    command = (*PYTEST, FILES, "-k", "Resilience")
    wanted = share("toxics", list(SHARES), SHARES)
    assert_kills_leave_nothing(
        "toxics", command, wanted, tmp_path, env={"NOMOS_TOXIPROXY": server}, longest=LONGEST, after=undone
    )


def test_toxics_on_a_server_of_somebody_are_undone(component: Callable[[str], str], tmp_path: Path) -> None:
    program = shutil.which(component("toxiproxy"))
    assert program is not None
    with closing(ToxiproxyServer(program)) as server:
        api = server.start()

        def after(folder: Path) -> list[str]:
            return undone(folder) + list(api.ask("GET", "/proxies"))

        command = (*PYTEST, FILES, "-k", "Resilience")
        wanted = share("toxics on a server of somebody", list(SHARES), SHARES)
        env = {"NOMOS_TOXIPROXY": api.address}
        assert_kills_leave_nothing("somebody's", command, wanted, tmp_path, env=env, longest=LONGEST, after=after)


@pytest.fixture
def client(component: Callable[[str], str]) -> Iterator[Any]:
    component("docker")
    found, _ = connect(None, 30)
    with closing(found), one_sweeper():
        yield found


def test_containers_of_a_killed_chaos_run_are_swept(client: Any, tmp_path: Path) -> None:
    def left() -> list[str]:
        """Return what runs that have ended left there; others may be at work on the same engine."""
        found = [*client.containers(all=True), *client.images(all=True)]
        owners = [Owner.read((one.get("Labels") or {}).get("nomos.run", "")) for one in found]
        return [str(one) for one, owner in zip(found, owners, strict=True) if owner and owner.life is Life.ENDED]

    def after(folder: Path) -> list[str]:
        for _ in range(MAKING):  # what was asked for last may come after the first look
            done = subprocess.run([*CLI, "sweep"], capture_output=True, text=True, timeout=120, check=False)
            swept.append(done.stdout.count("its run has ended"))
            if done.returncode != 0:
                return [done.stdout, done.stderr]
            found = left()
            if not found:
                break
        return undone(folder) + found

    swept: list[int] = []
    command = (*PYTEST, "--nomos-provider=registered:compute/orbstack", "-k", "Chaos or Drift or Upstream")
    wanted = share("engine", list(SHARES), SHARES)
    assert_kills_leave_nothing("engine", command, wanted, tmp_path, longest=2 * LONGEST, after=after)
    assert any(swept), "none was killed while it had a container"
