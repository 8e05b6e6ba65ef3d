"""``pytest-nomos certify``: the gate."""

from __future__ import annotations

from pathlib import Path

import click

from nomos_contracts.clause import Tier
from pytest_nomos.cli.options import settings_option
from pytest_nomos.session.certification import Certification, certify_target


@click.command()
@click.argument("target")
@click.option(
    "--report",
    "report_dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("nomos-report"),
    show_default=True,
    help="Folder for the reports.",
)
@settings_option
@click.option("--tier", type=click.Choice([tier.value for tier in Tier]), help="Which set of clauses is due.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything that is random.")
@click.option("--workers", "-n", type=click.IntRange(min=1), default=1, show_default=True, help="Worker processes.")
@click.option("--shard", metavar="I/N", help="Run part I of N only; `report merge` makes one report of all parts.")
@click.option(
    "--transport", metavar="T", help="How to reach a function interface: inproc, wire or inproc,wire (both must agree)."
)
@click.option(
    "--sign-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Ed25519 private key (PEM): also write a certificate.",
)
def certify(
    target: str,
    report_dir: Path,
    settings_file: Path | None,
    tier: str | None,
    seed: int | None,
    workers: int,
    shard: str | None,
    transport: str | None,
    sign_key: Path | None,
) -> None:
    """Hold TARGET against its whole contract, closed against everything in the repository but nomos.toml.

    Writes report.json, index.html, summary.md, badge.svg, junit.xml and, if all that was due was judged,
    attestation.json.

    Exit code: 0 kept, 1 broken, 10 not judged, 2 to 5 as pytest.
    """
    done = certify_target(
        Certification(
            target=target,
            report_dir=report_dir.absolute(),
            settings_file=settings_file.absolute() if settings_file else None,
            tier=tier,
            seed=seed,
            workers=workers,
            shard=shard,
            transport=transport,
            sign_key=sign_key,
        )
    )
    for name, path in done.files.items():
        click.echo(f"{name:<12} {path}")
    for note in done.notes:
        click.echo(note, err=True)
    raise SystemExit(done.exit_code)
