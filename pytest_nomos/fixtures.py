"""Fixtures: what checks ask for. Each name starts with `nomos_`; one that the author replaces blocks the check."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from nomos_contracts.chaos import Chaos
from nomos_contracts.clause import Process
from nomos_contracts.process.samples import call_samples
from nomos_contracts.provider import InterfaceProvider, RunningProvider, Start, Starter, TargetFacts
from nomos_contracts.vendor import Vendor
from nomos_contracts.violation import Blocked
from pytest_nomos.chaos.vendor import LiveVendor
from pytest_nomos.collection import CLAUSE, RUN
from pytest_nomos.outcomes import OBSERVED
from pytest_nomos.session.chaos import TargetChaos
from pytest_nomos.session.pool import TargetRun
from pytest_nomos.session.run import Run
from pytest_nomos.session.turns import Turns
from pytest_nomos.session.vendor import SampledVendor, upstream_of
from pytest_nomos.terminal import PROGRESS

_MODULE = __name__


def _run_of(request: pytest.FixtureRequest) -> Run:
    return request.config.stash[RUN]


@pytest.fixture(scope="session")
def nomos_target(request: pytest.FixtureRequest) -> TargetFacts:
    """What is known of the target without starting it."""
    return _run_of(request).pool.run(request.param).facts


def _target_run(request: pytest.FixtureRequest, facts: TargetFacts) -> TargetRun:
    return _run_of(request).pool.run(facts.name)


def _about_process(request: pytest.FixtureRequest, facts: TargetFacts) -> bool:
    """Whether the check is about the process of a provider of a function interface."""
    return _run_of(request).about_process(request.node.stash[CLAUSE], facts.name)


@pytest.fixture
def nomos_provider(request: pytest.FixtureRequest, nomos_target: TargetFacts) -> RunningProvider | InterfaceProvider:
    """The shared provider of the target, made from the good config: a process, or what has a function interface."""
    run = _target_run(request, nomos_target)
    if _about_process(request, nomos_target):
        return run.faces.process()
    return run.faces.shared() if run.plan.is_function_interface else run.shared()


@pytest.fixture
def nomos_fresh(
    request: pytest.FixtureRequest, nomos_target: TargetFacts
) -> Iterator[RunningProvider | InterfaceProvider]:
    """A provider of its own, let go of after the check.

    A process without Init; where the clause says so, one on which none succeeded. With a function interface: one made
    from the good config, with nothing in it.
    """
    functions = _target_run(request, nomos_target).plan.is_function_interface
    if functions and not _about_process(request, nomos_target):
        with _target_run(request, nomos_target).faces.fresh() as face:
            yield face
        return
    clause = _run_of(request).clauses[request.node.stash[CLAUSE]]
    run = _target_run(request, nomos_target)
    lend = run.uninitialised if clause.process is Process.UNINITIALISED else run.fresh
    with lend() as provider:
        yield provider


@pytest.fixture
def nomos_configured(
    request: pytest.FixtureRequest, nomos_target: TargetFacts
) -> Iterator[Callable[[Mapping[str, Any]], InterfaceProvider]]:
    """Makes providers of a function interface from the good config with some keys replaced; all are let go of."""
    with _target_run(request, nomos_target).faces.configured() as make:
        yield make


@pytest.fixture
def nomos_start(request: pytest.FixtureRequest, nomos_target: TargetFacts) -> Start:
    """The result of the one start attempt of this target."""
    return _target_run(request, nomos_target).first_start()


@pytest.fixture
def nomos_spawn(request: pytest.FixtureRequest, nomos_target: TargetFacts) -> Iterator[Starter]:
    """Starts further processes of the target."""
    with _target_run(request, nomos_target).spawner() as spawn:
        yield spawn


@pytest.fixture
def nomos_samples(request: pytest.FixtureRequest, nomos_target: TargetFacts) -> BaseModel:
    """The author's samples, filled in for this machine; for a check about a process what that is asked for."""
    if _about_process(request, nomos_target):
        return call_samples(_target_run(request, nomos_target).plan.interface)
    return _target_run(request, nomos_target).plan.samples()


@pytest.fixture
def nomos_scratch(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty folder, removed after the check."""
    with _run_of(request).surroundings.folders.lend("check") as folder:
        yield folder


@pytest.fixture
def nomos_observe(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Records what was seen, for the report."""
    seen = request.node.stash.setdefault(OBSERVED, {})

    def observe(name: str, value: object) -> None:
        seen[name] = value if isinstance(value, str | int | float | bool | None) else str(value)

    return observe


@pytest.fixture
def nomos_random(request: pytest.FixtureRequest) -> random.Random:
    """A generator seeded by the run's seed and the clause."""
    return _run_of(request).random(request.node.stash[CLAUSE])


@pytest.fixture
def nomos_chaos(request: pytest.FixtureRequest, nomos_target: TargetFacts) -> Chaos:
    """Makes experiments on the target; their timelines go into the report."""
    seen = request.node.stash.setdefault(OBSERVED, {})

    def record(timeline: dict[str, Any]) -> None:
        seen.setdefault("timeline", []).append(timeline)

    run = _run_of(request)
    progress = request.config.stash.get(PROGRESS, None)
    return TargetChaos(_target_run(request, nomos_target), run.chaos, request.node.stash[CLAUSE], record, progress)


@pytest.fixture
def nomos_vendor(
    request: pytest.FixtureRequest, nomos_target: TargetFacts, nomos_samples: BaseModel
) -> Iterator[Vendor]:
    """Makes experiments with the vendor of a provider with a function interface; timelines go into the report."""
    seen = request.node.stash.setdefault(OBSERVED, {})

    def record(timeline: dict[str, Any]) -> None:
        seen.setdefault("timeline", []).append(timeline)

    run, target = _run_of(request), _target_run(request, nomos_target)
    with target.faces.configured() as make:
        workshop = SampledVendor(upstream_of(nomos_samples), run.chaos, make, record)
        yield LiveVendor(workshop, request.node.stash[CLAUSE], target.plan.name)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Note a fixture of ours that somebody replaced."""
    if fixturedef.argname.startswith("nomos_") and fixturedef.func.__module__ != _MODULE:
        _run_of(request).replaced_fixtures.add(fixturedef.argname)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Block a check that got a fixture which is not ours."""
    if CLAUSE not in item.stash:
        return
    replaced = item.config.stash[RUN].replaced_fixtures
    used = sorted(replaced & set(getattr(item, "fixturenames", ())))
    if used:
        raise Blocked(
            "author",
            f"the fixture {', '.join(used)} is replaced in a conftest or plugin; rename yours, "
            "or run `pytest-nomos certify`, which reads no conftest",
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a check that is marked exclusive run with no other check beside it in another worker."""
    clause_id = item.stash.get(CLAUSE, None)
    run = item.config.stash[RUN]
    if clause_id is None or not run.worker:
        return (yield)
    turns = Turns(run.common)
    with turns.alone() if run.clauses[clause_id].exclusive else turns.shared():
        return (yield)
