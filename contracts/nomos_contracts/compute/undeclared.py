"""Flags that are not declared: what they gate is absent or refused."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.compute.flags import (
    GPU_FEATURES,
    REFUSED,
    WARM,
    installs,
    snapshot_calls,
    spot_calls,
    with_tailscale,
    words_of,
    workflow_types,
)
from nomos_contracts.compute.fleet import bootstrap, code_of, fleet_of, shaped, told
from nomos_contracts.compute.heartbeats import receipt_of
from nomos_contracts.compute.interface import (
    BootstrapFeature,
    FeatureName,
    InterruptionBehavior,
    NetworkConfig,
    ReceiptStatus,
    SpotRequestType,
    TaskType,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation, shorten


def undeclared(provider: InterfaceProvider, flag: str) -> None:
    """Go on only where *flag* is not declared.

    Raises:
        NotApplicable: it is declared.
    """
    if flag in provider.capabilities:
        raise NotApplicable(f"the provider declares {flag}")


def expect_refused(answer: Answer, flag: str, what: str, *others: str) -> None:
    """Say that something which *flag* gates is refused, and with which code.

    Raises:
        Violation: it is not.
    """
    code = code_of(answer)
    if code == REFUSED or (code in others and answer.code != "OK"):
        return
    claim = "works although the flag is not declared" if answer.code == "OK" else "fails in another way"
    raise Violation(f"without the flag {flag}, {what} is refused with {REFUSED}", f"{claim}: {told(answer)}", answer)


class UndeclaredFlagContract(Contract):
    """What a provider does not declare is not there, or refused with UNSUPPORTED_OPERATION.

    Declare what you have built; refuse at once what you have not, before anything is created.
    """

    @clause("CMP-FLAG-201")
    def test_no_snapshots(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each method is absent or refuses, and so does spawn with a snapshot."""
        undeclared(nomos_provider, "snapshots")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for method, arguments in snapshot_calls(fleet).items():
                expect_refused(nomos_provider.invoke(method, **arguments), "snapshots", method)
            if nomos_samples.spec:
                answer = fleet.try_spawn(snapshot_id=f"snap-{fleet.name()}")
                expect_refused(answer, "snapshots", "spawn with a snapshot", "INVALID_SPEC", "NOT_FOUND")

    @clause("CMP-FLAG-202")
    def test_no_spot(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each method is absent or refuses, and so does spawn with `spot`."""
        undeclared(nomos_provider, "spot")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for method, arguments in spot_calls(fleet).items():
                expect_refused(nomos_provider.invoke(method, **arguments), "spot", method)
            for price in (None, 1000.0):
                answer = fleet.try_spawn(spot=True, max_spot_price=price)
                expect_refused(answer, "spot", "spawn with spot", "INVALID_SPEC")

    @clause("CMP-FLAG-203")
    def test_no_gpu(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Neither driver nor toolkit, in whichever way, in a script or at spawn, nor the sample spec."""
        undeclared(nomos_provider, "gpu")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for name in GPU_FEATURES:
                answer = nomos_provider.invoke("generate_bootstrap", cfg=bootstrap(features=(BootstrapFeature(name),)))
                expect_refused(answer, "gpu", f"a bootstrap script with {name.value}")
                for features in self._in_other_ways(name):
                    answer = nomos_provider.invoke("generate_bootstrap", cfg=bootstrap(features=features))
                    expect_refused(answer, "gpu", f"a bootstrap script with {shorten(features)}", "INVALID_SPEC")
                if nomos_samples.spec:
                    answer = fleet.try_spawn(bootstrap=bootstrap(features=(BootstrapFeature(name),)))
                    expect_refused(answer, "gpu", f"spawn with {name.value}", "INVALID_SPEC")
            if nomos_samples.gpu_spec:
                expect_refused(fleet.try_spawn(spec=nomos_samples.gpu_spec), "gpu", "its spec", "INVALID_SPEC")

    @staticmethod
    def _in_other_ways(name: FeatureName) -> Sequence[tuple[BootstrapFeature, ...]]:
        return (
            (BootstrapFeature(name, version="12.4"),),
            (BootstrapFeature(name, config={"channel": "stable"}),),
            (BootstrapFeature(name, version="12.4", config={"channel": "stable"}),),
            (BootstrapFeature(FeatureName.DOCKER), BootstrapFeature(name)),
        )

    @clause("CMP-FLAG-204")
    def test_no_other_region(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """A made-up region is refused, and so is the second one of the samples."""
        undeclared(nomos_provider, "multi_region")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for region in (f"no-{fleet.name()}", *nomos_samples.regions[1:2]):
                answer = fleet.try_spawn(region=region)
                what = f"spawn in {region}"
                expect_refused(answer, "multi_region", what, "INVALID_SPEC", "REGION_UNAVAILABLE", "NOT_FOUND")

    @clause("CMP-FLAG-205")
    def test_no_volumes(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Spawn with a volume is refused."""
        undeclared(nomos_provider, "persistent_volumes")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            answer = fleet.try_spawn(volume_id=nomos_samples.volume or f"vol-{fleet.name()}")
            expect_refused(answer, "persistent_volumes", "spawn with a volume")

    @clause("CMP-FLAG-206")
    def test_no_warm_volumes(self, nomos_provider: InterfaceProvider) -> None:
        """The registration has no workflow for them."""
        undeclared(nomos_provider, "warm_volumes")
        if WARM in workflow_types(nomos_provider):
            raise Violation(f"without the flag warm_volumes no workflow {WARM}", "the registration has one")

    @clause("CMP-FLAG-207")
    def test_no_hibernation(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """A spot request that hibernates is refused, and so is one that persists."""
        undeclared(nomos_provider, "hibernation")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for kind, others in ((SpotRequestType.ONE_TIME, ()), (SpotRequestType.PERSISTENT, ("INVALID_SPEC",))):
                calls = spot_calls(fleet, request_type=kind, interruption_behavior=InterruptionBehavior.HIBERNATE)
                answer = fleet.followed(
                    nomos_provider.invoke("request_spot_instance", **calls["request_spot_instance"])
                )
                if "spot" not in nomos_provider.capabilities and code_of(answer) != REFUSED:
                    raise NotApplicable("the provider does not declare spot either")
                expect_refused(answer, "hibernation", f"a {kind.value} spot request that hibernates", *others)

    @clause("CMP-FLAG-208")
    def test_no_prices(self, nomos_provider: InterfaceProvider) -> None:
        """The task refresh_pricing is not completed."""
        undeclared(nomos_provider, "cost_explorer")
        answer, receipt = receipt_of(nomos_provider, TaskType.REFRESH_PRICING)
        if receipt.status is ReceiptStatus.COMPLETED:
            raise Violation("without the flag cost_explorer refresh_pricing is skipped", words_of(receipt), answer)

    @clause("CMP-FLAG-209")
    def test_no_native_tailscale(self, nomos_provider: InterfaceProvider) -> None:
        """The bootstrap script installs it, or the feature is refused; it is not left out in silence."""
        undeclared(nomos_provider, "tailscale_native")
        for version in (None, "1.60.0"):
            answer = nomos_provider.invoke("generate_bootstrap", cfg=with_tailscale(version))
            if not shaped(answer).ok:
                expect_refused(answer, "tailscale_native", "a bootstrap script with tailscale", "INVALID_SPEC")
                continue
            plain = nomos_provider.invoke("generate_bootstrap", cfg=bootstrap())
            if plain.ok and not installs(answer.value.content, plain.value.content):
                raise Violation(
                    "without the flag tailscale_native a script that installs tailscale", "one that does not", answer
                )

    @clause("CMP-FLAG-210")
    def test_no_idempotent_spawn(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """The same spawn again gives another instance, or fails."""
        undeclared(nomos_provider, "idempotent_spawn")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            options = fleet.options()
            first = fleet.spawn(options)
            again = shaped(fleet.try_spawn(options))
            if again.code == "OK" and again.value.id == first.id:
                raise Violation(
                    "without the flag idempotent_spawn the same spawn gives another instance", told(again), again
                )

    @clause("CMP-FLAG-211")
    def test_no_networks(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Spawn into a network is refused, whichever part of it is named."""
        undeclared(nomos_provider, "custom_networking")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            networks = [
                NetworkConfig(subnet_id=f"subnet-{fleet.name()}"),
                NetworkConfig(vpc_id=f"vpc-{fleet.name()}"),
                NetworkConfig(security_group_ids=(f"sg-{fleet.name()}",)),
            ]
            if nomos_samples.network is not None:
                networks.append(NetworkConfig(**nomos_samples.network.model_dump()))
            for network in networks:
                answer = fleet.try_spawn(network_config=network)
                expect_refused(answer, "custom_networking", f"spawn into {shorten(network)}")
