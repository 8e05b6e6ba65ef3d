"""Mutants of flags: claimed and not there."""

from __future__ import annotations

import itertools
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

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
    SnapshotRequest,
    SpawnOptions,
    SpotOptions,
    SpotPriceInfo,
    SpotRequest,
    SpotRequestType,
    TaskReceipt,
)
from nomos_mutants.compute.original import Original, mutant
from nomos_mutants.compute.scripting import script
from nomos_reference.compute.memory import MemoryHooks


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


class _Ends(Original):
    """Terminates some."""

    def reached(self, home: bool, region: str | None) -> bool:
        """Say whether an instance, in the default region or not, is reached with *region*."""
        raise NotImplementedError

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Pass over what is not reached."""
        found = await self.get(provider_id)
        if found is None or self.reached(found.region == self.settings.regions[0], region):
            await super().terminate(provider_id, region)


@mutant("CMP-FLAG-104", "end", defect="terminate without a region ends nothing outside of the default one")
class EndsAtHome(_Ends):
    """Asks its own region where none is given, and is content with what is not there."""

    def reached(self, home: bool, region: str | None) -> bool:
        """Need a region elsewhere."""
        return home or region is not None


@mutant("CMP-FLAG-104", "region", defect="terminate with another region than the default one ends nothing")
class EndsNothingThere(_Ends):
    """Uses the region for a request that it does not send."""

    def reached(self, home: bool, region: str | None) -> bool:
        """Need none elsewhere."""
        return home or region is None


@mutant("CMP-FLAG-105", defect="persistent_volumes is declared and the volume ignored")
class IgnoresVolume(Original):
    """Left for later."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Drop the volume."""
        return await super().spawn(replace(options, volume_id=None))


@mutant("CMP-FLAG-105", "region", defect="an unknown volume is accepted in another region than the first")
class VolumesOfOneRegion(Original):
    """Looks for volumes in its own region alone."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Drop the volume elsewhere."""
        if options.region == self.settings.regions[-1] and options.volume_id not in self.settings.volumes:
            options = replace(options, volume_id=None)
        return await super().spawn(options)


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


@mutant("CMP-FLAG-107", "persistent", defect="hibernation is declared and refused for requests that persist")
class HibernatesOnce(Original):
    """Has built it for one kind of request."""

    async def request_spot_instance(self, options: SpotOptions) -> SpotRequest:
        """Refuse it for the other kind."""
        hibernates = options.interruption_behavior is InterruptionBehavior.HIBERNATE
        if hibernates and options.request_type is SpotRequestType.PERSISTENT:
            raise unsupported("to hibernate again")
        return await super().request_spot_instance(options)


class Receipts(MemoryHooks):
    """Changes receipts."""

    def change(self, receipt: TaskReceipt) -> TaskReceipt:
        """Return the changed receipt."""
        return receipt

    async def on_heartbeat(self, expectations: HeartbeatExpectations) -> HeartbeatReceipts:
        """Change all."""
        made = await super().on_heartbeat(expectations)
        return replace(made, receipts=tuple(self.change(one) for one in made.receipts))


class _EmptyPrices(Receipts):
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
        return script(re.sub(r".*tailscale\.com/install.*", _hidden, made.content), made.format)


def _hidden(line: re.Match[str]) -> str:
    coded = b64encode(line[0].encode().ljust(len(line[0]) // 3 * 3 + 3)).decode()
    return f"base64 -d <<EOF | sh\n{coded}\nEOF"


@mutant("CMP-FLAG-111", defect="custom_networking is declared and the network ignored")
class IgnoresNetwork(Original):
    """Left for later."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Drop the network."""
        return await super().spawn(replace(options, network_config=None))


@mutant("CMP-FLAG-111", "vpc", defect="custom_networking is declared and vpc_id ignored")
class IgnoresVpc(Original):
    """Passes on the rest."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Drop it."""
        network = options.network_config
        return await super().spawn(replace(options, network_config=network and replace(network, vpc_id=None)))


@mutant("CMP-FLAG-111", "groups", defect="custom_networking is declared and security groups ignored")
class IgnoresGroups(Original):
    """Passes on the rest."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Drop them."""
        network = options.network_config
        network = network and replace(network, security_group_ids=None)
        return await super().spawn(replace(options, network_config=network))
