"""Storms against real processes: a seeded bug is found, shortened, written to a file, and replays from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ONLY = ("--nomos-tier=additional", "-k", "leave_nothing_behind", "-q")
UNLUCKY = "mutant:CFG-CHAOS-011"
OTHER = '[samples.other_config]\nconfig = {}\npath = ["name"]\nvalue = "other"\n'
LIMITS = "[limits]\nschedule_shrink = 4\nschedule_replays = 3\n"


def ran(folder: Path, *args: str, module: str = "pytest") -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    command: Sequence[str] = (sys.executable, "-m", module, *args) if module else args
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which a run has found the bug, and what the run printed."""
    folder = tmp_path_factory.mktemp("found")
    (folder / "nomos.toml").write_text(LIMITS)
    done = ran(folder, f"--nomos-provider={UNLUCKY}", *ONLY, "--nomos-report=rep", "--nomos-seed=5")
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    return folder, done.stdout


def file_of(folder: Path) -> Path:
    (file,) = (folder / "rep").glob("CFG-CHAOS-011-*.jsonl")
    return file


def steps_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()[2:]]


def test_a_bug_that_needs_a_pause_a_reset_and_an_init_is_told_in_these_steps(found: tuple[Path, str]) -> None:
    folder, out = found
    steps = steps_of(file_of(folder))
    assert len(steps) <= 5, steps
    faults = [str(step["fault"]).partition("(")[0] for step in steps if step["step"] == "fault"]
    assert faults == ["pause", "reset"]
    assert steps[-1]["step"] in {"agree", "fetch"}
    assert "fails     3 of 3" in out
    assert f"replay    pytest-nomos replay rep/{file_of(folder).name}" in out


def test_its_file_runs_and_fails_twenty_times_out_of_twenty(found: tuple[Path, str]) -> None:
    folder, _ = found
    done = ran(folder, str(file_of(folder)), "--times", "20", module="")
    assert "fails 20 of 20" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1


def test_a_correct_provider_keeps_the_same_schedule(found: tuple[Path, str]) -> None:
    folder, _ = found
    file = str(file_of(folder))
    done = ran(folder, "replay", file, "--times=2", "--provider=registered:config/files", module="pytest_nomos.cli")
    assert "fails 0 of 2" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_what_cannot_be_started_is_neither_passed_nor_failed(found: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = found
    dead = tmp_path / "dead"
    dead.write_text("#!/bin/sh\nexit 3\n")
    dead.chmod(0o755)
    # The schedule is as short as time allowed: on a busy machine an Init with another configuration is left in it.
    (tmp_path / "nomos.toml").write_text(OTHER)
    done = ran(tmp_path, "replay", str(file_of(folder)), "--times=1", "--provider=./dead", module="pytest_nomos.cli")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("variant", ["torn", "swapped"])
def test_without_a_report_folder_the_file_stands_in_a_hidden_one_that_is_named(variant: str, tmp_path: Path) -> None:
    done = ran(tmp_path, f"--nomos-provider={UNLUCKY}/{variant}", *ONLY, "--nomos-seed=1")
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    (file,) = (tmp_path / ".nomos").iterdir()
    assert f"replay    pytest-nomos replay .nomos/{file.name}" in done.stdout
    assert os.access(file, os.X_OK)
