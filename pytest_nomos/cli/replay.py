"""``pytest-nomos replay``: a schedule that failed, run again."""

from __future__ import annotations

from pathlib import Path

import click

from nomos_contracts.config.storm_steps import OPERATIONS
from nomos_contracts.schedule import Disagreement
from nomos_contracts.violation import Blocked
from pytest_nomos.chaos.schedule_file import ScheduleFileError, read_schedule_file
from pytest_nomos.cli.options import settings_option
from pytest_nomos.session.replaying import replay_schedule
from pytest_nomos.session.single import settings_for
from pytest_nomos.targets.plan import TargetError


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--provider", metavar="TARGET", help="Run it on TARGET instead of the one that it failed on.")
@click.option("--times", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How often.")
@settings_option
def replay(file: Path, provider: str | None, times: int, settings_file: Path | None) -> None:
    """Run the schedule in FILE, and say how often it failed.

    FILE is what a run wrote where a schedule of calls and faults failed. It is executable. Each time it is run on a
    process of its own, from the folder in which the target is found.

    Exit code: 0 if it never failed, 1 if it failed, 2 if FILE holds no schedule that can be run here, 4 if it could not
    be run.
    """
    try:
        code = _replay(file, provider, times, settings_file)
    except ScheduleFileError as error:
        click.echo(f"pytest-nomos: {error}", err=True)
        code = 2
    except Blocked as blocked:
        raise click.ClickException(blocked.reason) from blocked
    raise SystemExit(code)


def _replay(file: Path, provider: str | None, times: int, settings_file: Path | None) -> int:
    header, schedule = read_schedule_file(file)
    folder = Path.cwd()
    named = settings_file or (Path(header.settings) if header.settings else None)
    if settings_file is None and named is not None and not named.is_file():
        raise ScheduleFileError(f"{file}: the settings {header.settings} are not there; --settings names others")
    settings = settings_for(named, folder)
    if header.edition != settings.edition:
        raise ScheduleFileError(
            f"{file}: was written for edition {header.edition}, and the settings say {settings.edition}"
        )
    target = provider or header.target
    click.echo(f"{header.clause} on {target}, seed {header.seed}")
    operations = {operation.kind: operation for operation in OPERATIONS}
    for number, step in enumerate(schedule, start=1):
        click.echo(f"  {number}. {operations[step.kind].words(step.args)}")
    try:
        done = replay_schedule(header, schedule, target, settings, folder, times, _tell)
    except TargetError as error:
        if provider:
            raise
        raise ScheduleFileError(f"{file}: its target: {error}; --provider names another one") from error
    click.echo(f"fails {done.fails} of {done.of}")
    if done.latest is not None:
        click.echo(f"  expected  {done.latest.expected}\n  got       {done.latest.got}")
    return 1 if done.fails else 0


def _tell(number: int, wrong: Disagreement | None) -> None:
    """Show on a terminal how far it is."""
    click.echo(f"run {number}: {'failed' if wrong else 'passed'}", err=True)
