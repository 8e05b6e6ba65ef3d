"""What function interfaces cost: collection for many targets, and the wire against this process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from table import Measurement
from targets import clean_environment

MEMORY = "registered:compute/memory"
MANY = 200
ROUNDS = 3
HERE = Path(__file__).resolve().parent


def measure(scratch: Path) -> list[Measurement]:
    """Measure both."""
    folder = scratch / "interfaces"
    folder.mkdir()
    return [*collection(folder), *parity(folder)]


def _command(folder: Path, *arguments: str) -> list[str]:
    # Without the reports of a terminal: what is measured is collection, not printing.
    return [
        *(sys.executable, "-P", "-m", "pytest", "-c", "/dev/null", "--rootdir", str(folder), "--noconftest"),
        *("-p", "pytest_nomos.plugin", "-p", "no:cacheprovider", "-q", "--nomos-seed=1", *arguments),
    ]


def collected(folder: Path, targets: int) -> tuple[int, float]:
    """Return how many checks there are for so many registered targets, and the seconds that collecting them took."""
    out = folder / "collected.json"
    command = _command(folder, "-p", "collecting", "--collect-only", *[f"--nomos-provider={MEMORY}"] * targets)
    env = {**clean_environment(), "PYTHONPATH": str(HERE), "NOMOS_COLLECTED": str(out)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"collection ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found["items"], found["seconds"]


def collection(folder: Path) -> list[Measurement]:
    """Collect for 1, half of `MANY` and `MANY` targets: what an item costs, and whether that stays the same."""
    slopes: list[tuple[float, float]] = []
    items = 0
    for _ in range(ROUNDS):
        (first, least), (half, middle), (items, most) = (collected(folder, count) for count in (1, MANY // 2, MANY))
        lower, upper = (middle - least) / (half - first), (most - middle) / (items - half)
        slopes.append(((most - least) / (items - first), upper / lower))
    each, growth = (statistics.median(side) for side in zip(*slopes, strict=True))
    detail = f"processor time, 1 to {MANY} registered targets, {items} checks"
    return [
        Measurement("collection, an item", 1000 * each, 0.3, unit="ms", detail=detail),
        Measurement("collection, second half / first half", growth, 1.25, detail="1 is linear"),
    ]


def parity(folder: Path) -> list[Measurement]:
    """Run the whole compute contract in process and over the wire, in turns."""
    rounds: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        sides: list[float] = []
        for transport in ("inproc", "wire"):
            command = _command(folder, f"--nomos-provider={MEMORY}", f"--nomos-transport={transport}")
            began = time.perf_counter()
            done = subprocess.run(
                command, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False
            )
            sides.append(time.perf_counter() - began)
            if done.returncode:
                raise RuntimeError(f"{transport} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")
        rounds.append((sides[0], sides[1]))
    ratio = statistics.median(wire / inproc for inproc, wire in rounds)
    inproc, wire = (statistics.median(side) for side in zip(*rounds, strict=True))
    detail = f"{wire:.1f} s / {inproc:.1f} s, the whole compute contract on compute/memory"
    return [Measurement("over the wire / in process", ratio, None, detail=detail)]
