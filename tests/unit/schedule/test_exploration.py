from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from nomos_contracts.exploration import Budget, Explorer, Shrinker
from nomos_contracts.provider import Answer
from nomos_contracts.schedule import Args, Pairing, Schedule, Step, draw, from_json, run, to_json
from nomos_contracts.violation import Blocked, Violation
from unit.schedule.boxes import OPERATIONS, Boxes, BoxModel, Factory, Get, Make, Put, Rattle

QUICK = Budget(shrink=30, replay=30)


class Forgetful(Boxes):
    """Loses what is put into the second box and every later one, if it is over 500."""

    def put(self, box: str, number: int) -> Answer:
        first = next(iter(self.contents))
        return super().put(box, 0 if box != first and number > 500 else number)


class Mute(Boxes):
    """Answers wrongly from the first question on."""

    def get(self, box: str) -> Answer:
        return Answer("Get", {"box": box}, "OK", value=-1)


@dataclass
class Wavering(Boxes):
    """Answers a share of its calls wrongly, whenever it likes."""

    source: random.Random = field(default_factory=random.Random)
    share: float = 0.03

    def get(self, box: str) -> Answer:
        answer = super().get(box)
        return Answer("Get", answer.request, "OK", value=-1) if self.source.random() < self.share else answer


def violation_of(factory: Factory, budget: Budget = QUICK, seed: int = 1) -> Violation:
    with pytest.raises(Violation) as caught:
        Explorer(factory.pairing(), budget).explore(random.Random(seed))
    return caught.value


def test_a_correct_target_is_acquitted_and_the_tally_says_what_was_tried():
    factory = Factory(Boxes)
    tally = Explorer(factory.pairing(), Budget(lengths=(10, 20, 30))).explore(random.Random(2))
    assert (tally.schedules, tally.drawn) == (3, 60)
    assert 40 < tally.compared <= 60
    assert (factory.made, factory.open) == (3, 0)


@pytest.mark.parametrize("seed", range(8))
def test_a_failure_is_reported_with_the_shortest_sequence_that_shows_it(seed: int):
    violation = violation_of(Factory(Forgetful), seed=seed)
    steps = from_json(violation.evidence["schedule"])
    assert [step.kind for step in steps] == ["make", "make", "put", "get"]
    assert steps[2].args["number"] > 500
    assert violation.evidence["fails"] == "10 of 10"
    assert violation.evidence["sequence"].startswith("1. Make → OK; 2. Make → OK; 3. Put ")
    assert "fails 10 of 10" in violation.got
    assert violation.evidence["shortened_from"] >= 4


def test_the_exchanges_of_the_shortest_sequence_come_with_the_violation_the_failing_one_last():
    violation = violation_of(Factory(Forgetful))
    assert [answer.method for answer in violation.answers] == ["Make", "Make", "Put", "Get"]
    assert violation.answers[-1].value == 0


def test_every_target_that_was_started_is_left():
    factory = Factory(Forgetful)
    violation_of(factory)
    assert factory.made > 12
    assert factory.open == 0


def test_ten_replays_run_on_ten_fresh_targets():
    factory = Factory(Mute)
    budget = Budget(shrink=0)
    violation_of(factory, budget)
    assert factory.made == 1 + budget.replays


@pytest.mark.parametrize("seed", range(20))
def test_a_target_that_answers_three_percent_wrongly_is_convicted_every_time(seed: int):
    source = random.Random(seed)
    violation = violation_of(Factory(lambda: Wavering(source=source)), Budget(shrink=0.2, replay=5), seed)
    assert violation.answers[-1].value == -1
    assert violation.expected.startswith("Get answers")


def test_a_failure_that_never_comes_back_is_still_a_violation_and_says_so():
    @dataclass
    class Once(Boxes):
        """Answers one call wrongly in its life and in that of all its successors."""

        left: list[int] = field(default_factory=list)

        def get(self, box: str) -> Answer:
            return Answer("Get", {"box": box}, "OK", value=self.left.pop()) if self.left else super().get(box)

    left = [-1]
    violation = violation_of(Factory(lambda: Once(left=left)))
    assert violation.evidence["fails"] == "0 of 10"
    assert "the recorded exchange is what counts" in violation.got
    assert violation.answers[-1].value == -1


def test_a_failure_that_comes_now_and_then_says_how_often():
    source = random.Random(4)
    violation = violation_of(Factory(lambda: Wavering(source=source, share=0.5)))
    fails = int(violation.evidence["fails"].split()[0])
    assert 0 < fails < 10


class Slow(Boxes):
    """Answers wrongly after it was rattled: each time where a Put stood between, otherwise as *luck* has it."""

    def __init__(self, luck: Callable[[], bool]) -> None:
        super().__init__()
        self.luck = luck
        self.rattled = self.ready = False

    def put(self, box: str, number: int) -> Answer:
        self.ready = self.ready or self.rattled
        return super().put(box, number)

    def get(self, box: str) -> Answer:
        answer = super().get(box)
        wrong = self.ready or (self.rattled and self.luck())
        return Answer("Get", answer.request, "OK", value=-1) if wrong else answer


