"""Snapshots: what the flag `snapshots` promises."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import Fleet, code_of, expect_taxonomy, fleet_of, shaped, told, words
from nomos_contracts.compute.interface import CreateSnapshotOptions, ProviderSnapshot, SnapshotState, SnapshotStatus
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.provider import InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten

SNAPSHOT = "clause:CMP-SNAP-001"
ON_THE_WAY = (SnapshotState.PENDING, SnapshotState.CREATING, SnapshotState.AVAILABLE)


def snapshot(fleet: Fleet, instance_id: str, name: str) -> tuple[str, SnapshotStatus]:
    """Make a snapshot and wait until it is available; returns its request and its last status.

    Raises:
        Violation: it does not become so.
    """
    provider = fleet.provider
    options = CreateSnapshotOptions(name, description="made by a check", tags={"nomos-check": fleet.mark})
    answer = shaped(provider.invoke("create_snapshot", provider_id=instance_id, options=options))
    if answer.code != "OK":
        raise Violation("create_snapshot of a running instance answers a request", told(answer), answer)
    if not answer.value.request_id or answer.value.status not in ON_THE_WAY:
        raise Violation("a request with an id and a status on the way to available", shorten(answer.value), answer)
    request = str(answer.value.request_id)

    def over() -> bool:
        answer = shaped(provider.invoke("get_snapshot_status", request_id=request))
        return answer.ok and answer.value.status in {SnapshotState.AVAILABLE, SnapshotState.FAILED}

    fleet.poll(fleet.boot, over)
    answer = shaped(provider.invoke("get_snapshot_status", request_id=request))
    if answer.code != "OK" or answer.value.status is not SnapshotState.AVAILABLE:
        raise Violation(f"the snapshot is available within {fleet.boot:g} s", told(answer), answer)
    if not answer.value.provider_snapshot_id:
        raise Violation("a snapshot that is available has its own id", shorten(answer.value), answer)
    return request, answer.value


@contextmanager
def made_snapshot(fleet: Fleet, instance_id: str, name: str) -> Generator[tuple[str, str]]:
    """Yield request and id of a snapshot, deleted afterwards.

    Raises:
        Blocked: it does not become available, which is another clause's matter.
    """
    try:
        request, status = snapshot(fleet, instance_id, name)
    except Violation as broken:
        raise Blocked(SNAPSHOT, str(broken)) from broken
    found = str(status.provider_snapshot_id)
    try:
        yield request, found
    finally:
        if fleet.provider.invoke("delete_snapshot", snapshot_id=found).code != "OK":
            # A vendor keeps one that something still runs on.
            fleet.close()
            all(fleet.ended(one) for one in fleet.ids)
            fleet.provider.invoke("delete_snapshot", snapshot_id=found)


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
        """From the request to an id of its own; the instance goes on running."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            _, status = snapshot(fleet, made.id, f"nomos-{fleet.name()}")
            found = fleet.get(made.id)
            nomos_provider.invoke("delete_snapshot", snapshot_id=status.provider_snapshot_id)
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
        """For get_snapshot_status and by its name; a second one stays."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            names = [f"nomos-{fleet.name()}" for _ in range(2)]
            with (
                made_snapshot(fleet, made.id, names[0]) as (request, found),
                made_snapshot(fleet, made.id, names[1]) as (stays, _),
            ):
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
                status = shaped(nomos_provider.invoke("get_snapshot_status", request_id=stays))
                if status.code != "OK" or status.value.status is not SnapshotState.AVAILABLE:
                    raise Violation("the other snapshot stays", told(status), status)
                again = nomos_provider.invoke("delete_snapshot", snapshot_id=found)
                if again.code != "OK" and code_of(again) != "NOT_FOUND":
                    raise Violation("delete_snapshot again succeeds or fails with NOT_FOUND", told(again), again)

    @clause("CMP-SNAP-003")
    def test_is_found_by_exactly_its_name(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Of two whose names begin alike, and by names that nothing has."""
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
                for wanted in (name[:-1], name + "-", name.upper(), fleet.name(), "*"):
                    seen = by_name(fleet, wanted)
                    if seen is not None and seen.name != wanted:
                        raise Violation(f"nothing has the name {wanted!r}", shorten(seen), *nomos_provider.answers[-1:])

    @clause("CMP-SNAP-004")
    def test_of_what_is_not_there_is_not_found(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """A snapshot of an unknown instance, the status of an unknown request."""
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
            with made_snapshot(fleet, made.id, f"nomos-{fleet.name()}") as (request, _):
                expect_taxonomy(
                    nomos_provider.invoke("get_snapshot_status", request_id=fleet.other(request)),
                    "NOT_FOUND",
                    because="nobody asked for it",
                )

    @clause("CMP-SNAP-005")
    def test_starts_an_instance(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """By its id; an id that nothing has is refused."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            with made_snapshot(fleet, made.id, f"nomos-{fleet.name()}") as (_, found):
                answer = shaped(fleet.try_spawn(snapshot_id=found))
                if answer.code != "OK" or fleet.running(answer.value.id) is None:
                    raise Violation("an instance starts from the snapshot", told(answer), answer)
                expect_taxonomy(
                    fleet.try_spawn(snapshot_id=fleet.other(found)),
                    "NOT_FOUND",
                    "INVALID_SPEC",
                    because="there is no such snapshot",
                )
