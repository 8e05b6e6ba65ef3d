"""Storms are drawn from a seed so that every pair of faults meets an Init, and their model knows what a lie is."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping

import pytest

from nomos_contracts.config.storm_model import StormModel
from nomos_contracts.config.storm_steps import KINDS, OPERATIONS, check_step
from nomos_contracts.config.storms import Weather
from nomos_contracts.config.undisturbed import GOOD, NEW, OTHER, Question, Undisturbed
from nomos_contracts.provider import FAULT_CODES, Answer
from nomos_contracts.schedule import Schedule, from_json, to_json

NAME, PORT, NOTHING = ("app", "name"), ("app", "port"), ("no", "thing")


def value(found: object) -> Answer:
    return Answer("Fetch", {}, "OK", value=found, struct={"value": found})


def error(code: str) -> Answer:
    return Answer("Fetch", {}, code)


REFUSED, MISSING = error("FAILED_PRECONDITION"), error("NOT_FOUND")
WELL = Answer("Health", {}, "OK", value={"status": "STATUS_OK"})
BADLY = Answer("Health", {}, "OK", value={"status": "STATUS_DEGRADED"})
DONE = Answer("Init", {}, "OK")
LOST = Answer("Init", {}, "DEADLINE_EXCEEDED")
AT_NAME: Question = ("fetch", *NAME)
AT_PORT: Question = ("fetch", *PORT)


def calm(*, again: str = "OK", replaces: bool = True) -> Undisturbed:
    answers: Mapping[str, Mapping[Question, Answer]] = {
        NEW: {AT_NAME: REFUSED, AT_PORT: REFUSED, ("health",): WELL},
        GOOD: {AT_NAME: value("shop"), AT_PORT: value(80), ("health",): WELL},
        OTHER: {AT_NAME: value("other"), AT_PORT: value(81), ("health",): WELL},
    }
    return Undisturbed((NAME, PORT, NOTHING), answers, again, replaces)


def model(*, storm: bool = True, **habits: object) -> StormModel:
    made = StormModel(calm(**habits), FAULT_CODES)  # type: ignore[arg-type] # two keywords
    made.initialised(GOOD, DONE)
    made.in_storm = storm
    return made


def drawn(seed: int, count: int = 25) -> list[Schedule]:
    return Weather(calm(), count).draw(random.Random(seed))


def test_equal_seeds_give_equal_storms_and_others_give_others() -> None:
    assert drawn(3) == drawn(3)
    assert len({str(drawn(seed)) for seed in range(20)}) == 20


@pytest.mark.parametrize("seed", range(20))
def test_every_ordered_pair_of_faults_is_followed_by_an_init_in_every_run(seed: int) -> None:
    met: set[tuple[str, ...]] = set()
    for schedule in drawn(seed):
        latest: list[str] = []
        for step in schedule:
            if step.kind == "fault" and not step.args["fault"].startswith("latency"):
                latest.append(step.args["fault"].partition("(")[0])
            elif step.kind in {"init", "agree"}:
                met.add(tuple(latest))
                latest.clear()
    assert met >= set(itertools.product(KINDS, KINDS))


def test_every_storm_ends_in_agreement_and_can_be_written_and_told() -> None:
    words = {operation.kind: operation for operation in OPERATIONS}
    for schedule in drawn(5):
        assert schedule[-1].kind == "agree"
        assert from_json(to_json(schedule)) == schedule
        for step in schedule:
            assert check_step(step) == ""
            assert words[step.kind].words(step.args)


def test_a_pause_that_comes_first_lasts_and_the_init_behind_a_pair_mostly_changes_something() -> None:
    lasting, changing, all_pairs = 0, 0, 0
    for schedule in drawn(7) + drawn(8):
        in_force, faults = GOOD, 0
        for step in schedule:
            if step.kind == "fault" and not step.args["fault"].startswith("latency"):
                faults += 1
                pausing = step.args["fault"] == "pause"
                assert step.args.get("least", 0) > 1 or not (pausing and faults == 1)
                assert "least" not in step.args or (pausing and faults == 1)
                lasting += "least" in step.args
            elif step.kind == "init":
                all_pairs += faults == 2
                changing += faults == 2 and step.args["config"] != in_force
                in_force = step.args["config"]
            elif step.kind == "agree":
                in_force, faults = GOOD, 0
    assert lasting == 2 * (len(KINDS) + 1)
    assert all_pairs / 2 < changing < all_pairs


def test_a_step_that_lasts_says_so_and_is_simpler_without() -> None:
    strike = next(operation for operation in OPERATIONS if operation.kind == "fault")
    args = {"fault": "pause", "steps": 0, "path": ["a"], "least": 1.1}
    assert strike.words(args) == "pause during Fetch ['a'], 1.1 s at least"
    assert list(strike.simpler(args)) == [{"fault": "pause", "steps": 0, "path": ["a"]}]


def test_simpler_faults_are_faults() -> None:
    strike = next(operation for operation in OPERATIONS if operation.kind == "fault")
    simpler = list(strike.simpler({"fault": "reset(0, direction=upstream)", "steps": 2, "path": ["a"]}))
    assert [(args["fault"], args["steps"]) for args in simpler] == [
        ("reset(0, direction=upstream)", 0),
        ("reset(0)", 2),
    ]


def test_fewer_storms_are_drawn_where_the_limit_says_so() -> None:
    assert sum(step.kind == "agree" for schedule in drawn(1, 2) for step in schedule) == 2


def test_under_a_fault_an_error_that_says_so_is_no_finding_and_tells_nothing() -> None:
    made = model()
    assert not made.asked(AT_NAME, error("UNAVAILABLE"))
    assert made.finding is None
    assert made.asked(AT_NAME, value("shop"))


@pytest.mark.parametrize("answer", [value("other"), value(None), MISSING, error("UNIMPLEMENTED")])
def test_under_a_fault_another_value_or_another_error_is_a_lie(answer: Answer) -> None:
    made = model()
    assert not made.asked(AT_NAME, answer)
    assert made.finding is not None
    assert "'shop'" in made.finding.expected


@pytest.mark.parametrize("lie", [value("other"), MISSING])
def test_without_descriptors_any_error_is_excused_but_no_value_and_no_absence(lie: Answer) -> None:
    made = model()
    made.starved = True
    made.asked(AT_NAME, error("PERMISSION_DENIED"))
    assert made.finding is None
    made.asked(AT_NAME, lie)
    assert made.finding is not None


def test_after_the_storm_every_answer_has_to_be_right() -> None:
    made = model()
    made.over()
    made.asked(AT_NAME, error("UNAVAILABLE"))
    assert made.finding is not None


def test_health_may_say_in_a_storm_that_it_is_not_well() -> None:
    made = model()
    assert not made.asked(("health",), BADLY)
    assert made.finding is None
    made.over()
    made.asked(("health",), BADLY)
    assert made.finding is not None


@pytest.mark.parametrize("seen", [[value("shop"), value(80)], [value("other"), value(81)], [value("shop"), value(81)]])
def test_an_init_whose_answer_was_lost_took_effect_or_not_or_does_so_late(seen: list[Answer]) -> None:
    made = model()
    made.initialised(OTHER, LOST)
    assert made.finding is None
    assert all(made.asked(question, answer) for question, answer in zip((AT_NAME, AT_PORT), seen, strict=True))


@pytest.mark.parametrize(
    "seen",
    [
        [(AT_NAME, "other"), (AT_PORT, 80)],
        [(AT_NAME, "shop"), (AT_PORT, 81), (AT_NAME, "shop")],
    ],
)
def test_two_configurations_at_once_are_a_finding(seen: list[tuple[Question, object]]) -> None:
    made = model()
    made.initialised(OTHER, LOST)
    for question, found in seen:
        made.asked(question, value(found))
    assert made.finding is not None


def test_a_lost_first_init_may_have_left_it_new() -> None:
    made = StormModel(calm(), FAULT_CODES)
    made.in_storm = True
    made.initialised(GOOD, LOST)
    made.over()
    assert made.asked(AT_NAME, REFUSED)
    assert made.asked(AT_NAME, value("shop"))
    made.asked(AT_NAME, REFUSED)
    assert made.finding is not None


def test_a_provider_that_refuses_a_second_init_keeps_the_first() -> None:
    made = model(again="FAILED_PRECONDITION", replaces=False)
    made.over()
    assert made.initialised(GOOD, Answer("Init", {}, "FAILED_PRECONDITION"))
    assert made.asked(AT_NAME, value("shop"))
    made.initialised(GOOD, DONE)
    assert made.finding is not None


def test_a_new_process_knows_nothing() -> None:
    made = model()
    made.initialised(OTHER, LOST)
    made.restarted()
    made.over()
    assert made.asked(AT_NAME, REFUSED)
    made.asked(AT_NAME, value("other"))
    assert made.finding is not None
