"""The book: what a compute provider may answer after a sequence of calls, the model beside which schedules are run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nomos_contracts.compute.fleet import ENDED, FRESH, code_of
from nomos_contracts.compute.interface import InstanceStatus, ProviderInstance
from nomos_contracts.provider import Answer
from nomos_contracts.schedule import Disagreement, Step
from nomos_contracts.violation import shorten

USED_UP = ("INVALID_STATE", "ALREADY_EXISTS")
"""Codes with which an idempotent spawn may refuse the pair of ids of an instance that is terminated."""


@dataclass
class Entry:
    """One spawn: the id that came of it, and whether terminate was called since."""

    id: str
    ended: bool = False


@dataclass
class Book:
    """Follows one provider through a sequence of calls; a `nomos_contracts.schedule.Model`.

    Attributes:
        idempotent: whether the same spawn again gives the same instance.
        entries: spawns by number.
    """

    idempotent: bool
    entries: dict[int, list[Entry]] = field(default_factory=dict[int, list[Entry]])

    @property
    def all(self) -> Sequence[Entry]:
        """Every entry."""
        return [one for entries in self.entries.values() for one in entries]

    def judge(self, step: Step, answer: Answer | None) -> Disagreement | None:
        """Follow one step and say where its answer cannot be right."""
        if answer is None:
            return None
        wrong = self.wrong(step, answer)
        if wrong is None:
            self.write(step, answer)
            return None
        return Disagreement(wrong, answer.summary)

    def wrong(self, step: Step, answer: Answer) -> str | None:
        """Return what *answer* should have been, in words; None where it may be what it is."""
        number = int(step.args.get("number", 0))
        if not answer.ok:
            return None if self._refused(step, number, answer) else f"{step.kind} succeeds"
        if step.kind == "spawn":
            return self._spawn(number, answer.value)
        if step.kind == "get":
            return self._get(self.entries[number][-1], answer.value)
        if step.kind == "list":
            return self._list(step, answer.value)
        return None

    def _refused(self, step: Step, number: int, answer: Answer) -> bool:
        """Say whether a failure is right: the pair of ids of a terminated instance may be used up."""
        before = self.entries.get(number, [])
        ended = self.idempotent and bool(before) and all(one.ended for one in before)
        return step.kind == "spawn" and ended and code_of(answer) in USED_UP

    def _spawn(self, number: int, made: ProviderInstance) -> str | None:
        before = self.entries.get(number, [])
        live = [one for one in before if not one.ended]
        if self.idempotent and live:
            return None if made.id == live[-1].id else f"the instance {live[-1].id} again"
        if self.idempotent and before and made.id == before[-1].id:
            return None if made.status in ENDED else "a new instance, or the one that is terminated as such"
        if made.id in {one.id for one in self.all}:
            return "an instance with a new id"
        return None if made.status in FRESH else "an instance that is starting or running"

    @staticmethod
    def _get(entry: Entry, found: ProviderInstance | None) -> str | None:
        if entry.ended:
            return None if found is None or found.status in ENDED else f"nothing, or that {entry.id} is terminated"
        if found is None or found.id != entry.id or found.status not in FRESH:
            return f"{entry.id}, starting or running"
        return None

    def _list(self, step: Step, found: Sequence[ProviderInstance]) -> str | None:
        live = {one.id for one in self.all if not one.ended}
        own = {one.id for one in self.all}
        seen = [one for one in found if one.id in own]
        if any(one.id not in live and one.status not in ENDED for one in seen):
            return f"nothing that was terminated, of {shorten(sorted(own - live))}"
        if any(one.id not in live and one.status is InstanceStatus.TERMINATED for one in seen):
            return "nothing that is terminated, unless it is asked for"
        if len({one.id for one in seen}) < len(seen):
            return "each instance once"
        limit = step.args.get("limit")
        if limit is not None:
            return None if len(found) <= int(limit) else f"at most {limit} instances"
        return None if live <= {one.id for one in seen} else f"all that lives: {shorten(sorted(live))}"

    def write(self, step: Step, answer: Answer) -> None:
        """Note what a right answer says."""
        if not answer.ok:
            return
        number = int(step.args.get("number", 0))
        if step.kind == "spawn":
            entries = self.entries.setdefault(number, [])
            if not entries or entries[-1].id != answer.value.id:
                entries.append(Entry(answer.value.id))
        elif step.kind == "terminate":
            self.entries[number][-1].ended = True
