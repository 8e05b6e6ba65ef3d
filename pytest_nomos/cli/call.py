"""``pytest-nomos call``: one exchange with a provider, as JSON; the replay line of every failure on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from nomos_contracts.clause import Profile
from nomos_contracts.codec import ShapeError
from nomos_contracts.provider import Answer, RunningProvider
from nomos_contracts.violation import Blocked
from nomos_proto.kinds import is_map, is_texts
from pytest_nomos.cli.options import settings_option
from pytest_nomos.report.replay import exchange
from pytest_nomos.session.pool import TargetRun
from pytest_nomos.session.reporting import secrets_of
from pytest_nomos.session.single import open_target, settings_for
from pytest_nomos.targets.ways import Transport


@click.command()
@click.argument("target")
@click.argument("function")
@click.argument("arguments", metavar="[JSON]", default="null")
@settings_option
@click.option("--no-init", is_flag=True, help="Do not call Init with the good config first.")
@click.option(
    "--profile", type=click.Choice([p.value for p in Profile]), help="Send the config as a caller of this profile does."
)
@click.option(
    "--transport",
    type=click.Choice(["inproc", "wire"]),
    help="How to reach a provider of a function interface that is a Python object.",
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Deadline in seconds.")
def call(
    target: str,
    function: str,
    arguments: str,
    settings_file: Path | None,
    no_init: bool,
    profile: str | None,
    transport: Transport | None,
    timeout: float | None,
) -> None:
    """Start TARGET, make one call and print the exchange as JSON.

    FUNCTION is a method of the target's interface (JSON: its arguments by name), or Fetch (JSON: the path), Init (JSON:
    alias, config, source_file_path; without them as in the settings), Info, Health, Shutdown, Describe, or a function
    of version 2 as INTERFACE.NAME or NAME (JSON: its arguments). In a config {config.KEY} stands for the value in the
    settings.

    Exit code: 0 if the call succeeded, 1 if it failed, 4 if it could not be made.
    """
    try:
        parsed = json.loads(arguments)
    except ValueError as error:
        raise click.UsageError(f"the arguments are no JSON: {error}") from error
    folder = Path.cwd()
    settings = settings_for(settings_file, folder)
    ways = (transport,) if transport else ()
    with open_target(target, settings, folder, Profile(profile) if profile else None, ways) as run:
        if run.plan.is_function_interface and function in run.faces.interface.methods:
            answer = _invoke(run, function, parsed, timeout)
            click.echo(exchange(answer, secrets_of(run.plan)).model_dump_json(indent=2))
            raise SystemExit(0 if answer.ok else 1)
        if run.plan.make is not None:
            raise click.UsageError(f"{function}: there is no such method; there are {_methods(run)}")
        start = run.first_start()
        if start.provider is None:
            message = start.error.message if start.error else "the provider does not start"
            raise click.ClickException(message)
        provider = start.provider
        if not no_init and function not in {"Init", "Describe"}:
            first = provider.init()
            if not first.ok:
                click.echo(f"Init with the good config answered {first.summary}", err=True)
        answer = _exchange(provider, function, parsed, timeout)
        click.echo(exchange(answer, secrets_of(run.plan)).model_dump_json(indent=2))
    raise SystemExit(0 if answer.ok else 1)


def _methods(run: TargetRun) -> str:
    return ", ".join(run.faces.interface.methods)


def _invoke(run: TargetRun, function: str, arguments: Any, timeout: float | None) -> Answer:
    """Call a method of a function interface.

    Raises:
        click.UsageError: the arguments are not such as the method takes.
        click.ClickException: the provider cannot be made or started.
    """
    if arguments is not None and not is_map(arguments):
        raise click.UsageError(f"{function} takes its arguments as a JSON object")
    method = run.faces.interface.methods[function]
    table: Mapping[str, Any] = arguments or {}
    try:
        plain = method.from_json(table)
    except ShapeError as error:
        raise click.UsageError(error.message) from error
    try:
        return run.faces.shared().invoke(function, timeout=timeout, **plain)
    except Blocked as blocked:
        raise click.ClickException(blocked.reason) from blocked


def _exchange(provider: RunningProvider, function: str, arguments: Any, timeout: float | None) -> Answer:
    table: Mapping[str, Any] = arguments if is_map(arguments) else {}
    match function:
        case "Fetch":
            path: object = table.get("path", []) if is_map(arguments) else arguments
            if not is_texts(path):
                raise click.UsageError('Fetch takes the path as a JSON list of strings: \'["database", "host"]\'')
            return provider.fetch(path, timeout=timeout)
        case "Info":
            return provider.info(timeout=timeout)
        case "Health":
            return provider.health(timeout=timeout)
        case "Shutdown":
            return provider.shutdown(timeout=timeout)
        case "Describe":
            return provider.describe(timeout=timeout)
        case _ if arguments is not None and not is_map(arguments):
            raise click.UsageError(f"{function} takes its arguments as a JSON object")
        case "Init":
            return _init(provider, table, timeout)
        case "Call":
            interface, name, args = table.get("interface", ""), table.get("function", ""), table.get("args", {})
            return provider.call(str(name), args, interface=str(interface), timeout=timeout)
        case _:
            interface, _, name = function.rpartition(".")
            return provider.call(name, table, interface=interface, timeout=timeout)


def _init(provider: RunningProvider, table: Mapping[str, Any], timeout: float | None) -> Answer:
    unknown = sorted(table.keys() - {"alias", "config", "source_file_path"})
    if unknown:
        raise click.UsageError(f"Init has no argument {', '.join(unknown)}; it takes alias, config, source_file_path")
    written: object = table.get("config")
    config: dict[str, Any] | None = None
    if is_map(written):
        good = provider.good_config
        config = {key: good.get(key) if item == f"{{config.{key}}}" else item for key, item in written.items()}
    elif written is not None:
        raise click.UsageError("config is a JSON object")
    return provider.init(
        config, alias=table.get("alias"), source_file_path=table.get("source_file_path"), timeout=timeout
    )
