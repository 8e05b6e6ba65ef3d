"""The summary for continuous integration, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nomos_contracts.verdict import Outcome, Ruling
from pytest_nomos.report.model import CheckRecord, ClauseResult, Report, TargetReport
from pytest_nomos.report.waiver import WaiverState

MARKS = {Ruling.KEPT: "✅", Ruling.BROKEN: "❌", Ruling.NOT_JUDGED: "⚠️"}
SHOWN = (Outcome.FAILED, Outcome.UNEXPECTED_PASS, Outcome.BLOCKED, Outcome.WAIVED, Outcome.WARNED)
LIMIT = 60
"""How many clauses one table shows: GitHub cuts a summary at 1 MiB."""
SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&$@:])")


def inline(text: str, limit: int = 300) -> str:
    """Return *text* as one line that Markdown shows as it is, whatever a provider put into it."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    return SPECIAL.sub(r"\\\1", line)


def code(text: str, limit: int = 300) -> str:
    """Return *text* as inline code for a table cell."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).replace("|", "\\|")
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""


def markdown(report: Report) -> str:
    """Return the summary of *report*."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    if not report.complete:
        yield "> ⚠️ **Incomplete**: the run did not come to its end; what follows is no verdict."
        yield ""
    if not report.targets:
        yield "Nothing was tried."
    for target in report.targets:
        yield from _target(target)
    if report.differences:
        yield "## The transports disagree"
        yield ""
        for unlike in report.differences:
            outcomes = ", ".join(f"{inline(name)}: {outcome.value}" for name, outcome in unlike.outcomes.items())
            yield f"- **{unlike.clause}** {outcomes}. {inline(unlike.got)}"
        yield ""
    yield f"pytest-nomos {inline(report.kit)} · {inline(report.python)} · {inline(report.platform)}" + (
        f" · shard {report.shard}" if report.shard else ""
    )


def _target(target: TargetReport) -> Iterator[str]:
    yield f"## {inline(target.name)}: {inline(target.interface)} provider"
    yield ""
    yield "| profile | verdict | due | passed | warned | waived | failed | blocked | not run | not applicable |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for profile, verdict in target.verdicts.items():
        counts = [
            verdict.counts.get(Outcome.PASSED, 0),
            verdict.counts.get(Outcome.WARNED, 0),
            verdict.counts.get(Outcome.WAIVED, 0),
            verdict.counts.get(Outcome.FAILED, 0) + verdict.counts.get(Outcome.UNEXPECTED_PASS, 0),
            verdict.counts.get(Outcome.BLOCKED, 0),
            verdict.counts.get(Outcome.NOT_RUN, 0),
            verdict.counts.get(Outcome.NOT_APPLICABLE, 0),
        ]
        claimed = " (claimed)" if profile is target.profile else ""
        cells = " | ".join(map(str, [verdict.due, *counts]))
        yield f"| {profile}{claimed} | {MARKS[verdict.ruling]} {verdict.ruling} | {cells} |"
    yield ""
    yield f"Edition {inline(target.edition)}, tier {target.tier}, seed {target.seed}, {target.transport}."
    if target.subject:
        yield f"File {code(target.subject.file)}, SHA-256 `{target.subject.sha256}`."
        if target.subject.sha256_after and not target.subject.unchanged:
            yield f"**It was changed during the run**: afterwards its SHA-256 was `{target.subject.sha256_after}`."
    yield ""
    yield from _clauses(target)
    yield from _waivers(target)


def _clauses(target: TargetReport) -> Iterator[str]:
    shown = [clause for outcome in SHOWN for clause in target.clauses if clause.outcome is outcome]
    if not shown:
        return
    yield "| clause | level | outcome | what was seen |"
    yield "|---|---|---|---|"
    for clause in shown[:LIMIT]:
        counted = "" if clause.due else " (not counted)"
        outcome = clause.outcome.value.replace("_", " ")
        yield f"| {clause.id} | {clause.level} | {outcome}{counted} | {_seen(clause)} |"
    if len(shown) > LIMIT:
        yield f"| … | | | {len(shown) - LIMIT} more in report.json |"
    yield ""


def _seen(clause: ClauseResult) -> str:
    check = next((check for check in clause.checks if check.outcome is clause.outcome), None)
    if check is None:
        return inline(clause.sentence)
    words = f"{inline(clause.sentence)} {_why(check)}".strip()
    return f"{words}<br>{code(check.replay)}" if check.replay else words


def _why(check: CheckRecord) -> str:
    parts = [
        f"**Got** {inline(check.got)}" if check.got else "",
        f"**Blocked by** {inline(check.blocked_by)}: {inline(check.reason)}"
        if check.blocked_by
        else inline(check.reason),
        f"**Mend:** {inline(check.mend)}" if check.mend and check.got else "",
    ]
    return " ".join(part for part in parts if part)


def _waivers(target: TargetReport) -> Iterator[str]:
    if not target.waivers:
        return
    for waiver, record in zip(target.waivers, target.waiver_states, strict=False):
        mark = "❌" if record.state.fails else "⚠️" if record.state is WaiverState.USED else "·"
        yield f"- {mark} {inline(record.sentence)} ([{inline(waiver.owner)}](<{waiver.link.translate(UNSAFE)}>))"
    yield ""


UNSAFE = str.maketrans({"<": "%3C", ">": "%3E", "|": "%7C", "\\": "%5C", "\n": ""})
