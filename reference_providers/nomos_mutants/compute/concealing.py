"""Mutants of flags: there and not claimed, or left out in silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapFeature,
    BootstrapScript,
    FeatureName,
    HeartbeatExpectations,
    HeartbeatReceipts,
    ProviderInstance,
    ProviderRegistration,
    ReceiptStatus,
    SpawnOptions,
    TaskReceipt,
)
from nomos_mutants.compute.claiming import Receipts
from nomos_mutants.compute.original import Config, Original, mutant
from nomos_mutants.compute.scripting import script
from nomos_reference.compute.memory import MemoryHooks
from nomos_reference.compute.workflows import WarmVolumes


class _Quiet(Original):
    """Works as if it declared everything, and says less."""

    hidden: ClassVar[str] = ""

    @property
    def capabilities(self) -> frozenset[str]:
        """Say less."""
        return super().capabilities - {self.hidden}

    def need(self, capability: str, what: str) -> None:
        """Refuse nothing that works."""
        if capability != self.hidden:
            super().need(capability, what)


def quiet(flag: str, clause: str, *also: str, variant: str = "", base: type[Original] = _Quiet) -> type[Original]:
    """Return the mutant that has *flag* and does not declare it."""
    name = f"Quiet{flag.title().replace('_', '')}"
    made = type(name, (base,), {"hidden": flag, "__module__": __name__, "__doc__": f"Has {flag} and does not say so."})
    found: type[Original] = mutant(clause, variant, defect=f"{flag} works and is not declared", also=also)(made)
    return found


QuietSnapshots = quiet("snapshots", "CMP-FLAG-201")
QuietSpot = quiet("spot", "CMP-FLAG-202")
QuietGpu = quiet("gpu", "CMP-FLAG-203")
QuietRegions = quiet("multi_region", "CMP-FLAG-204")
QuietVolumes = quiet("persistent_volumes", "CMP-FLAG-205")
QuietHibernation = quiet("hibernation", "CMP-FLAG-207")
QuietNetworks = quiet("custom_networking", "CMP-FLAG-211")


@mutant("CMP-FLAG-201", "late", defect="without the flag snapshots, one of its methods works all the same")
class LookupWorks(Original):
    """Forgets one method."""

    without = ("snapshots",)

    async def get_snapshot_by_name(self, name: str) -> None:
        """Answer nothing."""
        return


@mutant("CMP-FLAG-201", "spawn", defect="without the flag snapshots, spawn takes a snapshot and ignores it")
class SpawnIgnoresSnapshot(Original):
    """Forgets the option."""

    without = ("snapshots",)

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Ignore it."""
        return await super().spawn(replace(options, snapshot_id=None))


@mutant(
    "CMP-FLAG-202", "spawn", defect="without the flag spot, spawn takes spot and ignores it", also=("CMP-ERROR-014",)
)
class SpawnIgnoresSpot(Original):
    """Forgets the option."""

    without = ("spot",)

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Ignore it."""
        return await super().spawn(replace(options, spot=None))


class _NoGpu(Original):
    """Refuses features for GPUs, but for some."""

    without = ("gpu",)

    def forgets(self, feature: BootstrapFeature) -> bool:
        """Whether a feature is left out in silence."""
        return False

    def plain(self, cfg: BootstrapConfig) -> BootstrapConfig:
        """Return a configuration without what is left out."""
        return replace(cfg, features=tuple(one for one in cfg.features if not self.forgets(one)))


@mutant("CMP-FLAG-203", "version", defect="without the flag gpu, a feature with a version is left out in silence")
class VersionPasses(_NoGpu):
    """Looks the feature up by name and version."""

    def forgets(self, feature: BootstrapFeature) -> bool:
        """With a version."""
        return feature.name is FeatureName.CUDA and feature.version is not None

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Leave it out."""
        return super().generate_bootstrap(self.plain(cfg))


@mutant("CMP-FLAG-203", "spawn", defect="without the flag gpu, spawn leaves its features out in silence")
class SpawnForgetsFeatures(_NoGpu):
    """Refuses them where a script is asked for, and nowhere else."""

    def forgets(self, feature: BootstrapFeature) -> bool:
        """Both of them."""
        return feature.name in {FeatureName.CUDA, FeatureName.NVIDIA_DRIVER}

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Leave them out."""
        return await super().spawn(replace(options, bootstrap=self.plain(options.bootstrap)))


@mutant("CMP-FLAG-206", defect="warm_volumes works and is not declared")
class QuietWarmVolumes(Original):
    """Has the workflow and does not say so."""

    without = ("warm_volumes",)

    def registration(self) -> ProviderRegistration[Any]:
        """Add it."""
        made = super().registration()
        return replace(made, workflows={**(made.workflows or {}), "warm-volumes": WarmVolumes(self)})


class _Prices(Receipts):
    def change(self, receipt: TaskReceipt) -> TaskReceipt:
        """Complete the task."""
        if (
            receipt.type != "refresh_pricing"
            or receipt.status is ReceiptStatus.DEFERRED
            or "deadline" in (receipt.reason or "")
        ):
            return receipt
        return TaskReceipt(receipt.type, ReceiptStatus.COMPLETED, result={"prices": {"small": 0.05}})

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Complete it before the deadline alone."""
        import time

        if expectations.deadline < time.time() * 1000:
            return await MemoryHooks.on_heartbeat(self, expectations)
        return await super().on_heartbeat(expectations)


@mutant("CMP-FLAG-208", defect="cost_explorer works and is not declared")
class QuietPrices(Original):
    """Has prices and does not say so."""

    without = ("cost_explorer",)
    hooks_type = _Prices


@mutant("CMP-FLAG-209", defect="without the flag tailscale_native the feature is left out in silence")
class DropsTailscale(Original):
    """Forgets the feature."""

    without = ("tailscale_native",)

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Drop it."""
        rest = tuple(one for one in cfg.features if one.name is not FeatureName.TAILSCALE)
        return super().generate_bootstrap(replace(cfg, features=rest))


@mutant("CMP-FLAG-209", "comment", defect="without the flag tailscale_native the script has a comment on it")
class MentionsTailscale(DropsTailscale):
    """Left for later."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Say that it was left for later."""
        made = super().generate_bootstrap(cfg)
        wanted = any(one.name is FeatureName.TAILSCALE for one in cfg.features)
        return script(f"{made.content}# tailscale: later\n", made.format) if wanted else made


@mutant("CMP-FLAG-210", defect="idempotent_spawn works and is not declared")
class QuietIdempotency(Original):
    """Is idempotent and does not say so."""

    @classmethod
    def mutated(cls, config: Config) -> ProviderRegistration[Any]:
        """Declare less than there is."""
        return cls(config).registration()

    @property
    def capabilities(self) -> frozenset[str]:
        """Say less."""
        return super().capabilities - {"idempotent_spawn"}

    def _existing(self, options: SpawnOptions) -> Any:
        """Look nevertheless."""
        before = self._spawned.get((options.control_id, options.instance_id))
        machine = before and self.cloud.peek(before[1])
        return machine if machine and machine.terminated is None else None


@mutant("CMP-FLAG-211", "groups", defect="without the flag custom_networking, security groups alone are ignored")
class SpawnIgnoresGroups(Original):
    """Looks for a subnet alone."""

    without = ("custom_networking",)

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Ignore them."""
        network = options.network_config
        if network is not None and network.subnet_id is None and network.vpc_id is None:
            options = replace(options, network_config=None)
        return await super().spawn(options)
