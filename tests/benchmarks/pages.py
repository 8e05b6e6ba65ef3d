"""The page of a large report: how long a browser takes until it can be used."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from table import Measurement

TARGETS = 200
ROUNDS = 5
GOAL = 1.0
READY = "performance.timing.loadEventEnd - performance.timing.navigationStart"


def measure(scratch: Path) -> list[Measurement]:
    """Return seconds from the navigation to a page of 200 targets that is drawn and alive."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from components import COMPONENTS

    name = f"page of {TARGETS} targets: until it can be used"
    component = COMPONENTS["chromium"]
    driver = component.find()
    if driver is None:
        return [Measurement(name, None, GOAL, unit="s", detail=component.reason)]
    from chaos.page.browser import browser
    from pytest_nomos.report.folder import write_report
    from unit.report import paged

    report = paged.wide_report(TARGETS)
    page = write_report(scratch / "page", report).page
    rows = sum(len(target.clauses) for target in report.targets)
    taken: list[float] = []
    with browser(driver) as tab:
        for _ in range(ROUNDS):
            tab.open(page.as_uri())
            taken.append(tab.until(f"return ({READY}) > 0 && {READY}") / 1000)
    detail = f"{rows:,} clauses, {page.stat().st_size / 1e6:.1f} MB, {min(taken):.2f} to {max(taken):.2f} s"
    return [Measurement(name, statistics.median(taken), GOAL, unit="s", detail=detail)]
