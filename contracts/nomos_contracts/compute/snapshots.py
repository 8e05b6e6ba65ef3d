"""Snapshots: what the flag `snapshots` promises."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.flags import places
from nomos_contracts.compute.fleet import LOOKS, TAG, Fleet, code_of, expect_taxonomy, fleet_of, shaped, told, words
from nomos_contracts.compute.interface import (
    CreateSnapshotOptions,
    ListFilter,
    ProviderInstance,
    ProviderSnapshot,
    SnapshotRequest,
    SnapshotState,
    SnapshotStatus,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.spawn import DAY
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten

SNAPSHOT = "clause:CMP-SNAP-001"
SOURCE = "nomos-from"
ON_THE_WAY = (SnapshotState.PENDING, SnapshotState.CREATING, SnapshotState.AVAILABLE)


def begin(fleet: Fleet, instance_id: str, name: str) -> SnapshotRequest:
    """Ask for a snapshot; returns its request.

    Raises:
        Violation: it is refused, or is not on its way.
    """
    options = CreateSnapshotOptions(name, description="made by a check", tags={"nomos-check": fleet.mark})
    answer = shaped(fleet.provider.invoke("create_snapshot", provider_id=instance_id, options=options))
    if answer.code != "OK":
        raise Violation("create_snapshot of a running instance answers a request", told(answer), answer)
    if not answer.value.request_id or answer.value.status not in ON_THE_WAY:
        raise Violation("a request with an id and a status on the way to available", shorten(answer.value), answer)
    made: SnapshotRequest = answer.value
    return made


def finish(fleet: Fleet, request: str, seconds: float | None = None) -> SnapshotStatus:
    """Wait until a snapshot is available, as long as an instance may take to boot; returns its last status.

    Raises:
        Violation: it does not become so.
    """

    def over() -> bool:
        answer = shaped(fleet.provider.invoke("get_snapshot_status", request_id=request))
        return answer.ok and answer.value.status in {SnapshotState.AVAILABLE, SnapshotState.FAILED}

    seconds = fleet.boot if seconds is None else seconds
    fleet.poll(seconds, over)
    answer = shaped(fleet.provider.invoke("get_snapshot_status", request_id=request))
    if answer.code != "OK" or answer.value.status is not SnapshotState.AVAILABLE:
        raise Violation(f"the snapshot is available within {seconds:g} s", told(answer), answer)
    if not answer.value.provider_snapshot_id:
        raise Violation("a snapshot that is available has its own id", shorten(answer.value), answer)
    status: SnapshotStatus = answer.value
    return status


def outcome(fleet: Fleet, request: str) -> str | None:
    """Wait for what comes of a request, whatever that is; returns the id of the snapshot, None where there is none."""

    def found() -> Any:
        status = fleet.provider.invoke("get_snapshot_status", request_id=request)
        return not status.ok or status.value.provider_snapshot_id

    seen = fleet.poll(fleet.boot, found)
    return seen if isinstance(seen, str) else None


def discard(fleet: Fleet, snapshot_id: str) -> None:
    """Delete a snapshot in the end."""
    answer = fleet.provider.invoke("delete_snapshot", snapshot_id=snapshot_id)
    if answer.code != "OK" and code_of(answer) != "NOT_FOUND":
        # A vendor keeps one that something still runs on.
        fleet.close()
        all(fleet.ended(one) for one in fleet.ids)
        fleet.provider.invoke("delete_snapshot", snapshot_id=snapshot_id)


@contextmanager
def begun_snapshot(fleet: Fleet, instance_id: str, name: str) -> Generator[str]:
    """Yield the request of a snapshot that is not waited for; deleted afterwards.

    Raises:
        Blocked: it is refused, which is another clause's matter.
    """
    try:
        request = begin(fleet, instance_id, name).request_id
    except Violation as broken:
        raise Blocked(SNAPSHOT, str(broken)) from broken
    try:
        yield request
    finally:
        with suppress(Violation):
            discard(fleet, str(finish(fleet, request, fleet.settle).provider_snapshot_id))


@contextmanager
def made_snapshot(fleet: Fleet, instance_id: str, name: str) -> Generator[tuple[str, str]]:
    """Yield request and id of a snapshot, deleted afterwards.

    Raises:
        Blocked: it does not become available, which is another clause's matter.
    """
    try:
        request = begin(fleet, instance_id, name).request_id
        found = str(finish(fleet, request).provider_snapshot_id)
    except Violation as broken:
        raise Blocked(SNAPSHOT, str(broken)) from broken
    try:
        yield request, found
    finally:
        discard(fleet, found)


def by_name(fleet: Fleet, name: str) -> ProviderSnapshot | None:
    """Return what get_snapshot_by_name answers.

    Raises:
        Violation: it fails.
    """
    answer = shaped(fleet.provider.invoke("get_snapshot_by_name", name=name))
    if answer.code != "OK":
        raise Violation("get_snapshot_by_name answers a snapshot or None", told(answer), answer)
    found: ProviderSnapshot | None = answer.value
    return found


class SnapshotContract(Contract):
    """A snapshot is requested, becomes available, can be found, used and deleted.

    Answer the vendor's states in the words of the interface. `provider_snapshot_id` is what spawn and delete_snapshot
    take; the request's id is what get_snapshot_status takes.
    """

    @clause("CMP-SNAP-001")
    def test_becomes_available(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """From the request to an id of its own, by a progress in percent; the instance goes on running."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            request = begin(fleet, made.id, f"nomos-{fleet.name()}")
            status = finish(fleet, request.request_id)
            found = fleet.get(made.id)
            later = shaped(nomos_provider.invoke("get_snapshot_status", request_id=request.request_id))
            discard(fleet, str(status.provider_snapshot_id))
            seen = (status, later.value) if later.ok else (status,)
            if not all(one.progress is None or 0 <= one.progress <= 100 for one in seen):  # percent
                raise Violation("a progress from 0 to 100", shorten([one.progress for one in seen]), later)
            estimate = request.estimated_completion_at
            if estimate is not None and abs(estimate - time.time() * 1000) > 30 * DAY:
                raise Violation("an estimate in milliseconds since the epoch", str(estimate))
            if found is None or found.status != "running":
                raise Violation("the instance runs after its snapshot", words(found), *nomos_provider.answers[-2:])

    @clause("CMP-SNAP-002")
    def test_is_gone_when_it_is_deleted(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """For get_snapshot_status, by its name and for spawn; others stay, also one that is not available yet."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            names = [f"nomos-{fleet.name()}" for _ in range(3)]
            with (
                made_snapshot(fleet, made.id, names[0]) as (request, found),
                made_snapshot(fleet, made.id, names[1]) as (stays, kept),
                begun_snapshot(fleet, made.id, names[2]) as begun,
            ):
                answer = nomos_provider.invoke("delete_snapshot", snapshot_id=found)
                if code_of(answer) == "INVALID_STATE":
                    # A vendor may do one thing after the other.
                    self._expect_available(fleet, begun, fleet.boot)
                    answer = nomos_provider.invoke("delete_snapshot", snapshot_id=found)
                if answer.code != "OK":
                    raise Violation("delete_snapshot of one that is there succeeds", told(answer), answer)

                def gone() -> bool:
                    status = nomos_provider.invoke("get_snapshot_status", request_id=request)
                    over = status.code != "OK" or status.value.status is SnapshotState.DELETING
                    named = by_name(fleet, names[0])
                    return over and (named is None or named.status is SnapshotState.DELETING)

                if not fleet.poll(fleet.settle, gone):
                    raise Violation("a deleted snapshot is gone", "it is there", *nomos_provider.answers[-2:])
                self._expect_available(fleet, stays, 0)
                self._expect_available(fleet, begun, fleet.boot)
                for other in {stays, names[1]} - {kept}:
                    # By its own id alone: whatever else names it may name another one tomorrow.
                    nomos_provider.invoke("delete_snapshot", snapshot_id=other)
                    self._expect_available(fleet, stays, 0)
                refused = fleet.try_spawn(snapshot_id=found)
                expect_taxonomy(refused, "NOT_FOUND", "INVALID_SPEC", "INVALID_STATE", because="it is deleted")
                again = nomos_provider.invoke("delete_snapshot", snapshot_id=found)
                if again.code != "OK" and code_of(again) != "NOT_FOUND":
                    raise Violation("delete_snapshot again succeeds or fails with NOT_FOUND", told(again), again)

    @staticmethod
    def _expect_available(fleet: Fleet, request: str, seconds: float) -> None:
        def over() -> bool:
            answer = shaped(fleet.provider.invoke("get_snapshot_status", request_id=request))
            return not answer.ok or answer.value.status not in ON_THE_WAY[:2]

        fleet.poll(seconds, over)
        status = shaped(fleet.provider.invoke("get_snapshot_status", request_id=request))
        if status.code != "OK" or status.value.status is not SnapshotState.AVAILABLE:
            raise Violation("a snapshot stays until it is deleted by its own id", told(status), status)

    @clause("CMP-SNAP-003")
    def test_is_found_by_exactly_its_name(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Of two whose names begin alike, by names that nothing has, and by one that is used again."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            name = f"nomos-{fleet.name()}"
            with (
                made_snapshot(fleet, made.id, name + "-2") as (_, second),
                made_snapshot(fleet, made.id, name) as (_, first),
            ):
                for wanted, found in ((name, first), (name + "-2", second)):
                    fleet.poll(fleet.settle, by_name, fleet, wanted)
                    seen = by_name(fleet, wanted)
                    if seen is None or seen.id != found or seen.name != wanted:
                        raise Violation(
                            f"the snapshot {found} by its name", shorten(seen), *nomos_provider.answers[-1:]
                        )
                for wanted in (name[:-1], name + "-", name.upper(), f"{name} ", f" {name}", fleet.name(), "*"):
                    seen = by_name(fleet, wanted)
                    if seen is not None and (seen.name != wanted or seen.id in {first, second}):
                        raise Violation(f"nothing has the name {wanted!r}", shorten(seen), *nomos_provider.answers[-1:])
                discard(fleet, first)
                self._used_again(fleet, made.id, name)

    @staticmethod
    def _used_again(fleet: Fleet, instance_id: str, name: str) -> None:
        if not fleet.poll(fleet.settle, lambda: by_name(fleet, name) is None):
            return
        try:
            request = begin(fleet, instance_id, name).request_id
        except Violation:
            # A vendor may keep the names of what is deleted.
            return
        try:
            found = str(finish(fleet, request).provider_snapshot_id)
        except Violation as broken:
            raise Blocked(SNAPSHOT, str(broken)) from broken

        def there() -> bool:
            seen = by_name(fleet, name)
            return seen is not None and seen.id == found

        seen = fleet.poll(fleet.settle, there)
        discard(fleet, found)
        if not seen:
            raise Violation(f"the snapshot {found} by its name, which a deleted one had", "another answer")

    @clause("CMP-SNAP-004")
    def test_of_what_is_not_there_is_not_found(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """A snapshot of an unknown instance, the status of an unknown request, and that of a snapshot's own id."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            options = CreateSnapshotOptions(f"nomos-{fleet.name()}")
            unknown = fleet.nobody(made.id)
            expect_taxonomy(
                nomos_provider.invoke("create_snapshot", provider_id=unknown, options=options),
                "NOT_FOUND",
                because="nothing has that id",
            )
            with made_snapshot(fleet, made.id, f"nomos-{fleet.name()}") as (request, found):
                expect_taxonomy(
                    nomos_provider.invoke("get_snapshot_status", request_id=fleet.other(request)),
                    "NOT_FOUND",
                    because="nobody asked for it",
                )
                if found != request:
                    answer = shaped(nomos_provider.invoke("get_snapshot_status", request_id=found))
                    # Where both are plain numbers, another request may have this one.
                    if answer.ok and answer.value.provider_snapshot_id == found:
                        raise Violation(
                            f"{request} is the request, and {found} the snapshot: NOT_FOUND", told(answer), answer
                        )

    @clause("CMP-SNAP-005")
    def test_starts_an_instance(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """By its id, with what is asked for and not what its source had; an id that nothing has is refused."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn(tags={SOURCE: "source"})
            fleet.run_all([made])
            with made_snapshot(fleet, made.id, f"nomos-{fleet.name()}") as (_, found):
                copy = self._started(fleet, found)
                if fleet.running(copy.id) is None:
                    raise Violation("an instance starts from the snapshot", words(fleet.get(copy.id)))
                wanted = ListFilter(tags={TAG: fleet.mark, SOURCE: "copy"})
                if not fleet.poll(fleet.settle, lambda: copy.id in fleet.listed(wanted)):
                    raise Violation(f"list with the tags of its spawn shows {copy.id}", "it does not")
                unknown = fleet.other(found)
                for place in places(fleet):
                    answer = fleet.try_spawn(snapshot_id=unknown, **place)
                    expect_taxonomy(answer, "NOT_FOUND", "INVALID_SPEC", because="there is no such snapshot")

    @clause("CMP-SNAP-006")
    def test_outlives_its_instance(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """When the instance has ended the snapshot is still available, by its request and by its name."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            name = f"nomos-{fleet.name()}"
            with made_snapshot(fleet, made.id, name) as (request, found):
                if not fleet.poll(fleet.settle, by_name, fleet, name):
                    raise Blocked("clause:CMP-SNAP-003", f"get_snapshot_by_name answers nothing for {name}")
                fleet.end(made.id)
                for _ in range(LOOKS):
                    status = shaped(nomos_provider.invoke("get_snapshot_status", request_id=request))
                    if status.code != "OK" or status.value.status is not SnapshotState.AVAILABLE:
                        raise Violation(
                            "a snapshot that is available when its instance has ended", told(status), status
                        )
                    seen = by_name(fleet, name)
                    if seen is None or seen.id != found:
                        raise Violation(
                            f"the snapshot {found} by its name when its instance has ended",
                            shorten(seen),
                            *nomos_provider.answers[-1:],
                        )

    @staticmethod
    def _started(fleet: Fleet, snapshot_id: str) -> ProviderInstance:
        spec: dict[str, Any] = {"spec": fleet.samples.other_spec} if fleet.samples.other_spec else {}
        region = places(fleet)[-1]
        # A snapshot may be good for its source's spec or region alone: then another wish is refused, and nothing said.
        wishes = [spec | region, spec, region, {}]
        refused: list[Answer] = []
        for number, wish in enumerate(wishes):
            if wish in wishes[:number]:
                continue
            options = fleet.options(snapshot_id=snapshot_id, tags={SOURCE: "copy"}, **wish)
            answer = shaped(fleet.try_spawn(options))
            if answer.code == "OK":
                made: ProviderInstance = answer.value
                if made.spec != options.spec or (options.region and made.region not in {None, options.region}):
                    raise Violation(f"{shorten(wish)} as asked for, whatever the source had", words(made), answer)
                return made
            refused.append(answer)
        raise Violation("an instance starts from the snapshot", told(refused[-1]), refused[-1])
