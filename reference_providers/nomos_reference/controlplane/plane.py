"""The control plane: registrations, hooks, heartbeats, reconciliation, workflows, drain."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    HeartbeatExpectations,
    HeartbeatReceipts,
    HeartbeatTask,
    Provider,
    ProviderError,
    ProviderInstance,
    ProviderRegistration,
    ProviderSnapshot,
    ReceiptStatus,
    SpawnOptions,
    TaskReceipt,
    declared,
)
from nomos_reference.compute.reconcile import Drift, reconcile
from nomos_reference.controlplane.record import GONE, Entry
from nomos_reference.controlplane.workflows import as_error, run_workflow

Generic = Provider[ProviderInstance, ProviderSnapshot]

TRIES = 5
"""How often something that may be tried again is tried."""

PAUSE = 0.05
"""Seconds between two looks or tries, where a failure does not say how long to wait."""


class RegistrationError(Exception):
    """A registration that was not taken; the message says why."""


@dataclass
class _Registered:
    registration: ProviderRegistration[Any]
    entries: dict[int, Entry] = field(default_factory=dict[int, Entry])

    @property
    def provider(self) -> Generic:
        provider: Generic = self.registration.provider
        return provider


class ControlPlane:
    """Asks providers for instances and keeps the record of them.

    Attributes:
        control_id: its identity, part of every spawn.
        failures: what hooks raised that must not stop it, oldest first.
    """

    def __init__(self, control_id: str, *, patience: float = 30.0) -> None:
        """Begin without a provider.

        Args:
            control_id: its identity.
            patience: seconds for a change to be seen.
        """
        self.control_id = control_id
        self.failures: list[ProviderError] = []
        self._patience = patience
        self._numbers = itertools.count(1)
        self._registered: dict[str, _Registered] = {}

    @property
    def providers(self) -> tuple[str, ...]:
        """Names of the registered providers, in their order."""
        return tuple(self._registered)

    async def register(self, registration: ProviderRegistration[Any]) -> str:
        """Start a provider and take it in; returns its name.

        Raises:
            RegistrationError: there is one of that name, its flags are unknown, or its start failed.
        """
        provider: Generic = registration.provider
        if provider.name in self._registered:
            raise RegistrationError(f"{provider.name} is registered")
        try:
            declared(provider.capabilities)
            await registration.hooks.on_startup()
        except Exception as error:
            raise RegistrationError(f"{provider.name}: {as_error(error, provider.name)}") from error
        self._registered[provider.name] = _Registered(registration)
        return provider.name

    def _of(self, name: str) -> _Registered:
        try:
            return self._registered[name]
        except KeyError:
            raise ProviderError(f"there is no provider {name}", "NOT_FOUND", provider=name) from None

    def record(self, name: str) -> Mapping[int, Entry]:
        """Return the record of one provider: spawns by number."""
        return self._of(name).entries

    async def spawn(self, name: str, spec: str, bootstrap: BootstrapConfig, **options: Any) -> ProviderInstance:
        """Ask for an instance; what may be tried again is tried again where spawn is idempotent.

        Raises:
            ProviderError: nothing was created, or nobody knows.
        """
        one = self._of(name)
        number = next(self._numbers)
        given: Mapping[str, str] = options.pop("tags", None) or {}
        tags = {"control": self.control_id, **given}
        wanted = SpawnOptions(spec, self.control_id, number, bootstrap, tags=tags, **options)
        entry = one.entries[number] = Entry(wanted)
        repeatable = "idempotent_spawn" in declared(one.provider.capabilities)
        for left in reversed(range(TRIES if repeatable else 1)):
            try:
                return entry.see(await one.provider.spawn(wanted))
            except Exception as error:
                known = as_error(error, name)
                if not known.retryable or not left:
                    entry.wanted = False
                    raise known from error
                await asyncio.sleep(PAUSE if known.retry_after is None else known.retry_after)
        raise AssertionError("a loop that returns or raises")

    async def terminate(self, name: str, number: int) -> None:
        """End an instance of the record.

        Raises:
            ProviderError: it cannot be ended.
        """
        one = self._of(name)
        entry = one.entries[number]
        entry.wanted = False
        if entry.instance is not None:
            await one.provider.terminate(entry.instance.id, entry.instance.region)

    async def heartbeat(self, name: str, tasks: Iterable[HeartbeatTask], seconds: float = 10.0) -> HeartbeatReceipts:
        """Have a provider do tasks; a receipt for each, whatever its hook does, soon after the deadline."""
        one = self._of(name)
        asked = tuple(tasks)
        expectations = HeartbeatExpectations(asked, round((time.time() + seconds) * 1000))
        try:
            made = await asyncio.wait_for(one.registration.hooks.on_heartbeat(expectations), seconds + 1)
        except Exception as error:  # noqa: BLE001 # a failing hook never fails its host
            known = as_error(error, name)
            self.failures.append(known)
            failed = [TaskReceipt(task.type, ReceiptStatus.FAILED, reason=known.message) for task in asked]
            return HeartbeatReceipts(tuple(failed))
        missing = [task for task in asked if task.type not in {receipt.type for receipt in made.receipts}]
        lost = [TaskReceipt(task.type, ReceiptStatus.FAILED, reason="there was no receipt") for task in missing]
        return HeartbeatReceipts(
            (*made.receipts, *lost), made.provider_tasks, made.workflows_launched, made.next_heartbeat
        )

    async def reconcile(self, name: str) -> Drift:
        """Compare the record with what the provider lists; instances of others are nobody's business.

        What is seen is written down, what is missing is not wanted any more.
        """
        one = self._of(name)
        listed = {instance.id: instance for instance in await one.provider.list()}
        known = {entry.instance.id: entry for entry in one.entries.values() if entry.instance is not None}
        expected = [entry.expected() for entry in known.values() if entry.wanted]
        drift = reconcile(expected, [instance for key, instance in listed.items() if key in known])
        for key, entry in known.items():
            if key in drift.missing:
                entry.wanted = False
            elif key in listed and key not in drift.changed:
                entry.see(listed[key])
        return drift

    async def run(self, name: str, kind: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run a workflow of a provider and return its output.

        Raises:
            ProviderError: there is none of that type, or its input was refused.
            WorkflowFailure: it failed and was taken back.
        """
        found = (self._of(name).registration.workflows or {}).get(kind)
        if found is None:
            raise ProviderError(f"{name} has no workflow {kind}", "NOT_FOUND", provider=name)
        return await run_workflow(found, arguments)

    async def drain(self, name: str) -> tuple[str, ...]:
        """End everything in the record of a provider; returns the ids that are still there when patience ends."""
        one = self._of(name)
        for number, entry in one.entries.items():
            if entry.instance is not None:
                try:
                    await self.terminate(name, number)
                except ProviderError as error:
                    self.failures.append(error)
        ids = {entry.instance.id for entry in one.entries.values() if entry.instance is not None}
        end = time.monotonic() + self._patience
        while True:
            left = tuple(sorted({i.id for i in await one.provider.list() if i.status not in GONE} & ids))
            if not left or time.monotonic() >= end:
                return left
            await asyncio.sleep(PAUSE)

    async def shutdown(self) -> None:
        """Shut all providers down, the last one first; one that fails does not keep the others."""
        while self._registered:
            name, one = self._registered.popitem()
            try:
                await one.registration.hooks.on_shutdown()
            except Exception as error:  # noqa: BLE001 # noted; the others still end
                self.failures.append(as_error(error, name))
