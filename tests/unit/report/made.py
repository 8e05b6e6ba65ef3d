"""Reports to test with: of the shipped edition, every due clause tried, with one of each outcome that is judged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from nomos_contracts.clause import Level, Profile, Tier
from nomos_contracts.samples import sample_kinds
from nomos_contracts.verdict import CURRENT_EDITION, Outcome
from pytest_nomos.report.build import build_report
from pytest_nomos.report.jsontext import slow_digest
from pytest_nomos.report.kit import run_header
from pytest_nomos.report.model import (
    CheckRecord,
    Exchange,
    Redacted,
    Report,
    RunHeader,
    Samples,
    Subject,
    TargetHeader,
)
from pytest_nomos.report.rules import shipped_rules
from pytest_nomos.report.waiver import Waiver

STARTED = datetime(2025, 11, 20, 12, 0, tzinfo=UTC)
FINISHED = STARTED + timedelta(seconds=7)
BINARY = b"\x7fELF a provider"
CONFIG = {"directory": "./settings", "token": "s3cr3t-token"}


def rules() -> Any:
    return shipped_rules(CURRENT_EDITION, "config")


def due_ids(level: Level | None = None, profile: Profile | None = Profile.STANDARD) -> list[str]:
    due = rules().due(Tier.REFERENCE)
    return [
        name
        for name, (clause, profiles) in due.items()
        if (level is None or clause.level is level) and (profile is None or profile in profiles)
    ]


def run(**changes: Any) -> RunHeader:
    return run_header(["--nomos-provider=./provider"], started=STARTED).model_copy(update=changes)


def subject(content: bytes = BINARY) -> Subject:
    found = hashlib.sha256(content).hexdigest()
    return Subject(file="provider", sha256=found, sha256_after=found, size=len(content))


def target(name: str = "provider", **changes: Any) -> TargetHeader:
    kinds = tuple(sorted(kind.name for kind in sample_kinds("config")))
    capabilities = {name for clause in rules().clauses.values() for name in clause.capabilities}
    fields: dict[str, Any] = {
        "name": name,
        "interface": "config",
        "subject": subject(),
        "announcement": "PORT",
        "info": {"alias": "nomos", "version": "1.0", "type": "files"},
        "profile": Profile.STANDARD,
        "tier": Tier.REFERENCE,
        "edition": CURRENT_EDITION,
        "capabilities": tuple(sorted(capabilities)),  # every clause is judged
        "seed": 7,
        "samples": Samples(given=kinds, digest=slow_digest("samples")),
        "config": Redacted.of(CONFIG),
        "settings_digest": slow_digest("settings"),
    }
    return TargetHeader(**(fields | changes))


def waiver(of: str, **changes: Any) -> Waiver:
    fields: dict[str, Any] = {
        "clause": of,
        "target": "provider",
        "reason": "rewritten next month",
        "link": "https://example.org/issues/5",
        "owner": "Ada",
        "expires": date(2025, 12, 31),
    }
    return Waiver(**(fields | changes))


def record(clause: str, outcome: Outcome = Outcome.PASSED, name: str = "provider", **changes: Any) -> CheckRecord:
    found = rules()
    level = next(c.level for c in (*found.edition.clauses, *found.clauses.values()) if c.id == clause)
    fields: dict[str, Any] = {
        "node": f"nomos/config/x.py::XContract::test_{clause.lower().replace('-', '_')}[{name}]",
        "target": name,
        "clause": clause,
        "outcome": outcome,
        "level": level,
        "duration": 0.01,
    }
    if outcome in {Outcome.FAILED, Outcome.WARNED, Outcome.WAIVED}:
        fields |= {
            "expected": "Fetch answers NOT_FOUND",
            "got": "OK 5 after 0.001 s",
            "mend": "answer NOT_FOUND",
            "exchanges": (Exchange(method="Fetch", request={"path": ["no"]}, code="OK", value=5, elapsed=0.001),),
            "replay": 'pytest-nomos call ./provider Fetch \'{"path": ["no"]}\'',
        }
    if outcome is Outcome.BLOCKED:
        fields |= {"blocked_by": "environment", "reason": "too slow a machine"}
    return CheckRecord(**(fields | changes))


def records(outcomes: Mapping[str, Outcome] | None = None, name: str = "provider") -> list[CheckRecord]:
    """A record for each clause that is due in any profile."""
    wanted = outcomes or {}
    return [record(clause, wanted.get(clause, Outcome.PASSED), name) for clause in due_ids(profile=None)]


def kept_report() -> Report:
    return build_report(run(), [target()], records(), finished=FINISHED)


def mixed_report() -> Report:
    """One MUST failed, one waived, one SHOULD warned, the rest passed."""
    musts, shoulds = due_ids(Level.MUST), due_ids(Level.SHOULD)
    outcomes = {musts[3]: Outcome.FAILED, musts[5]: Outcome.WAIVED, shoulds[0]: Outcome.WARNED}
    waivers = (waiver(musts[5]),)
    return build_report(run(), [target(waivers=waivers)], records(outcomes), finished=FINISHED)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
