"""Killing a command at moments that are spread over its whole run, and looking at what each kill left."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plugin import kill_at

KILLS = int(os.environ.get("NOMOS_KILLS", "20"))
"""How many moments are tried, over all commands of a test together."""
WITHIN = 2.0
LONGEST = 8.0
"""Seconds of a long run within which it is killed; it goes on as it began."""


def share(of: str, commands: Sequence[str], shares: Mapping[str, int]) -> int:
    """Return how many of the kills are due to one command."""
    return max(1, round(KILLS * shares.get(of, 1) / sum(shares.get(other, 1) for other in commands)))


def run(command: Sequence[str], moment: float, folder: Path, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run *command* in the new *folder*, killed after *moment* seconds (negative: never), and return what was seen."""
    folder.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, kill_at.__file__, str(moment), str(folder), *command],
        env=clean | dict(env or {}),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_kills_leave_nothing(
    name: str,
    command: Sequence[str],
    wanted: int,
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    longest: float = float("inf"),
    after: Callable[[Path], list[str]] = lambda _: [],
) -> None:
    """Kill *command* at *wanted* moments, and fail for whatever any of them left.

    Args:
        name: what the figures are printed under.
        env: further variables.
        longest: seconds within which it is killed.
        after: returns what a run left that is no process and no file, after what ends that was tried.
    """
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    whole = run(command, -1, folder / "whole", env)
    text = (folder / "whole" / "output").read_text()
    assert whole["clean"] is not None, (whole, text)
    assert whole["code"] in {0, 1, 10}, text
    assert not after(folder / "whole")
    length = min(whole["length"], longest)
    traces: list[Any] = []
    slowest = 0.0
    killed = busy = tried = 0
    while killed < wanted:
        # Spread over the whole run, its start and its end included.
        moment = length * (killed + chance.random()) / wanted
        seen = run(command, moment, folder / f"run{tried}", env)
        left = after(folder / f"run{tried}") if seen["code"] is None else []
        shutil.rmtree(folder / f"run{tried}")
        tried += 1
        if seen["code"] is not None:
            # It was over before; a run that takes half the time on a machine that is idle again is no kill.
            length = min(length, seen["length"])
            assert tried < 3 * wanted + 10, "it is always over before"
            continue
        killed += 1
        busy += seen["processes"] > 1
        slowest = max(slowest, seen["clean"] or kill_at.PATIENCE)
        if left or seen["clean"] is None or seen["clean"] > WITHIN:
            traces.append((moment, seen, left))
    print(f"{name}: {killed} kills, {busy} with processes below, gone after {slowest:.2f} s at most, seed {seed}")
    assert not traces, f"seed {seed}: {traces}"
