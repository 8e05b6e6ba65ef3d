"""Fixtures: what checks ask for. Each name starts with `nomos_`; one that the author replaces blocks the check."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from pydantic import BaseModel

from nomos_contracts.provider import RunningProvider, Start, Starter, TargetFacts
from nomos_contracts.violation import Blocked
from pytest_nomos.collection import CLAUSE, RUN
from pytest_nomos.outcomes import OBSERVED
from pytest_nomos.session.pool import TargetRun
from pytest_nomos.session.run import Run

_MODULE = __name__


def _run_of(request: pytest.FixtureRequest) -> Run:
    return request.config.stash[RUN]


@pytest.fixture(scope="session")
def nomos_target(request: pytest.FixtureRequest) -> TargetFacts:
    """What is known of the target without starting it."""
    return _run_of(request).pool.run(request.param).facts


def _target_run(request: pytest.FixtureRequest, facts: TargetFacts) -> TargetRun:
    return _run_of(request).pool.run(facts.name)


@pytest.fixture
def nomos_provider(request: pytest.FixtureRequest, nomos_target: TargetFacts) -> RunningProvider:
    """The shared process of the target, initialised with the good config."""
    return _target_run(request, nomos_target).shared()


@pytest.fixture
def nomos_fresh(request: pytest.FixtureRequest, nomos_target: TargetFacts) -> Iterator[RunningProvider]:
    """An own process without Init, stopped after the check."""
    with _target_run(request, nomos_target).fresh() as provider:
        yield provider


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
    """The author's samples, filled in for this machine."""
    return _target_run(request, nomos_target).plan.samples()


@pytest.fixture
def nomos_scratch() -> Iterator[Path]:
    """An empty folder, removed after the check."""
    with tempfile.TemporaryDirectory(prefix="nomos-check-") as folder:
        yield Path(folder)


@pytest.fixture
def nomos_observe(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Records what was seen, for the report."""
    seen: dict[str, Any] = {}
    request.node.stash[OBSERVED] = seen

    def observe(name: str, value: object) -> None:
        seen[name] = value if isinstance(value, str | int | float | bool | None) else str(value)

    return observe


@pytest.fixture
def nomos_random(request: pytest.FixtureRequest) -> random.Random:
    """A generator seeded by the run's seed and the clause."""
    return _run_of(request).random(request.node.stash[CLAUSE])


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
    """Let checks that are marked exclusive never run side by side, also over workers."""
    clause_id = item.stash.get(CLAUSE, None)
    run = item.config.stash[RUN]
    if clause_id is None or not run.clauses[clause_id].exclusive:
        return (yield)
    with FileLock(run.common / "exclusive.lock"):
        return (yield)
