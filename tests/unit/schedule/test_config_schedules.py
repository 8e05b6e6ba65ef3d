from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nomos_contracts.clause import clauses_of
from nomos_contracts.config.model import ConfigModel, State, World
from nomos_contracts.config.samples import ConfigSamples, ValueSample
from nomos_contracts.config.schedules import RandomSchedulesContract, made_up_paths, operations
from nomos_contracts.provider import Answer, Start, StartError, StartFailure, TargetFacts
from nomos_contracts.schedule import Step, draw
from nomos_contracts.violation import Blocked, Violation
from unit.schedule.pretend import SAMPLES, Pretend, Spawner, Ways

QUICK = {"schedule_shrink": 0.5}


def check(
    make: Callable[[], Pretend], seed: int = 0, samples: ConfigSamples = SAMPLES
) -> tuple[Spawner, dict[str, object]]:
    spawner, observed = Spawner(make), dict[str, object]()
    try:
        RandomSchedulesContract().test_calls_in_any_order_are_answered_as_the_protocol_says(
            spawner,
            samples,
            TargetFacts("pretend", (), Path(), "standard", QUICK),
            random.Random(seed),
            observed.__setitem__,
        )
    finally:
        assert all(provider.stopped == 1 for provider in spawner.started)
    return spawner, observed


def conviction(twist: Callable[[Pretend, Answer], Answer], seed: int = 0, ways: Ways = Ways()) -> Violation:  # noqa: B008 # frozen
    with pytest.raises(Violation) as caught:
        check(lambda: Pretend(ways, twist), seed)
    return caught.value


ways = st.builds(
    Ways,
    second=st.sampled_from(["replaces", "ignored", "refused"]),
    second_empty=st.sampled_from(["ignored", "replaces", "clears", "refused", "invalid"]),
    second_bad=st.sampled_from(["invalid", "ignored", "refused"]),
    after_refusal=st.sampled_from(["unchanged", "cleared", "default"]),
    alias=st.sampled_from(["follows", "none", "first"]),
    empty_alias=st.sampled_from(["accepted", "invalid"]),
    health_before=st.sampled_from(
        ["STATUS_UNSPECIFIED", "STATUS_OK", "STATUS_DEGRADED", "STATUS_STARTING", "INTERNAL", "FAILED_PRECONDITION"]
    ),
    warm_up=st.integers(0, 3),
    malformed_first=st.booleans(),
    dots=st.sampled_from(["INVALID_ARGUMENT", "NOT_FOUND"]),
    broken=st.sampled_from(["INTERNAL", "DATA_LOSS", "INVALID_ARGUMENT", "NOT_FOUND"]),
    shutdown=st.sampled_from(["gone", "stays", "refuses"]),
    shutdown_code=st.sampled_from(["OK", "INTERNAL", "UNAVAILABLE"]),
).filter(
    # To lose the good configuration and then to accept it without taking it is no freedom.
    lambda ways: not (ways.second == "ignored" and ways.after_refusal == "default")
)


@settings(deadline=None, max_examples=60)
@given(ways, st.integers(0, 2**32))
def test_a_provider_is_acquitted_whatever_it_makes_of_its_freedom(ways: Ways, seed: int):
    check(lambda: Pretend(ways), seed)


@settings(deadline=None, max_examples=20)
@given(ways, st.integers(0, 2**32))
def test_a_provider_that_needs_no_key_may_accept_an_empty_configuration(ways: Ways, seed: int):
    samples = SAMPLES.model_copy(update={"required_keys": ()})
    check(lambda: Pretend(replace(ways, first_empty="accepted")), seed, samples)


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_set_of_samples_is_enough(seed: int):
    samples = ConfigSamples(values=(ValueSample(path=("app", "port"), value=80),))
    _, observed = check(Pretend, seed, samples)
    assert observed["random schedules"] == "640 of 640 steps compared in 3 schedules"


def test_at_least_300_fetches_of_known_values_are_compared():
    known = {sample.path for sample in SAMPLES.values}
    fetched: list[bool] = []

    def count(provider: Pretend, answer: Answer) -> Answer:
        fetched.append(answer.method == "Fetch" and answer.code == "OK" and tuple(answer.request["path"]) in known)
        return answer

    for seed in range(10):
        fetched.clear()
        check(lambda: Pretend(twist=count), seed)
        assert sum(fetched) >= 300


