"""Mutants of flags: claimed and not there, there and not claimed."""

from __future__ import annotations

import itertools
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapScript,
    CreateSnapshotOptions,
    FeatureName,
    HeartbeatExpectations,
    HeartbeatReceipts,
    InterruptionBehavior,
    ProviderError,
    ProviderInstance,
    ProviderRegistration,
    ReceiptStatus,
    SnapshotRequest,
    SpawnOptions,
    SpotOptions,
    SpotPriceInfo,
    SpotRequest,
    TaskReceipt,
)
from nomos_mutants.compute.original import Config, Original, mutant
from nomos_mutants.compute.scripting import script
from nomos_reference.compute.memory import MemoryHooks
from nomos_reference.compute.workflows import WarmVolumes


def unsupported(what: str) -> ProviderError:
    """Return the error of what is not there."""
    return ProviderError(f"{what} is not supported", "UNSUPPORTED_OPERATION", provider="memory")


@mutant("CMP-FLAG-001", defect="a flag has another spelling")
class CamelCase(Original):
    """Writes flags as in another language."""

    @property
    def capabilities(self) -> frozenset[str]:
        """Write one in camelCase."""
        return super().capabilities | {"multiRegion"}


@mutant(
    "CMP-FLAG-101",
    defect="snapshots are declared and refused from the second call on",
    also=("CMP-SNAP-001", "CMP-SNAP-004"),
)
class SnapshotOnce(Original):
    """Refuses when it is busy."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._made = itertools.count(1)

    async def create_snapshot(self, provider_id: str, options: CreateSnapshotOptions) -> SnapshotRequest:
        """Refuse from the second call on."""
        if next(self._made) > 1:
            raise unsupported("create_snapshot")
        return await super().create_snapshot(provider_id, options)


@mutant("CMP-FLAG-102", defect="spot is declared and prices are refused from the third call on", also=("CMP-SPOT-003",))
class PricesTwice(Original):
    """Refuses when it was asked often."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._asked = itertools.count(1)

    async def get_spot_prices(self, spec: str, regions: tuple[str, ...] | None = None) -> Iterable[SpotPriceInfo]:
        """Refuse from the third call on."""
        if next(self._asked) > 2:  # the third one
            raise unsupported("get_spot_prices")
        return await super().get_spot_prices(spec, regions)


@mutant("CMP-FLAG-103", defect="gpu is declared and cuda refused")
class NoCuda(Original):
    """Knows the driver alone."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Refuse the toolkit."""
        if any(one.name is FeatureName.CUDA for one in cfg.features):
            raise unsupported("cuda")
        return super().generate_bootstrap(cfg)


@mutant("CMP-FLAG-104", defect="multi_region is declared and get knows one region")
class GetInDefault(Original):
    """Asks its own region."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Ask the default region, where a region is given."""
        return await super().get(provider_id, region and self.settings.regions[0])


@mutant("CMP-FLAG-105", defect="persistent_volumes is declared and the volume ignored")
class IgnoresVolume(Original):
    """Left for later."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Drop the volume."""
        return await super().spawn(replace(options, volume_id=None))


class _NoWarm(Original):
    """Has no workflow for warm volumes."""

    def registration(self) -> ProviderRegistration[Any]:
        """Leave it out."""
        made = super().registration()
        return replace(
            made, workflows={name: one for name, one in (made.workflows or {}).items() if "warm" not in name}
        )


@mutant("CMP-FLAG-106", defect="warm_volumes is declared and there is no workflow for them")
class NoWarmVolumes(_NoWarm):
    """Left for later."""


@mutant("CMP-FLAG-107", defect="hibernation is declared and refused")
class NoHibernation(Original):
    """Refuses it at the vendor's."""

    async def request_spot_instance(self, options: SpotOptions) -> SpotRequest:
        """Refuse it."""
        if options.interruption_behavior is InterruptionBehavior.HIBERNATE:
            raise unsupported("to hibernate")
        return await super().request_spot_instance(options)


class _Receipts(MemoryHooks):
    """Changes receipts."""

    def change(self, receipt: TaskReceipt) -> TaskReceipt:
        """Return the changed receipt."""
        return receipt

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Change all."""
        made = await super().on_heartbeat(expectations)
        return replace(made, receipts=tuple(self.change(one) for one in made.receipts))


class _EmptyPrices(_Receipts):
    def change(self, receipt: TaskReceipt) -> TaskReceipt:
        """Empty the prices."""
        return replace(receipt, result={}) if receipt.type == "refresh_pricing" and receipt.result else receipt


@mutant("CMP-FLAG-108", defect="cost_explorer is declared and there are no prices")
class NoPrices(Original):
    """Completes the task without doing it."""

    hooks_type = _EmptyPrices


@mutant("CMP-FLAG-109", defect="tailscale_native is declared and the script installs it")
class InstallsTailscale(Original):
    """Installs it twice."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Install it."""
        flags = self.settings.capabilities
        plain = Original({"capabilities": [one for one in flags if one != "tailscale_native"]})
        return plain.generate_bootstrap(cfg) if cfg.features else super().generate_bootstrap(cfg)


@mutant("CMP-FLAG-109", "coded", defect="tailscale_native is declared and the script installs it from base64")
class InstallsCoded(InstallsTailscale):
    """Unpacks a script that installs it; its base64 has no padding, and words follow it."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Hide it."""
        made = super().generate_bootstrap(cfg)
        return script(re.sub(".*tailscale.*", _hidden, made.content), made.format)


def _hidden(line: re.Match[str]) -> str:
    coded = b64encode(line[0].encode().ljust(len(line[0]) // 3 * 3 + 3)).decode()
    return f"base64 -d <<EOF | sh\n{coded}\nEOF"


@mutant("CMP-FLAG-111", defect="custom_networking is declared and the network ignored")
class IgnoresNetwork(Original):
    """Left for later."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Drop the network."""
        return await super().spawn(replace(options, network_config=None))


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


@mutant(
    "CMP-FLAG-202", "spawn", defect="without the flag spot, spawn takes spot and ignores it", also=("CMP-ERROR-014",)
)
class SpawnIgnoresSpot(Original):
    """Forgets the option."""

    without = ("spot",)

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Ignore it."""
        return await super().spawn(replace(options, spot=None))


@mutant("CMP-FLAG-206", defect="warm_volumes works and is not declared")
class QuietWarmVolumes(Original):
    """Has the workflow and does not say so."""

    without = ("warm_volumes",)

    def registration(self) -> ProviderRegistration[Any]:
        """Add it."""
        made = super().registration()
        return replace(made, workflows={**(made.workflows or {}), "warm-volumes": WarmVolumes(self)})


class _Prices(_Receipts):
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
