"""The timeline of a chaos experiment: which faults were in force when, what the probes saw, how fast it healed.

All times are seconds from the start of the experiment.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, cast

from pydantic import Field, ValidationError

from pytest_nomos.report.jsontext import ITEM_LIMIT, elements
from pytest_nomos.report.model import CheckRecord, Part, Seconds, Text

KEY: Final = "timeline"
"""The key of a timeline, or of a list of timelines, among what a check observed or a violation shows."""
NARROWEST: Final = 20


class Bar(Part):
    """A fault that was in force.

    Attributes:
        fault: the fault in words, for instance ``latency(200ms)``.
        mechanism: how it was done, for instance ``embedded proxy``.
        start: when it took hold.
        end: when it had ended.
        bit: what showed that it was felt, empty where nothing did.
    """

    fault: Text
    mechanism: Text = ""
    start: Seconds
    end: Seconds
    bit: Text = ""


class Dot(Part):
    """A probe.

    Attributes:
        at: when it was sent.
        ok: whether it was answered as in the steady state.
        code: what it was answered, for instance ``DEADLINE_EXCEEDED``.
        elapsed: how long that took.
    """

    at: Seconds
    ok: bool
    code: Text
    elapsed: Seconds = 0.0


class Recovery(Part):
    """How fast it healed.

    Attributes:
        at_start: when the last fault had ended, and the clock of the recovery started.
        seconds: from there to the first of the good probes; where these never came, to where the waiting ended.
        within: the bound on *seconds*.
        met: whether it healed within the bound.
    """

    at_start: Seconds
    seconds: Seconds
    within: Seconds
    met: bool


class Timeline(Part):
    """One experiment.

    Attributes:
        clause: id of the clause that it tried.
        target: name of the target.
        seconds: how long it took.
        faults: the faults, in the order in which they were injected.
        probes: the probes, in the order in which they were sent.
        recovery: None where none was waited for.
        left_out: how many further probes there were, all of them like one beside them.
    """

    clause: Text
    target: Text
    seconds: Seconds
    faults: tuple[Bar, ...] = ()
    probes: tuple[Dot, ...] = ()
    recovery: Recovery | None = None
    left_out: Annotated[int, Field(ge=0)] = 0

    def evidence(self) -> dict[str, Any]:
        """Return it as plain JSON types that fit into a record: beyond what a list there may hold, probes are thinned.

        The first and the last of a run of equal probes stay, so that every change stays where it was.
        """
        kept = _thinned(self.probes, ITEM_LIMIT)
        gone = len(self.probes) - len(kept)
        return self.model_copy(update={"probes": kept, "left_out": self.left_out + gone}).model_dump(mode="json")

    @property
    def lanes(self) -> tuple[tuple[Bar, ...], ...]:
        """The faults, one group for each line of a picture: those that are alike and do not overlap share one."""
        lanes: list[list[Bar]] = []
        for bar in self.faults:
            for lane in lanes:
                last = lane[-1]
                if (last.fault, last.mechanism) == (bar.fault, bar.mechanism) and last.end <= bar.start:
                    lane.append(bar)
                    break
            else:
                lanes.append([bar])
        return tuple(tuple(lane) for lane in lanes)

    @property
    def words(self) -> str:
        """What the picture shows, in sentences."""
        return " ".join(_sentences(self))


def timelines_of(record: CheckRecord) -> tuple[Timeline, ...]:
    """Return the timelines that a check noted; what is none is left out."""
    return timelines_in(record.observed, record.evidence)


def timelines_in(*noted: Mapping[str, Any]) -> tuple[Timeline, ...]:
    """Return the timelines among what a check observed, or a violation shows; what is none is left out."""
    found: list[Timeline] = []
    for table in noted:
        value: object = table.get(KEY)
        for entry in elements(cast("list[object]", value)) if isinstance(value, list) else [value]:
            timeline = _read(entry)
            if timeline is not None and timeline not in found:
                found.append(timeline)
    return tuple(found)


def compact(timeline: Timeline, width: int) -> str:
    """Draw *timeline* for a terminal of *width* columns (20 at least): a line each for faults, probes, recovery, time.

    ``#`` is a fault in force, ``.`` a good probe and ``x`` a bad one, ``=`` the recovery; ASCII only.
    """
    width = max(width, NARROWEST)
    lanes = timeline.lanes
    names = [_line(f"{lane[0].fault} {lane[0].mechanism}") for lane in lanes]
    column = min(max(map(len, [*names, "recovery"])), max(8, width // 3))
    cells = width - column - 3
    scale = timeline.seconds or 1.0

    def place(at: float) -> int:
        return min(cells - 1, int(at / scale * cells))

    rows: list[tuple[str, str]] = []
    for lane, name in zip(lanes, names, strict=True):
        drawn = [" "] * cells
        for bar in lane:
            for cell in range(place(bar.start), max(place(bar.start), place(bar.end)) + 1):
                drawn[cell] = "#"
        rows.append((name, "".join(drawn)))
    seen = [" "] * cells
    for dot in timeline.probes:
        where = place(dot.at)
        seen[where] = "x" if not dot.ok or seen[where] == "x" else "."
    rows.append(("probes", "".join(seen)))
    if timeline.recovery is not None:
        found = timeline.recovery
        first, last = place(found.at_start), place(found.at_start + found.seconds)
        rows.append(("recovery", " " * first + "=" * (last - first + 1)))
    lines = [f"{_cut(name, column):<{column}} |{row:<{cells}}|" for name, row in rows]
    end = f"{timeline.seconds:.3g} s"
    lines.append(f"{'':<{column}}  0{end:>{cells - 1}}"[:width])
    if timeline.recovery is not None:
        lines.append(_cut(_recovery(timeline.recovery), width))
    return "\n".join(lines)


def _read(entry: object) -> Timeline | None:
    if not isinstance(entry, Mapping):
        return None
    table = dict(cast("Mapping[str, Any]", entry))
    # A list that was too long for a record ends with a note instead of its last elements.
    for name in ("faults", "probes"):
        table[name] = [item for item in elements(table.get(name)) if isinstance(item, Mapping)]
    try:
        return Timeline.model_validate(table)
    except ValidationError:
        return None


def _thinned(probes: Sequence[Dot], limit: int) -> tuple[Dot, ...]:
    if len(probes) <= limit:
        return tuple(probes)
    last = len(probes) - 1
    edges = [
        number
        for number, dot in enumerate(probes)
        if number in {0, last} or not (_alike(dot, probes[number - 1]) and _alike(dot, probes[number + 1]))
    ]
    if len(edges) >= limit:
        step = math.ceil(len(edges) / limit)
        return tuple(probes[number] for number in edges[::step])
    inner = sorted(set(range(len(probes))) - set(edges))
    step = math.ceil(len(inner) / (limit - len(edges)))
    return tuple(probes[number] for number in sorted({*edges, *inner[::step]}))


def _alike(one: Dot, other: Dot) -> bool:
    return (one.ok, one.code) == (other.ok, other.code)


def _sentences(timeline: Timeline) -> Iterator[str]:
    for lane in timeline.lanes:
        first, last = lane[0], lane[-1]
        how = f" by {first.mechanism}" if first.mechanism else ""
        often = f" {len(lane)} times" if len(lane) > 1 else ""
        yield f"{first.fault}{how}{often} from {first.start:.2f} s to {last.end:.2f} s; {_felt(lane)}."
    if not timeline.faults:
        yield "No fault was injected."
    bad = Counter(dot.code for dot in timeline.probes if not dot.ok)
    codes = ", ".join(f"{code} {count}" for code, count in bad.most_common())
    count, shown = len(timeline.probes), "shown of " if timeline.left_out else ""
    whole = f"{count} {shown}{count + timeline.left_out}" if shown else str(count)
    yield f"{whole} probe{'s' if count != 1 else ''}, {bad.total()} bad{f' ({codes})' if codes else ''}."
    if timeline.recovery is not None:
        yield f"{_recovery(timeline.recovery)}."


def _felt(lane: Sequence[Bar]) -> str:
    felt = [bar.bit for bar in lane if bar.bit]
    if not felt:
        return "nothing showed that it was felt"
    share = f" {len(felt)} times of {len(lane)}" if len(felt) < len(lane) else ""
    return f"felt{share}: {felt[0]}"


def _span(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _recovery(recovery: Recovery) -> str:
    if recovery.met:
        return f"Recovered after {_span(recovery.seconds)} (bound {recovery.within:g} s)"
    return f"Not recovered within the bound of {recovery.within:g} s (waited {_span(recovery.seconds)})"


def _line(text: str) -> str:
    return " ".join("".join(c if c.isascii() and c.isprintable() else "?" for c in text).split())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 2]}.."
