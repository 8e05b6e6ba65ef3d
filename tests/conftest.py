"""What holds for the whole suite: a component that is absent is named, and never counted as passed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import hypothesis
import pytest

from components import COMPONENTS, REQUIRE, absent, required


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a component that nobody knows (a misspelt name would require nothing), and see that SIGINT interrupts."""
    unknown = required() - COMPONENTS.keys()
    if unknown:
        raise pytest.UsageError(
            f"{REQUIRE}: no component {', '.join(sorted(unknown))}; there are {', '.join(COMPONENTS)}"
        )
    if os.environ.get("NOMOS_WHEEL"):
        # A gate tries the same examples each time; new ones are for those who can look into what they find.
        hypothesis.settings.register_profile("gate", derandomize=True)
        hypothesis.settings.load_profile("gate")
    # A run in the background of a shell script inherits SIGINT as ignored, and so would all that tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def component() -> Callable[[str], str]:
    """Return where a component is; a test that asks for one that is absent does not run."""

    def find(name: str) -> str:
        chosen = COMPONENTS[name]
        found = chosen.find()
        if found is None:
            pytest.skip(chosen.reason)
        return found

    return find


def _reason(report: Any) -> str:
    """Return why a report was skipped, empty where it was not."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return ""
    longrepr = report.longrepr
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def _refuse(report: Report) -> Report:
    """Turn a skip for a required component into a failure."""
    found = absent(_reason(report))
    if found is not None and found[0] in required():
        name, command = found
        report.outcome = "failed"
        report.longrepr = f"{REQUIRE} names {name}, which is absent here; what provides it: {command}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose required component is absent."""
    return _refuse((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a test module whose required component is absent."""
    return _refuse((yield))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was absent, with how many tests did not run for it and the command that provides it."""
    wanting: dict[tuple[str, str], int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        found = absent(_reason(report))
        if found is not None:
            name, command = found
            known = COMPONENTS.get(name)
            line = (name, known.command if known else command)
            wanting[line] = wanting.get(line, 0) + 1
    if not wanting:
        return
    terminalreporter.section("not run: these components are absent", sep="=", yellow=True)
    for (name, command), count in sorted(wanting.items()):
        terminalreporter.write_line(f"{name}: {count} not run; what provides it: {command}")