class Jolt(Rattle):
    def apply(self, target: Boxes, args: Args) -> None:
        assert isinstance(target, Slow)
        target.rattled = True


BOX = {"box": {"$step": 0, "at": ["id"]}}
WITH_TIME = (Step("make"), Step("rattle"), Step("put", {**BOX, "number": 0}), Step("get", BOX))


def found_in(factory: Factory, *schedules: Schedule) -> Violation:
    pairing = replace(factory.pairing(), operations=(Make(), Put(), Get(), Jolt()))
    explorer = Explorer(pairing, replace(QUICK, replays=4), drawn=lambda _: schedules or [WITH_TIME])
    with pytest.raises(Violation) as caught:
        explorer.explore(random.Random(1))
    return caught.value


@pytest.mark.parametrize("good", [0, 1, 2, 5])
def test_a_shorter_schedule_that_fails_now_and_then_does_not_take_the_place_of_one_that_always_does(good: int):
    """However many runs of the shorter one fail before one passes; after that it never fails again."""
    fails = iter([True] * good)
    violation = found_in(Factory(lambda: Slow(lambda: next(fails, False))))
    assert violation.evidence["schedule"] == to_json(WITH_TIME)
    assert violation.evidence["fails"] == "4 of 4"


def test_where_no_schedule_fails_each_time_the_shortest_is_shown_and_how_often_it_fails():
    class Moody(Slow):
        """A Put gives it nothing."""

        def put(self, box: str, number: int) -> Answer:
            return Boxes.put(self, box, number)

    # The run that finds it and two of a shorter one fail; then every other run of either passes.
    luck = itertools.chain([True] * 3, itertools.cycle([False, True]))
    violation = found_in(Factory(lambda: Moody(lambda: next(luck))))
    assert [step["kind"] for step in violation.evidence["schedule"]] == ["make", "rattle", "get"]
    assert violation.evidence["fails"] == "2 of 4"
    assert "the recorded exchange is what counts" in violation.got


AT_ONCE = (Step("make"), Step("rattle"), Step("get", BOX))


@pytest.mark.parametrize("together", [True, False])
def test_a_failure_that_wavers_is_left_for_one_later_on_that_does_not(together: bool):
    later = tuple(
        Step(step.kind, {**step.args, **({"box": {"$step": 3, "at": ["id"]}} if step.args else {})})
        for step in WITH_TIME
    )
    schedules = [(*AT_ONCE, *later)] if together else [AT_ONCE, WITH_TIME]
    luck = iter([True])
    violation = found_in(Factory(lambda: Slow(lambda: next(luck, False))), *schedules)
    assert violation.evidence["schedule"] == to_json(WITH_TIME)
    assert violation.evidence["fails"] == "4 of 4"


def test_no_more_than_three_that_waver_are_gone_into_and_the_first_is_reported():
    # A run that fails and a replay that passes, for each; at the end the replays of the first one.
    luck = itertools.cycle([True, False])
    factory = Factory(lambda: Slow(lambda: next(luck)))
    pairing = replace(factory.pairing(), operations=(Make(), Put(), Get(), Jolt()))
    explorer = Explorer(pairing, Budget(shrink=0, replays=3), drawn=lambda _: [AT_ONCE] * 5)
    with pytest.raises(Violation) as caught:
        explorer.explore(random.Random(1))
    assert caught.value.evidence["fails"] == "1 of 3"
    assert factory.made == 3 * 2 + 2


def test_no_target_is_started_for_what_is_left_once_the_time_is_over():
    clock = 0.0
    fails = iter([True])

    def luck() -> bool:
        nonlocal clock
        clock = 100.0
        return next(fails, False)

    factory = Factory(lambda: Slow(luck))
    pairing = replace(factory.pairing(), operations=(Make(), Put(), Get(), Jolt()))
    budget = Budget(seconds=20, shrink=0, replays=1)
    explorer = Explorer(pairing, budget, now=lambda: clock, drawn=lambda _: [AT_ONCE] * 3)
    with pytest.raises(Violation) as caught:
        explorer.explore(random.Random(1))
    assert caught.value.evidence["fails"] == "0 of 1"
    assert factory.made == 1 + budget.replays


def test_a_target_that_cannot_be_started_any_more_takes_nothing_from_a_failure_that_wavered():
    luck = iter([True])
    factory = Factory(lambda: Slow(lambda: next(luck, False)))

    @contextmanager
    def twice() -> Generator[Boxes]:
        if factory.made == 2:
            raise Blocked("environment", "no more processes")
        with factory.fresh() as target:
            yield target

    pairing = replace(factory.pairing(), operations=(Make(), Put(), Get(), Jolt()), fresh=twice)
    explorer = Explorer(pairing, Budget(shrink=0), drawn=lambda _: [AT_ONCE] * 2)
    with pytest.raises(Violation) as caught:
        explorer.explore(random.Random(1))
    assert caught.value.evidence["fails"] == "0 of 1"