def test_every_kind_of_init_is_drawn_and_shutdown_only_at_the_end():
    schedule = draw(operations(SAMPLES, ()), 400, random.Random(1))
    inits = {(step.args["config"], step.args["alias"]) for step in schedule if step.kind == "init"}
    assert inits == {("good", True), ("good", False), ("other", True), ("empty", True), ("bad", True)}
    assert all(step.kind != "shutdown" for step in schedule[:-3])
    shutdowns = sum(
        any(s.kind == "shutdown" for s in draw(operations(SAMPLES, ()), 20, random.Random(i))) for i in range(20)
    )
    assert shutdowns > 10


def test_configurations_appear_in_a_schedule_by_name_since_their_values_may_be_secret():
    secret = SAMPLES.bad_configs[0].model_copy(update={"config": {"token": "s3cret"}})
    samples = SAMPLES.model_copy(update={"bad_configs": (secret,)})
    with pytest.raises(Violation) as caught:
        check(lambda: Pretend(twist=TWISTS["a bad configuration is accepted"]), 0, samples)
    told = json.dumps(caught.value.evidence) + str(caught.value)
    assert "bad configuration 1" in told
    assert "s3cret" not in told
    assert "token" not in told


def test_a_path_is_made_up_only_where_the_author_names_none():
    assert made_up_paths(SAMPLES, random.Random(1)) == ()
    (path,) = made_up_paths(ConfigSamples(), random.Random(1))
    assert len(path) == 1


def _wrong_value(answer: Answer) -> Answer:
    return replace(answer, value="wrong") if answer.method == "Fetch" and answer.code == "OK" else answer


def _nth(n: int) -> Callable[[Pretend, Answer], Answer]:
    return lambda provider, answer: _wrong_value(answer) if provider.calls % n == 0 else answer


TWISTS: dict[str, Callable[[Pretend, Answer], Answer]] = {
    "a wrong value": lambda _, a: _wrong_value(a),
    "a wrong value each seventh call": _nth(7),
    "a wrong value after the third Init": lambda p, a: _wrong_value(a) if p.inits > 2 else a,
    "true for 80": lambda _, a: replace(a, value=True) if a.value == 80 else a,
    "an empty map for an empty list": lambda _, a: replace(a, value={}) if a.value == [] else a,
    "values before Init": lambda p, a: replace(a, code="OK", value="x") if a.method == "Fetch" and not p.data else a,
    "NOT_FOUND before Init": lambda p, a: replace(a, code="NOT_FOUND") if a.code == "FAILED_PRECONDITION" else a,
    "a value for a missing path": lambda _, a: replace(a, code="OK", value=None) if a.code == "NOT_FOUND" else a,
    "INTERNAL for a missing path": lambda _, a: replace(a, code="INTERNAL") if a.code == "NOT_FOUND" else a,
    "OK for a malformed path": lambda _, a: (
        replace(a, code="OK") if a.method == "Fetch" and a.code == "INVALID_ARGUMENT" else a
    ),
    "UNKNOWN for a broken source": lambda _, a: replace(a, code="UNKNOWN") if a.request == {"path": ["broken"]} else a,
    "a first good Init is refused": lambda p, a: (
        replace(a, code="FAILED_PRECONDITION") if a.method == "Init" and p.inits == 1 else a
    ),
    "a bad configuration is accepted": lambda _, a: (
        replace(a, code="OK") if a.method == "Init" and a.code == "INVALID_ARGUMENT" else a
    ),
    "Init fails with UNKNOWN": lambda _, a: replace(a, code="UNKNOWN") if a.method == "Init" and a.message else a,
    "degraded for ever": lambda _, a: (
        replace(a, value={"status": "STATUS_DEGRADED", "message": ""}) if a.method == "Health" else a
    ),
    "starting again after it was ready": lambda p, a: (
        replace(a, value={"status": "STATUS_STARTING", "message": ""})
        if a.method == "Health" and p.healths % 2 == 0
        else a
    ),
    "a status that does not exist": lambda _, a: (
        replace(a, value={"status": "7", "message": ""}) if a.method == "Health" else a
    ),
    "another version now and then": lambda p, a: (
        replace(a, value={**a.value, "version": str(p.calls % 2)}) if a.method == "Info" else a
    ),
    "another type after Init": lambda p, a: (
        replace(a, value={**a.value, "type": str(bool(p.data))}) if a.method == "Info" else a
    ),
    "another alias now and then": lambda p, a: (
        replace(a, value={**a.value, "alias": str(p.calls % 2)}) if a.method == "Info" else a
    ),
    "Info fails before Init": lambda p, a: (
        replace(a, code="FAILED_PRECONDITION") if a.method == "Info" and not p.data else a
    ),
    "a crash after a bad Init": lambda p, a: (
        replace(a, code="UNAVAILABLE", value=None) if p.calls > 5 and p.alias == "settings" else a
    ),
    "an answer that cannot be decoded": lambda p, a: (
        replace(a, decode_error="truncated") if a.method == "Fetch" and p.calls % 20 == 0 else a
    ),
    "Shutdown is not there": lambda _, a: replace(a, code="UNIMPLEMENTED") if a.method == "Shutdown" else a,
}


