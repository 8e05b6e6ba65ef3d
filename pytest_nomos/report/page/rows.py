"""What the page's script draws rows of: small tables of clauses and results, and the details of each target apart.

A report of 200 targets has more than 20,000 results. What every row shows is one short list; everything else stands in
one text for each target, which the page parses when a row of that target is opened or a search begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from markupsafe import Markup

from nomos_contracts.clause import Profile
from nomos_contracts.verdict import Outcome
from pytest_nomos.report.model import CheckRecord, ClauseResult, Report, TargetReport
from pytest_nomos.report.timeline import KEY, Timeline, timelines_of

OUTCOMES: Final = tuple(Outcome)
"""Worst first, as everywhere."""
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]"
)


def visible(text: str) -> str:
    """Return *text* with what a browser would hide, or turn other text around by, written as an escape."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shown(value: Any) -> Any:
    """Return *value* (plain JSON types) with every text in it visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(key)): shown(item) for key, item in _table(value).items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in cast("Sequence[Any]", value)]
    return value


def _table(value: Any) -> Mapping[Any, Any]:
    table: Mapping[Any, Any] = value
    return table


def embedded(value: Any) -> Markup:
    """Return *value* as JSON that can stand in a script element: nothing in it can end the element or begin a tag."""
    text = json.dumps(value, separators=(",", ":"))
    # Nothing but a string of JSON holds these three, and there an escape means the same.
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704 # as said


def pretty(value: Any) -> str:
    """Return *value* as JSON to be read."""
    return visible(json.dumps(value, indent=2, ensure_ascii=False))


class Rows:
    """All that the page's script is given.

    Attributes:
        index: clauses and, for each target, a list of results; each result is [clause, outcome, due, seconds].
        details: for each target a list as long as that of its results.
        timelines: the experiments, those that did not heal first.
    """

    def __init__(self, report: Report, killed: Mapping[str, Sequence[str]]) -> None:
        self._clauses: dict[tuple[Any, ...], int] = {}
        self._nodes: dict[str, int] = {}
        self.timelines: list[dict[str, Any]] = []
        self.details: list[list[Any]] = []
        targets: list[dict[str, Any]] = []
        for number, target in enumerate(report.targets):
            targets.append(
                {
                    "name": visible(target.name),
                    "interface": visible(target.interface),
                    "results": [self._result(result) for result in target.clauses],
                }
            )
            self.details.append([self._detail(result, target, number) for result in target.clauses])
        self.timelines.sort(key=lambda entry: bool(entry["healed"]))
        self.index: dict[str, Any] = {
            "outcomes": [outcome.value for outcome in OUTCOMES],
            "clauses": [shown(list(clause)) for clause in self._clauses],
            "nodes": list(self._nodes),
            "targets": targets,
            "killed": shown({name: list(mutants) for name, mutants in killed.items() if mutants}),
        }

    def _result(self, result: ClauseResult) -> list[Any]:
        clause = (result.id, result.interface, result.level.value, result.tier.value, result.sentence, result.sources)
        number = self._clauses.setdefault(clause, len(self._clauses))
        due = sum(1 << place for place, profile in enumerate(Profile) if profile in result.due)
        seconds = round(sum(check.duration for check in result.checks), 3)
        return [number, OUTCOMES.index(result.outcome), due, seconds]

    def _detail(self, result: ClauseResult, target: TargetReport, number: int) -> list[Any]:
        return [self._check(check, target.name, number) for check in result.checks]

    def _check(self, check: CheckRecord, target: str, number: int) -> dict[str, Any]:
        node = visible(check.node.removesuffix(f"[{target}]"))
        found: dict[str, Any] = {"node": self._nodes.setdefault(node, len(self._nodes))}
        found |= {"outcome": OUTCOMES.index(check.outcome), "seconds": round(check.duration, 3)}
        texts = ("expected", "got", "mend", "reason", "replay", "blocked_by")
        found |= {name: visible(text) for name in texts if (text := getattr(check, name))}
        if check.exchanges:
            found["exchanges"] = [
                {
                    "title": visible(f"{call.method} → {call.code} in {call.elapsed * 1000:.1f} ms"),
                    "json": pretty(call.model_dump(mode="json")),
                }
                for call in check.exchanges
            ]
        timelines = timelines_of(check)
        for name in ("observed", "evidence"):
            table: Mapping[str, Any] = getattr(check, name)
            noted = {key: pretty(value) for key, value in table.items() if not (timelines and key == KEY)}
            if noted:
                found[name] = shown(noted)
        if timelines:
            found["timelines"] = [drawn(timeline) for timeline in timelines]
            # The picture stands at the clause that the record is about, whatever a timeline says of itself.
            where = {"target": number, "clause": check.clause, "outcome": OUTCOMES.index(check.outcome)}
            self.timelines += [drawn(timeline) | where for timeline in timelines]
        return found


def drawn(timeline: Timeline) -> dict[str, Any]:
    """Return *timeline* as the page draws it, with the words that say the same; its faults in lanes."""
    table: dict[str, Any] = shown(timeline.model_dump(mode="json"))
    healed = timeline.recovery is None or timeline.recovery.met
    table["faults"] = shown([[bar.model_dump(mode="json") for bar in lane] for lane in timeline.lanes])
    return table | {"words": visible(timeline.words), "healed": healed}
