"""SIGKILL of a run, at any moment of it, leaves no process, socket or temporary file after two seconds.

NOMOS_KILLS says how many moments are tried, over all commands together.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from plugin import kill_at

KILLS = int(os.environ.get("NOMOS_KILLS", "20"))
WITHIN = 2.0
LONGEST = 8.0
"""Seconds of a certification within which it is killed; it goes on as it began."""

FILES = "registered:config/files"
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nomos-report=rep")
CLI = (sys.executable, "-m", "pytest_nomos.cli")
SOME = "CFG-FETCH-001 or CFG-DEADLINE-001 or PROC-START-009 or PROC-SHUTDOWN-001 or CFG-INIT-002"
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "pytest": (*PYTEST, f"--nomos-provider={FILES}", "-k", SOME),
    "workers": (*PYTEST, f"--nomos-provider={FILES}", "-k", SOME, "-n", "2"),
    "upstream": (*PYTEST, "--nomos-provider=registered:config/http", "-k", "CFG-FETCH or CFG-DEADLINE"),
    "mutant": (*PYTEST, "--nomos-provider=mutant:PROC-START-001", "-k", "PROC-START"),
    "certify": (*CLI, "certify", FILES, "--tier", "testing"),
    "certify with workers": (*CLI, "certify", FILES, "--tier", "testing", "-n", "2"),
    "init": (*CLI, "init", FILES, "--config", "directory=."),
    "call": (*CLI, "call", FILES, "Fetch", '["app", "name"]'),
    "chaos": (*PYTEST, f"--nomos-provider={FILES}", "--nomos-tier=additional", "-k", "Resilience"),
    "collect": (*PYTEST, f"--nomos-provider={FILES}", "--collect-only", "-q"),
}
SHARES = {
    "pytest": 4,
    "workers": 5,
    "upstream": 2,
    "mutant": 1,
    "certify": 2,
    "certify with workers": 2,
    "init": 2,
    "chaos": 4,
}


def run(command: tuple[str, ...], moment: float, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, kill_at.__file__, str(moment), str(folder), *command],
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_run_that_is_killed_leaves_nothing(name: str, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    whole = run(COMMANDS[name], -1, tmp_path / "whole")
    text = (tmp_path / "whole" / "output").read_text()
    assert whole["clean"] is not None, (whole, text)
    assert whole["code"] in {0, 1, 10}, text
    wanted = max(1, round(KILLS * SHARES.get(name, 1) / sum(SHARES.get(other, 1) for other in COMMANDS)))
    length = min(whole["length"], LONGEST) if name.startswith("certify") else whole["length"]
    traces: list[Any] = []
    slowest = 0.0
    killed = busy = tried = 0
    while killed < wanted:
        # Spread over the whole run, its start and its end included.
        moment = length * (killed + chance.random()) / wanted
        seen = run(COMMANDS[name], moment, tmp_path / f"run{tried}")
        shutil.rmtree(tmp_path / f"run{tried}")
        tried += 1
        if seen["code"] is not None:
            # It was over before; a run that takes half the time on a machine that is idle again is no kill.
            length = min(length, seen["length"])
            assert tried < 3 * wanted + 10, "it is always over before"
            continue
        killed += 1
        busy += seen["processes"] > 1
        slowest = max(slowest, seen["clean"] or kill_at.PATIENCE)
        if seen["clean"] is None or seen["clean"] > WITHIN:
            traces.append((moment, seen))
    print(f"{name}: {killed} kills, {busy} with processes below, gone after {slowest:.2f} s at most, seed {seed}")
    assert not traces, f"seed {seed}"
