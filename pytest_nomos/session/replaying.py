"""Replaying: schedules that failed, written to files that can be run, and run again."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nomos_contracts.clause import Profile
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.config.storms import Chamber
from nomos_contracts.exploration import attempt
from nomos_contracts.schedule import Disagreement, Schedule, from_json
from nomos_contracts.violation import Blocked
from pytest_nomos.chaos.schedule_file import CHECKS, Header, ScheduleFileError, write_schedule_file
from pytest_nomos.host.folders import TemporaryFolders
from pytest_nomos.report.folder import ReportError
from pytest_nomos.session.chaos import TargetChaos, WorkerChaos
from pytest_nomos.session.single import open_target
from pytest_nomos.settings import Settings, find_settings

if TYPE_CHECKING:
    from pytest_nomos.session.run import Run
    from pytest_nomos.targets.plan import TargetPlan

REPLAYED: Final = frozenset(CHECKS)
"""Ids of the clauses whose schedules are written to files."""
FOLDER: Final = ".nomos"
"""Where the files go if there is no report folder, below the folder that the run was started in."""


def write_schedule(run: Run, plan: TargetPlan, clause: str, schedule: list[Any]) -> str:
    """Write a schedule that failed into the report folder, and return the line that runs it; empty if that cannot be.

    Where there is no report folder it goes to ``.nomos``.
    """
    here = Path.cwd()
    steps = from_json(schedule)
    path = (run.report_dir or here / FOLDER) / f"{clause}-{plan.name}.jsonl"
    named = run.settings.path
    header = Header(
        clause=clause,
        target=plan.spec,
        profile=run.profile(plan.name).value,
        seed=run.seed,
        edition=run.settings.edition,
        settings="" if named is None or named == find_settings(here) else _shown(named, here),
        needs=needs_of(steps),
        steps=len(steps),
    )
    try:
        write_schedule_file(path, header, steps)
    except ReportError:
        return ""
    return f"pytest-nomos replay {shlex.quote(_shown(path, here))}"


def needs_of(schedule: Schedule) -> list[str]:
    """Return the tables of the settings without which *schedule* cannot be run."""
    other = any(step.kind == "init" and step.args["config"] == "other" for step in schedule)
    return ["config", *(["samples.other_config"] if other else [])]


def _shown(path: Path, folder: Path) -> str:
    path = path.absolute()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


@dataclass(frozen=True)
class Replayed:
    """What became of a schedule.

    Attributes:
        fails: how often it failed.
        of: how often it was run.
        latest: what was wrong the last time, None where nothing was.
    """

    fails: int
    of: int
    latest: Disagreement | None


def replay_schedule(
    header: Header,
    schedule: Schedule,
    spec: str,
    settings: Settings,
    folder: Path,
    times: int,
    tell: Callable[[int, Disagreement | None], None],
) -> Replayed:
    """Run *schedule* on the target *spec*, each time on a process of its own.

    Args:
        header: what it is about.
        schedule: its steps.
        spec: the target.
        settings: the settings file that holds for it.
        folder: where relative paths of *spec* start.
        times: how often.
        tell: called after each run with its number and what was wrong.

    Raises:
        ScheduleFileError: the settings lack what it needs.
        Blocked: it could not be run, not even once.
        TargetError: *spec* is no target.
    """
    with (
        TemporaryFolders() as folders,
        open_target(spec, settings, folder, Profile(header.profile)) as run,
        closing(WorkerChaos(lambda: folders.make("replay") / "chaos.jsonl", header.seed)) as worker,
    ):
        samples = run.plan.samples()
        if not isinstance(samples, ConfigSamples):
            raise ScheduleFileError(f"{spec} implements {run.plan.interface}, and {header.clause} is about config")
        if "samples.other_config" in header.needs and samples.other_config is None:
            raise ScheduleFileError(
                f"the schedule needs samples.other_config, which the settings of {spec} do not give"
            )
        pairing = Chamber(TargetChaos(run, worker, header.clause, lambda _: None), samples, run.facts).pairing()
        fails = of = 0
        latest: Disagreement | None = None
        for number in range(1, times + 1):
            seen = attempt(pairing, schedule)
            if seen is None:
                continue
            of += 1
            fails += seen.disagreement is not None
            latest = seen.disagreement or latest
            tell(number, seen.disagreement)
    if not of:
        raise Blocked("environment", "no process could be started, or none could be struck by these faults")
    return Replayed(fails, of, latest)
