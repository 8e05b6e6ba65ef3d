"""Renders a report as one page: the frame by a template that escapes everything, the rows by the page's script."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from nomos_contracts.verdict import Outcome, Ruling
from pytest_nomos.report.model import Report, TargetReport
from pytest_nomos.report.page.matrix import KillMatrix
from pytest_nomos.report.page.rows import OUTCOMES, Rows, embedded, pretty, visible

SCRIPTS: Final = ("shapes.js", "timeline.js", "details.js", "table.js", "start.js")
"""In the order in which they build on each other; on the page they are one script."""
SYMBOLS: Final = {
    Outcome.FAILED: "✗",
    Outcome.UNEXPECTED_PASS: "‼",
    Outcome.BLOCKED: "■",
    Outcome.NOT_RUN: "○",
    Outcome.WAIVED: "~",
    Outcome.WARNED: "△",
    Outcome.PASSED: "✓",
    Outcome.NOT_APPLICABLE: "–",
}
"""A shape for each outcome, so that none is told by colour alone."""
FEW: Final = 8
"""Up to so many targets are told of in full where the page opens."""


def page(report: Report, matrix: KillMatrix | None = None) -> str:
    """Return the page of *report*; *matrix* is shown with it.

    The same arguments give the same text. The page holds all that it needs, and its own policy forbids it to load
    anything else, or to run a script that is not its own.
    """
    style, early, script = _part("style.css"), _part("early.js"), _script()
    rows = Rows(report, matrix.matrix if matrix else {})
    found = _template().render(
        report=report,
        targets=report.targets,
        matrix=matrix,
        headline=headline(report),
        counts=_counts(report),
        rulings=Counter(_ruling(target) for target in report.targets),
        ruling_of=_ruling,
        outcomes=OUTCOMES,
        symbols=SYMBOLS,
        levels=sorted({result.level for target in report.targets for result in target.clauses}),
        interfaces=sorted({result.interface for target in report.targets for result in target.clauses}),
        rows=rows,
        few=len(report.targets) <= FEW,
        pretty=pretty,
        embedded=embedded,
        style=style,
        early=early,
        script=script,
        policy=policy(style, early, script),
    )
    return f"{found}\n"


def policy(style: str, *scripts: str) -> str:
    """Return a Content-Security-Policy that allows this style and these scripts and nothing else."""
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {allowed}; img-src data:; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def headline(report: Report) -> tuple[str, str]:
    """Return the verdict of the whole report: a word for the style, and a sentence."""
    if not report.complete:
        return "incomplete", "Incomplete: no verdict"
    if not report.targets:
        return "incomplete", "Nothing was tried"
    rulings = Counter(_ruling(target) for target in report.targets)
    if report.differences and not rulings[Ruling.BROKEN]:
        return "broken", "Broken: the transports disagree"
    worst = next(ruling for ruling in (Ruling.BROKEN, Ruling.NOT_JUDGED, Ruling.KEPT) if rulings[ruling])
    word = worst.value.replace(" ", "-")
    if len(report.targets) == 1:
        target = report.targets[0]
        return word, f"{worst.value.capitalize()} in profile {target.profile}"
    return word, f"{worst.value.capitalize()} for {rulings[worst]} of {len(report.targets)} targets"


def _ruling(target: TargetReport) -> Ruling:
    return {0: Ruling.KEPT, 1: Ruling.BROKEN, 10: Ruling.NOT_JUDGED}[target.exit_code]


def _counts(report: Report) -> dict[Outcome, int]:
    found = Counter(result.outcome for target in report.targets for result in target.clauses)
    return {outcome: found[outcome] for outcome in OUTCOMES}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _part(name: str) -> Markup:
    text = resources.files("pytest_nomos.report.page").joinpath(name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 # a file of this package, which goes into the page as it is


@cache
def _script() -> Markup:
    parts = Markup("\n").join(_part(name) for name in SCRIPTS)
    return Markup('"use strict";\n(() => {{\n{}\n}})();').format(parts)


def _finalized(value: object) -> str:
    return value if isinstance(value, Markup) else visible(str(value))


def _words(outcome: object) -> str:
    return str(outcome).replace("_", " ")


@cache
def _template() -> Any:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters["words"] = _words
    return environment.from_string(_part("index.html.jinja"))
