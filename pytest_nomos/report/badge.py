"""The badge: a small picture with the verdict, drawn here so that no server learns of the run."""

from __future__ import annotations

from html import escape

from nomos_contracts.verdict import Ruling
from pytest_nomos.report.model import Report, TargetReport

COLOURS = {"kept": "#1a7f37", "broken": "#b42318", "not judged": "#6b4f00", "incomplete": "#57606a"}
"""Each has a contrast of at least 4.5 to white, the limit of WCAG 2.2 for text."""
LABEL = "nomos"


def badge_words(report: Report) -> tuple[str, str]:
    """Return the verdict of *report* in words for a badge, and the colour that goes with it."""
    if not report.complete or not report.targets:
        return "incomplete", COLOURS["incomplete"]
    worst = max(report.targets, key=lambda target: (0, 10, 1).index(target.exit_code))
    ruling = {0: Ruling.KEPT, 1: Ruling.BROKEN, 10: Ruling.NOT_JUDGED}[worst.exit_code]
    return f"{_subject(worst)} {ruling} · {worst.tier} · {worst.edition}", COLOURS[ruling]


def _subject(target: TargetReport) -> str:
    return f"{target.interface} {target.profile}"


def badge(report: Report) -> str:
    """Return the badge of *report* as SVG; several targets share one, the worst of them speaks."""
    words, colour = badge_words(report)
    left, right = _width(LABEL), _width(words)
    title = escape(f"{LABEL}: {words}")
    stretch = 'lengthAdjust="spacingAndGlyphs"'
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">
  <title>{title}</title>
  <rect width="{left}" height="20" fill="#30363d"/>
  <rect x="{left}" width="{right}" height="20" fill="{colour}"/>
  <g fill="#fff" font-family="Verdana, Geneva, sans-serif" font-size="11" text-anchor="middle" aria-hidden="true">
    <text x="{left / 2:g}" y="14" textLength="{left - 12}" {stretch}>{escape(LABEL)}</text>
    <text x="{left + right / 2:g}" y="14" textLength="{right - 12}" {stretch}>{escape(words)}</text>
  </g>
</svg>
"""


def _width(text: str) -> int:
    # 6.6 is about the mean advance of Verdana at 11 px; textLength makes any other font fit
    return round(len(text) * 6.6) + 12
