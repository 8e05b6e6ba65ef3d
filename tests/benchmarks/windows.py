"""What experiments cost beside the faults themselves: wall time of the chaos clauses against their fault windows."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections import Counter
from pathlib import Path

from pytest_nomos.report.timeline import Timeline, timelines_in
from table import Measurement
from targets import Provider, clean_environment, contract, files

ROUNDS = 3
SLOWEST = 3
OTHERS = ("CFG-CHAOS-011", "SlowReader")
"""Random schedules, whose faults last for milliseconds, and callers that misbehave: these have no fault windows."""


def _window(timeline: Timeline) -> float:
    """Return the seconds in which a fault was in force, those that overlap counted once."""
    total = reached = 0.0
    for start, end in sorted((bar.start, bar.end) for bar in timeline.faults):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _run(provider: Provider, report: Path, *arguments: str) -> tuple[float, float, Counter[str]]:
    """Return the seconds of a run, those of its fault windows, and what each clause took beside them."""
    select = " and not ".join(("CFG-CHAOS", *OTHERS))
    options = ("--nomos-tier=additional", f"--nomos-report={report}", "-k", select)
    command = contract(provider, f"--nomos-provider={provider.spec}", *options, *arguments)
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=provider.folder, env=clean_environment(), capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - began
    if done.returncode not in {0, 10}:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    windows, beside = 0.0, Counter[str]()
    for target in json.loads((report / "report.json").read_text(encoding="utf-8"))["targets"]:
        for clause in target["clauses"]:
            for check in clause["checks"]:
                timelines = timelines_in(check["observed"])
                window = sum(map(_window, timelines))
                windows += window
                if timelines:
                    beside[clause["id"]] += check["duration"] - window
    return wall, windows, beside


def measure(scratch: Path) -> list[Measurement]:
    """Run the chaos clauses of config/files, one after the other and with two workers, and compare."""
    provider = files(scratch)
    found: list[Measurement] = []
    for name, arguments in (("chaos clauses", ()), ("chaos clauses, -n 2", ("-n", "2"))):
        rounds = [_run(provider, scratch / "chaos-report", *arguments) for _ in range(ROUNDS)]
        ratio = statistics.median(wall / windows for wall, windows, _ in rounds)
        wall, windows = (statistics.median(side) for side in list(zip(*rounds, strict=True))[:2])
        most = ", ".join(f"{clause} {seconds:.1f} s" for clause, seconds in rounds[-1][2].most_common(SLOWEST))
        detail = f"{wall:.1f} s / {windows:.1f} s, {provider.name}, experiments only; most beside its windows: {most}"
        found.append(Measurement(f"{name} / their fault windows", ratio, 1.3, detail=detail))
    return found
