"""What experiments cost beside the faults themselves: wall time of the chaos clauses against their fault windows."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_nomos.report.timeline import Timeline, timelines_in
from table import Measurement
from targets import FILES, Provider, clean_environment, contract, files

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


@dataclass(frozen=True)
class _Run:
    """What a run took, in seconds.

    Attributes:
        wall: the whole process, from its start to its end.
        checks: the checks alone, one after the other.
        windows: those in which a fault was in force.
        beside: what the experiments of each clause took beside these.
    """

    wall: float
    checks: float
    windows: float
    beside: Counter[str]

    @property
    def seconds(self) -> tuple[float, float, float]:
        """Wall, checks and windows."""
        return self.wall, self.checks, self.windows


def _run(provider: Provider, report: Path, *arguments: str) -> _Run:
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
    checks, windows, beside = 0.0, 0.0, Counter[str]()
    for target in json.loads((report / "report.json").read_text(encoding="utf-8"))["targets"]:
        for clause in target["clauses"]:
            for check in clause["checks"]:
                timelines = timelines_in(check["observed"])
                window = sum(map(_window, timelines))
                checks += check["duration"]
                windows += window
                if timelines:
                    beside[clause["id"]] += check["duration"] - window
    return _Run(wall, checks, windows, beside)


def measure(scratch: Path, built: Provider) -> list[Measurement]:
    """Compare the chaos clauses of *built* and of config/files with their fault windows.

    One after the other, the checks alone: what pytest takes to start is no matter of theirs. With two workers, the
    whole process; checks are few and take seconds, so a worker that has done its own takes some of the other's.
    """
    providers = (built,) if built.spec == FILES else (built, files(scratch))
    return [row for provider in providers for row in _measured(provider, scratch / "chaos-report")]


def _measured(provider: Provider, report: Path) -> Iterator[Measurement]:
    alone = [_run(provider, report) for _ in range(ROUNDS)]
    wall, checks, windows = (statistics.median(side) for side in zip(*(run.seconds for run in alone), strict=True))
    most = ", ".join(f"{clause} {seconds:.1f} s" for clause, seconds in alone[-1].beside.most_common(SLOWEST))
    yield Measurement(
        f"chaos checks, {provider.name} / their fault windows",
        statistics.median(run.checks / run.windows for run in alone),
        1.3,
        detail=f"{checks:.1f} s / {windows:.1f} s, experiments only, whole process {wall:.1f} s; most beside: {most}",
    )
    two = [_run(provider, report, "-n", "2", "--dist=worksteal") for _ in range(ROUNDS)]
    wall, _, windows = (statistics.median(side) for side in zip(*(run.seconds for run in two), strict=True))
    yield Measurement(
        f"their whole process, {provider.name} -n 2 --dist worksteal / fault windows",
        statistics.median(run.wall / run.windows for run in two),
        1.3,
        detail=f"{wall:.1f} s / {windows:.1f} s",
    )
