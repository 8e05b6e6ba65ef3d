"""The state of one run: what is under test, what was asked for, and the records so far."""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nomos_contracts.clause import CONTRACTS_OF, Clause, Profile, clauses_of
from nomos_contracts.verdict import Outcome, Ruling, Verdict, edition, verdict
from pytest_nomos.report.build import outcome_of, unique
from pytest_nomos.report.model import CheckRecord, Report, now
from pytest_nomos.report.stream import ReportStream
from pytest_nomos.report.waiver import Waiver, active_waiver
from pytest_nomos.session.pool import Pool
from pytest_nomos.session.preview import Preview, look
from pytest_nomos.settings import Settings
from pytest_nomos.targets.plan import TargetPlan


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
        stream: the report while it grows (controller only, from the start of the session).
        report: the finished report (controller only, at the end).
        argv: the command line.
        started: when the run began.
        subjects: digest and size of each subject before its first start, by path.
        replaced_fixtures: names of our fixtures that somebody replaced.
        shared_folder: the controller's scratch folder, in a worker.
    """

    settings: Settings
    plans: Mapping[str, TargetPlan]
    seed: int
    report_dir: Path | None
    worker: str = ""
    previews: dict[str, Preview] = field(default_factory=dict[str, Preview])
    selected: Sequence[str] = ()
    deselected: bool = False
    stream: ReportStream | None = None
    report: Report | None = None
    argv: Sequence[str] = ()
    started: datetime = field(default_factory=now)
    subjects: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    replaced_fixtures: set[str] = field(default_factory=set[str])
    shared_folder: Path | None = None

    @cached_property
    def scratch(self) -> Path:
        """Scratch folder of this process; removed by :meth:`close`."""
        return Path(tempfile.mkdtemp(prefix="nomos-"))

    @property
    def common(self) -> Path:
        """A folder that all workers of the run share: the controller's scratch folder."""
        return self.shared_folder or self.scratch

    @cached_property
    def pool(self) -> Pool:
        """The running providers; their profiles are those of the previews."""
        profiles = {name: self.profile(name) for name in self.plans}
        return Pool(self.plans, profiles, self.scratch)

    @cached_property
    def clauses(self) -> Mapping[str, Clause]:
        """All clauses by id."""
        return clauses_of()

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
            if clause.id in self._due_ids(plan.interface) and plan.tier.holds(clause.tier)
        ]

    def _due_ids(self, interface: str) -> Mapping[str, Clause]:
        return clauses_of(CONTRACTS_OF[interface])

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
            "previews": {name: asdict(seen) for name, seen in self.previews.items()},
        }

    def unpack(self, packed: Mapping[str, Any]) -> None:
        """Take over what the controller found out."""
        self.seed = packed["seed"]
        self.shared_folder = Path(packed["common"])
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
        return verdict(edition(self.settings.edition), plan.interface, profile, plan.tier, self.outcomes(target))

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
        pool = self.__dict__.pop("pool", None)
        if pool is not None:
            pool.close()

    def close(self) -> None:
        """Stop all providers and remove the scratch folder."""
        self.stop_providers()
        if self.stream is not None:
            self.stream.close()
        if "scratch" in self.__dict__:
            shutil.rmtree(self.scratch, ignore_errors=True)
