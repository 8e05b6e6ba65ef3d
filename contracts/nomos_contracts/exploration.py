"""Exploration: draw schedules, run them, and turn the first disagreement into the shortest story that shows it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Self

from nomos_contracts.provider import Answer
from nomos_contracts.schedule import Pairing, Run, Schedule, Step, Target, draw, keep, key_of, run, to_json
from nomos_contracts.violation import Blocked, Violation

SHOWN = 12
"""At most so many exchanges are shown; a longer story is told by its schedule."""


@dataclass(frozen=True)
class Budget:
    """How much is tried, in steps and seconds.

    Attributes:
        lengths: steps of each schedule. By default 640 steps: a target that answers 3 % of its calls wrongly slips
            through once in 290 million runs, once in 10,000 where it errs in 300 of them only.
        seconds: no new step is taken after so long.
        shrink: seconds for shortening a schedule that failed.
        replays: how often the shortest one is run again.
        replay: no new replay is begun after so many seconds.
    """

    lengths: tuple[int, ...] = (40, 160, 440)
    seconds: float = 60.0
    shrink: float = 3.0
    replays: int = 10
    replay: float = 10.0

    @classmethod
    def within(cls, limits: Mapping[str, float]) -> Self:
        """Take ``schedule_seconds``, ``schedule_shrink`` and ``schedule_replays`` from *limits* where given."""
        default = cls()
        return cls(
            seconds=limits.get("schedule_seconds", default.seconds),
            shrink=limits.get("schedule_shrink", default.shrink),
            replays=int(limits.get("schedule_replays", default.replays)),
        )


@dataclass(frozen=True)
class Tally:
    """What was tried where nothing was wrong.

    Attributes:
        schedules: schedules run.
        drawn: steps drawn.
        compared: answers that were compared with the model; fewer than drawn where time ran out.
    """

    schedules: int
    drawn: int
    compared: int


@dataclass
class Explorer(Generic[Target]):
    """Explores one pairing.

    Attributes:
        pairing: the target and its model.
        budget: how much is tried.
        now: a clock in seconds.
        drawn: draws the schedules, where not each step for itself by the weights of the operations.
    """

    pairing: Pairing[Target]
    budget: Budget = field(default_factory=Budget)
    now: Callable[[], float] = time.monotonic
    drawn: Callable[[random.Random], Sequence[Schedule]] | None = None

    def explore(self, source: random.Random) -> Tally:
        """Draw schedules from *source* and run them.

        Raises:
            Violation: the target disagreed with the model. Its evidence holds the shortest schedule found and how many
                of its replays failed.
            Blocked: the target could not be started.
        """
        schedules = self._drawn(source)
        end = self.now() + self.budget.seconds
        compared = 0
        for schedule in schedules:
            seen = run(self.pairing, schedule, lambda: self.now() < end)
            if seen.disagreement is not None:
                raise self._violation(seen)
            compared += seen.compared
            if not seen.complete:
                break
        return Tally(len(schedules), sum(len(schedule) for schedule in schedules), compared)

    def _drawn(self, source: random.Random) -> Sequence[Schedule]:
        if self.drawn is not None:
            return self.drawn(source)
        return [draw(self.pairing.operations, length, source) for length in self.budget.lengths]

    def _violation(self, first: Run) -> Violation:
        shortest = Shrinker(self.pairing, first, self.now() + self.budget.shrink, self.now).shrink()
        fails, of, latest = self._replay(shortest)
        shown = latest or shortest
        disagreement = shown.disagreement
        if disagreement is None:
            raise AssertionError("a run that failed has a disagreement")
        steps = len(shown.schedule)
        fails_words = f"{fails} of {of}"
        remark = (
            ""
            if fails == of
            else "; the same steps were answered in different ways, the recorded exchange is what counts"
        )
        return Violation(
            disagreement.expected,
            f"{disagreement.got}, at the end of {steps} steps (fails {fails_words}{remark})",
            *_last((*disagreement.answers, *(answer for answer in shown.answers if answer is not None))),
            evidence={
                "schedule": to_json(shown.schedule),
                "sequence": "; ".join(self._story(shown)),
                "fails": fails_words,
                "shortened_from": len(first.schedule),
            },
        )

    def _replay(self, shortest: Run) -> tuple[int, int, Run | None]:
        """Run the shortest schedule again; returns failures, replays, and the latest run that failed."""
        end = self.now() + self.budget.replay
        fails = of = 0
        latest: Run | None = None
        while of < self.budget.replays and self.now() < end:
            again = attempt(self.pairing, shortest.schedule)
            if again is None:
                break
            of += 1
            if again.disagreement is not None:
                fails += 1
                if again.signature == shortest.signature:
                    latest = again
        return fails, of, latest

    def _story(self, seen: Run) -> list[str]:
        """Tell each step and its answer; the middle of a long run is left out."""
        told = [
            f"{number}. {self.pairing.operation(step.kind).words(step.args)} → "
            + (answer.code if answer is not None else "nothing")
            for number, (step, answer) in enumerate(zip(seen.schedule, seen.answers, strict=True), start=1)
        ]
        if len(told) > SHOWN:
            half = SHOWN // 2
            told[half:-half] = [f"… {len(told) - 2 * half} more"]
        return told


def _last(answers: Sequence[Answer]) -> Sequence[Answer]:
    return answers[-SHOWN:]


def attempt(pairing: Pairing[Target], schedule: Schedule, go_on: Callable[[], bool] = lambda: True) -> Run | None:
    """Run *schedule*; None where the target could not be started, which says nothing about the schedule."""
    try:
        return run(pairing, schedule, go_on)
    except Blocked:
        return None


@dataclass
class Shrinker(Generic[Target]):
    """Looks for a shorter schedule that ends in the same failure.

    Only what was seen to fail is taken, so what comes out is proof also where the target wavers.

    Attributes:
        pairing: the target and its model.
        best: the shortest run known to fail.
        end: when to stop looking, on the clock of *now*.
        now: a clock in seconds.
    """

    pairing: Pairing[Target]
    best: Run
    end: float
    now: Callable[[], float] = time.monotonic
    _tried: set[str] = field(default_factory=set[str])

    def shrink(self) -> Run:
        """Return the shortest failing run that could be found in time."""
        self._shortcuts()
        self._remove_steps()
        self._simplify()
        return self.best

    def _fails(self, candidate: Schedule) -> bool:
        """Run *candidate* unless time is up; if it fails as the best one does, it becomes the best one."""
        key = key_of(candidate)
        if not candidate or key in self._tried or self.now() >= self.end:
            return False
        self._tried.add(key)
        seen = attempt(self.pairing, candidate, lambda: self.now() < self.end)
        if seen is None or seen.disagreement is None or seen.signature != self.best.signature:
            return False
        self.best = seen
        return True

    def _shortcuts(self) -> None:
        """Try what is most often enough, cheapest first.

        The last step after none, one, two, three or all of the steps that change anything before it; or after all that
        came shortly before it, where the failure needs questions too.
        """
        schedule = self.best.schedule
        last = len(schedule) - 1
        changers = [i for i, step in enumerate(schedule[:last]) if self.pairing.operation(step.kind).changes]
        before = [list(range(last - count, last)) for count in (4, 8, 16, 32) if count < last]
        for positions in ([], changers[-1:], changers[-2:], changers[-3:], *before, changers, changers[:1]):
            if self._fails(keep(schedule, [*positions, last])):
                return

    def _remove_steps(self) -> None:
        """Delta debugging: leave out ever smaller chunks of the steps before the last one."""
        chunks = 2
        while len(self.best.schedule) > 1 and self.now() < self.end:
            last = len(self.best.schedule) - 1
            size = -(-last // chunks)
            if any(self._fails(candidate) for candidate in self._without_chunks(size)):
                chunks = max(chunks - 1, 2)
            elif size == 1:
                return
            else:
                chunks = min(chunks * 2, last)

    def _without_chunks(self, size: int) -> Iterable[Schedule]:
        schedule = self.best.schedule
        last = len(schedule) - 1
        for start in range(0, last, size):
            yield keep(schedule, [*range(start), *range(min(start + size, last), last + 1)])

    def _simplify(self) -> None:
        """Try simpler arguments, step by step, until none helps."""
        position = 0
        while position < len(self.best.schedule):
            schedule = self.best.schedule
            step = schedule[position]
            simpler = self.pairing.operation(step.kind).simpler(step.args)
            changed: Iterable[Schedule] = (
                (*schedule[:position], Step(step.kind, args), *schedule[position + 1 :]) for args in simpler
            )
            if not any(self._fails(candidate) for candidate in changed):
                position += 1
