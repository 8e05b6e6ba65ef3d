"""The OrbStack provider: containers of a real engine, or machines of the `orb` command, as instances.

OrbStack where it is, else any Docker engine. An engine is used as it is found: never started, changed or restarted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import Any, Final, ParamSpec, TypeVar

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapFormat,
    BootstrapScript,
    FeatureName,
    InstanceStatus,
    ListFilter,
    ProviderError,
    ProviderInstance,
    ProviderRegistration,
    SpawnOptions,
)
from nomos_contracts.registry.interface import FactoryContext, ProviderConfig, ProviderInfo
from nomos_reference.compute.bootstrap import generate
from nomos_reference.compute.filters import matching
from nomos_reference.compute.orbstack_backend import Backend, BootstrapOutcome, Found, NameTakenError, Wish
from nomos_reference.compute.orbstack_containers import Containers
from nomos_reference.compute.orbstack_drift import ContainerDrift
from nomos_reference.compute.orbstack_engine import missing_sdk
from nomos_reference.compute.orbstack_hooks import OrbstackHooks
from nomos_reference.compute.orbstack_labels import (
    INSTANCE,
    KIND,
    OPTIONS,
    instance_labels,
    instance_of,
    name_of,
    scope,
    tags_of,
)
from nomos_reference.compute.orbstack_settings import NAME, OrbstackSettings, read_settings
from nomos_reference.compute.orbstack_snapshots import OrbstackSnapshots

CAPABILITIES: Final = frozenset({"snapshots", "tailscale_native", "idempotent_spawn"})

GPU_FEATURES: Final = frozenset({FeatureName.NVIDIA_DRIVER, FeatureName.CUDA})

HANDOVER: Final = 3.0
"""Seconds that the spawn which made an instance has to start it, before another spawn of the same does."""

PAUSE: Final = 0.1
"""Seconds between two looks at what another spawn, or a removal, is at."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def backend_of(settings: OrbstackSettings) -> Backend:
    """Return what makes the instances; nothing is asked of it yet."""
    if settings.kind == "machines":
        from nomos_reference.compute.orbstack_machines import Machines

        return Machines(settings)
    return Containers(settings)


