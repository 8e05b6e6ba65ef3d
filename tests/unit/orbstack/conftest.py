"""A real engine, and providers on it that leave nothing behind."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nomos_reference.compute.orbstack import OrbstackProvider
from nomos_reference.compute.orbstack_engine import connect
from nomos_reference.compute.orbstack_leftovers import OrbstackLeftovers
from unit.orbstack.support import config


@pytest.fixture
def engine(component: Callable[[str], str]) -> Iterator[Any]:
    """Return a client of the engine, apart from that of any provider."""
    component("docker")
    client, _ = connect(None, 30)
    yield client
    client.close()


@pytest.fixture
def run() -> str:
    """Return the run that this test's instances belong to."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def tidy(engine: Any, run: str) -> Iterator[None]:
    """Remove what the test has made."""
    yield
    provider = OrbstackProvider(config())
    leftovers = OrbstackLeftovers(provider.backend)
    for one in leftovers.find():
        if one.run == run:
            leftovers.remove(one)
    assert [one for one in leftovers.find() if one.run == run] == []
    leftovers.close()


@pytest.fixture
def provider(engine: Any, run: str, tidy: None) -> Iterator[OrbstackProvider]:
    """Return a provider with a run of its own."""
    made = OrbstackProvider(config(run=run, worker="w0"))
    yield made
    made.backend.close()