def test_a_story_too_long_to_read_is_cut_in_the_middle_and_its_schedule_is_whole():
    violation = violation_of(Factory(Forgetful), Budget(shrink=0, replays=0), seed=3)
    steps = violation.evidence["schedule"]
    assert len(steps) > 14
    story = violation.evidence["sequence"].split("; ")
    assert len(story) == 13
    assert story[6] == f"… {len(steps) - 12} more"
    assert len(violation.answers) <= 12


def test_no_step_is_taken_once_the_time_is_over():
    clock = iter(range(10_000))
    explorer = Explorer(Factory(Boxes).pairing(), Budget(lengths=(50, 50), seconds=20), now=lambda: next(clock))
    tally = explorer.explore(random.Random(1))
    assert 0 < tally.compared < 21


def test_shortening_stops_in_time_and_keeps_what_it_has():
    factory = Factory(Forgetful)
    pairing = factory.pairing()
    schedule = draw(OPERATIONS, 200, random.Random(3))
    first = run(pairing, schedule)
    assert first.disagreement is not None
    made = factory.made
    shrinker = Shrinker(pairing, first, end=0.0, now=lambda: 1.0)
    shrinker.shrink()
    assert shrinker.best is first
    assert factory.made == made


def test_a_failure_that_needs_a_question_shortly_before_is_short_within_a_few_steps():
    taken: list[str] = []

    class Shaken(Boxes):
        """Answers wrongly once it was rattled, asked and rattled, in this order."""

        shaken = ""

        def rattle(self) -> None:
            self.shaken += "r"

        def get(self, box: str) -> Answer:
            taken.append(box)
            self.shaken += "g"
            return Answer("Get", {"box": box}, "OK", value=-1) if self.shaken.endswith("rgrg") else super().get(box)

    class Loud(Rattle):
        def apply(self, target: Boxes, args: Args) -> None:
            assert isinstance(target, Shaken)
            taken.append("")
            target.rattle()

    pairing = replace(Factory(Shaken).pairing(), operations=(Make(), Get(), Loud()))
    asked = [(Step("make"), Step("get", {"box": {"$step": 2 * i, "at": ["id"]}})) for i in range(40)]
    box = {"box": {"$step": 80, "at": ["id"]}}
    end = (Step("make"), Step("rattle"), Step("get", box), Step("rattle"), Step("get", box))
    first = run(pairing, (*itertools.chain(*asked), *end))
    assert first.disagreement is not None
    taken.clear()
    # What a run of the whole schedule takes would be over the bound.
    shrinker = Shrinker(pairing, first, end=20, now=lambda: len(taken))
    shrinker.shrink()
    shortest = shrinker.best
    assert [step.kind for step in shortest.schedule] == ["make", "rattle", "get", "rattle", "get"]


def test_shortening_does_not_slip_to_another_failure():
    class TwoFaults(Forgetful):
        """Also gives a wrong code for a box that was looked into twice."""

        def get(self, box: str) -> Answer:
            self.calls += 1
            answer = super().get(box)
            return Answer("Get", {"box": box}, "INTERNAL", value=-1) if self.calls > 60 else answer

    pairing = Factory(TwoFaults).pairing()
    second = {"$step": 1, "at": ["id"]}
    schedule = (
        Step("make"),
        Step("make"),
        Step("put", {"box": second, "number": 900}),
        # Without this step the other failure would be seen, much earlier.
        Step("put", {"box": second, "number": 5}),
        *[Step("get", {"box": second})] * 61,
    )
    first = run(pairing, schedule)
    assert first.signature == ("get", "INTERNAL")
    shrinker = Shrinker(pairing, first, end=float("inf"), now=lambda: 0.0)
    shrinker.shrink()
    shortest = shrinker.best
    assert shortest.signature == ("get", "INTERNAL")
    assert len(shortest.schedule) == 62


def test_a_target_that_cannot_be_started_blocks_the_exploration():
    @contextmanager
    def never() -> Generator[Boxes]:
        raise Blocked("clause:PROC-START-001", "it never announced")
        yield Boxes()

    with pytest.raises(Blocked, match="it never announced"):
        Explorer(Pairing(OPERATIONS, never, BoxModel)).explore(random.Random(1))


def test_a_start_that_fails_during_the_replays_takes_nothing_from_the_proof():
    factory = Factory(Mute)

    @contextmanager
    def once() -> Generator[Boxes]:
        if factory.made:
            raise Blocked("environment", "no more processes")
        with factory.fresh() as target:
            yield target

    with pytest.raises(Violation) as caught:
        Explorer(Pairing(OPERATIONS, once, BoxModel), QUICK).explore(random.Random(1))
    assert caught.value.evidence["fails"] == "0 of 0"


def test_an_error_of_the_kit_is_no_violation():
    class Broken(BoxModel):
        def judge(self, step: Step, answer: Answer | None) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Explorer(Pairing(OPERATIONS, Factory(Boxes).fresh, Broken)).explore(random.Random(1))


def test_limits_of_the_settings_change_the_budget():
    assert Budget.within({}) == Budget()
    budget = Budget.within({"schedule_seconds": 5, "schedule_shrink": 0.5, "schedule_replays": 3, "call": 30})
    assert (budget.seconds, budget.shrink, budget.replays) == (5, 0.5, 3)
