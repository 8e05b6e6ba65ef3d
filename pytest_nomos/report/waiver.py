"""Waivers: known failures, each with a reason, a link, an owner and a day on which it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from nomos_contracts.clause import ClauseId
from nomos_contracts.verdict import Outcome

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Waiver(BaseModel):
    """A failure of one clause that its owner knows of.

    Attributes:
        clause: id of the clause.
        target: name of the target, or a pattern (``*`` for every target).
        reason: why the clause is not kept.
        link: where the work on it is followed.
        owner: who sees to it.
        expires: the last day on which it holds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clause: ClauseId
    target: Words = "*"
    reason: Words
    link: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=500)]
    owner: Words
    expires: date

    def covers(self, clause: str, target: str) -> bool:
        """Whether it is about *clause* of *target*, expired or not."""
        return self.clause == clause and fnmatchcase(target, self.target)

    def expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.expires < today


class WaiverState(StrEnum):
    """What became of a waiver in a run."""

    USED = "used"
    UNUSED = "unused"
    ELSEWHERE = "elsewhere"
    EXPIRED = "expired"
    UNMATCHED = "unmatched"
    UNEXPECTED = "unexpected pass"

    @property
    def fails(self) -> bool:
        """Whether a run with such a waiver fails."""
        return self in {WaiverState.EXPIRED, WaiverState.UNMATCHED, WaiverState.UNEXPECTED}


@dataclass(frozen=True)
class WaiverFinding:
    """What became of one waiver.

    Attributes:
        waiver: the waiver.
        state: what became of it.
        sentence: the state in words, with what to do about it.
    """

    waiver: Waiver
    state: WaiverState
    sentence: str


def active_waiver(waivers: Iterable[Waiver], clause: str, target: str, today: date) -> Waiver | None:
    """Return the first waiver that excuses a failure of *clause* of *target* on the day *today*."""
    return next((w for w in waivers if w.covers(clause, target) and not w.expired(today)), None)


def audit_waivers(
    waivers: Sequence[Waiver],
    outcomes: Mapping[str, Mapping[str, Outcome]],
    clauses: Iterable[str],
    today: date,
    known_targets: Iterable[str] = (),
) -> tuple[WaiverFinding, ...]:
    """Say what became of each waiver.

    Args:
        waivers: the waivers of the settings.
        outcomes: name of each target of the run to its outcomes by clause id.
        clauses: the ids of all clauses that there are.
        today: the day of the run.
        known_targets: names of further targets in the settings; a waiver for one of these is no stale entry only
            because this run was about another target.
    """
    ids = frozenset(clauses)
    others = frozenset(known_targets)
    return tuple(_find(waiver, outcomes, ids, today, others) for waiver in waivers)


def _find(
    waiver: Waiver,
    outcomes: Mapping[str, Mapping[str, Outcome]],
    ids: frozenset[str],
    today: date,
    others: frozenset[str],
) -> WaiverFinding:
    name = f"the waiver of {waiver.clause} for {waiver.target}"
    if waiver.clause not in ids:
        return WaiverFinding(waiver, WaiverState.UNMATCHED, f"{name}: there is no clause {waiver.clause}; remove it")
    covered = [target for target in outcomes if fnmatchcase(target, waiver.target)]
    if not covered and not any(fnmatchcase(target, waiver.target) for target in others):
        return WaiverFinding(waiver, WaiverState.UNMATCHED, f"{name}: no target of that name; correct or remove it")
    if waiver.expired(today):
        return WaiverFinding(
            waiver, WaiverState.EXPIRED, f"{name} ended on {waiver.expires}; mend the provider or ask {waiver.owner}"
        )
    if not covered:
        return WaiverFinding(waiver, WaiverState.ELSEWHERE, f"{name} is about a target that is not in this run")
    seen = {outcomes[target].get(waiver.clause, Outcome.NOT_RUN) for target in covered}
    if Outcome.UNEXPECTED_PASS in seen:
        return WaiverFinding(waiver, WaiverState.UNEXPECTED, f"{name}: the clause is kept now; remove the waiver")
    if Outcome.WAIVED in seen:
        return WaiverFinding(waiver, WaiverState.USED, f"{name} holds until {waiver.expires}: {waiver.reason}")
    return WaiverFinding(waiver, WaiverState.UNUSED, f"{name} excused nothing in this run")
