"""The kill matrix: every mutant against the whole contract.

Usage: ``python tools/kill_matrix.py [--json FILE] [--jobs N] [--only PREFIX]``

A mutant is killed if what failed (or warned, for a SHOULD) holds all that it lists under ``breaks``, no MUST beyond
these failed, and everything else passed, warned, does not apply or is blocked by one of its ``breaks``. The matrix is
green if every mutant is killed and every testable MUST clause kills one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nomos_contracts.clause import CONTRACTS_OF, Level, clauses_of
from nomos_mutants import Mutant, all_mutants

CORRECT = ("registered:config/files", "registered:config/json", "registered:config/yaml")
HARMLESS = {"passed", "warned", "not_applicable"}


@dataclass
class Row:
    """What became of one mutant: seconds, what it broke, and what is wrong with that (empty: killed as listed)."""

    name: str
    breaks: list[str]
    failed: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run_contract(target: str, folder: Path, only: frozenset[str]) -> tuple[dict[str, Any], str]:
    """Run the whole contract (or *only* some clauses) on *target*; return its report and what pytest printed."""
    # Without bytecode every start of a Python provider, and pytest itself, would compile everything anew.
    dropped = ("PYTEST_", "PYTHONDONTWRITEBYTECODE")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [
        *(sys.executable, "-m", "pytest", "-p", "pytest_nomos.plugin", "-p", "no:cacheprovider", "-q"),
        *("-c", os.devnull, "--rootdir", str(folder), "--noconftest", "--nomos-seed=1", "--nomos-tier=reference"),
        *(f"--nomos-provider={target}", f"--nomos-report={folder}", "--assert=plain"),
        # Not -k: it would match the names of the targets as well.
        *(("-m", " or ".join(f"nomos(clause='{clause}')" for clause in sorted(only))) if only else ()),
    ]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    text = done.stdout + done.stderr
    report = folder / "report.json"
    if not report.exists():
        return {}, text
    return json.loads(report.read_text(encoding="utf-8"))["targets"][0], text


def judge(name: str, breaks: frozenset[str], *, quick: bool) -> Row:
    """Run one target and compare; *quick* tries only what it breaks, which is no verdict on all the rest."""
    row = Row(name, sorted(breaks))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nomos-matrix-") as folder:
        target, text = run_contract(name, Path(folder), breaks if quick else frozenset())
    row.seconds = round(time.monotonic() - began, 2)
    if not target:
        row.problems.append("no report: " + " | ".join(text.splitlines()[-5:]))
        return row
    excuses = {f"clause:{broken}" for broken in breaks}
    for result in target["clauses"]:
        clause, outcome = result["id"], result["outcome"]
        if outcome == "failed":
            row.failed.append(clause)
        elif outcome == "warned":
            row.warned.append(clause)
        elif quick and outcome == "not_run":
            continue
        elif outcome not in HARMLESS and not (outcome == "blocked" and set(result["blocked_by"]) <= excuses):
            reasons = "; ".join(check["reason"] for check in result["checks"])
            row.problems.append(f"{clause} is {outcome} {','.join(result['blocked_by'])} {reasons}".strip())
    seen = {*row.failed, *row.warned}
    row.problems += [f"{clause} does not fail" for clause in sorted(breaks - seen)]
    row.problems += [f"{clause} fails as well" for clause in sorted(set(row.failed) - breaks)]
    return row


def main() -> int:
    """Run the matrix, print it, write it; 0 if it is green."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=Path("kill-matrix.json"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="mutants whose name starts with this")
    parser.add_argument("--quick", action="store_true", help="try only the clauses that each mutant breaks")
    options = parser.parse_args()
    began = time.monotonic()
    mutants: list[Mutant] = [m for m in all_mutants().values() if m.name.startswith(options.only)]
    jobs: list[tuple[str, frozenset[str]]] = [(f"mutant:{m.name}", m.breaks) for m in mutants]
    if not options.only and not options.quick:
        jobs = [(name, frozenset()) for name in CORRECT] + jobs
    rows: list[Row] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(lambda job: judge(*job, quick=options.quick), jobs):
            rows.append(row)
            mark = "ok  " if not row.problems else "FAIL"
            print(f"{mark} {row.seconds:6.1f} s  {row.name:<44} {' '.join(row.breaks)}", flush=True)
            for problem in row.problems:
                print(f"                 {problem}", flush=True)
    due = [c for c in clauses_of(dict.fromkeys(n for ns in CONTRACTS_OF.values() for n in ns)).values() if c.testable]
    killed = {clause for row in rows if not row.problems for clause in row.breaks}
    missing = [c.id for c in due if c.level is Level.MUST and c.id not in killed] if not options.only else []
    unkilled = [c.id for c in due if c.level is not Level.MUST and c.id not in killed] if not options.only else []
    bad = sum(bool(row.problems) for row in rows)
    must = sum(c.level is Level.MUST for c in due)
    summary = {
        "mutants": len(mutants),
        "killed as listed": len(rows) - bad,
        "testable MUST clauses": must,
        "MUST clauses without a killed mutant": missing,
        "other clauses without a killed mutant": unkilled,
        "seconds": round(time.monotonic() - began, 1),
    }
    options.json.write_text(
        json.dumps({"summary": summary, "rows": [asdict(row) for row in rows]}, indent=2) + "\n", encoding="utf-8"
    )
    for name, value in summary.items():
        print(f"{name}: {value if not isinstance(value, list) else ', '.join(value) or 'none'}")
    return 1 if bad or missing else 0


if __name__ == "__main__":
    sys.exit(main())
