from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nomos_contracts.clause import Profile
from nomos_contracts.provider import Answer
from nomos_contracts.violation import NotApplicable, Violation
from pytest_nomos.session.pool import Pool, TargetRun
from pytest_nomos.settings import Settings
from pytest_nomos.targets.plan import plan_targets
from pytest_nomos.targets.surroundings import Surroundings

FILES = "registered:config/files"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TargetRun]:
    """The run of the built-in file provider."""
    with Surroundings() as surroundings:
        (plan,) = plan_targets((FILES,), Settings(), tmp_path, surroundings)
        pool = Pool({plan.name: plan}, {plan.name: Profile.STANDARD})
        try:
            yield pool.run(plan.name)
        finally:
            pool.close()


def test_refused_inits_leave_the_uninitialised_process_in_use(run: TargetRun) -> None:
    with run.uninitialised() as first:
        assert first.init({}).code == "INVALID_ARGUMENT"
    with run.uninitialised() as second:
        assert second is first
        assert second.fetch(["app"]).code == "FAILED_PRECONDITION"


@pytest.mark.parametrize("raw", [False, True], ids=["init", "raw-bytes"])
def test_a_good_init_uses_the_uninitialised_process_up(run: TargetRun, raw: bool) -> None:
    with run.uninitialised() as first:
        good = run.shared().init() if raw else first.init()
        assert good.ok
        if raw:
            from nomos_proto import messages

            request = messages.encode_init_request("again", first.good_config, "")
            assert first.raw("Init", request).code == "OK"
    with run.uninitialised() as second:
        assert second is not first
        assert second.fetch(["app"]).code == "FAILED_PRECONDITION"


def test_an_init_of_unknown_outcome_uses_the_uninitialised_process_up(run: TargetRun) -> None:
    with run.uninitialised() as first:
        # However short a deadline is, a quick provider may meet it; so the answer is put where it would come from.
        first._remember(Answer("Init", {}, "DEADLINE_EXCEEDED", seconds=1.0))  # type: ignore[attr-defined] # the host's own
    with run.uninitialised() as second:
        assert second is not first


def test_a_dead_uninitialised_process_is_replaced(run: TargetRun) -> None:
    with run.uninitialised() as first:
        first.signal("SIGKILL")
        assert first.wait(5) is not None
    with run.uninitialised() as second:
        assert second.alive()


def test_a_check_that_failed_gets_its_processes_replaced(run: TargetRun) -> None:
    shared = run.shared()
    with run.uninitialised() as uninitialised:
        pass
    run.distrust(Violation("one thing", "another"), shared=True)
    assert run.shared() is not shared
    assert run.shared().fetch(["app", "name"]).ok
    with run.uninitialised() as after:
        assert after is not uninitialised


def test_a_check_that_failed_without_the_shared_process_leaves_it(run: TargetRun) -> None:
    shared = run.shared()
    run.distrust(Violation("one thing", "another"), shared=False)
    assert run.shared() is shared


def test_the_first_process_stays_for_the_checks_about_the_start(run: TargetRun) -> None:
    first = run.first_start().provider
    assert run.shared() is first
    run.distrust(AssertionError(), shared=True)
    assert run.first_start().provider is first
    assert first is not None
    assert first.alive()
    run.distrust(AssertionError(), shared=True)
    assert run.shared() is not first


def test_calls_have_less_time_after_one_that_took_all_of_it(run: TargetRun) -> None:
    whole = run.plan.limits.call
    short = Answer("Fetch", {}, "DEADLINE_EXCEEDED", seconds=whole / 2)
    run.distrust(Violation("an answer", "none", short), shared=True)
    assert run.shared().info().seconds == whole
    run.distrust(Violation("an answer", "none", Answer("Fetch", {}, "DEADLINE_EXCEEDED", seconds=whole)), shared=True)
    assert run.shared().info().seconds == run.plan.limits.announce < whole


def test_used_up_processes_have_ended_when_the_pool_says_so(tmp_path: Path) -> None:
    with Surroundings() as surroundings:
        (plan,) = plan_targets((FILES,), Settings(), tmp_path, surroundings)
        pool = Pool({plan.name: plan}, {plan.name: Profile.STANDARD})
        try:
            with pool.run(plan.name).fresh() as provider:
                assert provider.alive()
            pool.settled()
            assert not provider.alive()
        finally:
            pool.close()


def test_a_target_that_runs_already_has_no_process_to_lend(run: TargetRun, tmp_path: Path) -> None:
    provider = run.shared()
    with Surroundings() as surroundings:
        (plan,) = plan_targets((f"grpc:{provider.announcement.address}",), Settings(), tmp_path, surroundings)
        pool = Pool({plan.name: plan}, {plan.name: Profile.STANDARD})
        try:
            with pytest.raises(NotApplicable), pool.run(plan.name).uninitialised():
                pass
        finally:
            pool.close()
