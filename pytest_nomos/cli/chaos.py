"""``pytest-nomos chaos``: what there is to do about faults outside of a run."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_nomos.chaos.undo import undo_journal


@click.group()
def chaos() -> None:
    """Faults that were done to providers."""


@chaos.command()
@click.argument("journal", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--even-if-alive", is_flag=True, help="Also while the run that wrote the journal is alive.")
def undo(journal: Path, even_if_alive: bool) -> None:
    """End what a killed chaos run left in force.

    Continues stopped processes, raises lowered limits, removes control groups and proxies: exactly what JOURNAL says to
    be in force, and nothing else. A process that has ended, or whose number is another one's now, is left alone.

    Exit code: 0 if nothing is left in force, 1 if something is, 4 if the journal is none or its run is alive.
    """
    left = undo_journal(journal, click.echo, even_if_alive=even_if_alive).left
    raise SystemExit(1 if left else 0)
