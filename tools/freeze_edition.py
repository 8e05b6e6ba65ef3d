"""Freeze the clause tables of today as an edition: the denominator of verdicts.

Usage: ``python tools/freeze_edition.py 2026-12`` writes ``contracts/nomos_contracts/editions/2026-12.toml``; with
``--check`` it writes nothing and fails when that file is not what it would write.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from nomos_contracts.verdict import Edition, freeze

FOLDER = Path(__file__).resolve().parent.parent / "contracts" / "nomos_contracts" / "editions"
NAME = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def edition_toml(edition: Edition) -> str:
    """Return *edition* as TOML, one table a clause, in the order of the clause tables."""
    lines = [
        "# Frozen by tools/freeze_edition.py from the clause tables; a released edition is never changed.",
        f'name = "{edition.name}"',
    ]
    for clause in edition.clauses:
        profiles = ", ".join(f'"{profile}"' for profile in clause.profiles)
        lines += [
            "",
            "[[clauses]]",
            f'id = "{clause.id}"',
            f'interface = "{clause.interface}"',
            f'level = "{clause.level}"',
            f'tier = "{clause.tier}"',
            f"profiles = [{profiles}]",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write or check one edition.

    Raises:
        SystemExit: with a sentence, where the name is none or the check fails.
    """
    parser = argparse.ArgumentParser(description="Freeze the clause tables of today as an edition.")
    parser.add_argument("name", help="year and month of the edition, for instance 2026-12")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file differs")
    options = parser.parse_args()
    if not NAME.fullmatch(options.name):
        raise SystemExit(f"{options.name!r} is no year and month like 2026-12")
    path = FOLDER / f"{options.name}.toml"
    edition = freeze(options.name)
    text = edition_toml(edition)
    if options.check:
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{path.name} is not what the clause tables make; freeze it again, or name a new edition")
        return
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"{path.name}: {len(edition.clauses)} clauses")


if __name__ == "__main__":
    main()
