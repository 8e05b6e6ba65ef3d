from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from nomos_contracts.verdict import Outcome
from pytest_nomos.report.badge import COLOURS, badge
from pytest_nomos.report.build import build_report
from pytest_nomos.report.markdown import code, inline, markdown
from pytest_nomos.report.model import Report
from unit.report import made

FIRST = made.due_ids()[0]
SVG = "{http://www.w3.org/2000/svg}"


def incomplete() -> Report:
    return build_report(made.run(), [made.target()], [], complete=False)


def test_the_summary_shows_both_verdicts_and_what_was_not_kept() -> None:
    report = made.mixed_report()
    text = markdown(report)
    assert "| standard (claimed) | ❌ broken |" in text
    assert re.search(r"^\| cli \| ❌ broken \|", text, re.MULTILINE)
    for outcome in (Outcome.FAILED, Outcome.WAIVED, Outcome.WARNED):
        (clause,) = [c for c in report.targets[0].clauses if c.outcome is outcome]
        assert f"| {clause.id} | {clause.level} | {outcome.value} |" in text
    assert "`pytest-nomos call ./provider Fetch" in text
    assert "https://example.org/issues/5" in text
    assert made.subject().sha256 in text


def test_the_summary_of_a_kept_run_lists_no_clause() -> None:
    text = markdown(made.kept_report())
    assert "✅ kept" in text
    assert "| clause |" not in text


def test_an_incomplete_run_says_that_it_is_no_verdict() -> None:
    assert markdown(incomplete()).startswith("> ⚠️ **Incomplete**")


@pytest.mark.parametrize(
    "text", ["a | b", "<script>", "[x](http://y)", "a\nb", "`x`", "**x**", "![i](x)", "@everyone", "\x1b[31m", "$x$"]
)
def test_nothing_that_a_provider_says_becomes_markup(text: str) -> None:
    assert not re.search(r"(?<!\\)[|<>`*\[\]@$]|\n|\x1b", inline(text))
    shown = code(text)
    assert not re.search(r"(?<!\\)\||\n|\x1b", shown)
    record = made.record(FIRST, Outcome.FAILED, got=text, replay=text)
    report = build_report(made.run(), [made.target()], [record], finished=made.FINISHED)
    rows = [line for line in markdown(report).splitlines() if line.startswith(f"| {FIRST} ")]
    (row,) = rows
    assert len(re.findall(r"(?<!\\)\|", row)) == 5


def test_code_with_backticks_is_fenced_with_more_of_them() -> None:
    assert code("a `b` ``c``") == "``` a `b` ``c`` ```"


def test_a_long_table_is_cut_and_says_by_how_much() -> None:
    failed = dict.fromkeys(made.due_ids(), Outcome.FAILED)
    report = build_report(made.run(), [made.target()], made.records(failed), finished=made.FINISHED)
    text = markdown(report)
    assert f"{len(failed) - 60} more in report.json" in text


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (made.kept_report(), "config standard kept · reference · 2026-12"),
        (made.mixed_report(), "config standard broken · reference · 2026-12"),
        (incomplete(), "incomplete"),
    ],
    ids=["kept", "broken", "incomplete"],
)
def test_the_badge_says_the_verdict_to_eyes_and_to_screen_readers(report: Report, words: str) -> None:
    root = ET.fromstring(badge(report))
    assert root.get("role") == "img"
    assert root.get("aria-label") == f"nomos: {words}" == root.findtext(f"{SVG}title")
    assert [text.text for text in root.iter(f"{SVG}text")] == ["nomos", words]
    assert "http" not in badge(report).replace("http://www.w3.org/2000/svg", "")


def test_the_badge_of_several_targets_is_that_of_the_worst() -> None:
    targets = [made.target(), made.target("second")]
    records = [*made.records(), *made.records({FIRST: Outcome.BLOCKED}, name="second")]
    report = build_report(made.run(), targets, records, finished=made.FINISHED)
    assert "not judged" in badge(report)


def test_the_colours_of_the_badge_can_be_read_with_white_letters() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(weight * p for weight, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for colour in (*COLOURS.values(), "#30363d"):
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5, colour
