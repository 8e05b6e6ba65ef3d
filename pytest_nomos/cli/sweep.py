"""``pytest-nomos sweep``: the janitor."""

from __future__ import annotations

import click

from pytest_nomos.sweep.engines import EngineSweep, sweep_engine


@click.command()
@click.option("--engine", metavar="URL", help="The Docker engine; else DOCKER_HOST, the docker context, known sockets.")
@click.option("--machines", is_flag=True, help="Sweep machines of the orb command instead of containers.")
@click.option("--orb", default="orb", show_default=True, metavar="COMMAND", help="The orb command.")
@click.option(
    "--records", type=click.Path(file_okay=False), help="Folder with the records of machines, if not the usual one."
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option(
    "--elsewhere-after",
    type=click.FloatRange(min=0),
    metavar="HOURS",
    help="Also remove what runs on other machines made more than HOURS hours ago.",
)
def sweep(
    engine: str | None,
    machines: bool,
    orb: str,
    records: str | None,
    dry_run: bool,
    elsewhere_after: float | None,
) -> None:
    """Remove what killed runs left behind: instances and snapshots of runs that are no longer alive.

    They are found by their labels. Whatever no run of pytest-nomos made, and whatever belongs to a run that is alive,
    is left as it is.

    Exit code: 0 if everything that had to go is gone, 1 if something could not be removed.
    """
    order = EngineSweep(
        engine=engine, machines=machines, orb=orb, records=records, dry_run=dry_run, elsewhere_after=elsewhere_after
    )
    done = sweep_engine(order, say=click.echo)
    raise SystemExit(done)
