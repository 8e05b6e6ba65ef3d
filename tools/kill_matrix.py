"""The kill matrix: every mutant, and every correct provider, against the whole contract.

Usage: ``python tools/kill_matrix.py [--json FILE] [--jobs N] [--only PREFIX] [--quick]``

A mutant is killed if what failed (or warned, for a SHOULD) holds all that it lists under ``breaks``, no MUST beyond
these failed, and everything else passed, warned, does not apply or is blocked by one of its ``breaks``. (Beyond what
a defect that strikes by chance lists, others may fail too; a test names these few mutants.) The matrix is
green if every mutant is killed, no correct provider fails, and every testable MUST clause kills a mutant.

Many targets share one pytest run, and mutants are forked from an interpreter that has imported what they need: nine
tenths of a start of theirs is import work. The checks, and the processes that they see, are those of any other run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.clause import Clause, Level, clauses_of
from nomos_mutants import all_mutants
from pytest_nomos.host.folders import TemporaryFolders
from pytest_nomos.session.attachment import attach

HARMLESS = {"passed", "warned", "not_applicable"}
WARM = ("nomos_mutants", "nomos_reference")
BATCH = 8
"""Targets of one pytest run: enough to share its start, few enough that both cores are busy to the end."""
QUICK_BATCH = 24
"""The same for *quick*, where a target takes less time than the start of a run."""
SECONDS = 300
"""For each target of a batch; a run that takes longer hangs."""


@dataclass(frozen=True)
class Job:
    """One target: how it is named on the command line, the clauses that it breaks, and whether chance adds others."""

    target: str
    breaks: frozenset[str]
    by_chance: bool = False


@dataclass
class Row:
    """What became of one target: seconds, what it broke, and what is wrong with that (empty: as listed)."""

    name: str
    breaks: list[str]
    failed: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Batch:
    """A pytest plugin: warm starts, the time of each target, and with *quick* only the clauses that it breaks.

    Attributes:
        names: targets as they were written, by the name that they have in the report.
        seconds: how long the checks of each target took, set-up included, by its name.
    """

    def __init__(self, jobs: Sequence[Job], *, quick: bool) -> None:
        self.names: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self._jobs = jobs
        self._quick = quick

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: Any) -> None:
        """Set the run up, before its first provider is started."""
        from pytest_nomos.collection import RUN

        run = config.stash[RUN]
        run.warm, run.keep = WARM, len(self._jobs)
        self.names = {name: plan.spec for name, plan in run.plans.items()}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Generator[None, object, object]:
        """Take the time."""
        from pytest_nomos.collection import TARGET

        began = time.monotonic()
        done: object = yield
        name: str = item.stash[TARGET]
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began
        return done

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        """Leave out what *quick* does not try."""
        if not self._quick:
            return
        from pytest_nomos.collection import CLAUSE, TARGET

        breaks = {job.target: job.breaks for job in self._jobs}
        kept = [item for item in items if item.stash[CLAUSE] in breaks[self.names[item.stash[TARGET]]]]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def run_here(folder: Path) -> int:
    """Run the batch that stands in *folder*, in this process."""
    order = json.loads((folder / "jobs.json").read_text(encoding="utf-8"))
    jobs = [Job(target, frozenset(breaks), chance) for target, breaks, chance in order["jobs"]]
    arguments = [
        *("-p", "pytest_nomos.plugin", "-p", "no:cacheprovider", "-q", "--assert=plain"),
        *("-c", os.devnull, "--rootdir", str(folder), "--noconftest", "--nomos-seed=1", "--nomos-tier=reference"),
        *(f"--nomos-provider={job.target}" for job in jobs),
        f"--nomos-report={folder}",
    ]
    batch = Batch(jobs, quick=order["quick"])
    code = pytest.main(arguments, plugins=[batch])
    found = {spec: {"name": name, "seconds": batch.seconds.get(name, 0.0)} for name, spec in batch.names.items()}
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")
    return int(code)


def run_batch(jobs: Sequence[Job], *, quick: bool) -> list[Row]:
    """Run the contracts of *jobs* in a process of their own, and judge each target."""
    # Without bytecode every start of a Python provider, and pytest itself, would compile everything anew.
    dropped = ("PYTEST_", "PYTHONDONTWRITEBYTECODE")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with TemporaryFolders() as folders:
        folder = folders.make("matrix")
        order = {"quick": quick, "jobs": [(job.target, sorted(job.breaks), job.by_chance) for job in jobs]}
        (folder / "jobs.json").write_text(json.dumps(order), encoding="utf-8")
        command = [sys.executable, str(Path(__file__).absolute()), "--batch", str(folder), "--caller", str(os.getpid())]
        try:
            done = subprocess.run(
                command, cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS * len(jobs), check=False
            )
            printed = done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            printed = "it did not end"
        report = folder / "report.json"
        if not (folder / "found.json").exists() or not report.exists():
            why = "no report: " + " | ".join(printed.splitlines()[-5:])
            return [Row(job.target, sorted(job.breaks), problems=[why]) for job in jobs]
        targets = {target["name"]: target for target in json.loads(report.read_text(encoding="utf-8"))["targets"]}
        found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return [
        judge(job, targets[found[job.target]["name"]], found[job.target]["seconds"], printed, quick=quick)
        for job in jobs
    ]


def judge(job: Job, target: dict[str, Any], seconds: float, printed: str, *, quick: bool) -> Row:
    """Compare the report of a target with what it should break; *printed* explains a run that broke off."""
    row = Row(job.target, sorted(job.breaks), seconds=round(seconds, 2))
    if all(result["outcome"] == "not_run" for result in target["clauses"]):
        row.problems.append("nothing was run: " + " | ".join(printed.splitlines()[-5:]))
        return row
    chance = {result["id"] for result in target["clauses"] if job.by_chance and result["outcome"] == "failed"}
    excuses = {f"clause:{broken}" for broken in job.breaks | chance}
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
    row.problems += [f"{clause} does not fail" for clause in sorted(job.breaks - seen)]
    if not job.by_chance:
        beyond = sorted({*row.failed} - job.breaks)
        row.problems += [f"{clause} fails as well: {_got(target, clause)}" for clause in beyond]
    return row


def _got(target: dict[str, Any], clause: str) -> str:
    """Return what was seen where *clause* failed."""
    checks = next(result["checks"] for result in target["clauses"] if result["id"] == clause)
    return "; ".join(f"expected {c['expected']}, got {c['got']}" for c in checks if c["outcome"] == "failed")[:400]


def jobs_of(only: str, *, quick: bool) -> list[Job]:
    """Return the mutants whose name starts with *only*, behind the correct providers where everything is tried."""
    from pytest_nomos.targets.plan import ON_ENGINES, registered

    jobs = [Job(f"mutant:{m.name}", m.breaks, m.by_chance) for m in all_mutants().values() if m.name.startswith(only)]
    if only or quick:
        return jobs
    # What takes a real engine minutes is certified by a test of its own.
    correct = [name for name in registered() if name != ON_ENGINES]
    return [*(Job(f"registered:{name}", frozenset()) for name in correct), *jobs]


def batches(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    """Deal *jobs* out like cards, at most *size* to a batch: neighbours are alike in what they cost."""
    count = -(-len(jobs) // size)
    for number in range(count):
        yield list(jobs[number::count])


def show(row: Row, otherwise: str = "FAIL") -> None:
    """Print a row; *otherwise* is what stands before one that is not as listed."""
    mark = "ok  " if not row.problems else otherwise
    print(f"{mark} {row.seconds:6.1f} s  {row.name:<44} {' '.join(row.breaks)}", flush=True)
    for problem in row.problems:
        print(f"                 {problem}", flush=True)


def killers(rows: Iterable[Row], clauses: Iterable[Clause]) -> dict[str, list[str]]:
    """Return the mutants that each clause kills, of those that were killed as listed."""
    return {clause.id: [row.name for row in rows if not row.problems and clause.id in row.breaks] for clause in clauses}


def held(jobs: Sequence[Job], at_once: int, *, quick: bool) -> list[Row]:
    """Hold *jobs* against the contract, *at_once* batches at a time, and show each row as it is found.

    ``more`` marks a target that *quick* shows too little of: it is tried on everything afterwards.
    """
    rows: list[Row] = []
    size = QUICK_BATCH if quick else BATCH
    with ThreadPoolExecutor(at_once) as pool:
        running = [pool.submit(run_batch, batch, quick=quick) for batch in batches(jobs, size)]
        for done in as_completed(running):
            for row in done.result():
                rows.append(row)
                show(row, "more" if quick else "FAIL")
    return rows


def main() -> int:
    """Run the matrix, print it, write it; 0 if it is green."""
    parser = argparse.ArgumentParser(description="Hold every mutant against the whole contract.")
    parser.add_argument("--json", type=Path, default=Path("kill-matrix.json"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="mutants whose name starts with this, mutant: before it or not")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="try each mutant on the clauses that it breaks, then on all if that was not enough",
    )
    parser.add_argument("--batch", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--caller", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batch is not None:
        attach(options.caller)
        return run_here(options.batch)
    began = time.monotonic()
    only = options.only.removeprefix("mutant:")
    jobs = jobs_of(only, quick=options.quick)
    if not jobs:
        parser.error(f"--only {options.only}: no mutant's name starts so")
    rows = held(jobs, options.jobs, quick=options.quick)
    if options.quick:
        # What a defect does may want the calls of other clauses before it: these mutants are tried on all of them.
        again = {row.name for row in rows if row.problems}
        rows = [row for row in rows if row.name not in again]
        rows += held([job for job in jobs if job.target in again], options.jobs, quick=False)
    order = {job.target: number for number, job in enumerate(jobs)}
    rows.sort(key=lambda row: order[row.name])
    due = [clause for clause in clauses_of().values() if clause.testable]
    matrix = killers(rows, due)
    without = [clause for clause in due if not matrix[clause.id] and not only]
    bad = [row.name for row in rows if row.problems]
    for clause in due:
        if matrix[clause.id]:
            print(f"{clause.id:<20} kills {len(matrix[clause.id]):>3}  {' '.join(matrix[clause.id])}")
    summary = {
        "targets": len(rows),
        "as listed": len(rows) - len(bad),
        "not as listed": bad,
        "testable MUST clauses": sum(clause.level is Level.MUST for clause in due),
        "MUST clauses that kill no mutant": [clause.id for clause in without if clause.level is Level.MUST],
        "other clauses that kill no mutant": [clause.id for clause in without if clause.level is not Level.MUST],
        "seconds": round(time.monotonic() - began, 1),
    }
    written = {"summary": summary, "matrix": matrix, "rows": [asdict(row) for row in rows]}
    options.json.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    for name, value in summary.items():
        print(f"{name}: {value if not isinstance(value, list) else ', '.join(value) or 'none'}")
    return 1 if bad or summary["MUST clauses that kill no mutant"] else 0


if __name__ == "__main__":
    sys.exit(main())
