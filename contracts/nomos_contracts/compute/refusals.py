"""Refusals: one failure of each method in each way that every provider has, and what may come of an instance's life."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nomos_contracts.compute.fleet import Configured, Fleet, bootstrap
from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapFeature,
    CreateSnapshotOptions,
    FeatureName,
    ListFilter,
    NetworkConfig,
    SpotOptions,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.snapshots import outcome
from nomos_contracts.provider import Answer

NO_CHECKSUM = "0" * 64
"""Looks like a checksum and is none of a script."""


def refused_spawns(fleet: Fleet) -> Iterator[dict[str, Any]]:
    """Yield changes to a spawn, one wrong thing each, for the flags that the provider declares."""
    nobody = f"no-{fleet.name()}"
    flags = fleet.provider.capabilities
    yield {"spec": nobody}
    yield {"region": nobody}
    yield {"disk_size_gb": -1}
    yield {"bootstrap": bootstrap(environment={"A": "x\0"})}
    yield {"bootstrap": bootstrap(init_script="true\n", init_checksum=NO_CHECKSUM)}
    if "snapshots" in flags:
        yield {"snapshot_id": nobody}
    if "persistent_volumes" in flags:
        yield {"volume_id": nobody}
    if "custom_networking" in flags:
        yield {"network_config": NetworkConfig(nobody)}
    if "spot" in flags:
        yield {"spot": True, "max_spot_price": 1e-9}
        yield {"spot": True, "max_spot_price": -1.0}


def refused_scripts() -> Iterator[BootstrapConfig]:
    """Yield configurations of a script, one thing in each that many providers refuse."""
    yield bootstrap(environment={"a b": "x"})
    yield bootstrap(environment={"A": "x\0"})
    yield bootstrap(environment={"A": "x\n"})
    yield bootstrap(environment={"A": "x" * 70_000})
    yield bootstrap(init_script="true\n", init_checksum=NO_CHECKSUM)
    yield bootstrap(init_script="\0")
    yield bootstrap(agent_url="")
    yield bootstrap(registration_token="\0")  # noqa: S106 # none
    yield bootstrap(control_plane_url="\n")
    yield bootstrap(features=tuple(BootstrapFeature(one, version="\0", config={"": "\0"}) for one in FeatureName))


def refusals(fleet: Fleet) -> Iterator[Answer]:
    """Yield answers of calls that create nothing, most of them failures."""
    provider = fleet.provider
    nobody = f"no-{fleet.name()}"
    for changes in refused_spawns(fleet):
        yield fleet.try_spawn(**changes)
    for script in refused_scripts():
        yield provider.invoke("generate_bootstrap", cfg=script)
    yield provider.invoke("list", filter=ListFilter(limit=-1))
    yield provider.invoke("terminate", provider_id=nobody)
    if "snapshots" in provider.capabilities:
        yield provider.invoke("create_snapshot", provider_id=nobody, options=CreateSnapshotOptions(nobody))
        yield provider.invoke("get_snapshot_status", request_id=nobody)
        yield provider.invoke("delete_snapshot", snapshot_id=nobody)
    if "spot" in provider.capabilities:
        yield provider.invoke("cancel_spot_request", request_id=nobody)
        yield provider.invoke("get_spot_prices", spec=nobody)
        yield provider.invoke("get_spot_prices", spec=fleet.samples.spec, regions=(nobody,))
        for options in (
            SpotOptions(fleet.options(spec=nobody), max_spot_price=1e-9),
            SpotOptions(fleet.options(), max_spot_price=-1.0),
        ):
            yield fleet.followed(provider.invoke("request_spot_instance", options=options))


def refusals_of_life(fleet: Fleet) -> Iterator[Answer]:
    """Yield answers about snapshots of an instance that runs, twice by one name, and of one that has ended.

    Some of them are failures; what came of the others is deleted.
    """
    if "snapshots" not in fleet.provider.capabilities:
        return
    made = fleet.spawn()
    fleet.run_all([made])
    options = CreateSnapshotOptions(f"nomos-{fleet.name()}")
    answers = [_snapshot(fleet, made.id, options) for _ in range(2)]
    answers += [fleet.provider.invoke("delete_snapshot", snapshot_id=one) for one in _available(fleet, answers)]
    fleet.end(made.id)
    late = _snapshot(fleet, made.id, replace(options, name=f"nomos-{fleet.name()}"))
    for one in _available(fleet, [late]):
        fleet.provider.invoke("delete_snapshot", snapshot_id=one)
    yield from (*answers, late)


def _snapshot(fleet: Fleet, instance_id: str, options: CreateSnapshotOptions) -> Answer:
    return fleet.provider.invoke("create_snapshot", provider_id=instance_id, options=options)


def _available(fleet: Fleet, answers: list[Answer]) -> list[str]:
    """Wait for the snapshots that *answers* promise; returns the ids of those that come."""
    requests = {str(one.value.request_id) for one in answers if one.ok}
    ids = [outcome(fleet, one) for one in sorted(requests)]
    return [one for one in dict.fromkeys(ids) if one is not None]


def refused_start(configured: Configured, samples: ComputeSamples) -> Iterator[Answer]:
    """Yield the failure of a start, where the samples say how to get one."""
    if samples.unstartable:
        provider = configured(samples.unstartable)
        if provider.offers("on_startup"):
            yield provider.invoke("on_startup")
