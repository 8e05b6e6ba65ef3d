"""What was measured, as a table for people and JSON for machines."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """One ratio or slope.

    Attributes:
        name: what was compared with what.
        value: the figure; None where it could not be measured.
        goal: the bound.
        at_least: whether the goal is a lower bound.
        unit: what stands after the figure.
        detail: the two sides, or why nothing was measured.
    """

    name: str
    value: float | None
    goal: float | None
    at_least: bool = False
    unit: str = "x"
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is no figure or no goal."""
        if self.value is None or self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """Its cells."""
        value = "-" if self.value is None else f"{self.value:.3f} {self.unit}"
        goal = "" if self.goal is None else f"{'>=' if self.at_least else '<='} {self.goal:g} {self.unit}"
        verdict = {True: "met", False: "NOT MET", None: "not measured" if self.value is None else ""}[self.met]
        return self.name, value, goal, verdict, self.detail


HEAD = ("what", "measured", "goal", "", "how")


def render(measurements: Sequence[Measurement]) -> str:
    """Return the table."""
    rows = [HEAD, *(measurement.row for measurement in measurements)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * max(len(line) for line in lines))
    return "\n".join(lines)


def write(measurements: Sequence[Measurement], file: Path) -> None:
    """Write them as JSON, with what they were measured on."""
    content = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "measurements": [{**asdict(measurement), "met": measurement.met} for measurement in measurements],
    }
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
