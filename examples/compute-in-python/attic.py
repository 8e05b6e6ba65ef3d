"""A compute provider whose machines are records in memory. Replace them by calls of your vendor, and keep the rest."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

from nomos_contracts.compute import interface as compute
from nomos_contracts.compute.interface import InstanceStatus, ProviderError, ProviderInstance, TaskReceipt
from nomos_contracts.registry.interface import FactoryContext, ProviderConfig

SPECS, REGION = ("small", "large"), "attic"
INSTALL = {"docker": "apt-get install -y docker.io"}


@dataclass
class Machine:
    instance: ProviderInstance
    tags: Mapping[str, str]

    def matches(self, wanted: compute.ListFilter) -> bool:
        one = self.instance
        return (
            (wanted.status is None or one.status in wanted.status)
            and wanted.spec in (None, one.spec)
            and wanted.region in (None, one.region)
            and (wanted.tags or {}).items() <= self.tags.items()
        )


class Attic:
    name = "attic"

    def __init__(self, places: int) -> None:
        self.places = places
        self.machines: dict[str, Machine] = {}
        self.spawned: dict[tuple[str, int], Machine] = {}

    async def spawn(self, options: compute.SpawnOptions) -> ProviderInstance:
        check(options)
        self.generate_bootstrap(options.bootstrap)
        key = (options.control_id, options.instance_id)
        if key not in self.spawned:
            if len(self.living()) >= self.places:
                raise error("there is no place left in the attic", "CAPACITY_ERROR")
            name, now = f"attic-{len(self.machines) + 1}", round(time.time() * 1000)
            made = ProviderInstance(name, InstanceStatus.RUNNING, options.spec, now, region=REGION)
            self.spawned[key] = self.machines[name] = Machine(made, options.tags or {})
        return self.spawned[key].instance

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        if provider_id not in self.machines:
            raise error("there is no such instance", "NOT_FOUND")
        machine = self.machines[provider_id]
        machine.instance = replace(machine.instance, status=InstanceStatus.TERMINATED)

    async def list(self, filter: compute.ListFilter | None = None) -> Iterable[ProviderInstance]:
        wanted = filter or compute.ListFilter()
        if (wanted.limit or 0) < 0:
            raise error("limit: must not be negative", "INVALID_SPEC")
        among = self.machines.values() if wanted.include_terminated else self.living()
        return [one.instance for one in among if one.matches(wanted)][: wanted.limit]

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        return self.machines[provider_id].instance if provider_id in self.machines else None

    def living(self) -> tuple[Machine, ...]:
        return tuple(one for one in self.machines.values() if one.instance.status is InstanceStatus.RUNNING)

    def generate_bootstrap(self, cfg: compute.BootstrapConfig) -> compute.BootstrapScript:
        user = cfg.init_script or ""
        if not all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name in cfg.environment):
            raise error("environment: a name is not that of a variable", "INVALID_SPEC")
        if cfg.init_checksum not in (None, hashlib.sha256(user.encode()).hexdigest()):
            raise error("init_checksum: is not that of init_script", "INVALID_SPEC")
        lines = ["#!/bin/sh", "set -eu", 'cd "$(mktemp -d)"']
        env = " ".join(["env", *(quote(f"{name}={value}") for name, value in sorted(cfg.environment.items()))])
        for feature in cfg.features:
            if feature.name not in INSTALL:
                raise error(f"features: the attic has no {feature.name}", "UNSUPPORTED_OPERATION")
            settings = [text for pair in sorted((feature.config or {}).items()) for text in pair]
            lines += [": " + " ".join(map(quote, [feature.version or "", *settings])), INSTALL[feature.name]]
        lines += [f"curl -fsSL -o agent -- {quote(cfg.agent_url)}", "chmod 0700 agent"]
        lines += [f"printf %s {quote(user)} > init.sh", f"{env} /bin/sh ./init.sh"]
        env += " " + quote(f"NOMOS_REGISTRATION_TOKEN={cfg.registration_token}")
        content = "\n".join([*lines, f"{env} ./agent {quote(cfg.control_plane_url)}", ""])
        if "\0" in content:
            raise error("a value holds a NUL character", "INVALID_SPEC")
        checksum = hashlib.sha256(content.encode()).hexdigest()
        return compute.BootstrapScript(content, compute.BootstrapFormat.SHELL, checksum)

    capabilities = frozenset({"idempotent_spawn"})


def check(options: compute.SpawnOptions) -> None:
    if options.spec not in SPECS:
        raise error(f"spec: there are {' and '.join(SPECS)}", "INVALID_SPEC")
    for field in ("spot", "snapshot_id", "volume_id", "network_config"):
        if getattr(options, field):
            raise error(f"{field}: the attic has no such thing", "UNSUPPORTED_OPERATION")
    if options.region not in (None, REGION):
        raise error(f"region: there is {REGION} alone", "UNSUPPORTED_OPERATION")


class Hooks:
    def __init__(self, attic: Attic) -> None:
        self.attic = attic

    async def on_startup(self) -> None: ...

    async def on_shutdown(self) -> None: ...

    async def on_heartbeat(self, expectations: compute.HeartbeatExpectations) -> compute.HeartbeatReceipts:
        return compute.HeartbeatReceipts(tuple(self.do(task, expectations.deadline) for task in expectations.tasks))

    def do(self, task: compute.HeartbeatTask, deadline: int) -> TaskReceipt:
        work = {"health_check": self.health_check, "reconcile_instances": self.reconcile}.get(task.type)
        if work is None:
            return TaskReceipt(task.type, compute.ReceiptStatus.SKIPPED, reason="the attic has no such task")
        if time.time() * 1000 >= deadline:
            return TaskReceipt(task.type, compute.ReceiptStatus.DEFERRED, reason="the deadline has passed")
        try:
            return TaskReceipt(task.type, compute.ReceiptStatus.COMPLETED, work(task.params or {}))
        except Exception as wrong:
            return TaskReceipt(task.type, compute.ReceiptStatus.FAILED, reason=f"{task.type} failed: {wrong!r}")

    def health_check(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"instances": len(self.attic.living())}

    def reconcile(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        expected = {record["id"]: record for record in params["expected"]}
        there = {one.instance.id: one.instance for one in self.attic.living()}
        missing, extra = sorted(expected.keys() - there.keys()), sorted(there.keys() - expected.keys())
        changed = sorted(i for i in expected.keys() & there.keys() if not expected[i].items() <= vars(there[i]).items())
        return {"missing": missing, "extra": extra, "changed": changed}


def error(message: str, code: str) -> ProviderError:
    return ProviderError(message, code, provider=Attic.name)


def new_attic(ctx: FactoryContext, config: ProviderConfig) -> compute.ProviderRegistration[Attic]:
    attic = Attic(places=config.custom_fields.get("places", 100))
    return compute.ProviderRegistration(attic, Hooks(attic))
