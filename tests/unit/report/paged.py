"""Reports to make pages of: timelines, hostile texts, and many targets."""

from __future__ import annotations

from nomos_contracts.verdict import Outcome
from pytest_nomos.report.build import build_report
from pytest_nomos.report.model import Exchange, Report
from pytest_nomos.report.timeline import Bar, Dot, Recovery, Timeline
from unit.report import made

FIRST, SECOND, THIRD = made.due_ids()[:3]
HOSTILE = (
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=2>",
    "<!--<script>",
    "{{ 7 * 7 }}",
    '"><svg onload=window.pwned=3>',
    "javascript:window.pwned=4",
    "\u202eturned\u2066 \u0007 \x1b[31m \u2028",
    "long" * 450,
)
"""What a provider may say."""


def timeline(clause: str = FIRST, *, met: bool = True) -> Timeline:
    """Paused from 1 s to 3 s, two probes bad."""
    dots = [Dot(at=at / 4, ok=not 4 <= at < 12, code="OK" if not 4 <= at < 12 else "UNAVAILABLE") for at in range(18)]
    return Timeline(
        clause=clause,
        target="provider",
        seconds=4.5,
        faults=(
            Bar(fault="pause", mechanism="SIGSTOP", start=1.0, end=3.0, bit="state T"),
            Bar(fault="latency(200ms)", mechanism="embedded proxy", start=1.0, end=2.0),
        ),
        probes=tuple(dots),
        recovery=Recovery(at_start=3.0, seconds=0.42 if met else 1.5, within=1.0, met=met),
    )


def chaos_report() -> Report:
    """Three experiments, of which one did not heal; one clause failed."""
    records = made.records({SECOND: Outcome.FAILED})
    noted = {
        FIRST: {"observed": {"timeline": timeline(FIRST).evidence()}},
        SECOND: {"evidence": {"timeline": [timeline(SECOND, met=False).evidence(), timeline(SECOND).evidence()]}},
    }
    changed = [record.model_copy(update=noted.get(record.clause, {})) for record in records]
    return build_report(made.run(), [made.target()], changed, finished=made.FINISHED)


def hostile_report() -> Report:
    """Every text that a provider, an author or a timeline gives is hostile."""
    text = " ".join(HOSTILE)
    hostile = made.record(
        FIRST,
        Outcome.FAILED,
        expected=text,
        got=text,
        mend=text,
        reason=text,
        replay=text,
        node=text,
        observed={text: text, "timeline": {"faults": text}},
        evidence={text: [text], "timeline": hostile_timeline(text).evidence()},
        exchanges=tuple(Exchange(method=word, request={word: word}, code=word, message=word) for word in HOSTILE),
    )
    header = made.target(info={text: text}, describe={"name": text}, capabilities=(text,), interface="config")
    records = [hostile, *(record for record in made.records() if record.clause != FIRST)]
    return build_report(made.run(platform=text), [header], records, finished=made.FINISHED)


def hostile_timeline(text: str) -> Timeline:
    """A timeline whose words are all *text*."""
    return Timeline(
        clause=text,
        target=text,
        seconds=1,
        faults=(Bar(fault=text, mechanism=text, start=0.1, end=0.5, bit=text),),
        probes=(Dot(at=0.2, ok=False, code=text), Dot(at=0.9, ok=True, code=text)),
        recovery=Recovery(at_start=0.5, seconds=0.4, within=1, met=True),
    )


def incomplete_report() -> Report:
    """What a run leaves that was broken off after one check."""
    return build_report(made.run(), [made.target()], [made.record(FIRST)], complete=False)


def wide_report(targets: int) -> Report:
    """Many targets, every fifth of them with a failure."""
    good, bad = made.kept_report().targets[0], made.mixed_report().targets[0]
    found = tuple((good if n % 5 else bad).model_copy(update={"name": f"target-{n:03}"}) for n in range(targets))
    return made.kept_report().model_copy(update={"targets": found, "exit_code": 1})
