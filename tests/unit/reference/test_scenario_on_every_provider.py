"""One scenario of the control plane, unchanged on every compute provider that there is (R004-06)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any

import pytest

from components import IMAGE
from nomos_contracts.compute.interface import BootstrapConfig
from nomos_reference.compute.orbstack import OrbstackProvider
from nomos_reference.compute.orbstack_leftovers import OrbstackLeftovers
from nomos_reference.controlplane import Scenario
from nomos_reference.registry import default_registry
from unit.reference.made_registrations import registration_of

BOOTSTRAP = BootstrapConfig("https://agent.example.com", "https://control.example.com", "token")
RUN = f"scenario-{uuid.uuid4().hex[:12]}"
PROVIDERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "compute/memory": {},
        "compute/mock": {},
        "compute/orbstack": {"image": IMAGE, "run": RUN, "worker": "w0"},
        "compute/attic": {},
    }
)
"""Configuration of each; what needs a component is told by `NEEDS`."""
NEEDS: Mapping[str, str] = MappingProxyType({"compute/orbstack": "docker"})


def left_behind() -> list[str]:
    """Return what this run has left on the engine; remove it."""
    with closing(OrbstackLeftovers(OrbstackProvider(PROVIDERS["compute/orbstack"]).backend)) as place:
        found = [one for one in place.find() if one.run == RUN]
        for one in found:
            place.remove(one)
    return [str(one) for one in found]


@pytest.mark.parametrize("name", PROVIDERS)
def test_spawn_five_lose_one_drift_one_reconcile_drain(name: str, component: Callable[[str], str]) -> None:
    if name in NEEDS:
        component(NEEDS[name])
    try:
        report = asyncio.run(Scenario("small", BOOTSTRAP).play(registration_of(name, PROVIDERS[name])))
        assert report.complaints == ()
        assert len(set(report.spawned)) == 5
    finally:
        left = left_behind() if name in NEEDS else []
    assert left == []


def test_no_registered_compute_provider_is_left_out() -> None:
    registered = {f"compute/{name}" for name in default_registry().list_providers("compute")}
    assert registered <= PROVIDERS.keys()
