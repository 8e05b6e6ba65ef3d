"""The control plane on the memory provider, and on providers that go wrong in one way each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    HeartbeatExpectations,
    HeartbeatReceipts,
    HeartbeatTask,
    ProviderError,
    ProviderInstance,
    ProviderRegistration,
    ReceiptStatus,
    SpawnOptions,
    WorkflowConstraints,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_reference.compute.memory import MemoryHooks, MemoryProvider, make
from nomos_reference.compute.workflows import SpawnInstance
from nomos_reference.controlplane import ControlPlane, RegistrationError, Scenario
from nomos_reference.controlplane.workflows import WorkflowFailure

BOOTSTRAP = BootstrapConfig("https://agent.example.com", "https://control.example.com", "token")


def scenario(registration: ProviderRegistration[Any]) -> tuple[str, ...]:
    return asyncio.run(Scenario("small", BOOTSTRAP, patience=2.0).play(registration)).complaints


@pytest.mark.parametrize("config", [{}, {"lag": 3.0}, {"boot_delay": 0.0, "forget_after": 0.0}, {"capabilities": []}])
def test_spawn_five_lose_one_drift_one_reconcile_drain(config: Mapping[str, Any]) -> None:
    assert scenario(make(config)) == ()


class LosesNothing(MemoryProvider):
    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        if provider_id in self.kept or len(self.kept) < 1:
            self.kept.add(provider_id)
            return
        await super().terminate(provider_id, region)

    kept: set[str]


def test_the_scenario_sees_a_provider_that_does_not_end_what_it_is_told_to() -> None:
    provider = LosesNothing({})
    provider.kept = set()
    with pytest.raises(TimeoutError):
        asyncio.run(
            Scenario("small", BOOTSTRAP, patience=0.2).play(ProviderRegistration(provider, MemoryHooks(provider)))
        )


class SameIds(MemoryProvider):
    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        found = list(await super().list())
        return found[0] if found else await super().spawn(options)


def test_the_scenario_sees_instances_that_are_one() -> None:
    provider = SameIds({})
    assert scenario(ProviderRegistration(provider, MemoryHooks(provider))) != ()


def test_a_start_that_fails_fails_the_registration_and_leaves_nothing() -> None:
    async def play() -> None:
        plane = ControlPlane("c")
        with pytest.raises(RegistrationError, match="memory"):
            await plane.register(make({"startable": False}))
        assert plane.providers == ()
        assert await plane.register(make({})) == "memory"
        with pytest.raises(RegistrationError, match="is registered"):
            await plane.register(make({}))

    asyncio.run(play())


class Throttled(MemoryProvider):
    failures = 2

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        made = await super().spawn(options)
        if self.failures:
            self.failures -= 1
            raise ProviderError("later", "RATE_LIMIT_ERROR", provider="memory", retry_after=0.001)
        return made


def test_what_may_be_tried_again_is_tried_again_and_makes_one_instance() -> None:
    async def play() -> None:
        plane, provider = ControlPlane("c"), Throttled({})
        await plane.register(ProviderRegistration(provider, MemoryHooks(provider)))
        made = await plane.spawn("memory", "small", BOOTSTRAP)
        assert [one.id for one in await provider.list()] == [made.id]

    asyncio.run(play())


def test_what_may_not_be_tried_again_is_tried_once() -> None:
    async def play() -> None:
        plane, provider = ControlPlane("c"), MemoryProvider({"quota": 0})
        await plane.register(ProviderRegistration(provider, MemoryHooks(provider)))
        before = provider.cloud.now
        with pytest.raises(ProviderError, match="may not have more"):
            await plane.spawn("memory", "small", BOOTSTRAP)
        assert provider.cloud.now - before == provider.settings.tick

    asyncio.run(play())


class Raising(MemoryHooks):
    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        raise KeyError("tasks")

    async def on_shutdown(self) -> None:
        raise ValueError("closed")


class Hanging(MemoryHooks):
    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


class Silent(MemoryHooks):
    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        return HeartbeatReceipts(())


@pytest.mark.parametrize("hooks", [Raising, Hanging, Silent])
def test_a_failing_hook_gives_failed_receipts_and_does_not_stop_the_control_plane(hooks: type[MemoryHooks]) -> None:
    async def play() -> None:
        plane, provider = ControlPlane("c"), MemoryProvider({})
        await plane.register(ProviderRegistration(provider, hooks(provider)))
        made = await plane.heartbeat("memory", [HeartbeatTask("health_check")], seconds=-0.9)
        assert [one.status for one in made.receipts] == [ReceiptStatus.FAILED]
        assert made.receipts[0].reason
        await plane.shutdown()
        assert plane.providers == ()
        assert bool(plane.failures) is (hooks is not Silent)

    asyncio.run(play())


def test_a_workflow_spawns_and_what_fails_is_taken_back() -> None:
    async def play() -> None:
        plane, provider = ControlPlane("c"), MemoryProvider({})
        slow = SpawnInstance(provider)
        slow.constraints = WorkflowConstraints(5_000, ("id", "address"))
        flows = {"spawn-instance": SpawnInstance(provider), "lacks": slow}
        await plane.register(ProviderRegistration(provider, MemoryHooks(provider), workflows=flows))
        options = SpawnOptions("small", "c", 1, BOOTSTRAP)
        done = await plane.run("memory", "spawn-instance", {"options": options})
        assert [one.id for one in await provider.list()] == [done["id"]]
        with pytest.raises(ProviderError, match="options"):
            await plane.run("memory", "spawn-instance", {"nonsense": 1})
        with pytest.raises(WorkflowFailure, match="lacks address"):
            await plane.run("memory", "lacks", {"options": replace(options, instance_id=2)})
        alive = [one.id for one in await provider.list() if one.status not in {"terminating", "terminated"}]
        assert alive == [done["id"]]
        with pytest.raises(ProviderError, match="no workflow"):
            await plane.run("memory", "absent", {})

    asyncio.run(play())


def test_a_failed_workflow_passes_through_a_context_manager_as_it_is() -> None:
    @contextmanager
    def between() -> Iterator[None]:
        yield

    failure = WorkflowFailure("w", ProviderError("gone", "NOT_FOUND"))
    with pytest.raises(WorkflowFailure) as caught, between():
        raise failure
    assert caught.value is failure
    assert hash(failure) == hash(failure)


def test_the_samples_of_the_memory_provider_name_specs_that_it_has() -> None:
    assert {"small", "medium"} <= set(MemoryProvider({}).settings.specs)
    assert ComputeSamples(spec="small").spec == "small"
