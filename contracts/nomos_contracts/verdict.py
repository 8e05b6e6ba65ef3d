"""The verdict: a pure function of an edition, a profile, a tier and the outcomes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

from nomos_contracts.clause import INTERFACES, ClauseId, Level, Profile, Tier, clauses_of, contracts_of

CURRENT_EDITION = "2026-12"


class Outcome(StrEnum):
    """What became of a clause, worst first; the outcome of a clause is the worst of its checks."""

    FAILED = "failed"
    UNEXPECTED_PASS = "unexpected_pass"  # noqa: S105 # an outcome, not a password
    BLOCKED = "blocked"
    NOT_RUN = "not_run"
    WAIVED = "waived"
    WARNED = "warned"
    PASSED = "passed"
    NOT_APPLICABLE = "not_applicable"


class Ruling(StrEnum):
    """What a verdict says."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_JUDGED = "not judged"


EXIT_CODES: Mapping[Ruling, int] = {Ruling.KEPT: 0, Ruling.BROKEN: 1, Ruling.NOT_JUDGED: 10}


class DueClause(BaseModel):
    """A clause as an edition froze it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: ClauseId
    interface: str
    level: Level
    tier: Tier
    profiles: tuple[Profile, ...]


class Edition(BaseModel):
    """The frozen list of clauses that were due at a date: the denominator of a verdict."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    clauses: tuple[DueClause, ...]

    def due(self, interface: str, profile: Profile, tier: Tier, *, program: bool = False) -> tuple[DueClause, ...]:
        """Return the clauses due for a target of *interface* in *profile* at *tier*; *program* as in `contracts_of`."""
        contracts = contracts_of(interface, program=program)
        return tuple(
            clause
            for clause in self.clauses
            if clause.interface in contracts and profile in clause.profiles and tier.holds(clause.tier)
        )


class UnknownEditionError(ValueError):
    """There is no edition of that name; the message lists those there are."""


@cache
def edition(name: str = CURRENT_EDITION) -> Edition:
    """Return the shipped edition *name*, for instance ``2026-12``.

    Raises:
        UnknownEditionError: none has that name.
    """
    folder = resources.files("nomos_contracts").joinpath("editions")
    names = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if name not in names:
        raise UnknownEditionError(f"there is no edition {name!r}; this release ships {', '.join(names)}")
    return Edition.model_validate(tomllib.loads(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8")))


def freeze(name: str) -> Edition:
    """Return the edition that today's clause tables would make (testable clauses only)."""
    return Edition(
        name=name,
        clauses=tuple(
            DueClause(id=c.id, interface=interface, level=c.level, tier=c.tier, profiles=c.profiles)
            for interface in INTERFACES
            for c in clauses_of((interface,)).values()
            if c.testable
        ),
    )


@dataclass(frozen=True)
class Verdict:
    """What one run says about one target in one profile.

    Attributes:
        ruling: kept, broken or not judged.
        due: ids of the clauses that were due, in the edition's order.
        counts: how many of them had each outcome.
        broken: ids of the due clauses that failed or passed unexpectedly.
        unjudged: ids of the due clauses that were blocked or not run.
        uncounted: ids of the clauses that ran and are not in the edition, with outcome.
    """

    edition: str
    profile: Profile
    tier: Tier
    ruling: Ruling
    due: tuple[str, ...]
    counts: Mapping[Outcome, int]
    broken: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    uncounted: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])


def verdict(
    edition: Edition,
    interface: str,
    profile: Profile,
    tier: Tier,
    outcomes: Mapping[str, Outcome],
    *,
    program: bool = False,
) -> Verdict:
    """Judge *outcomes* (clause id to outcome) of a target of *interface*.

    A due clause that has no outcome was not run. Broken: something due failed or passed unexpectedly. Not judged:
    nothing broke but something due was blocked or not run, or nothing was judged at all. A clause that is not due
    counts for nothing. *program* is whether the target is a program of its author's, as in `contracts_of`.
    """
    due = edition.due(interface, profile, tier, program=program)
    seen = {clause.id: outcomes.get(clause.id, Outcome.NOT_RUN) for clause in due}
    broken = tuple(i for i, o in seen.items() if o in {Outcome.FAILED, Outcome.UNEXPECTED_PASS})
    unjudged = tuple(i for i, o in seen.items() if o in {Outcome.BLOCKED, Outcome.NOT_RUN})
    judged = [o for o in seen.values() if o not in {Outcome.BLOCKED, Outcome.NOT_RUN, Outcome.NOT_APPLICABLE}]
    if broken:
        ruling = Ruling.BROKEN
    elif unjudged or not judged:
        ruling = Ruling.NOT_JUDGED
    else:
        ruling = Ruling.KEPT
    known = {clause.id for clause in edition.clauses}
    return Verdict(
        edition=edition.name,
        profile=profile,
        tier=tier,
        ruling=ruling,
        due=tuple(seen),
        counts={outcome: sum(o is outcome for o in seen.values()) for outcome in Outcome},
        broken=broken,
        unjudged=unjudged,
        uncounted={i: o for i, o in outcomes.items() if i not in known},
    )
