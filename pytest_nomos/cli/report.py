"""``pytest-nomos report``: read, verify and merge reports."""

from __future__ import annotations

import json
from pathlib import Path

import click

_File = click.Path(path_type=Path, exists=True)


@click.group()
def report() -> None:
    """Read, verify and merge reports."""


@report.command()
@click.argument("path", type=_File)
@click.option("--json", "as_json", is_flag=True, help="Print the report itself.")
def show(path: Path, as_json: bool) -> None:
    """Show the report PATH (report.json or its folder); of a killed run what it had seen, marked incomplete."""
    from pytest_nomos.report.folder import report_bytes
    from pytest_nomos.report.markdown import markdown
    from pytest_nomos.report.stream import read_report

    found = read_report(path)
    click.echo(report_bytes(found).decode() if as_json else markdown(found))


@report.command()
@click.argument("path", type=_File)
@click.option("--subject", type=_File, help="The file that the report is about.")
@click.option("--attestation", type=_File, help="An attestation that goes with it.")
@click.option("--certificate", type=_File, help="A signed attestation that goes with it.")
@click.option("--public-key", type=_File, help="Ed25519 public key (PEM) of the one who should have signed.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(
    path: Path,
    subject: Path | None,
    attestation: Path | None,
    certificate: Path | None,
    public_key: Path | None,
    as_json: bool,
) -> None:
    """Compute the verdict of the report PATH again and say whether everything agrees, and who signed it.

    Exit code: 0 consistent, 1 not.
    """
    from pytest_nomos.attestation.verify import verify as examine

    found = examine(path, subject, attestation_path=attestation, certificate_path=certificate, public_key=public_key)
    if as_json:
        facts = {
            "consistent": found.consistent,
            "reasons": list(found.reasons),
            "key": found.key,
            "sentences": [found.consistency, found.signature],
        }
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        click.echo(found.consistency)
        click.echo(found.signature)
    raise SystemExit(0 if found.consistent else 1)


@report.command()
@click.argument("paths", type=_File, nargs=-1, required=True)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write."
)
def merge(paths: tuple[Path, ...], output: Path) -> None:
    """Merge the reports of the shards of one run into OUTPUT. Exit code: that of the whole."""
    from pytest_nomos.report.folder import clear_folder, write_report
    from pytest_nomos.report.merge import merge as unite
    from pytest_nomos.report.stream import read_report

    whole = unite([read_report(path) for path in paths])
    # An attestation of an earlier report must not lie beside this one.
    clear_folder(output)
    written = write_report(output, whole)
    click.echo(f"wrote {written.report}")
    raise SystemExit(whole.exit_code)


@report.command()
@click.argument("path", type=_File)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), required=True, help="SVG to write.")
def badge(path: Path, output: Path) -> None:
    """Draw the badge of the report PATH."""
    from pytest_nomos.report.badge import badge as draw
    from pytest_nomos.report.folder import write_atomically
    from pytest_nomos.report.stream import read_report

    write_atomically(output, draw(read_report(path)).encode())
    click.echo(f"wrote {output}")
