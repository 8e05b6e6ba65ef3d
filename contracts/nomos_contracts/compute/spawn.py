"""Spawn: what comes of it, and that it stays what it is."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import FRESH, Fleet, fleet_of, shaped, told, words
from nomos_contracts.compute.interface import InstanceStatus, ProviderInstance, SpawnOptions
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.provider import InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten

AT_ONCE = 8
DAY = 24 * 3600 * 1000
"""A clock that is wrong by a day is wrong; a unit that is wrong differs by far more."""

CONSTANT = ("id", "spec", "created_at", "is_spot", "region", "spot_request_id")
"""Fields that never change; those that are not known yet may be absent at first."""


def difference(first: ProviderInstance, second: ProviderInstance, *, complete: bool = False) -> str:
    """Return the first constant field in which two views of one instance differ, in words; empty where none does.

    Args:
        first: the one view.
        second: the other.
        complete: whether a field that is absent differs from one that is there.
    """
    for name in CONSTANT:
        left, right = getattr(first, name), getattr(second, name)
        if left != right and (complete or (left is not None and right is not None)):
            return f"{name} was {shorten(left)} and is {shorten(right)}"
    return ""


class SpawnContract(Contract):
    """Spawn creates one instance and says which.

    Create it at the vendor, then answer what the vendor says: its id, its status in the words of the interface, the
    spec and region that were asked for, and when it was made in milliseconds since the epoch.
    """

    @clause("CMP-SPAWN-001")
    def test_gives_an_instance_with_an_id_and_a_status(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """With tags, without any optional field, and with every optional field that needs no capability."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            cases: tuple[dict[str, Any], ...] = (
                {},
                {"tags": {"a": "1", "b": "", "c": "ü ∞"}},
                {"manifest_id": f"manifest-{fleet.name()}"},
                {"instance_id": 0},
                {"instance_id": 2**53},
            )
            for changes in cases:
                asked = f"spawn with {shorten(changes)} answers an instance" if changes else "spawn answers an instance"
                answer = shaped(fleet.try_spawn(**changes))
                if answer.code != "OK":
                    raise Violation(asked, told(answer), answer)
                if not answer.value.id.strip():
                    raise Violation(f"{asked} with an id", "an empty id", answer)
                if answer.value.status not in FRESH:
                    expected = f"{asked} that is {', '.join(sorted(FRESH))}"
                    raise Violation(expected, f"status {answer.value.status.value}", answer)

    @clause("CMP-SPAWN-002")
    def test_gives_what_was_asked_for(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Every spec of the samples, and every region of them; neither was a spot instance asked for."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            specs: list[dict[str, Any]] = [
                {"spec": one} for one in (nomos_samples.spec, nomos_samples.other_spec) if one
            ]
            regions: list[dict[str, Any]] = [
                {"region": one} for one in nomos_samples.regions[: 2 if _regions(nomos_provider) else 1]
            ]
            for changes in (*specs, *regions):
                answer = fleet.try_spawn(**changes)
                if shaped(answer).code != "OK":
                    raise Blocked("clause:CMP-SPAWN-001", f"spawn with {changes} gave no instance: {told(answer)}")
                for name, value in {"spec": nomos_samples.spec, "is_spot": False, **changes}.items():
                    if getattr(answer.value, name) != value:
                        raise Violation(f"an instance whose {name} is {value!r}", words(answer.value), answer)

    @clause("CMP-SPAWN-003")
    def test_gives_another_instance_each_time(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """One after another and eight at once, with different instance ids; list shows as many."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            before = {one.id for one in fleet.shown()}
            made = [fleet.spawn() for _ in range(2)] + fleet.spawn_many(AT_ONCE)
            ids = [one.id for one in made]
            if len(set(ids)) < len(ids) or before & set(ids):
                raise Violation("a new id for each of the spawns", shorten(ids), *nomos_provider.answers[-len(ids) :])
            fleet.run_all(made)
            gone = [one for one in ids if fleet.get(one) is None]
            if gone:
                raise Violation("each spawned instance is there while others are", f"no {gone[0]}")

    @clause("CMP-SPAWN-004")
    def test_says_when_it_was_made(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """In milliseconds since the epoch, by spawn, get and list."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            now = time.time() * 1000
            fleet.visible([made])
            views = [made, fleet.get(made.id), *(one for one in fleet.shown() if one.id == made.id)]
            for view in views:
                if view is not None and abs(view.created_at - now) > DAY:
                    raise Violation(
                        f"created_at is now in milliseconds since the epoch, about {round(now)}", str(view.created_at)
                    )

    @clause("CMP-STATE-001")
    def test_runs_in_the_end(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Within the limit `boot`, by get and by list."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            if fleet.running(made.id) is None:
                found = fleet.get(made.id)
                raise Violation(
                    f"the instance runs within {fleet.boot:g} s", words(found), *nomos_provider.answers[-2:]
                )

            def by_list() -> bool:
                return any(o.id == made.id and o.status is InstanceStatus.RUNNING for o in fleet.shown())

            fleet.visible([made])
            if not fleet.poll(fleet.settle, by_list):
                raise Violation("list says that it runs, as get does", "another status", *nomos_provider.answers[-2:])

    @clause("CMP-STATE-002")
    def test_stays_what_it_is(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Id, spec, region, creation and kind, from spawn to the end, by get and list.

        Also where the same spawn is asked for again, with other wishes too, and answers it.
        """
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            options = fleet.options()
            made = fleet.spawn(options)
            self._watch(fleet, made)
            if "idempotent_spawn" in nomos_provider.capabilities:
                self._ask_again(fleet, options, made)
                self._watch(fleet, made)
            fleet.run_all([made])
            self._watch(fleet, made)
            fleet.terminate(made.id)
            self._watch(fleet, made)
            fleet.ended(made.id)
            self._watch(fleet, made)

    @staticmethod
    def _ask_again(fleet: Fleet, options: SpawnOptions, made: ProviderInstance) -> None:
        samples = fleet.samples
        wishes: list[dict[str, Any]] = [{}]
        wishes += [{"spec": samples.other_spec}] if samples.other_spec else []
        wishes += [{"region": one} for one in samples.regions[1:2] if _regions(fleet.provider)]
        for changes in wishes:
            # Whether it is refused, or wrongly makes a second one, is another clause's matter.
            answer = shaped(fleet.try_spawn(replace(options, **changes)))
            if answer.ok and answer.value.id == made.id and (changed := difference(made, answer.value)):
                raise Violation(f"{made.id} stays what spawn said", changed, answer)

    @staticmethod
    def _watch(fleet: Fleet, made: ProviderInstance) -> None:
        views = (fleet.get(made.id), *(one for one in fleet.shown() if one.id == made.id))
        for view in views:
            changed = difference(made, view) if view is not None else ""
            if changed:
                raise Violation(f"{made.id} stays what spawn said", changed, *fleet.provider.answers[-2:])


def _regions(provider: InterfaceProvider) -> bool:
    return "multi_region" in provider.capabilities
