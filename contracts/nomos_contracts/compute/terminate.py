"""Terminate: it ends the instance, that one, and may be asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import ENDED, TAG, Configured, Fleet, code_of, fleet_of, shaped, told, words
from nomos_contracts.compute.getting import near
from nomos_contracts.compute.interface import InstanceStatus, ListFilter, ProviderInstance, SpawnOptions
from nomos_contracts.compute.provoked import exhausted, provocations
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.spot import ask, fulfilled, prices_of
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation, shorten

AT_ONCE = 8

LATER = 1.0
"""Seconds after which a start that nobody has stopped is over, where `limits.settle` is no less."""


def expect_done(answer: Answer, when: str) -> None:
    """Say that terminate *when* succeeds.

    Raises:
        Violation: it failed.
    """
    if shaped(answer).code != "OK":
        raise Violation(f"terminate {when} succeeds", told(answer), answer)


def expect_gone(fleet: Fleet, instance_id: str, when: str) -> None:
    """Say that an instance is gone for get and for list.

    Raises:
        Violation: it is not, within the limit.
    """
    if not fleet.ended(instance_id):
        found = fleet.get(instance_id)
        raise Violation(f"{instance_id} is gone {when}, within {fleet.settle:g} s", words(found), *_last(fleet))


def _last(fleet: Fleet) -> tuple[Answer, ...]:
    return tuple(fleet.provider.answers[-2:])


def _spawns(fleet: Fleet, options: SpawnOptions) -> bool:
    return fleet.try_spawn(options).ok


def _of_a_request(fleet: Fleet) -> list[ProviderInstance]:
    """Return an instance that came of a spot request, where the provider has such."""
    if "spot" not in fleet.provider.capabilities:
        return []
    answer = ask(fleet, prices_of(fleet)[-1].price * 2)
    found = fulfilled(fleet, answer.value.request_id, fleet.boot) if answer.ok else None
    return [found] if found else []


class TerminateContract(Contract):
    """Terminate destroys one instance; to ask for it again is no error.

    Take the vendor's "already terminated" for success, also while an instance is still starting, and also when eight
    callers ask at once. End that one instance and no other.
    """

    @clause("CMP-TERM-001")
    def test_ends_the_instance(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """One that runs: gone for get, and for list."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            expect_done(nomos_provider.invoke("terminate", provider_id=made.id), "of a running instance")
            expect_gone(fleet, made.id, "after terminate")

    @clause("CMP-TERM-002")
    def test_may_be_asked_for_again(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """At once, while it ends, and five times after it is gone."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            fleet.terminate(made.id)
            expect_done(nomos_provider.invoke("terminate", provider_id=made.id), "of an instance that ends")
            fleet.ended(made.id)
            for _ in range(5):
                expect_done(nomos_provider.invoke("terminate", provider_id=made.id), "of a terminated instance")

    @clause("CMP-TERM-003")
    def test_may_be_asked_for_by_many_at_once(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Eight at once, three instances one after another."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for made in fleet.spawn_many(3):
                pending = [nomos_provider.start("terminate", provider_id=made.id) for _ in range(AT_ONCE)]
                for answer in [one.answer() for one in pending]:
                    expect_done(answer, "by eight callers at once")
                expect_gone(fleet, made.id, "after eight callers terminated it")

    @clause("CMP-TERM-004")
    def test_of_an_id_of_nobody_says_so_or_nothing(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Success, or NOT_FOUND: which of them is the provider's choice; nothing else."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            for _ in range(3):
                unknown = fleet.nobody(made.id)
                answer = shaped(nomos_provider.invoke("terminate", provider_id=unknown))
                if answer.code != "OK" and code_of(answer) != "NOT_FOUND":
                    raise Violation(f"terminate of {unknown!r} succeeds or fails with NOT_FOUND", told(answer), answer)

    @clause("CMP-TERM-005")
    def test_ends_what_is_still_starting(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Right after spawn; it does not start to run later, when another one does."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            ended: list[str] = []

            def revived() -> ProviderInstance | None:
                found = (fleet.get(one) for one in ended)
                return next((one for one in found if one and one.status is InstanceStatus.RUNNING), None)

            for _ in range(2):
                made = fleet.spawn()
                ended.append(made.id)
                expect_done(nomos_provider.invoke("terminate", provider_id=made.id), "right after spawn")
                ends = fleet.stays_ended(made.id)
                fleet.running(fleet.spawn().id)
                if not ends or not fleet.stays_ended(made.id):
                    found = words(fleet.get(made.id))
                    raise Violation("what was terminated while it started ends and stays so", found, *_last(fleet))
            # Its start may take longer than that of another one.
            if back := fleet.poll(min(LATER, fleet.settle), revived):
                raise Violation("what was terminated while it started stays so", words(back), *_last(fleet))

    @clause("CMP-TERM-006")
    def test_ends_no_other_instance(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Neither by the right id of one, nor by ids that nearly are another's.

        The others have what it has: its control plane or its number, its spec, its tags, its manifest.
        """
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            control, manifest = f"nomos-{fleet.mark}-one", f"manifest-{fleet.mark}"
            asked = [fleet.options(control_id=control, manifest_id=manifest) for _ in range(4)]
            asked.append(replace(asked[0], control_id=f"nomos-{fleet.mark}-two"))
            made = [fleet.spawn(one) for one in asked]
            fleet.run_all(made)
            ended, others = made[:2], made[2:]
            for one in ended:
                fleet.end(one.id)
            self._expect_running(fleet, others, f"terminate of {shorten([one.id for one in ended])}")
            there = {one.id for one in fleet.shown(ListFilter(include_terminated=True))} | set(fleet.ids)
            wrong = [one for one in near(others[0].id) if one not in there]
            for each in wrong:
                nomos_provider.invoke("terminate", provider_id=each)
            self._expect_running(fleet, others, f"terminate of {shorten(wrong, 1500)}")

    @staticmethod
    def _expect_running(fleet: Fleet, others: Sequence[ProviderInstance], after: str) -> None:
        for one in others:

            def look(wanted: str = one.id) -> InstanceStatus | None:
                found = fleet.get(wanted)
                return found.status if found and found.status in {InstanceStatus.RUNNING, *ENDED} else None

            # What ends does not run again: there is nothing to wait for.
            if fleet.poll(fleet.settle, look) is not InstanceStatus.RUNNING:
                seen = f"{words(fleet.get(one.id))} after {after}"
                raise Violation(f"{one.id} still runs, nobody terminated it", seen, *_last(fleet))

    @clause("CMP-TERM-007")
    def test_brings_no_other_instance_in_its_place(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Neither for a usual instance nor, with the flag `spot`, for one of a request, as groups of a vendor do."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = [fleet.spawn(), *_of_a_request(fleet)]
            fleet.run_all(made)
            # An instance of the request that does not say so is CMP-SPOT-001's matter, however late it comes.
            gone = {one.id for one in [*made, *fleet.shown()]} | fleet.known
            requests = {one.spot_request_id for one in made if one.spot_request_id}
            for one in made:
                fleet.end(one.id)

            def successor() -> ProviderInstance | None:
                tagged = fleet.shown(ListFilter(tags={TAG: fleet.mark}))
                alike = [one for one in tagged if not (one.is_spot or one.spot_request_id)]
                alike += [one for one in fleet.shown() if one.spot_request_id in requests]
                return next((one for one in alike if one.id not in gone and one.status not in ENDED), None)

            if back := fleet.poll(min(LATER, fleet.settle), successor):
                fleet.own(back.id)
                asked = f"nothing in the place of {shorten([one.id for one in made])}, which were terminated"
                raise Violation(asked, words(back), *_last(fleet))

    @clause("CMP-TERM-008")
    def test_gives_back_what_the_instance_took(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """By the samples `quota` and `capacity`: where spawn fails after some instances, it succeeds without one."""
        tried = False
        for how in provocations(nomos_samples, "quota", "capacity"):
            with fleet_of(nomos_configured(how.config), nomos_samples, nomos_target, nomos_random) as fleet:
                made = exhausted(how, fleet)
                if not made:
                    continue
                tried = True
                fleet.end(made[0])
                if not fleet.poll(fleet.settle, _spawns, fleet, fleet.options(**how.changes)):
                    last = fleet.provider.answers[-1]
                    raise Violation(f"a spawn within {fleet.settle:g} s after {made[0]} is gone", told(last), last)
        if not tried:
            raise NotApplicable("neither `quota` nor `capacity` lets an instance be made before it fails")
