"""Freeze the clause tables into an edition: ``python tools/freeze_edition.py 2026-12``."""

from __future__ import annotations

import sys
from pathlib import Path

from nomos_contracts.verdict import Edition, freeze

FOLDER = Path(__file__).resolve().parent.parent / "contracts" / "nomos_contracts" / "editions"


def render(edition: Edition) -> str:
    """Return *edition* as TOML, one line for each clause so that a change is one line of a diff."""
    lines = [f'name = "{edition.name}"', "clauses = ["]
    for clause in edition.clauses:
        profiles = ", ".join(f'"{profile}"' for profile in clause.profiles)
        lines.append(
            f'  {{ id = "{clause.id}", interface = "{clause.interface}", level = "{clause.level}", '
            f'tier = "{clause.tier}", profiles = [{profiles}] }},'
        )
    return "\n".join([*lines, "]", ""])


if __name__ == "__main__":
    (FOLDER / f"{sys.argv[1]}.toml").write_text(render(freeze(sys.argv[1])), encoding="utf-8")
