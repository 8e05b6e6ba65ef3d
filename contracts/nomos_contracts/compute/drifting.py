"""Drift: what others do to instances behind the provider's back, and what comes late by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from random import Random
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import ENDED, Configured, Fleet, fleet_of, shaped, told, words
from nomos_contracts.compute.idempotency import once
from nomos_contracts.compute.interface import ListFilter, ProviderInstance, SpawnOptions
from nomos_contracts.compute.reconciling import PARTS, reconciled
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.fault import Changed, Deleted, Duplicated, HalfCreated
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.vendor import Vendor
from nomos_contracts.violation import Blocked, Violation, shorten

RECOVERY: Final = 5.0
"""Seconds within which drift is seen, unless ``limits.recovery`` says otherwise."""


def recovery(fleet: Fleet) -> float:
    """Return the seconds within which callers are served as before."""
    return max(fleet.limits.get("recovery", RECOVERY), fleet.settle)


def plain(value: Any) -> Any:
    """Return a field of an instance as a record has it."""
    return value.value if isinstance(value, Enum) else value


def record_of(instance: ProviderInstance, *fields: str) -> dict[str, Any]:
    """Return the record of *instance* with these fields beside its id."""
    return {"id": instance.id, **{name: plain(getattr(instance, name)) for name in fields}}


def live_of(fleet: Fleet, options: SpawnOptions) -> set[str]:
    """Return the ids of what list shows of *options*, by the tag that they alone carry."""
    marked = fleet.shown(ListFilter(tags={"once": (options.tags or {})["once"]}))
    return {one.id for one in marked if one.id not in fleet.known and one.status not in ENDED}


class DriftContract(Contract):
    """What was done to instances behind its back, a provider sees when it reconciles, and says so.

    Compare the records with what the vendor has now, not with what you remember; know your own instances by the marks
    that they carry at the vendor, those that nobody finished included.
    """

    @clause("CMP-CHAOS-001")
    def test_sees_what_was_deleted(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """One of two instances that run is taken away; get and list are asked as well."""
        with fleet_of(nomos_fresh, nomos_samples, nomos_target, nomos_random) as fleet:
            kept, lost = self._running(fleet, 2)
            with nomos_vendor.drift(nomos_fresh, Deleted(instance=lost.id)):
                self._expect(fleet, (kept, lost), {"missing": {lost.id}})
                answer = shaped(nomos_fresh.invoke("get", provider_id=lost.id))
                if answer.ok and answer.value is not None and answer.value.status not in ENDED:
                    raise Violation(f"get does not find {lost.id}, which is gone", words(answer.value), answer)
                if lost.id in fleet.listed():
                    raise Violation(
                        f"list does not show {lost.id}, which is gone", "it does", *fleet.provider.answers[-1:]
                    )

    @clause("CMP-CHAOS-002")
    def test_sees_what_was_changed(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """An attribute of one of two instances is another one; what it was stands in the record."""
        with fleet_of(nomos_fresh, nomos_samples, nomos_target, nomos_random) as fleet:
            kept, other = self._running(fleet, 2)
            with nomos_vendor.drift(nomos_fresh, Changed(instance=other.id)) as done:
                if not hasattr(other, done.attribute):
                    raise Blocked("author", f"what changed names no field of an instance: {done.attribute!r}")
                before = plain(getattr(other, done.attribute))
                self._expect(fleet, (kept, other), {"changed": {other.id}}, done.attribute)

                def shown() -> bool:
                    found = fleet.get(other.id)
                    return found is not None and plain(getattr(found, done.attribute)) != before

                if not fleet.poll(recovery(fleet), shown):
                    seen = fleet.provider.answers[-1:]
                    raise Violation(f"get of {other.id} shows another {done.attribute}", f"still {before}", *seen)

    @clause("CMP-CHAOS-003")
    def test_sees_what_was_duplicated(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """There is a second instance with all marks of one that was spawned."""
        with fleet_of(nomos_fresh, nomos_samples, nomos_target, nomos_random) as fleet:
            (one,) = self._running(fleet, 1)
            with nomos_vendor.drift(nomos_fresh, Duplicated(instance=one.id)) as done:
                if done.instance == one.id:
                    raise Blocked("author", f"the duplicate has the id of its original, {one.id}")
                self._expect(fleet, (one,), {"extra": {done.instance}}, among=(done.instance,))
                listed = {each.id for each in fleet.shown()}
                if not {one.id, done.instance} <= listed:
                    gone = sorted({one.id, done.instance} - listed)
                    raise Violation("list shows both", f"{gone} is not there", *fleet.provider.answers[-1:])

    @clause("CMP-CHAOS-004")
    def test_sees_what_was_half_created(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """A spawn was cut off between create and record; the next one takes what it left, or clears it away."""
        with fleet_of(nomos_fresh, nomos_samples, nomos_target, nomos_random) as fleet:
            options = once(fleet)
            with nomos_vendor.drift(nomos_fresh, HalfCreated(), options) as done:
                half = done.instance
                fleet.shown()  # what keeps it from being listed at all is another clause's matter
                if not fleet.poll(recovery(fleet), lambda: half in self._found(fleet, ())[1]["extra"]):
                    self._expect_gone(fleet, half)
                if _is_idempotent(fleet):
                    self._expect_one(fleet, options, half)

    @staticmethod
    def _expect_gone(fleet: Fleet, half: str) -> None:
        found = fleet.get(half)
        if found is not None and found.status not in ENDED:
            raise Violation(
                f"reconciliation finds {half}, which nobody has recorded, extra, or it is gone",
                f"neither: get answers {words(found)}",
                *fleet.provider.answers[-1:],
            )

    @staticmethod
    def _expect_one(fleet: Fleet, options: SpawnOptions, half: str) -> None:
        answer = shaped(fleet.try_spawn(options))
        if answer.code != "OK":
            raise Violation("the same spawn again gives an instance", told(answer), answer)
        made = str(answer.value.id)
        if not fleet.poll(recovery(fleet), lambda: live_of(fleet, options) == {made}):
            there = sorted(live_of(fleet, options))
            for one in there:
                fleet.own(one)
            raise Violation(
                f"one instance after a spawn that was cut off ({half}) and another one",
                f"{shorten(there)} are there",
                *fleet.provider.answers[-2:],
            )
        if fleet.running(made) is None:
            raise Violation(f"{made}, which spawn answered, runs", words(fleet.get(made)), answer)

    @clause("CMP-CHAOS-005")
    def test_bears_with_a_vendor_that_shows_things_late(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """Under the sample `lagging`: not found right after a spawn; the caller spawns and looks again."""
        provider = nomos_configured(nomos_samples.lagging)
        with fleet_of(provider, nomos_samples, nomos_target, nomos_random) as fleet:
            again = _is_idempotent(fleet)
            options = once(fleet)
            made = fleet.spawn(options).id
            ids, blanks = {made}, 0

            def look() -> bool:
                nonlocal blanks
                if fleet.get(made) is not None:
                    return True
                blanks += 1
                if again and blanks <= 3:
                    answer = shaped(fleet.try_spawn(options))
                    if answer.code != "OK":
                        raise Violation(f"the same spawn again answers {made}", told(answer), answer)
                    ids.add(str(answer.value.id))
                return False

            found = fleet.poll(recovery(fleet), look)
            nomos_observe("not found after create", blanks)
            if not found:
                seen = provider.answers[-1:]
                raise Violation(f"get finds {made} within {recovery(fleet):g} s", "not found", *seen)
            if not blanks:
                raise Blocked("sample:lagging", "what was spawned was found at once, so that nothing was shown")
            if len(ids) > 1:
                raise Violation("one instance while the first one is not seen yet", shorten(sorted(ids)))
            fleet.poll(recovery(fleet), lambda: live_of(fleet, options) >= ids)
            if (live := live_of(fleet, options)) != ids:
                raise Violation(f"list shows {made} and no other", shorten(sorted(live)), *provider.answers[-1:])

    @classmethod
    def _running(cls, fleet: Fleet, count: int) -> list[ProviderInstance]:
        """Return instances that run, and that reconciliation finds nothing to say about."""
        made = fleet.spawn_many(count)
        fleet.run_all(made)
        fleet.visible(made)
        running = [fleet.get(one.id) for one in made]
        found = [now or one for now, one in zip(running, made, strict=True)]
        try:
            cls._expect(fleet, found, {})
        except Violation as wrong:
            raise Blocked("clause:CMP-HOOK-009", f"on a good day, {wrong.expected}, got {wrong.got}") from wrong
        return found

    @staticmethod
    def _found(fleet: Fleet, records: Sequence[Mapping[str, Any]]) -> tuple[Answer, dict[str, set[str]]]:
        answer, found = reconciled(fleet.provider, records)
        return answer, found or {part: set[str]() for part in PARTS}

    @classmethod
    def _expect(
        cls,
        fleet: Fleet,
        recorded: Sequence[ProviderInstance],
        wanted: Mapping[str, set[str]],
        *fields: str,
        among: Iterable[str] = (),
    ) -> None:
        records = [record_of(one, "spec", *fields) for one in recorded]
        ids = {one.id for one in recorded} | set(among)
        full = {part: wanted.get(part, set[str]()) for part in PARTS}

        def look() -> tuple[Answer, dict[str, set[str]]]:
            answer, found = cls._found(fleet, records)
            return answer, {part: found[part] & ids for part in PARTS}

        fleet.poll(recovery(fleet), lambda: look()[1] == full)
        answer, seen = look()
        if seen != full:
            raise Violation(f"reconciliation finds {full}", shorten(seen, 400), answer)


def _is_idempotent(fleet: Fleet) -> bool:
    """Whether the same spawn again gives the same instance, as the provider declares.

    Raises:
        Blocked: it declares that, and it is not so on a good day either.
    """
    if "idempotent_spawn" not in fleet.provider.capabilities:
        return False
    options = once(fleet)
    one = fleet.spawn(options).id
    fleet.running(one)
    answer = shaped(fleet.try_spawn(options))
    if answer.code != "OK" or answer.value.id != one:
        raise Blocked("clause:CMP-IDEM-001", f"the same spawn again does not answer {one}: {told(answer)}")
    return True
