"""The terminal: a header that says what is under test, and a verdict at the end."""

from __future__ import annotations

import contextlib
import os
import sys

import pytest

from pytest_nomos.session.progress import Progress
from pytest_nomos.session.run import Run
from pytest_nomos.session.subject import digest
from pytest_nomos.session.verdicts import summary

_MARKUP = {
    "good": {"green": True, "bold": True},
    "bad": {"red": True, "bold": True},
    "doubt": {"yellow": True, "bold": True},
}


PROGRESS = pytest.StashKey[Progress | None]()


def _progress(config: pytest.Config) -> Progress | None:
    """Return what shows progress, None where nobody looks: no terminal, ``-q``, a worker, a CI system."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    quiet = config.get_verbosity() < 0 or config.getoption("numprocesses", None) or hasattr(config, "workerinput")
    unfit = os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("CI") or os.environ.get("BUILD_NUMBER")
    if reporter is None or quiet or unfit or not reporter.isatty:
        return None
    writer = config.get_terminal_writer()
    # While a check runs, standard output is captured.
    terminal = os.dup(sys.stdout.fileno())
    config.add_cleanup(lambda: os.close(terminal))

    def write(text: str) -> None:
        with contextlib.suppress(OSError):  # it was closed, and nobody looks any more
            os.write(terminal, text.encode(errors="replace"))

    def room() -> int:
        return writer.fullwidth - writer.width_of_current_line % writer.fullwidth - 1

    return Progress(write, room)


class Terminal:
    """The hooks that speak to the person."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Find out whether somebody looks."""
        session.config.stash[PROGRESS] = _progress(session.config)

    def pytest_report_header(self) -> list[str]:
        """Say what is under test, by which edition, at which tier, with which seed."""
        run = self._run
        lines = [
            f"nomos: edition {run.settings.edition}, seed {run.seed}, settings {run.settings.path or '(none found)'}"
        ]
        if run.fault is not None:
            lines.append(f"nomos: everything is tried under {run.fault.words}")
        lines += [f"nomos: all leaves out {spec}: {why}" for spec, why in run.surroundings.left_out.items()]
        for name, plan in run.plans.items():
            sha = digest(plan.subject) if plan.subject else None
            lines.append(
                f"nomos: target {name} = {plan.spec}, interface {plan.interface}, tier {plan.tier}"
                + (f", sha256:{sha[:16]}…" if sha else "")
            )
            preview = run.previews.get(name)
            if preview is not None and preview.failure:
                lines.append(f"nomos: {name} does not start: {preview.failure.splitlines()[0]}")
            elif plan.source is None and not run.worker:
                lines.append(
                    f"nomos: without a nomos.toml most of the contract stays blocked; "
                    f"`pytest-nomos init {plan.spec} --config KEY=VALUE` writes one"
                )
        return lines

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Give the verdict for both profiles, and what would have to be written for the rest to be judged."""
        if config.getoption("collectonly"):
            return
        terminalreporter.section("nomos verdict", sep="=")
        for style, line in summary(self._run):
            terminalreporter.write_line(line, **_MARKUP.get(style, {}))
