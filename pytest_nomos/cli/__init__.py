"""The command line: each command is one call into a library."""

from __future__ import annotations

import sys

import click

from pytest_nomos import __version__

_COMMANDS = {
    "init": ("pytest_nomos.cli.init", "init"),
    "certify": ("pytest_nomos.cli.certify", "certify"),
    "call": ("pytest_nomos.cli.call", "call"),
    "clauses": ("pytest_nomos.cli.clauses", "clauses"),
    "report": ("pytest_nomos.cli.report", "report"),
    "sweep": ("pytest_nomos.cli.sweep", "sweep"),
    "chaos": ("pytest_nomos.cli.chaos", "chaos"),
    "replay": ("pytest_nomos.cli.replay", "replay"),
}


class _Lazy(click.Group):
    """Imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 # click's signature
        found = _COMMANDS.get(cmd_name)
        if found is None:
            return None
        from importlib import import_module

        command: click.Command = getattr(import_module(found[0]), found[1])
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pytest-nomos")
def cli() -> None:
    """Tell, for a provider written in any language, which clauses of its contract it keeps."""


def main() -> None:
    """Run the command line; what a user got wrong is one line and exit code 4, as for pytest."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(4)
    except (click.Abort, KeyboardInterrupt):
        click.echo("pytest-nomos: interrupted", err=True)
        sys.exit(2)
    except Exception as error:
        if not isinstance(error, _expected()):
            raise
        click.echo(f"pytest-nomos: {error}", err=True)
        sys.exit(4)


def _expected() -> tuple[type[Exception], ...]:
    """Return the errors that say by themselves what the user got wrong; imported only when there is one."""
    from pytest_nomos.attestation.certificate import CertificateError
    from pytest_nomos.chaos.undo import JournalError, UndoError
    from pytest_nomos.host import ConfigError, MetadataError, ReaperError
    from pytest_nomos.report.folder import ReportError
    from pytest_nomos.report.merge import MergeError
    from pytest_nomos.session.shard import ShardError
    from pytest_nomos.settings import SettingsError
    from pytest_nomos.sweep.sweeping import SweepError
    from pytest_nomos.targets.plan import TargetError

    return (
        CertificateError,
        ConfigError,
        JournalError,
        MergeError,
        MetadataError,
        ReaperError,
        ReportError,
        SettingsError,
        ShardError,
        SweepError,
        TargetError,
        UndoError,
    )
