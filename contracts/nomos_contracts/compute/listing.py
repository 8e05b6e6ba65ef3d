"""List: everything that is there, once."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import ENDED, LIST, LOOKS, Fleet, fleet_of, shaped, told, words
from nomos_contracts.compute.interface import InstanceStatus, ListFilter
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.spawn import difference
from nomos_contracts.contract import Contract
from nomos_contracts.provider import InterfaceProvider, PendingAnswer, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten

OTHERS = 20
"""At most so many instances that the check did not make are looked at."""

CHANGES, AT_ONCE = 4, 8
"""So many are spawned and ended while so many lists are asked for at once, as often as it takes."""

CHANGING = 0.15
"""Seconds for which one that ends is followed: the vendor may take it out of a page at any moment of its end."""

LIVE_STATUSES = tuple(one for one in InstanceStatus if one not in ENDED)


def expect_once(listed: Sequence[str], when: str = "") -> None:
    """Say that nothing stands twice in a list.

    Raises:
        Violation: something does.
    """
    twice = [one for one, count in Counter(listed).items() if count > 1]
    if twice:
        raise Violation(f"each instance stands once in a list{when}", f"{twice[0]} stands there twice")


@dataclass
class _Looking:
    """Lists, one begun after the other, of which a few are always under way.

    Attributes:
        fleet: whose instances are looked at.
        stay: ids of those that each list has to show once.
    """

    fleet: Fleet
    stay: set[str]
    pending: deque[PendingAnswer] = field(default_factory=deque[PendingAnswer])

    def begin(self) -> None:
        """Begin as many as are to be under way."""
        while len(self.pending) < AT_ONCE:
            self.pending.append(self.fleet.provider.start("list"))

    def go_on(self, count: int) -> set[str]:
        """Judge *count* lists, and return the ids that the last one showed.

        Raises:
            Violation: one of those that stay is missing, or there twice.
        """
        shown: set[str] = set()
        when = " while others are spawned and ended"
        for _ in range(count):
            self.begin()
            answer = shaped(self.pending.popleft().answer())
            if answer.code != "OK":
                raise Blocked(LIST, f"list fails: {told(answer)}")
            listed = [one.id for one in answer.value]
            shown = set(listed)
            expect_once([one for one in listed if one in self.stay], when)
            if lost := sorted(self.stay - shown):
                raise Violation(f"list shows all that is there{when}", f"without {shorten(lost)}", answer)
        return shown


class ListContract(Contract):
    """List shows what is there: every instance once, whatever the vendor's pages, and as get shows it.

    Follow the vendor's cursor to its end. Leave out what is terminated unless it is asked for.
    """

    @clause("CMP-LIST-001")
    def test_shows_everything_that_was_spawned(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Three instances, without a filter, with an empty one, and with one that asks for no tags."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            wanted = {one.id for one in fleet.spawn_many(3)}
            for empty in (None, ListFilter(), ListFilter(tags={})):

                def look(empty: ListFilter | None = empty) -> bool:
                    answer = fleet.list_answer(empty)
                    return answer.code == "OK" and wanted <= {one.id for one in answer.value}

                if not fleet.poll(fleet.settle, look):
                    answer = fleet.list_answer(empty)
                    raise Violation(f"list shows {sorted(wanted)} within {fleet.settle:g} s", told(answer), answer)

    @clause("CMP-LIST-002")
    def test_agrees_with_get(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """What never changes, and the status of what runs; whatever else list shows is known to get too."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn_many(2)
            fleet.run_all(made)
            fleet.visible(made)
            for one in made:

                def agreed(wanted: str = one.id) -> str:
                    got = fleet.get(wanted)
                    shown = next((each for each in fleet.shown() if each.id == wanted), None)
                    if got is None or shown is None:
                        return "one of them knows it, the other does not"
                    if got.status is not shown.status:
                        return f"{got} and {shown}"
                    # Both have had time: what the one knows, the other does not lack.
                    return difference(got, shown, complete=True)

                if not fleet.poll(fleet.settle, _quiet, agreed):
                    raise Violation(f"get and list agree about {one.id}", agreed(), *nomos_provider.answers[-2:])
            if unknown := _unknown(fleet):
                raise Violation(
                    f"get knows what list shows within {fleet.settle:g} s",
                    f"get answers nothing for {unknown[0]}, which list goes on showing",
                    *nomos_provider.answers[-2:],
                )

    @clause("CMP-LIST-003")
    def test_shows_more_than_one_page(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """One instance more than two pages hold; each stands there once, with and without a filter.

        Also while others are spawned and ended: those that stay are on one page or the next, and on one alone.
        """
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn_many(2 * nomos_samples.page + 1, tags={"page": fleet.mark})
            ids = {one.id for one in made}
            for wanted in (None, ListFilter(tags={"page": fleet.mark}), ListFilter(spec=nomos_samples.spec)):
                if not fleet.poll(fleet.settle, _shows, fleet, ids, wanted):
                    raise Violation(
                        f"list shows all {len(ids)} instances, on however many pages",
                        f"{len(set(fleet.listed(wanted)))} of them",
                        *nomos_provider.answers[-1:],
                    )
                expect_once(fleet.listed(wanted))
            first = [one for one in fleet.listed() if one in ids][: min(CHANGES, len(ids) // 2)]
            if self._steady(fleet, ids):
                self._expect_while_changing(fleet, ids, first)

    @staticmethod
    def _steady(fleet: Fleet, ids: set[str]) -> bool:
        """Say whether list shows the same time after time: a vendor may take its time before it does."""
        return all(_shows(fleet, ids, None) for _ in range(LOOKS))

    @staticmethod
    def _expect_while_changing(fleet: Fleet, ids: set[str], ending: Sequence[str]) -> None:
        """Spawn and end some, list all the time, and look for those that were there before and still are."""
        looking = _Looking(fleet, ids - set(ending))
        for one in ending:
            looking.begin()
            spawning = fleet.provider.start("spawn", options=fleet.options())
            looking.go_on(AT_ONCE)
            fleet.adopt(spawning.answer())
            looking.begin()
            terminating = fleet.provider.start("terminate", provider_id=one)
            end = time.monotonic() + CHANGING
            while one in looking.go_on(1) and time.monotonic() < end:
                continue
            terminating.answer()
        looking.go_on(AT_ONCE)

    @clause("CMP-LIST-004")
    def test_leaves_out_what_is_terminated(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """By default, and with each other filter, also with one that names the status; what lives is shown."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            gone, stays = fleet.spawn_many(2)
            fleet.run_all((gone, stays))
            fleet.end(gone.id)
            for wanted in (
                None,
                ListFilter(spec=nomos_samples.spec),
                ListFilter(region=gone.region),
                ListFilter(spec=nomos_samples.spec, tags={"nomos-check": fleet.mark}),
                ListFilter(limit=1000),
                ListFilter(include_terminated=False),
                ListFilter(tags={"nomos-check": fleet.mark}),
                ListFilter(status=(InstanceStatus.TERMINATED,)),
                ListFilter(status=tuple(InstanceStatus)),
            ):

                def over(wanted: ListFilter | None = wanted) -> bool:
                    return all(
                        one.id != gone.id or one.status is InstanceStatus.TERMINATING for one in fleet.shown(wanted)
                    )

                if not fleet.poll(fleet.settle, over):
                    shown = [one for one in fleet.shown(wanted) if one.id == gone.id]
                    raise Violation("list leaves out what is terminated", shorten(shown), *nomos_provider.answers[-1:])

    @clause("CMP-LIST-005")
    def test_shows_what_lives_beside_what_is_terminated(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """With `include_terminated`; what it shows of the terminated instance is not alive."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            gone, stays = fleet.spawn_many(2)
            fleet.run_all((gone, stays))
            fleet.visible((stays,))
            fleet.end(gone.id)
            wanted = ListFilter(include_terminated=True)

            def fits() -> bool:
                shown = {one.id: one for one in fleet.shown(wanted)}
                return stays.id in shown and (gone.id not in shown or shown[gone.id].status in ENDED)

            if not fleet.poll(fleet.settle, fits):
                shown = [one for one in fleet.shown(wanted) if one.id in fleet.ids]
                raise Violation(
                    f"{words(stays)}, and of {gone.id} nothing or that it is terminated",
                    shorten(shown),
                    *nomos_provider.answers[-1:],
                )


def _unknown(fleet: Fleet) -> list[str]:
    """Return the ids of what list goes on showing as alive, and get never knew; others may end what is theirs."""
    suspects: list[str] | None = None

    def look() -> bool:
        nonlocal suspects
        alive = {one.id: one.region for one in fleet.shown() if one.status not in ENDED}
        if suspects is None:
            others = sorted(alive.keys() - set(fleet.ids))
            suspects = fleet.random.sample(others, min(len(others), OTHERS))
        suspects = [one for one in suspects if one in alive and not _known(fleet, one, alive[one])]
        return not suspects

    fleet.poll(fleet.settle, look)
    return suspects or []


def _known(fleet: Fleet, instance_id: str, region: str | None) -> bool:
    """Say whether get knows an instance, if need be in its region; a get that fails is another clause's matter."""
    answer = fleet.provider.invoke("get", provider_id=instance_id)
    if answer.ok and answer.value is None and region is not None:
        answer = fleet.provider.invoke("get", provider_id=instance_id, region=region)
    return not answer.ok or answer.value is not None


def _quiet(complaint: Callable[[], str]) -> bool:
    return not complaint()


def _shows(fleet: Fleet, ids: set[str], wanted: ListFilter | None) -> bool:
    return ids <= set(fleet.listed(wanted))
