"""The state of one run: what is under test, what was asked for, and the records so far."""

from __future__ import annotations

import hashlib
import os
import platform
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from nomos_contracts.clause import INTERFACES, Clause, Profile, clauses_of
from nomos_contracts.fault import Fault
from nomos_contracts.provider import InterfaceProvider
from nomos_contracts.verdict import Outcome, Ruling, Verdict, edition, verdict
from nomos_contracts.violation import Blocked
from pytest_nomos.report.build import outcome_of, unique
from pytest_nomos.report.model import CheckRecord, Report, now
from pytest_nomos.report.stream import ReportStream
from pytest_nomos.report.waiver import Waiver, active_waiver
from pytest_nomos.session.attachment import attach
from pytest_nomos.session.background import Background
from pytest_nomos.session.chaos import WorkerChaos
from pytest_nomos.session.pool import Pool
from pytest_nomos.session.preview import Preview, look
from pytest_nomos.session.shard import Shard
from pytest_nomos.settings import Settings
from pytest_nomos.targets.plan import TargetPlan
from pytest_nomos.targets.surroundings import Surroundings


@dataclass
class Run:
    """One pytest session with targets, in the controller or in a worker.

    Attributes:
        settings: the settings file.
        plans: the targets by name.
        seed: seed of everything that is random.
        report_dir: where the report goes, None where none was asked for.
        worker: name of the worker, empty in the controller.
        previews: what each target said first; filled once, in the controller.
        selected: ids of tests to run by hand, empty for all.
        deselected: whether the user's selection left out checks.
        shard: the part of the contract that this run is about, None for the whole.
        stream: the report while it grows (controller only, from the start of the session).
        contradicted: what was kept when it was tried and broke in other checks (controller only, at the end).
        report: the finished report (controller only, at the end).
        argv: the command line.
        started: when the run began.
        subjects: digest and size of each subject before its first start, by path.
        replaced_fixtures: names of our fixtures that somebody replaced.
        surroundings: what the targets need beside them, and the temporary folders of this process.
        shared_folder: the folder that the controller made for all workers, in a worker.
        keep: how many targets keep their processes at a time.
        warm: Python modules that are imported once, so that a provider ``python -m`` one of them starts by fork.
    """

    settings: Settings
    plans: Mapping[str, TargetPlan]
    seed: int
    report_dir: Path | None
    worker: str = ""
    previews: dict[str, Preview] = field(default_factory=dict[str, Preview])
    selected: Sequence[str] = ()
    deselected: bool = False
    shard: Shard | None = None
    stream: ReportStream | None = None
    contradicted: Sequence[CheckRecord] = ()
    report: Report | None = None
    argv: Sequence[str] = ()
    started: datetime = field(default_factory=now)
    subjects: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    replaced_fixtures: set[str] = field(default_factory=set[str])
    surroundings: Surroundings = field(default_factory=Surroundings)
    shared_folder: Path | None = None
    keep: int = 2
    warm: Sequence[str] = ()
    fault: Fault | None = None

    @cached_property
    def common(self) -> Path:
        """A folder that all workers of the run share; the controller makes it, and it goes with the controller."""
        return self.shared_folder or self.surroundings.folders.make("run")

    @cached_property
    def pool(self) -> Pool:
        """The running providers; their profiles are those of the previews."""
        self.surroundings.custody.write_to(lambda: self.common)
        profiles = {name: self.profile(name) for name in self.plans}
        # Contracts of function interfaces want many providers of their own, and a start is import work for the most.
        served = {plan.served_by for plan in self.plans.values() if plan.served_by}
        background = Background(self.fault, self.chaos) if self.fault is not None else None
        return Pool(self.plans, profiles, self.keep, tuple(dict.fromkeys((*self.warm, *sorted(served)))), background)

    @cached_property
    def chaos(self) -> WorkerChaos:
        """The faults and proxies of this worker; the journal stands in the report folder where there is one."""
        name = f"chaos{f'-{self.worker}' if self.worker else ''}.jsonl"
        return WorkerChaos(lambda: (self.report_dir or self.common) / name, self.seed)

    @cached_property
    def clauses(self) -> Mapping[str, Clause]:
        """All clauses by id."""
        due = (name for plan in self.plans.values() for name in plan.contracts)
        return clauses_of(dict.fromkeys((*INTERFACES, *due)))

    def capabilities(self, name: str) -> frozenset[str]:
        """What target *name* declares: a provider of a function interface by itself, others by the settings."""
        preview = self.previews.get(name)
        if preview is not None and preview.capabilities is not None:
            return frozenset(preview.capabilities)
        return frozenset(self.plans[name].settings.capabilities)

    def profile(self, name: str) -> Profile:
        """The profile that target *name* claims: by settings, else by the form it announced, else `standard`."""
        preview = self.previews.get(name)
        if preview is not None:
            return Profile(preview.profile)
        return self.plans[name].profile or Profile.STANDARD

    def targets_of(self, clause_id: str) -> list[str]:
        """Names of the targets for which clause *clause_id* is run."""
        clause = self.clauses[clause_id]
        return [
            name
            for name, plan in self.plans.items()
            if clause.id in self._due_ids[plan.contracts] and plan.tier.holds(clause.tier)
        ]

    @cached_property
    def _due_ids(self) -> Mapping[tuple[str, ...], frozenset[str]]:
        found = {plan.contracts for plan in self.plans.values()}
        return {contracts: frozenset(clauses_of(contracts)) for contracts in found}

    def about_process(self, clause_id: str, target: str) -> bool:
        """Whether a clause is about the process of a target whose interface is one of functions."""
        return self.plans[target].is_function_interface and clause_id in clauses_of(("process",))

    def preview(self) -> None:
        """Look at each target once."""
        for name in self.plans:
            seen = look(self.pool.run(name))
            self.previews[name] = seen
            self.pool.run(name).profile = Profile(seen.profile)

    def pack(self) -> dict[str, Any]:
        """Return what workers need, as plain types."""
        return {
            "seed": self.seed,
            "common": str(self.common),
            "owner": self.surroundings.custody.run,
            "controller": [platform.node(), os.getpid()],
            "previews": {name: asdict(seen) for name, seen in self.previews.items()},
        }

    def unpack(self, packed: Mapping[str, Any]) -> None:
        """Take over what the controller found out; from now on this worker ends with the controller."""
        machine, controller = packed["controller"]
        if machine == platform.node():
            attach(controller)
        self.seed = packed["seed"]
        self.shared_folder = Path(packed["common"])
        self.surroundings.custody.take_over(packed["owner"], self.worker)
        self.previews = {name: Preview(**seen) for name, seen in packed["previews"].items()}

    def random(self, clause_id: str) -> random.Random:
        """Return a generator seeded by the run's seed and the clause, equal on every worker."""
        digest = hashlib.sha256(f"{self.seed}/{clause_id}".encode()).digest()
        return random.Random(digest)  # noqa: S311 # reproducible on purpose

    def waiver(self, clause_id: str, target: str) -> Waiver | None:
        """Return the waiver for a clause of a target, None where there is none."""
        return active_waiver(self.settings.waivers, clause_id, target, self.started.date())

    @property
    def records(self) -> tuple[CheckRecord, ...]:
        """What became of each check so far; empty in a worker."""
        return self.stream.records if self.stream else ()

    def outcomes(self, target: str) -> dict[str, Outcome]:
        """Return the outcome of each clause of *target*: the worst of its checks."""
        found: dict[str, list[CheckRecord]] = {}
        for record in unique(self.records):
            if record.target == target:
                found.setdefault(record.clause, []).append(record)
        return {clause: outcome_of(records) for clause, records in found.items()}

    def verdict(self, target: str, profile: Profile) -> Verdict:
        """Judge *target* in *profile* by the outcomes so far."""
        plan = self.plans[target]
        frozen, outcomes = edition(self.settings.edition), self.outcomes(target)
        return verdict(frozen, plan.interface, profile, plan.tier, outcomes, program=plan.is_program)

    def ruling(self, target: str) -> Ruling:
        """Rule on *target* in the profile it claims. What the user deselected is not held against a partial run."""
        found = self.verdict(target, self.profile(target))
        if self.deselected and found.ruling is Ruling.NOT_JUDGED:
            seen = self.outcomes(target)
            ran = [seen[clause] for clause in found.due if clause in seen]
            if ran and Outcome.BLOCKED not in ran and any(o is not Outcome.NOT_APPLICABLE for o in ran):
                return Ruling.KEPT
        return found.ruling

    def stop_providers(self) -> None:
        """Stop all providers; the next use of the pool starts them again."""
        for name in ("pool", "chaos"):
            made = self.__dict__.pop(name, None)
            if made is not None:
                made.close()

    def _face(self, name: str) -> InterfaceProvider:
        return self.pool.run(name).faces.shared()

    def _terminate_the_rest(self) -> None:
        """Terminate what checks left behind, those of dead workers included."""
        if "common" not in self.__dict__:
            return  # nothing can have been written down
        for name, plan in self.plans.items():
            if plan.interface == "compute":
                try:
                    self.surroundings.custody.settle(name, partial(self._face, name))
                except Blocked as blocked:
                    sys.stderr.write(f"pytest-nomos: {name} may still have what this run spawned: {blocked.reason}\n")

    def close(self) -> None:
        """Stop all providers and what is beside them, and remove the temporary folders."""
        try:
            if not self.worker:
                self._terminate_the_rest()
            self.stop_providers()
            if self.stream is not None:
                self.stream.close()
        finally:
            self.surroundings.close()
