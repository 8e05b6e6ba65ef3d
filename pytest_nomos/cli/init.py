"""``pytest-nomos init``: a first nomos.toml for an unknown provider."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from nomos_contracts.clause import CONTRACTS_OF
from nomos_contracts.verdict import EXIT_CODES, Ruling
from pytest_nomos.report.folder import write_atomically
from pytest_nomos.session.discovery import Discovery, discover, draft
from pytest_nomos.session.drafting import draft_interface, implemented

CONFIG = "config"


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
@click.option(
    "--interface",
    help="The interface that TARGET implements, where neither its name nor Describe tells; config if not.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def init(target: str, pairs: tuple[str, ...], output: Path, interface: str | None, force: bool) -> None:
    """Start or make TARGET, find out what it tells without knowledge of it, and write a commented nomos.toml.

    Exit code: 0 if the file was written, 10 if it was and Init wants other keys, 1 if the provider does not start, 4 if
    it cannot be tried.
    """
    if output.exists() and not force:
        raise click.ClickException(f"{output} is there already; --force replaces it, -o names another file")
    config = dict(_pair(pair) for pair in pairs)
    wanted = interface or implemented(target) or CONFIG
    found: Discovery | None = None
    if wanted not in CONTRACTS_OF:
        raise click.UsageError(
            f"--interface {wanted}: there is no contract for it; there are {', '.join(CONTRACTS_OF)}"
        )
    if wanted == CONFIG:
        found = discover(target, config, Path.cwd(), output.absolute())
        if interface is None:
            wanted = implemented(target, found.preview.describe) or CONFIG
    if found is not None and wanted == CONFIG:
        text = "" if found.failure else draft(found)
        _finish(found.story, found.failure, text, output, found.next_command)
        if found.init_code != "OK":
            raise SystemExit(EXIT_CODES[Ruling.NOT_JUDGED])
    else:
        drafted = draft_interface(target, wanted, config, Path.cwd(), output.absolute())
        _finish(drafted.story, drafted.failure, drafted.text, output, f"pytest-nomos certify {target}")


def _finish(story: Iterable[str], failure: str, text: str, output: Path, following: str) -> None:
    for line in story:
        click.echo(line)
    if failure:
        click.echo(failure, err=True)
        raise SystemExit(1)
    write_atomically(output, text.encode())
    click.echo(f"wrote {output}")
    click.echo(f"next: {following}")


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--config {text}: write KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
