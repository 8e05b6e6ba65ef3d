"""Shape: every answer has the fields of the interface, each of its kind, and no others."""

from __future__ import annotations

from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.codec import null_in
from nomos_contracts.compute.fleet import SPAWN, Fleet, bootstrap, fleet_of, told
from nomos_contracts.compute.interface import (
    CORE,
    INTERFACE,
    CreateSnapshotOptions,
    HeartbeatExpectations,
    HeartbeatTask,
    ListFilter,
    ProviderInstance,
    SpotOptions,
    TaskType,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, shorten
from nomos_proto.v2.provider_pb2 import CallResponse
from nomos_proto.values import from_value

FAR = 4_102_444_800_000
"""A deadline in milliseconds since the epoch that no heartbeat reaches."""


class ShapeContract(Contract):
    """Whatever a provider hands over has the fields of the interface and no others.

    Translate the vendor's words (`booting`, `preempted`) into those of the interface. What a provider knows beside the
    generic fields stays inside it: project its own types before they leave.
    """

    @clause("CMP-CORE-001")
    def test_has_the_core_methods(self, nomos_provider: InterfaceProvider) -> None:
        """All five; none of them answers that there is no such function."""
        for method in CORE:
            if not nomos_provider.offers(method):
                raise Violation(f"the provider has {method}", "it has no such method")

    @clause("CMP-SHAPE-001")
    def test_every_answer_fits_its_type(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Spawn, get and list through a whole life, bootstrap, and the methods of declared capabilities."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            answer = self._fits(fleet.try_spawn(tags={"a": "b"}))
            self._fits(nomos_provider.invoke("generate_bootstrap", cfg=bootstrap()))
            tasks = tuple(HeartbeatTask(one) for one in TaskType)
            if nomos_provider.offers("on_heartbeat"):
                self._fits(nomos_provider.invoke("on_heartbeat", expectations=HeartbeatExpectations(tasks, FAR)))
            self._fits(nomos_provider.invoke("list"))
            if answer.code != "OK":
                raise Blocked(SPAWN, told(answer))
            self._lives(fleet, answer.value)
            if "snapshots" in nomos_provider.capabilities:
                self._snapshot(fleet, answer.value)
            if "spot" in nomos_provider.capabilities:
                self._spot(fleet)
            self._fits(nomos_provider.invoke("terminate", provider_id=answer.value.id))
            fleet.poll(fleet.settle, lambda: self._over(fleet, answer.value.id))
            self._fits(nomos_provider.invoke("list", filter=ListFilter(include_terminated=True)))

    @staticmethod
    def _fits(answer: Answer) -> Answer:
        if answer.decode_error:
            raise Violation(
                f"what {answer.method} answers has the fields of the interface", answer.decode_error, answer
            )
        if answer.ok and answer.response is not None:
            # What came over the wire, before nulls in it were read as absent fields.
            came = from_value(CallResponse.FromString(answer.response).result)
            if place := null_in(INTERFACE.methods[answer.method].returns, came):
                raise Violation(
                    f"what {answer.method} answers has no key for a field that is absent", f"{place} is null", answer
                )
        return answer

    def _lives(self, fleet: Fleet, made: ProviderInstance) -> None:
        def runs() -> bool:
            answer = self._fits(fleet.provider.invoke("get", provider_id=made.id))
            self._fits(fleet.provider.invoke("list"))
            return bool(answer.ok and answer.value is not None and answer.value.status == "running")

        fleet.poll(fleet.boot, runs)

    def _over(self, fleet: Fleet, instance_id: str) -> bool:
        answer = self._fits(fleet.provider.invoke("get", provider_id=instance_id))
        self._fits(fleet.provider.invoke("list", filter=ListFilter(include_terminated=True)))
        return not answer.ok or answer.value is None or answer.value.status == "terminated"

    def _snapshot(self, fleet: Fleet, made: ProviderInstance) -> None:
        name = f"nomos-{fleet.name()}"
        provider = fleet.provider
        request = self._fits(
            provider.invoke("create_snapshot", provider_id=made.id, options=CreateSnapshotOptions(name))
        )
        if not request.ok:
            return

        def available() -> Any:
            self._fits(provider.invoke("get_snapshot_by_name", name=name))
            status = self._fits(provider.invoke("get_snapshot_status", request_id=request.value.request_id))
            return not status.ok or status.value.provider_snapshot_id

        found = fleet.poll(fleet.boot, available)
        if isinstance(found, str):
            self._fits(provider.invoke("delete_snapshot", snapshot_id=found))

    def _spot(self, fleet: Fleet) -> None:
        provider = fleet.provider
        prices = self._fits(provider.invoke("get_spot_prices", spec=fleet.samples.spec))
        price = prices.value[0].price * 2 if prices.ok and prices.value else 1000.0
        options = SpotOptions(fleet.options(), max_spot_price=price)
        request = fleet.followed(self._fits(provider.invoke("request_spot_instance", options=options)))
        if request.ok:
            self._fits(provider.invoke("cancel_spot_request", request_id=request.value.request_id))

    @clause("CMP-SHAPE-002")
    def test_projects_what_it_materialised(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each instance that it hands over, and each snapshot: ``project(materialise(x))`` equals x."""
        subject: Any = getattr(nomos_provider, "subject", None)
        if not callable(getattr(subject, "materialise_instance", None)):
            raise NotApplicable("the provider has no types of its own")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn_many(2, tags={"a": "b"})
            fleet.run_all(made)
            for one in (*made, *(found for each in made if (found := fleet.get(each.id)) is not None)):
                try:
                    back = subject.project_instance(subject.materialise_instance(one))
                except Exception as error:
                    raise Violation(f"{one} can be materialised and projected", f"raised {type(error)}") from error
                if type(back) is not ProviderInstance or back != one:
                    raise Violation(f"project(materialise(x)) equals x, {shorten(one)}", shorten(back))
