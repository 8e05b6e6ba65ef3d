"""Exploration: draw schedules, run them, and turn the first disagreement into the shortest story that shows it."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Self

from nomos_contracts.schedule import Pairing, Run, Schedule, Step, Target, draw, keep, key_of, run, to_json
from nomos_contracts.violation import Blocked, Violation

WAVERING = 3
"""After so many failures that waver no steady one is looked for."""
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
        replays: how often the shortest one is run again; and a longer one, where that passed once.
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
            Violation: the target disagreed with the model. Its evidence holds the shortest schedule found that fails
                each time, and how many of its replays failed; where a failure wavers, the rest of the steps is tried
                for one that does not, and it is reported where there is none.
            Blocked: the target could not be started.
        """
        schedules = self._drawn(source)
        search = _Search(deque(schedules), self.now() + self.budget.seconds)
        wavering: list[_Replays] = []
        for failure in self._failures(search):
            found = self._shortest(failure)
            if found.all_failed:
                raise self._violation(found)
            wavering.append(found)
            if len(wavering) == WAVERING:
                break
        if wavering:
            self._replay(wavering[0], self.now() + self.budget.replay, to_the_first_pass=False)
            raise self._violation(wavering[0])
        return Tally(len(schedules), sum(len(schedule) for schedule in schedules), search.compared)

    def _failures(self, search: _Search) -> Iterator[Run]:
        """Run what *search* has waiting, and behind each run that failed the rest of its steps, until time is over.

        A target that cannot be started any more once one failed ends the search: the failure is what counts.
        """
        failed = False
        while search.waiting and self.now() < search.end:
            schedule = search.waiting.popleft()
            try:
                seen = run(self.pairing, schedule, lambda: self.now() < search.end)
            except Blocked:
                if failed:
                    return
                raise
            search.compared += seen.compared
            if seen.disagreement is not None:
                failed = True
                yield seen
                if rest := keep(schedule, range(len(seen.schedule), len(schedule))):
                    search.waiting.appendleft(rest)

    def _drawn(self, source: random.Random) -> Sequence[Schedule]:
        if self.drawn is not None:
            return self.drawn(source)
        return [draw(self.pairing.operations, length, source) for length in self.budget.lengths]

    def _violation(self, replays: _Replays) -> Violation:
        shown = replays.latest
        disagreement = shown.disagreement
        if disagreement is None:
            raise AssertionError("a run that failed has a disagreement")
        steps = len(shown.schedule)
        fails_words = f"{replays.fails} of {replays.of}"
        remark = (
            ""
            if replays.all_failed
            else "; the same steps were answered in different ways, the recorded exchange is what counts"
        )
        return Violation(
            disagreement.expected,
            f"{disagreement.got}, at the end of {steps} steps (fails {fails_words}{remark})",
            *disagreement.answers,
            *[answer for answer in shown.answers if answer is not None][-SHOWN:],
            evidence={
                "schedule": to_json(shown.schedule),
                "sequence": "; ".join(self._story(shown)),
                "fails": fails_words,
                "shortened_from": replays.shortened_from,
            },
        )

    def _shortest(self, first: Run) -> _Replays:
        """Shorten *first* and replay the shortest; where it passes once, what was found before it, ever longer.

        A defect that needs time to unfold may fail now and then in the shortest schedule, and each time in one that
        gives it a step more: that is the one to mend it with.

        Returns:
            The shortest that failed in each replay; where there is none, the shortest.
        """
        shrinker = Shrinker(self.pairing, first, self.now() + self.budget.shrink, self.now)
        shrinker.shrink()
        found = [_Replays(taken, len(first.schedule)) for taken in reversed(shrinker.taken)]
        end = self.now() + self.budget.replay
        for replays in found:
            self._replay(replays, end, to_the_first_pass=True)
            if replays.all_failed and (replays.of == self.budget.replays or replays is found[0]):
                return replays
        return found[0]

    def _replay(self, replays: _Replays, end: float, *, to_the_first_pass: bool) -> None:
        while replays.of < self.budget.replays and self.now() < end:
            if to_the_first_pass and not replays.all_failed:
                return
            again = attempt(self.pairing, replays.latest.schedule)
            if again is None:
                return
            replays.add(again)

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


@dataclass
class _Search:
    """What a search has before it and behind it.

    Attributes:
        waiting: schedules that were not run yet.
        end: when to stop, on the explorer's clock.
        compared: answers that were compared with the model.
    """

    waiting: deque[Schedule]
    end: float
    compared: int = 0


@dataclass
class _Replays:
    """How often a schedule failed when it was run again.

    Attributes:
        latest: the latest run of it that failed as the first one did.
        shortened_from: steps of the one that it was made of.
        fails: how many runs failed.
        of: how many runs there were.
    """

    latest: Run
    shortened_from: int
    fails: int = 0
    of: int = 0

    @property
    def all_failed(self) -> bool:
        """Whether none has passed."""
        return self.fails == self.of

    def add(self, again: Run) -> None:
        """Count one more."""
        self.of += 1
        if again.disagreement is not None:
            self.fails += 1
            # One that failed at an earlier step is another, shorter schedule, of which no more is known.
            if (again.schedule, again.signature) == (self.latest.schedule, self.latest.signature):
                self.latest = again


def attempt(pairing: Pairing[Target], schedule: Schedule, go_on: Callable[[], bool] = lambda: True) -> Run | None:
    """Run *schedule*; None where the target could not be started, which says nothing about the schedule."""
    try:
        return run(pairing, schedule, go_on)
    except Blocked:
        return None


@dataclass
class Shrinker(Generic[Target]):
    """Looks for a shorter schedule that ends in the same failure.

    Only what was seen to fail twice in a row is taken: what comes out is proof also where the target wavers, and a
    schedule that fails by luck does not take the place of one that fails each time.

    Attributes:
        pairing: the target and its model.
        first: a run that failed.
        end: when to stop looking, on the clock of *now*.
        now: a clock in seconds.
        taken: what was found, ever shorter, from the first run on.
    """

    pairing: Pairing[Target]
    first: Run
    end: float
    now: Callable[[], float] = time.monotonic
    taken: list[Run] = field(default_factory=list[Run])
    _tried: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.taken.append(self.first)
        self._tried.add(key_of(self.first.schedule))

    @property
    def best(self) -> Run:
        """The shortest run found so far."""
        return self.taken[-1]

    def shrink(self) -> None:
        """Find ever shorter runs that fail, until none is found or time is up."""
        self._shortcuts()
        self._remove_steps()
        self._simplify()

    def _fails(self, candidate: Schedule) -> bool:
        """Run *candidate* unless time is up; if it fails as the best one does, twice, it becomes the best one."""
        key = key_of(candidate)
        if not candidate or key in self._tried or self.now() >= self.end:
            return False
        self._tried.add(key)
        seen = self._failing(candidate, lambda: self.now() < self.end)
        # The second run ends, whatever the time: one that failed once is not given up for a long one.
        again = self._failing(seen.schedule, lambda: True) if seen is not None else None
        if again is None:
            return False
        self.taken.append(again)
        return True

    def _failing(self, candidate: Schedule, go_on: Callable[[], bool]) -> Run | None:
        seen = attempt(self.pairing, candidate, go_on)
        if seen is None or seen.disagreement is None or seen.signature != self.best.signature:
            return None
        return seen

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
