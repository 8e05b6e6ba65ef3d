"""Random schedules of a compute provider: spawn, get, list and terminate in any order."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from nomos_contracts.clause import clause
from nomos_contracts.compute.book import Book
from nomos_contracts.compute.fleet import TAG, Fleet, fleet_of, shaped
from nomos_contracts.compute.interface import ListFilter, SpawnOptions
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.exploration import Budget, Explorer
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.schedule import Args, Drawing, Operation, Pairing, Step

LENGTHS = (12, 30, 60)
"""Steps of the schedules: an instance costs more than a call."""

LIVING = 6
"""About so many spawns of a schedule may live at the same time."""


@dataclass
class Subject:
    """A provider within one schedule: its fleet, and a book of its own that says how long to wait for an answer."""

    fleet: Fleet
    book: Book
    options: dict[int, SpawnOptions] = field(default_factory=dict[int, SpawnOptions])

    def settled(self, step: Step, call: Callable[[], Answer]) -> Answer:
        """Make a call again until its answer may be right, or until what was changed must be seen."""
        seen: list[Answer] = []

        def look() -> bool:
            seen.append(shaped(call()))
            return self.book.wrong(step, seen[-1]) is None

        if self.fleet.poll(self.fleet.settle, look):
            self.book.write(step, seen[-1])
        return seen[-1]


def _drawn(drawing: Drawing) -> list[int]:
    return [int(step.args["number"]) for step in drawing.earlier if step.kind == "spawn"]


@dataclass(frozen=True)
class Spawn:
    """Spawn: a new instance, or the same one again."""

    again: bool
    kind: str = "spawn"
    changes: bool = True

    def weight(self, drawing: Drawing) -> float:
        """Often while there are few, never while there are many."""
        ended = {step.args["number"] for step in drawing.earlier if step.kind == "terminate"}
        return 8 if len(set(_drawn(drawing)) - ended) < LIVING else 0

    def draw(self, drawing: Drawing, source: random.Random) -> Args:
        """Mostly the next number."""
        drawn = _drawn(drawing)
        if self.again and drawn and source.random() < 0.25:
            return {"number": source.choice(drawn)}
        return {"number": max(drawn, default=-1) + 1}

    def apply(self, target: Subject, args: Args) -> Answer:
        """Call it."""
        number = int(args["number"])
        options = target.options.setdefault(number, target.fleet.options())
        answer = shaped(target.fleet.try_spawn(options))
        step = Step(self.kind, args)
        if target.book.wrong(step, answer) is None:
            target.book.write(step, answer)
        return answer

    def simpler(self, _args: Args) -> Iterable[Args]:
        """Offer nothing."""
        return ()

    def words(self, args: Args) -> str:
        """For instance ``spawn number 3``."""
        return f"spawn number {args['number']}"


@dataclass(frozen=True)
class OfOne:
    """Get or terminate of one that was spawned."""

    kind: str
    changes: bool
    often: float

    def weight(self, drawing: Drawing) -> float:
        """Never before there is one."""
        return self.often if _drawn(drawing) else 0

    def draw(self, drawing: Drawing, source: random.Random) -> Args:
        """Any of them, terminated ones too."""
        return {"number": source.choice(_drawn(drawing))}

    def apply(self, target: Subject, args: Args) -> Answer | None:
        """Call it; nothing where the spawn is not part of the schedule."""
        entries = target.book.entries.get(int(args["number"]))
        if not entries:
            return None
        wanted = entries[-1].id
        return target.settled(
            Step(self.kind, args), lambda: target.fleet.provider.invoke(self.kind, provider_id=wanted)
        )

    def simpler(self, _args: Args) -> Iterable[Args]:
        """Offer nothing."""
        return ()

    def words(self, args: Args) -> str:
        """For instance ``get of number 3``."""
        return f"{self.kind} of number {args['number']}"


@dataclass(frozen=True)
class List:
    """List, with a limit now and then."""

    kind: str = "list"
    changes: bool = False

    def weight(self, _drawing: Drawing) -> float:
        """As often as get."""
        return 6

    def draw(self, _drawing: Drawing, source: random.Random) -> Args:
        """Mostly all, by the tag of the schedule or without a filter."""
        return {"limit": source.choice((None, None, None, 1, 2)), "tags": source.random() < 0.5}

    def apply(self, target: Subject, args: Args) -> Answer:
        """Call it."""
        limit = None if args["limit"] is None else int(args["limit"])
        tags = {TAG: target.fleet.mark} if args["tags"] else None
        wanted = ListFilter(limit=limit, tags=tags)
        return target.settled(Step(self.kind, args), lambda: target.fleet.list_answer(wanted))

    def simpler(self, args: Args) -> Iterable[Args]:
        """Offer one without a filter."""
        if args["tags"] or args["limit"] is not None:
            yield {"limit": None, "tags": False}

    def words(self, args: Args) -> str:
        """For instance ``list with limit 1``."""
        parts = [f"limit {args['limit']}"] * (args["limit"] is not None) + ["the tag"] * bool(args["tags"])
        return "list" + (f" with {' and '.join(parts)}" if parts else "")


def operations(*, idempotent: bool) -> tuple[Operation[Subject], ...]:
    """Return the kinds of steps for a compute provider."""
    return (
        Spawn(idempotent),
        OfOne("get", changes=False, often=8),
        OfOne("terminate", changes=True, often=4),
        List(),
    )


class RandomSchedulesContract(Contract):
    """Whatever the order of calls, each answer is one that the interface allows at that point.

    The kit draws sequences of spawn, get, list and terminate, runs them on your provider beside a book of what must
    be there, and compares after each call; what may take time to be seen is asked for again until `limits.settle`. A
    failure shows the shortest sequence that was found and how often it fails in ten replays.
    """

    @clause("CMP-SCHED-001")
    def test_calls_in_any_order_are_answered_as_the_interface_says(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: random.Random,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """Draw, run and compare; see the class."""
        idempotent = "idempotent_spawn" in nomos_provider.capabilities

        @contextmanager
        def fresh() -> Generator[Subject]:
            with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
                yield Subject(fleet, Book(idempotent))

        pairing = Pairing(operations(idempotent=idempotent), fresh, lambda: Book(idempotent))
        given = Budget.within(nomos_target.limits)
        budget = Budget(LENGTHS, given.seconds, given.shrink, given.replays, given.replay)
        tally = Explorer(pairing, budget).explore(nomos_random)
        nomos_observe(
            "random schedules", f"{tally.compared} of {tally.drawn} steps compared in {tally.schedules} schedules"
        )