@pytest.mark.parametrize("name", TWISTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_provider_that_errs_is_convicted(name: str, seed: int):
    violation = conviction(TWISTS[name], seed)
    assert violation.answers
    assert violation.evidence["fails"].endswith(" of 10")


def test_a_plain_defect_is_told_in_two_steps():
    violation = conviction(TWISTS["true for 80"])
    assert [step["kind"] for step in violation.evidence["schedule"]] == ["init", "fetch"]
    assert violation.evidence["sequence"] == ("1. Init with the good configuration → OK; 2. Fetch ['app', 'port'] → OK")
    assert violation.expected == "Fetch answers OK 80"
    assert violation.got.startswith("OK True")
    assert violation.evidence["fails"] == "10 of 10"


@pytest.mark.parametrize("seed", range(12))
def test_a_provider_that_answers_three_percent_wrongly_is_convicted_by_its_own_answer(seed: int):
    source = random.Random(seed)
    violation = conviction(lambda _, a: _wrong_value(a) if source.random() < 0.03 else a, seed)
    assert violation.answers[-1].method == "Fetch"


@pytest.mark.parametrize("seed", range(4))
def test_one_that_wavers_only_under_a_configuration_of_its_own_is_convicted_by_contradicting_itself(seed: int):
    source = random.Random(seed)
    samples = SAMPLES.model_copy(update={"required_keys": (), "bad_configs": (), "other_config": None})

    def twist(provider: Pretend, answer: Answer) -> Answer:
        # What is refused has one right answer, whatever the configuration: there it would contradict that.
        found = answer.method == "Fetch" and provider.data == "default" and answer.code == "OK"
        wavers = found and source.random() < 0.5
        return replace(answer, code="OK", value="wrong") if wavers else answer

    with pytest.raises(Violation) as caught:
        check(lambda: Pretend(Ways(first_empty="accepted", second_empty="replaces"), twist), seed, samples)
    assert "as before" in caught.value.expected


def test_mixing_two_configurations_is_convicted():
    def mixed(provider: Pretend, answer: Answer) -> Answer:
        cached = provider.data == "other" and answer.request == {"path": ["app", "name"]} and provider.calls % 3 == 0
        return replace(answer, value="good") if cached else answer

    assert "other configuration" in conviction(mixed).evidence["sequence"]


def test_one_that_takes_another_configuration_now_and_ignores_it_then_is_convicted():
    class Fickle(Pretend):
        """Makes up its mind anew at each Init."""

        def init(self, *args: Any, **kwargs: Any) -> Answer:
            self.ways = replace(self.ways, second="ignored" if self.calls % 2 else "replaces")
            return super().init(*args, **kwargs)

    # Not by every seed: it may happen to take each one whose values are then asked for.
    acquitted = 0
    for seed in range(8):
        with contextlib.suppress(Violation):
            check(Fickle, seed)
            acquitted += 1
    assert acquitted <= 3


def test_a_further_process_that_does_not_start_blocks_the_clause_by_the_clause_about_further_ones():
    def spawn(**_: Any) -> Start:
        return Start(None, StartError(StartFailure.SILENT, "it never announced"))

    with pytest.raises(Blocked, match=r"clause:PROC-START-006.*never announced"):
        RandomSchedulesContract().test_calls_in_any_order_are_answered_as_the_protocol_says(
            spawn, SAMPLES, TargetFacts("x", (), Path(), "standard", {}), random.Random(1), lambda _name, _value: None
        )


def test_the_clause_stands_in_the_table_with_what_the_check_needs():
    names = [clause_id for _, clause_id in RandomSchedulesContract.checks()]
    assert names == ["CFG-SCHED-001"]
    clause = clauses_of(("config",))["CFG-SCHED-001"]
    assert clause.samples == ("values",)
    assert clause.process == "own"


@pytest.mark.parametrize("struct", [{"value": "inner"}, {"value": {"value": "inner"}}])
def test_a_map_with_the_one_key_value_may_come_as_it_is(struct: dict[str, Any]) -> None:
    samples = ConfigSamples(values=(ValueSample(path=("wrapped",), value={"value": "inner"}),))
    model = ConfigModel(samples, _worlds=[World(State.GOOD)])
    answer = Answer("Fetch", {"path": ["wrapped"]}, "OK", value=struct["value"], struct=struct)
    assert model.judge(Step("fetch", {"path": ["wrapped"]}), answer) is None
