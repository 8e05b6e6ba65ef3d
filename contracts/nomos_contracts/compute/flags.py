"""Flags: what is declared works, what is not declared is refused; neither more nor less is claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import (
    Configured,
    Fleet,
    bootstrap,
    code_of,
    expect_taxonomy,
    fleet_of,
    shaped,
    told,
    words,
)
from nomos_contracts.compute.heartbeats import receipt_of
from nomos_contracts.compute.interface import (
    CAPABILITIES,
    BootstrapFeature,
    CreateSnapshotOptions,
    FeatureName,
    InterruptionBehavior,
    NetworkConfig,
    ProviderInstance,
    ReceiptStatus,
    SpotOptions,
    SpotRequestType,
    TaskType,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.texts import plain_text, without_comments
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, shorten

REFUSED: Final = "UNSUPPORTED_OPERATION"
WARM: Final = "warm-volumes"
"""Type of the workflow that lends warm volumes."""

GPU_FEATURES: Final = (FeatureName.NVIDIA_DRIVER, FeatureName.CUDA)
TIMES: Final = 3


def expect_supported(answer: Answer, flag: str, what: str) -> None:
    """Say that something which *flag* promises is not refused as unsupported.

    Raises:
        Violation: it is.
    """
    if code_of(answer) == REFUSED or answer.code in {"UNIMPLEMENTED", "UNKNOWN"}:
        raise Violation(f"{what} is there, as the flag {flag} says", told(answer), answer)


def places(fleet: Fleet) -> Sequence[dict[str, Any]]:
    """Return where something may be asked for, as changes of a spawn: anywhere, and in a second region."""
    second = fleet.samples.regions[1:2] if "multi_region" in fleet.provider.capabilities else ()
    return [{}, *({"region": one} for one in second)]


def snapshot_calls(fleet: Fleet) -> Mapping[str, dict[str, Any]]:
    """Return calls of the snapshot methods that cost nothing: nothing has these ids."""
    return {
        "create_snapshot": {"provider_id": f"nomos-{fleet.name()}", "options": CreateSnapshotOptions("nomos")},
        "get_snapshot_status": {"request_id": f"nomos-{fleet.name()}"},
        "delete_snapshot": {"snapshot_id": f"nomos-{fleet.name()}"},
        "get_snapshot_by_name": {"name": f"nomos-{fleet.name()}"},
    }


def spot_calls(fleet: Fleet, **changes: Any) -> Mapping[str, dict[str, Any]]:
    """Return calls of the spot methods that cost nothing: nobody sells at that price."""
    options = SpotOptions(fleet.options(), max_spot_price=1e-9, **changes)
    return {
        "request_spot_instance": {"options": options},
        "cancel_spot_request": {"request_id": f"nomos-{fleet.name()}"},
        "get_spot_prices": {"spec": fleet.samples.spec},
    }


class DeclaredFlagContract(Contract):
    """What a provider declares works, each time.

    Set a flag only for what you have built, and leave out those that the vendor cannot back.
    """

    @clause("CMP-FLAG-001")
    def test_declares_flags_that_there_are(self, nomos_configured: Configured) -> None:
        """None but the eleven."""
        try:
            provider = nomos_configured({})
        except Blocked as blocked:
            if "capabilities:" in blocked.reason:
                raise Violation("flags among the eleven of the interface", blocked.reason) from blocked
            raise
        unknown = sorted(provider.capabilities - set(CAPABILITIES))
        if unknown:
            raise Violation(f"flags among {', '.join(CAPABILITIES)}", ", ".join(unknown))

    @clause("CMP-FLAG-101")
    def test_snapshots_are_there(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each method, three times."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for _ in range(TIMES):
                for method, arguments in snapshot_calls(fleet).items():
                    expect_supported(nomos_provider.invoke(method, **arguments), "snapshots", method)

    @clause("CMP-FLAG-102")
    def test_spot_is_there(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each method, three times."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for _ in range(TIMES):
                for method, arguments in spot_calls(fleet).items():
                    answer = nomos_provider.invoke(method, **arguments)
                    if method == "request_spot_instance":
                        fleet.followed(answer)
                    expect_supported(answer, "spot", method)

    @clause("CMP-FLAG-103")
    def test_gpus_are_there(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """The sample spec runs, and a bootstrap script may ask for driver and toolkit."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for name in GPU_FEATURES:
                cfg = bootstrap(features=(BootstrapFeature(name),))
                answer = nomos_provider.invoke("generate_bootstrap", cfg=cfg)
                if answer.code != "OK":
                    raise Violation(f"a bootstrap script with {name.value}, as the flag gpu says", told(answer), answer)
            self._runs(fleet, "gpu", spec=nomos_samples.gpu_spec)

    @staticmethod
    def _runs(fleet: Fleet, flag: str, **changes: Any) -> None:
        answer = shaped(fleet.try_spawn(**changes))
        if answer.code != "OK":
            raise Violation(f"spawn with {shorten(changes)} works, as the flag {flag} says", told(answer), answer)
        if fleet.running(answer.value.id) is None:
            raise Violation(f"what was spawned with {shorten(changes)} runs", words(fleet.get(answer.value.id)), answer)

    @clause("CMP-FLAG-104")
    def test_regions_are_there(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Two of them: instances run where they were asked for, get finds them there, and terminate ends them.

        Where no region is given they are found and ended wherever they are.
        """
        if len(nomos_samples.regions) < 2:  # more than one
            raise Violation("two regions, as the flag multi_region says", f"the samples name {nomos_samples.regions}")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for region in nomos_samples.regions[:2]:
                answer = shaped(fleet.try_spawn(region=region))
                if answer.code != "OK" or answer.value.region != region:
                    raise Violation(f"an instance in {region}, as the flag multi_region says", told(answer), answer)
                made = answer.value.id

                def there(made: str = made, region: str = region) -> bool:
                    found = nomos_provider.invoke("get", provider_id=made, region=region)
                    return found.ok and found.value is not None

                if not fleet.poll(fleet.settle, there):
                    raise Violation(f"get finds {made} in {region}", "nothing", *nomos_provider.answers[-1:])
                if not fleet.poll(fleet.settle, fleet.get, made):
                    raise Violation(f"get without a region finds {made}", "nothing", *nomos_provider.answers[-1:])
                self._ends(fleet, answer.value, region=region)
                again = shaped(fleet.try_spawn(region=region))
                if again.ok:
                    self._ends(fleet, again.value)

    @staticmethod
    def _ends(fleet: Fleet, made: ProviderInstance, **place: Any) -> None:
        # Whether one that starts can be ended is another clause's matter.
        fleet.run_all([made])
        done = fleet.provider.invoke("terminate", provider_id=made.id, **place)
        if done.code != "OK" or not fleet.ended(made.id):
            where = f"in {place['region']}" if place else "without a region"
            seen = told(done) if done.code != "OK" else words(fleet.get(made.id))
            expected = f"terminate {where} ends {made.id}, within {fleet.settle:g} s"
            raise Violation(expected, seen, done, *fleet.provider.answers[-1:])

    @clause("CMP-FLAG-105")
    def test_volumes_are_there(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """The sample volume is attached; one that is not there is refused, in each region."""
        with fleet_of(nomos_fresh, nomos_samples, nomos_target, nomos_random) as fleet:
            unknown = fleet.other(nomos_samples.volume)
            for place in places(fleet):
                missing = fleet.try_spawn(volume_id=unknown, **place)
                expect_taxonomy(missing, "NOT_FOUND", "INVALID_SPEC", because="there is no such volume")
            self._runs(fleet, "persistent_volumes", volume_id=nomos_samples.volume)

    @clause("CMP-FLAG-106")
    def test_warm_volumes_are_there(self, nomos_provider: InterfaceProvider) -> None:
        """As a workflow of the registration."""
        if WARM not in workflow_types(nomos_provider):
            raise Violation(f"a workflow {WARM}, as the flag warm_volumes says", "the registration has none")

    @clause("CMP-FLAG-107")
    def test_hibernation_is_there(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """As what becomes of a spot instance that is interrupted, of a request for one and of one that persists."""
        if "spot" not in nomos_provider.capabilities:
            raise NotApplicable("hibernation is asked for with a spot request, and the provider does not declare spot")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            calls = spot_calls(fleet, interruption_behavior=InterruptionBehavior.HIBERNATE)
            for _ in range(TIMES):
                asked = nomos_provider.invoke("request_spot_instance", **calls["request_spot_instance"])
                answer = fleet.followed(asked)
                expect_supported(answer, "hibernation", "a spot request that hibernates")
            # Whether there are requests that persist is no matter of this flag.
            answers = [
                fleet.followed(nomos_provider.invoke("request_spot_instance", **call["request_spot_instance"]))
                for call in (
                    spot_calls(fleet, request_type=SpotRequestType.PERSISTENT, interruption_behavior=behavior)
                    for behavior in (InterruptionBehavior.TERMINATE, InterruptionBehavior.HIBERNATE)
                )
            ]
            if code_of(answers[0]) != REFUSED:
                expect_supported(answers[1], "hibernation", "a persistent spot request that hibernates")

    @clause("CMP-FLAG-108")
    def test_prices_are_there(self, nomos_provider: InterfaceProvider) -> None:
        """As the task refresh_pricing, with a result."""
        for _ in range(TIMES):
            answer, receipt = receipt_of(nomos_provider, TaskType.REFRESH_PRICING)
            if receipt.status is not ReceiptStatus.COMPLETED or not receipt.result:
                raise Violation(
                    "refresh_pricing is completed, as the flag cost_explorer says", words_of(receipt), answer
                )

    @clause("CMP-FLAG-109")
    def test_tailscale_is_native(self, nomos_provider: InterfaceProvider) -> None:
        """The bootstrap script installs nothing for it."""
        answer = nomos_provider.invoke("generate_bootstrap", cfg=with_tailscale())
        if not shaped(answer).ok:
            raise Violation(
                "a bootstrap script with tailscale, as the flag tailscale_native says", told(answer), answer
            )
        plain = nomos_provider.invoke("generate_bootstrap", cfg=bootstrap())
        if plain.ok and installs(answer.value.content, plain.value.content):
            raise Violation("a script that installs no tailscale, as it is native", "it installs one", answer)

    @clause("CMP-FLAG-111")
    def test_networks_are_there(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """The sample network is taken; one of which a part is not there is refused, whichever part, in each region."""
        if nomos_samples.network is None:
            raise NotApplicable("no network is known")
        network = NetworkConfig(**nomos_samples.network.model_dump())
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            self._runs(fleet, "custom_networking", network_config=network)
            subnet = NetworkConfig(subnet_id=_unknown(fleet, network.subnet_id, "subnet"))
            for place in places(fleet):
                answer = fleet.try_spawn(network_config=subnet, **place)
                expect_taxonomy(answer, "NOT_FOUND", "INVALID_SPEC", because="there is no such subnet")
            groups = network.security_group_ids or ()
            others = (
                replace(network, subnet_id=subnet.subnet_id),
                NetworkConfig(vpc_id=_unknown(fleet, network.vpc_id, "vpc")),
                NetworkConfig(security_group_ids=(_unknown(fleet, "".join(groups[:1]), "sg"),)),
                replace(network, security_group_ids=(*groups, _unknown(fleet, "".join(groups[:1]), "sg"))),
            )
            for one in others:
                # A vendor may have subnets alone, and no word for the rest.
                answer = fleet.try_spawn(network_config=one)
                expect_taxonomy(answer, "NOT_FOUND", "INVALID_SPEC", REFUSED, because="a part of it is not there")


def _unknown(fleet: Fleet, known: str | None, kind: str) -> str:
    return fleet.other(known) if known else f"{kind}-{fleet.name()}"


def workflow_types(provider: InterfaceProvider) -> frozenset[str]:
    """Return the types of the workflows of a registration in this process."""
    found: Any = getattr(getattr(provider, "subject", None), "workflows", None)
    return frozenset(str(one) for one in found or ())


def words_of(receipt: Any) -> str:
    """Return a receipt in a few words."""
    return shorten(receipt)


def with_tailscale(version: str | None = None) -> Any:
    """Return a bootstrap configuration with tailscale."""
    return bootstrap(features=(BootstrapFeature(FeatureName.TAILSCALE, version),))


def installs(content: str, plain: str) -> bool:
    """Whether a script speaks of tailscale where the one without the feature does not; in comments it may."""
    spoken, before = (without_comments(plain_text(one)).lower() for one in (content, plain))
    return "tailscale" in spoken and "tailscale" not in before
