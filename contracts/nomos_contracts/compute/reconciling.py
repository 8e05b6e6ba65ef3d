"""Reconciliation: what is recorded of instances against what is there, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from random import Random
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import LOOKS, Fleet, fleet_of, words
from nomos_contracts.compute.heartbeats import receipt_of
from nomos_contracts.compute.interface import InstanceStatus, ProviderInstance, ReceiptStatus, TaskType
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.spot import ask, fulfilled, prices_of
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten
from nomos_proto.kinds import is_map, is_sequence

PARTS: Final = ("missing", "extra", "changed")
"""What a reconciliation tells, each a list of ids."""

FIELDS: Final = tuple(one.name for one in fields(ProviderInstance) if one.name != "id")
"""What a record may hold beside the id."""

SURE: Final = 3
"""So many times something has to be seen that may pass at any moment."""

HOUR, DAY = 3_600_000, 86_400_000
"""In milliseconds."""

Record = dict[str, Any]
Found = dict[str, set[str]]


def reconciled(provider: InterfaceProvider, records: Iterable[Mapping[str, Any]]) -> tuple[Answer, Found | None]:
    """Reconcile *records* with what is there; None where that is not completed.

    Raises:
        Blocked: there is no receipt, which is another clause's matter.
    """
    answer, receipt = receipt_of(provider, TaskType.RECONCILE_INSTANCES, {"expected": list(records)})
    if receipt.status is not ReceiptStatus.COMPLETED:
        return answer, None
    result = receipt.result or {}
    listed = {part: result.get(part) for part in PARTS}
    return answer, {
        part: {one for one in ids if isinstance(one, str)} if is_sequence(ids) else set[str]()
        for part, ids in listed.items()
    }


def _is_flat(value: Any) -> bool:
    """Whether a map comes back from its provider as what it was: lists and bytes have several forms in a language."""
    return is_map(value) and all(isinstance(one, str | bool | int) for one in value.values())


@dataclass
class Books:
    """The records of instances, as the provider itself shows them.

    Attributes:
        fleet: whose instances they are.
        ids: of the instances.
        records: by id.
    """

    fleet: Fleet
    ids: Sequence[str]
    records: dict[str, Record] = field(default_factory=dict[str, Record])

    def __post_init__(self) -> None:
        """Write them."""
        self.refresh()

    def refresh(self) -> None:
        """Write what get and list show alike: what is absent, or differs each time, nobody can have recorded.

        Raises:
            Blocked: an instance runs no more, so that nothing can be said about it.
        """
        listed = {one.id: one for one in self.fleet.shown()}
        for one in self.ids:
            found = self.fleet.get(one)
            if found is None or found.status is not InstanceStatus.RUNNING:
                raise Blocked("clause:CMP-STATE-001", f"{one} does not go on running: {words(found)}")
            self.records[one] = {"id": one, **_shown(found, listed.get(one, found))}

    def mistakes(self, instance_id: str) -> Iterator[tuple[str, Any]]:
        """Yield fields of a record, each with a value that it does not have; one alone is to be wrong at a time."""
        random, record = self.fleet.random, self.records[instance_id]
        regions = [one for one in self.fleet.samples.regions if one != record.get("region")]
        others: dict[str, Callable[[Any], Any]] = {
            "status": lambda _: InstanceStatus.STOPPED.value,
            "spec": lambda _: f"no-{self.fleet.name()}",
            "created_at": lambda made: made - HOUR - random.randrange(DAY),
            "is_spot": lambda spot: not spot,
            "region": lambda _: regions[-1] if regions else f"no-{self.fleet.name()}",
            "ip": lambda ip: next(one for one in _addresses(random, "192.0.2") if one != ip),
            "private_ip": lambda ip: next(one for one in _addresses(random, "10.99.99") if one != ip),
            "spot_request_id": self.fleet.other,
        }
        for name, other in others.items():
            if name in record:
                yield name, other(record[name])
        if metadata := record.get("metadata"):
            yield "metadata", {**metadata, f"nomos-{self.fleet.name()}": self.fleet.name()}
            for key, value in metadata.items():
                if isinstance(value, str):
                    yield "metadata", {**metadata, key: f"{value}-{self.fleet.name()}"}
                    break


def _addresses(random: Random, network: str) -> Iterator[str]:
    while True:
        yield f"{network}.{random.randrange(1, 255)}"


def _shown(one: ProviderInstance, listed: ProviderInstance) -> Record:
    found: Record = {}
    for name in FIELDS:
        value = getattr(one, name)
        # Whether a provider says that an instance is no spot instance, or leaves that out, is up to it.
        if value is None or value is False or value != getattr(listed, name):
            continue
        if name == "metadata" and not _is_flat(value):
            continue
        found[name] = value.value if isinstance(value, Enum) else dict(value) if is_map(value) else value
    return found


def _words(found: Mapping[str, set[str]]) -> dict[str, list[str]]:
    return {part: sorted(ids) for part, ids in found.items()}


def _spot(fleet: Fleet, **changes: Any) -> ProviderInstance | None:
    """Return a spot instance of a request, which has two fields that others do not have; None where none comes."""
    if "spot" not in fleet.provider.capabilities:
        return None
    try:
        answer = ask(fleet, prices_of(fleet)[-1].price * 2, **changes)
        found = fulfilled(fleet, answer.value.request_id, fleet.settle) if answer.code == "OK" else None
    except Blocked:
        return None
    if found is not None:
        fleet.own(found.id)
    return found


class ReconciliationContract(Contract):
    """Reconciliation tells what is missing, what is extra and what has changed, and nothing else.

    Compare the records with list by id, then each field that a record gives with what the instance shows there. What is
    terminated, or on its way there, is missing.
    """

    @clause("CMP-HOOK-009")
    def test_reconciles(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """All three at once, then each field of a record wrong by itself, then records as they should be, and none."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            # Providers that keep it show it, in their metadata.
            manifest = {"manifest_id": f"manifest-{fleet.name()}"}
            same, lost = fleet.spawn_many(2, **manifest)
            # What nobody has recorded may be anywhere.
            away = nomos_samples.regions[1:2] if "multi_region" in nomos_provider.capabilities else ()
            extra = fleet.spawn(**manifest, **({"region": away[0]} if away else {}))
            changed = _spot(fleet, **manifest) or fleet.spawn(**manifest)
            live = (same, changed, extra)
            fleet.run_all((*live, lost))
            fleet.visible((*live, lost))
            self._sees_what_goes(fleet, lost)
            if not fleet.ended(lost.id):
                raise Blocked("clause:CMP-TERM-001", f"{lost.id} is not gone within {fleet.settle:g} s")
            never = fleet.nobody(same.id)
            gone = [{"id": lost.id, "spec": lost.spec}, {"id": never}]
            books = Books(fleet, [one.id for one in live])

            def some() -> list[Record]:
                wrong = {**books.records[changed.id], "spec": f"no-{fleet.name()}"}
                return [books.records[same.id], wrong, *gone]

            wanted = {"missing": {lost.id, never}, "extra": {extra.id}, "changed": {changed.id}}
            among = {lost.id, never, *books.ids}
            self._expect(books, some, wanted, among)
            mistakes = [(changed.id, *one) for one in books.mistakes(changed.id)]
            if "spot" in nomos_provider.capabilities and not same.is_spot:
                mistakes.append((same.id, "is_spot", True))
            for one, name, value in mistakes:

                def amended(one: str = one, name: str = name, value: Any = value) -> list[Record]:
                    return [*({**books.records, one: {**books.records[one], name: value}}).values()]

                self._expect(books, amended, {"changed": {one}}, among, f" where its {name} is recorded as {value!r}")
            self._expect(books, lambda: [*books.records.values()], {}, among)
            self._expect(books, list, {"extra": set(books.ids)}, among, " where nothing is expected")

    @staticmethod
    def _sees_what_goes(fleet: Fleet, lost: ProviderInstance) -> None:
        """End an instance; while list shows it on its way it is missing. Many are gone too soon to be seen there."""

        def goes() -> bool:
            return any(one.id == lost.id and one.status is InstanceStatus.TERMINATING for one in fleet.shown())

        fleet.terminate(lost.id)
        seen, before = 0, goes()
        for _ in range(LOOKS):
            answer, found = reconciled(fleet.provider, [{"id": lost.id, "spec": lost.spec}])
            if found is None or lost.id in found["missing"]:
                return
            after = goes()
            seen = seen + 1 if before and after else 0
            before = after
            if seen == SURE:
                expected = f"reconciliation finds {lost.id} missing, which is terminating"
                raise Violation(expected, shorten(_words(found), 400), answer)

    @staticmethod
    def _expect(
        books: Books,
        records: Callable[[], Sequence[Mapping[str, Any]]],
        wanted: Mapping[str, set[str]],
        among: set[str],
        where: str = "",
    ) -> None:
        full = {part: wanted.get(part, set[str]()) for part in PARTS}
        last: list[tuple[Answer, Found]] = []

        def look() -> bool:
            if last:
                books.refresh()
            answer, found = reconciled(books.fleet.provider, records())
            seen = {part: found[part] & among if found else set[str]() for part in PARTS}
            last[:] = [(answer, seen)]
            return found is not None and seen == full

        if not books.fleet.poll(books.fleet.settle, look):
            answer, seen = last[0]
            raise Violation(f"reconciliation finds {_words(full)}{where}", shorten(_words(seen), 400), answer)

    @clause("CMP-HOOK-010")
    def test_a_task_with_arguments_that_make_no_sense_fails(self, nomos_provider: InterfaceProvider) -> None:
        """As its receipt, not as an error of the heartbeat, and it is not completed."""
        cases: tuple[dict[str, Any], ...] = (
            {"expected": "all"},
            {"expected": [5]},
            {"expected": [{}]},
            {"expected": {"id": 1}},
        )
        for params in cases:
            answer, receipt = receipt_of(nomos_provider, TaskType.RECONCILE_INSTANCES, params)
            if receipt.status is ReceiptStatus.COMPLETED or not receipt.reason:
                raise Violation(f"reconciliation with {params} fails, with a reason", shorten(receipt), answer)