class OrbstackProvider(OrbstackSnapshots):
    """A compute provider on an engine. Thread-safe: all that it knows stands on the engine.

    Attributes:
        settings: what it works with.
        backend: what makes its instances.
        scope: the labels of all that is its own.
    """

    name = NAME
    capabilities = CAPABILITIES

    def __init__(self, config: Mapping[str, Any] | None = None, *, backend: Backend | None = None) -> None:
        """Make one; the engine is looked for at the first call.

        Args:
            config: see `OrbstackSettings`.
            backend: what makes its instances, None for what the settings say.

        Raises:
            ProviderError: INVALID_SPEC; *config* cannot be used.
        """
        self.settings = read_settings(config or {})
        self.backend = backend or backend_of(self.settings)
        self.scope = scope(self.settings.run, self.settings.worker)

    async def run(
        self, work: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Do *work* in a thread: the engine's client blocks."""
        return await asyncio.to_thread(work, *args, **kwargs)

    def own(self, found: Found | None) -> Found | None:
        """Return *found* if it is an instance of this provider: others' are none of its business."""
        wanted = {**self.scope, KIND: INSTANCE}
        mine = found is not None and all(found.labels.get(key) == value for key, value in wanted.items())
        return found if mine else None

    def instances(self) -> list[Found]:
        """Return all instances, oldest first."""
        return list(self.backend.all({**self.scope, KIND: INSTANCE}))

    def shown(self, found: Found) -> ProviderInstance:
        """Return *found* with the generic fields; which engine it is on stands in its metadata."""
        facts = {"name": found.name, "engine": self.engine, "kind": self.settings.kind}
        return instance_of(found.id, found.status, found.labels, facts, ip=found.ip)

    @property
    def engine(self) -> str:
        """Which engine is used, in one line; empty before the first call."""
        known = getattr(self.backend, "known_facts", None)
        return "" if known is None else str(known.words)

    def wish(self, options: SpawnOptions) -> Wish:
        """Return what is to be made for *options*.

        Raises:
            ProviderError: UNSUPPORTED_OPERATION for what no flag is declared for, else INVALID_SPEC.
        """
        for given, what in (
            (options.spot, "a spot instance"),
            (options.volume_id, "a volume"),
            (options.network_config, "a network of one's own"),
            (options.region not in {None, self.settings.region}, f"another region than {self.settings.region}"),
        ):
            if given:
                raise ProviderError(f"this provider has no {what}", "UNSUPPORTED_OPERATION", provider=NAME)
        spec = self.settings.specs.get(options.spec)
        if spec is None:
            known = ", ".join(sorted(self.settings.specs))
            raise ProviderError(f"spec: there is no such size; there are {known}", "INVALID_SPEC", provider=NAME)
        if not options.control_id:
            raise ProviderError("control_id: must not be empty", "INVALID_SPEC", provider=NAME)
        if options.disk_size_gb is not None and options.disk_size_gb <= 0:
            raise ProviderError("disk_size_gb: must be over 0", "INVALID_SPEC", provider=NAME)
        script = self.generate_bootstrap(options.bootstrap)
        labels = instance_labels(
            options,
            self.scope,
            region=self.settings.region,
            created=int(time.time() * 1000),
            bootstrap=script.checksum,
        )
        mine = (self.settings.run, self.settings.worker, options.control_id, options.instance_id)
        name = name_of(self.settings.prefix, *mine)
        return Wish(name, labels, spec, script, options.snapshot_id, options.disk_size_gb)

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Create an instance; the same control and instance id give the same one while it is there."""
        return self.shown(await self.run(self._spawn, self.wish(options)))

    def _spawn(self, wish: Wish) -> Found:
        end = time.monotonic() + self.settings.timeout
        while time.monotonic() < end:
            found = self.backend.named(wish.name)
            if found is None:
                if (made := self._made(wish)) is not None:
                    self._start(made, wish)
                    found = self.backend.find(made)
            elif found.status is not InstanceStatus.TERMINATING:
                found = self._begun(self._same(found, wish), wish)
            if found is not None and found.status is not InstanceStatus.TERMINATING:
                return found
            # An engine keeps a name a little before the instance can be seen, and a little after.
            time.sleep(PAUSE)
        raise ProviderError("the instance was taken away while it was made", "INVALID_STATE", provider=NAME)

    def _made(self, wish: Wish) -> str | None:
        """Make the instance and return its id; None where somebody else was faster."""
        self._refuse_over_quota()
        if wish.snapshot is not None:
            self.snapshot_named_by_id(wish.snapshot)
        try:
            return self.backend.create(wish)
        except NameTakenError:
            return None

    def _start(self, identity: str, wish: Wish) -> None:
        try:
            self.backend.start(identity, wish)
        except ProviderError as error:
            now = self.backend.find(identity) if error.code in {"NOT_FOUND", "INVALID_STATE"} else None
            if error.code == "NOT_FOUND" or (now is not None and now.status is InstanceStatus.TERMINATING):
                return  # taken away in between: the caller looks
            if error.code not in {"NETWORK_ERROR", "TIMEOUT_ERROR"}:
                # What cannot run was not created. Where the answer was lost it may run: the same spawn finds it.
                self.backend.remove(identity)
            raise

    def _begun(self, identity: str, wish: Wish) -> Found | None:
        """Return an instance that another spawn has made, once it runs; start it where the other one was cut off."""
        end = time.monotonic() + HANDOVER
        while (found := self.backend.find(identity)) is not None and found.status is InstanceStatus.PENDING:
            if time.monotonic() >= end:
                self.backend.start(identity, wish)
                return self.backend.find(identity)
            time.sleep(PAUSE)
        return found

    def _same(self, found: Found, wish: Wish) -> str:
        if self.own(found) is None:
            raise ProviderError(f"{wish.name}: something else has this name", "ALREADY_EXISTS", provider=NAME)
        if found.labels.get(OPTIONS) != wish.labels[OPTIONS]:
            reason = "the same control and instance id were spawned with other options"
            raise ProviderError(reason, "ALREADY_EXISTS", provider=NAME, details={"id": found.id})
        return found.id

    def _refuse_over_quota(self) -> None:
        limit = self.settings.max_instances
        if limit is not None and len(self.instances()) >= limit:
            reason = f"max_instances: there may be {limit} instances, and there are"
            raise ProviderError(reason, "QUOTA_EXCEEDED", provider=NAME)

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Destroy an instance; one that is gone already, or is not of this provider, is left alone."""
        if self.elsewhere(region):
            return
        await self.run(self._terminate, provider_id)

    def _terminate(self, provider_id: str) -> None:
        found = self.own(self.backend.find(provider_id))
        if found is not None:
            self.backend.remove(found.id)

    def elsewhere(self, region: str | None) -> bool:
        """Whether *region* is another one than that of all instances."""
        return region not in {None, self.settings.region}

    async def list(self, filter: ListFilter | None = None) -> Iterable[ProviderInstance]:  # noqa: A002 # the interface's
        """Return all instances that match, oldest first."""
        found = await self.run(self.instances)
        pairs = [(tags_of(one.labels), self.shown(one)) for one in found]
        return matching(pairs, filter or ListFilter(), provider=NAME)

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Return an instance, None where there is none of that id."""
        if self.elsewhere(region):
            return None
        found = self.own(await self.run(self.backend.find, provider_id))
        return None if found is None else self.shown(found)

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Return the shell script that an instance runs first; Tailscale comes with the machine below it."""
        if any(feature.name in GPU_FEATURES for feature in cfg.features):
            raise ProviderError("this provider has no GPU", "UNSUPPORTED_OPERATION", provider=NAME)
        return generate(cfg, BootstrapFormat.SHELL, native=frozenset({FeatureName.TAILSCALE}), provider=NAME)

    async def bootstrap_outcome(self, provider_id: str) -> BootstrapOutcome | None:
        """Return what became of an instance's bootstrap, as it wrote it down itself; None as long as it runs.

        Raises:
            ProviderError: NOT_FOUND, there is no such instance.
        """
        found = self.own(await self.run(self.backend.find, provider_id))
        if found is None:
            raise ProviderError("provider_id: there is no such instance", "NOT_FOUND", provider=NAME)
        return await self.run(self.backend.bootstrap_outcome, found)


def make(config: Mapping[str, Any]) -> ProviderRegistration[OrbstackProvider]:
    """Return an OrbStack provider with its hooks.

    Raises:
        ProviderError: INVALID_SPEC, *config* cannot be used; INVALID_STATE, the extra `docker` is not installed.
    """
    provider = OrbstackProvider(config)
    if provider.settings.kind == "containers" and find_spec("docker") is None:
        raise missing_sdk()
    drift = ContainerDrift(provider) if provider.settings.kind == "containers" else None
    return ProviderRegistration(provider, OrbstackHooks(provider), drift=drift)


def new_orbstack(ctx: FactoryContext, config: ProviderConfig) -> ProviderRegistration[OrbstackProvider]:
    """Make one for a registry: `endpoint` is the engine, `timeout` what it has for one answer.

    Raises:
        ProviderError: as `make`.
    """
    ctx.check()
    common: dict[str, Any] = {}
    if config.endpoint is not None:
        common["engine"] = config.endpoint
    if config.timeout is not None:
        common["timeout"] = config.timeout.total_seconds()
    return make({**common, **config.custom_fields})


def absence() -> str:
    """Return why no instance can be made here with the default configuration, empty where it can."""
    backend = Containers(OrbstackSettings())
    try:
        backend.need_image()
    except ProviderError as error:
        return error.message
    finally:
        backend.close()
    return ""


def provider_info() -> ProviderInfo:
    """Return what a registry says of it."""
    return ProviderInfo(
        NAME,
        "orbstack",
        tuple(sorted(CAPABILITIES)),
        OrbstackSettings.model_json_schema(),
        (),
        OrbstackProvider.__doc__ or "",
    )
