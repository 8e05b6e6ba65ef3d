"""``pytest-nomos init``: a first nomos.toml for an unknown provider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pytest_nomos.session.discovery import discover, draft


@click.command()
@click.argument("target")
@click.option(
    "--config",
    "-c",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key of the Init configuration; VALUE is JSON or a string (repeatable).",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("nomos.toml"),
    show_default=True,
    help="File to write.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def init(target: str, pairs: tuple[str, ...], output: Path, force: bool) -> None:
    """Start TARGET, find out what it tells without knowledge of it, and write a commented nomos.toml.

    Exit code: 0 if the file was written, 1 if the provider does not start, 4 if it cannot be tried.
    """
    if output.exists() and not force:
        raise click.ClickException(f"{output} is there already; --force replaces it, -o names another file")
    found = discover(target, dict(_pair(pair) for pair in pairs), Path.cwd(), output.absolute())
    for line in found.story:
        click.echo(line)
    if found.failure:
        click.echo(found.failure, err=True)
        raise SystemExit(1)
    scratch = output.with_name(f".{output.name}.new")
    scratch.write_text(draft(found), encoding="utf-8")
    scratch.replace(output)
    click.echo(f"wrote {output}")
    click.echo(f"next: pytest-nomos certify {target}")


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--config {text}: write KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
