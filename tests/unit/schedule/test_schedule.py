from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomos_contracts.schedule import (
    Drawing,
    Pairing,
    ScheduleError,
    Step,
    draw,
    from_json,
    keep,
    references,
    resolve,
    result_of,
    run,
    to_json,
)
from unit.schedule.boxes import OPERATIONS, Boxes, BoxModel, Factory


def test_equal_seeds_draw_equal_schedules_and_other_seeds_draw_others():
    first = draw(OPERATIONS, 50, random.Random(7))
    assert first == draw(OPERATIONS, 50, random.Random(7))
    assert first != draw(OPERATIONS, 50, random.Random(8))


def test_an_operation_of_weight_0_is_not_drawn():
    schedule = draw(OPERATIONS, 200, random.Random(1))
    first_make = next(i for i, step in enumerate(schedule) if step.kind == "make")
    assert all(step.kind == "rattle" for step in schedule[:first_make])
    assert {step.kind for step in schedule} == {"make", "put", "get", "rattle"}


def test_nothing_to_draw_is_an_error_that_names_the_step():
    only_get = [operation for operation in OPERATIONS if operation.kind == "get"]
    with pytest.raises(ScheduleError, match="step 0: no kind of step"):
        draw(only_get, 3, random.Random(1))


def test_a_schedule_survives_json():
    schedule = draw(OPERATIONS, 60, random.Random(3))
    assert to_json(from_json(json.loads(json.dumps(to_json(schedule))))) == to_json(schedule)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "a schedule is a list"),
        ("text", "a schedule is a list"),
        ([5], "step 0: a step is"),
        ([{"kind": 5}], "step 0: a step is"),
        ([{"kind": "get", "with": {}}], "step 0: a step is"),
        ([{"kind": "get", "args": []}], "step 0: args is a map"),
        ([{"kind": "get", "args": {"box": result_of(0)}}], "step 0: a step can only use"),
        ([{"kind": "get", "args": {"box": [result_of(4)]}}], "step 0: a step can only use"),
        ([{"kind": "make"}, {"kind": "get", "args": {"box": {"$step": "0"}}}], "step 1: a step can only use"),
        ([{"kind": "make"}, {"kind": "get", "args": {"box": {"$step": -1}}}], "step 1: a step can only use"),
    ],
)
def test_data_that_is_no_schedule_is_refused_with_the_step_at_fault(data: object, words: str):
    with pytest.raises(ScheduleError, match=words):
        from_json(data)


def test_a_reference_is_replaced_by_the_earlier_result_wherever_it_stands():
    args = {"box": result_of(0, "id"), "more": [{"deep": result_of(1)}]}
    assert resolve(args, [{"id": "box-3"}, 5]) == {"box": "box-3", "more": [{"deep": 5}]}


@pytest.mark.parametrize("results", [[], [None], [{}], [5], [[]]])
def test_a_result_that_is_not_there_resolves_to_nothing(results: list[object]):
    assert resolve({"box": result_of(0, "id")}, results) is None


def test_leaving_out_a_step_leaves_out_those_that_use_its_result_and_renumbers_the_rest():
    schedule = (
        Step("make"),
        Step("make"),
        Step("put", {"box": result_of(0, "id"), "number": 1}),
        Step("get", {"box": result_of(1, "id")}),
        Step("chained", {"of": result_of(2)}),
    )
    assert keep(schedule, [1, 2, 3, 4]) == (Step("make"), Step("get", {"box": result_of(0, "id")}))


@given(st.integers(0, 2**32), st.sets(st.integers(0, 39)))
def test_whatever_is_left_out_a_schedule_stays_one(seed: int, positions: set[int]):
    rest = keep(draw(OPERATIONS, 40, random.Random(seed)), positions)
    assert len(rest) <= len(positions)
    assert from_json(to_json(rest)) == rest
    assert run(Factory(Boxes).pairing(), rest).disagreement is None


def test_references_are_found_at_any_depth():
    assert references({"a": [{"b": result_of(2)}, result_of(0, "x")], "c": 5}) == {0, 2}


def test_a_run_on_a_correct_target_compares_every_step_that_answers():
    factory = Factory(Boxes)
    schedule = draw(OPERATIONS, 100, random.Random(5))
    seen = run(factory.pairing(), schedule)
    assert seen.disagreement is None
    assert seen.complete
    assert seen.compared == sum(step.kind != "rattle" for step in schedule)
    assert factory.open == 0


def test_a_step_whose_reference_failed_is_not_taken():
    schedule = (Step("rattle"), Step("get", {"box": result_of(0, "id")}))
    seen = run(Factory(Boxes).pairing(), schedule)
    assert seen.answers == (None, None)
    assert seen.compared == 0


def test_a_run_stops_when_it_is_told_to_and_says_so():
    budget = iter([True, True, False])
    seen = run(Factory(Boxes).pairing(), draw(OPERATIONS, 10, random.Random(5)), lambda: next(budget))
    assert not seen.complete
    assert len(seen.schedule) == len(seen.answers) == 2


def test_an_unknown_kind_of_step_is_named():
    with pytest.raises(ScheduleError, match="no kind of step 'burn'; there are make, put, get, rattle"):
        run(Factory(Boxes).pairing(), (Step("burn"),))


def test_a_target_is_left_in_order_when_a_step_raises():
    factory = Factory(Boxes)
    with pytest.raises(KeyError):
        run(factory.pairing(), (Step("get", {"box": "unknown"}),))
    assert factory.open == 0


def test_a_drawing_knows_what_is_left_and_what_was_drawn():
    drawing = Drawing([Step("put", {"number": 3})], 5)
    assert drawing.left == 4
    assert drawing.has("put", number=3)
    assert not drawing.has("put", number=4)
    assert not drawing.has("get")


def test_a_pairing_is_plain_data():
    pairing = Pairing(OPERATIONS, Factory(Boxes).fresh, BoxModel)
    assert pairing.operation("put").words({"number": 4}) == "Put 4"
