"""The scenario: spawn five, lose one, drift one, reconcile, drain. The same on every compute provider."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    HeartbeatTask,
    InstanceStatus,
    ProviderInstance,
    ProviderRegistration,
    ReceiptStatus,
    TaskType,
)
from nomos_reference.compute.reconcile import Drift
from nomos_reference.controlplane.plane import PAUSE, ControlPlane
from nomos_reference.controlplane.record import GONE, is_generic

FIVE = 5


@dataclass(frozen=True)
class ScenarioReport:
    """What happened.

    Attributes:
        spawned: ids of the instances.
        lost: the one that was terminated behind the control plane's back.
        drifted: the one that is no longer what the record says.
        drift: what reconciliation found.
        settled: what it found when it was done again after the repair.
        receipts: status of each task of the heartbeat by type.
        left: ids that were still there after the drain.
        failures: what hooks raised.
    """

    spawned: tuple[str, ...]
    lost: str
    drifted: str
    drift: Drift
    settled: Drift
    receipts: dict[str, ReceiptStatus]
    left: tuple[str, ...]
    failures: tuple[str, ...]

    @property
    def complaints(self) -> tuple[str, ...]:
        """What was not as it must be; empty where the provider and the control plane agree."""
        found: list[str] = []
        if len(set(self.spawned)) != FIVE:
            found.append(f"five instances, and not {self.spawned}")
        if self.drift != Drift((self.lost,), (), (self.drifted,)):
            found.append(f"{self.lost} missing and {self.drifted} changed, and not {self.drift}")
        if self.settled != Drift((), (), ()):
            found.append(f"no drift after the repair, and not {self.settled}")
        if self.receipts.get(TaskType.HEALTH_CHECK.value) is not ReceiptStatus.COMPLETED:
            found.append(f"a completed health check, and not {self.receipts}")
        if self.left:
            found.append(f"nothing after the drain, and not {self.left}")
        found.extend(self.failures)
        return tuple(found)


@dataclass(frozen=True)
class Scenario:
    """How to play it.

    Attributes:
        spec: a spec that can be spawned.
        bootstrap: what the instances run.
        patience: seconds for an instance to run, and for a change to be seen.
    """

    spec: str
    bootstrap: BootstrapConfig
    patience: float = 30.0

    async def play(self, registration: ProviderRegistration[Any], control_id: str = "nomos-scenario") -> ScenarioReport:
        """Play it with one provider, which is registered, drained and shut down, whatever happens."""
        plane = ControlPlane(control_id, patience=self.patience)
        name = await plane.register(registration)
        try:
            return await self._play(plane, name, registration)
        finally:
            await plane.drain(name)
            await plane.shutdown()

    async def _play(self, plane: ControlPlane, name: str, registration: ProviderRegistration[Any]) -> ScenarioReport:
        provider = registration.provider
        made = [await plane.spawn(name, self.spec, self.bootstrap) for _ in range(FIVE)]
        for one in made:
            if not is_generic(one):
                raise AssertionError(f"{one} has fields beside the generic ones")
            await self._until(provider, one, InstanceStatus.RUNNING)
        beat = await plane.heartbeat(name, [HeartbeatTask(TaskType.HEALTH_CHECK.value)])
        lost, drifted = made[1], made[3]
        await provider.terminate(lost.id)
        await self._until(provider, lost, None)
        entry = next(one for one in plane.record(name).values() if one.instance and one.instance.id == drifted.id)
        entry.see(replace(drifted, spec=f"{drifted.spec}-before"))
        drift = await plane.reconcile(name)
        entry.see(drifted)
        settled = await plane.reconcile(name)
        return ScenarioReport(
            spawned=tuple(one.id for one in made),
            lost=lost.id,
            drifted=drifted.id,
            drift=drift,
            settled=settled,
            receipts={one.type: one.status for one in beat.receipts},
            left=await plane.drain(name),
            failures=tuple(str(one) for one in plane.failures),
        )

    async def _until(self, provider: Any, instance: ProviderInstance, wanted: InstanceStatus | None) -> None:
        """Wait until *instance* has a status; None waits until it is gone."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            found = await provider.get(instance.id)
            status = None if found is None or found.status in GONE else found.status
            if status is wanted:
                return
            await asyncio.sleep(PAUSE if found is not None else PAUSE / 10)
        raise TimeoutError(f"{instance.id} is not {wanted or 'gone'} within {self.patience:g} s")
