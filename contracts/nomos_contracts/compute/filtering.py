"""Filters of list: each alone, with a limit, and together."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import Fleet, fleet_of, told
from nomos_contracts.compute.interface import InstanceStatus, ListFilter, ProviderInstance
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.provider import InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Stock:
    """Instances that differ in what filters look at, all running."""

    fleet: Fleet
    made: Mapping[str, ProviderInstance]
    tags: Mapping[str, Tags]

    def ids(self, fits: Callable[[ProviderInstance, Tags], bool]) -> set[str]:
        """Return the ids of those for which *fits* holds."""
        return {one.id for name, one in self.made.items() if fits(one, self.tags[name])}


def stock_of(fleet: Fleet) -> Stock:
    """Return a stock: two specs where there are, and tags that are nearly, but not, each other's.

    Raises:
        Blocked: it cannot be spawned.
    """
    mark = fleet.mark
    other = fleet.samples.other_spec or fleet.samples.spec
    tags: dict[str, Tags] = {
        "plain": {"role": mark, "tier": "a"},
        "longer": {"role": mark + "x", "tier": "a"},
        "shorter": {"role": mark[:-1], "tier": "a"},
        "prefixed": {"role": "x" + mark, mark: "role "},
        "upper": {"role": mark.upper(), "rôle": "É"},
        "other key": {"role2": mark, "tier": "b"},
        "swapped": {mark: "role"},
        "both": {"role": mark, "tier": "b", "owner": ""},
    }
    made = {
        name: fleet.spawn(tags=own, spec=other if name in {"both", "longer"} else fleet.samples.spec)
        for name, own in tags.items()
    }
    fleet.run_all(made.values())
    fleet.visible(made.values())
    seen = {one.id: one for one in fleet.shown()}
    # What list itself says of them: whether spec and region are those that were asked for is another clause's matter.
    return Stock(fleet, {name: seen[one.id] for name, one in made.items()}, tags)


def expect_exactly(stock: Stock, wanted: ListFilter, ids: set[str]) -> None:
    """Say that of the stock a filter shows exactly *ids*.

    Raises:
        Violation: it shows others, within the limit.
    """
    fleet = stock.fleet
    if not fleet.poll(fleet.settle, lambda: set(_of(fleet, wanted)) == ids):
        answer = fleet.list_answer(wanted)
        names = {one.id: name for name, one in stock.made.items()}
        seen = set(_of(fleet, wanted))
        raise Violation(
            f"list with {_words(wanted)} shows exactly {sorted(names[one] for one in ids)}",
            f"{sorted(names[one] for one in seen)}" if answer.code == "OK" else told(answer),
            answer,
        )


def _of(fleet: Fleet, wanted: ListFilter) -> Sequence[str]:
    answer = fleet.list_answer(wanted)
    if answer.code != "OK":
        raise Violation(f"list with {_words(wanted)} answers instances", told(answer), answer)
    return [one.id for one in answer.value if one.id in fleet.ids]


def _words(wanted: ListFilter) -> str:
    given = {name: value for name, value in vars(wanted).items() if value is not None}
    return shorten(given, 300)


class FilterContract(Contract):
    """A filter shows exactly what matches: all of it and nothing else.

    Compare whole values: tags by key and value, spec and region exactly. What a vendor's API cannot filter is filtered
    afterwards. The limit counts last.
    """

    @clause("CMP-FILTER-001")
    def test_status_shows_exactly_those(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Running ones; what is not running is left out, and several statuses show each of them."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn_many(2)
            fleet.run_all(made)
            fleet.visible(made)
            ids = {one.id for one in made}
            stock = Stock(fleet, {one.id: one for one in made}, {one.id: {} for one in made})
            others = tuple(one for one in InstanceStatus if one is not InstanceStatus.RUNNING)
            expect_exactly(stock, ListFilter(status=(InstanceStatus.RUNNING,)), ids)
            expect_exactly(stock, ListFilter(status=(InstanceStatus.STOPPED, InstanceStatus.RUNNING)), ids)
            expect_exactly(stock, ListFilter(status=(InstanceStatus.STOPPED,)), set())
            expect_exactly(stock, ListFilter(status=others), set())

    @clause("CMP-FILTER-002")
    def test_spec_shows_exactly_those(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each of two specs, a made-up one, and one that is a part of another's name."""
        spec, other = nomos_samples.spec, nomos_samples.other_spec
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = {spec: fleet.spawn(spec=spec), other: fleet.spawn(spec=other)}
            fleet.visible(made.values())
            stock = Stock(fleet, made, {spec: {}, other: {}})
            for one in (spec, other, f"no-{fleet.name()}", spec[:-1], spec[1:], spec + "x"):
                expect_exactly(stock, ListFilter(spec=one), {made[one].id} if one in made else set())

    @clause("CMP-FILTER-003")
    def test_region_shows_exactly_those(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each region of the samples, a made-up one, and names that are nearly a region's."""
        regions = nomos_samples.regions[: 2 if "multi_region" in nomos_provider.capabilities else 1]
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = {one: fleet.spawn(region=one) for one in regions}
            fleet.visible(made.values())
            stock = Stock(fleet, made, {one: {} for one in made})
            nearly = [near for one in regions for near in (one[:-1], one[1:], one.upper(), one + " ") if near]
            for one in dict.fromkeys((*regions, f"no-{fleet.name()}", *nearly)):
                expect_exactly(stock, ListFilter(region=one), {made[one].id} if one in made else set())

    @clause("CMP-FILTER-004")
    def test_tags_show_exactly_those(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Whole keys and whole values, all of those that are given; an instance may have more."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            stock = stock_of(fleet)
            asked: tuple[Tags, ...] = (
                {"role": fleet.mark},
                {"role": fleet.mark, "tier": "a"},
                {"role": fleet.mark, "tier": "b"},
                {"role": fleet.mark, "tier": "c"},
                {"role": fleet.mark, "owner": ""},
                {"role": ""},
                {"role": fleet.mark + "x"},
                {"role": fleet.mark[:-1]},
                {"role2": fleet.mark},
                {fleet.mark: "role"},
                {fleet.mark: "role "},
                {"role": fleet.mark.upper()},
                {"rôle": "É"},
                {"nomos-check": fleet.mark},
            )
            for tags in asked:
                wanted = ListFilter(tags=tags)
                expect_exactly(stock, wanted, _matching(stock, wanted))

    @clause("CMP-FILTER-005")
    def test_limit_shows_at_most_so_many(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """One, two, as many as there are, and more; alone it is a limit of the whole list."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn_many(4)
            fleet.visible(made)
            for limit in (1, 2, 3, 4, 1000):
                answer = fleet.list_answer(ListFilter(limit=limit))
                if answer.code != "OK" or len(answer.value) > limit:
                    raise Violation(f"list with limit {limit} shows at most {limit}", told(answer), answer)
                if len(answer.value) < min(limit, len(made)):
                    raise Violation(
                        f"list with limit {limit} shows as many as there are, {min(limit, len(made))} or more",
                        f"{len(answer.value)}",
                        answer,
                    )

    @clause("CMP-FILTER-006")
    def test_filters_hold_together(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Every two of them, and all at once."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            stock = stock_of(fleet)
            for wanted in _combined(stock):
                expect_exactly(stock, wanted, _matching(stock, wanted))

    @clause("CMP-FILTER-007")
    def test_the_limit_counts_what_matches(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """With each other filter and with all: as many of the matching ones as the limit allows, no other."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            stock = stock_of(fleet)
            for wanted in (*_combined(stock), *_single(stock)):
                matching = _matching(stock, wanted)
                for limit in (1, 2, 1000):
                    self._expect_some(stock, replace(wanted, limit=limit), matching)

    @staticmethod
    def _expect_some(stock: Stock, wanted: ListFilter, matching: set[str]) -> None:
        answer = stock.fleet.list_answer(wanted)
        if answer.code != "OK":
            raise Violation(f"list with {_words(wanted)} answers instances", told(answer), answer)
        seen = [one.id for one in answer.value if one.id in stock.fleet.ids]
        limit = wanted.limit or 0
        if set(seen) - matching:
            raise Violation(f"list with {_words(wanted)} shows only what matches", shorten(answer.value), answer)
        # Others in the account may match too, unless the filter names the check's own mark.
        if stock.fleet.mark in str(wanted.tags) and len(answer.value) != min(limit, len(matching)):
            raise Violation(
                f"list with {_words(wanted)} shows {min(limit, len(matching))} of the {len(matching)} that match",
                str(len(answer.value)),
                answer,
            )

    @clause("CMP-FILTER-008")
    def test_nothing_matches_is_no_error(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """An empty list for tags that nothing has, alone and with a limit."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            fleet.spawn()
            for wanted in (
                ListFilter(tags={f"no-{fleet.name()}": fleet.name()}),
                ListFilter(tags={"nomos-check": fleet.name()}, limit=3),
            ):
                answer = fleet.list_answer(wanted)
                if answer.code != "OK" or len(answer.value):
                    raise Violation(f"list with {_words(wanted)} shows nothing", told(answer), answer)


def _single(stock: Stock) -> Iterator[ListFilter]:
    fleet = stock.fleet
    yield ListFilter(tags={"role": fleet.mark})
    yield ListFilter(tags={"tier": "a", "nomos-check": fleet.mark})
    yield ListFilter(spec=fleet.samples.spec)
    yield ListFilter(status=(InstanceStatus.RUNNING,))
    yield ListFilter(status=(InstanceStatus.STOPPED,))
    yield ListFilter(tags={"nomos-check": fleet.mark}, status=(InstanceStatus.STOPPED,))


def _combined(stock: Stock) -> Iterator[ListFilter]:
    """Yield every two of the filters, and all of them; in each only one of the two decides."""
    fleet = stock.fleet
    first = next(iter(stock.made.values()))
    specs = {one.spec for one in stock.made.values()}
    parts: dict[str, Sequence[object]] = {
        "tags": ({"role": fleet.mark}, {"nomos-check": fleet.mark}),
        "spec": (*sorted(specs), f"no-{fleet.mark}"),
        "status": ((InstanceStatus.RUNNING,), (InstanceStatus.STOPPED,)),
        "include_terminated": (True,),
    }
    if first.region is not None:
        parts["region"] = (first.region, f"no-{fleet.mark}")
    for left, right in itertools.combinations(parts, 2):
        for values in itertools.product(parts[left], parts[right]):
            yield replace(ListFilter(), **{left: values[0], right: values[1]})  # type: ignore[arg-type] # by its name
    whole = {name: values[0] for name, values in parts.items()}
    yield replace(ListFilter(), **whole)  # type: ignore[arg-type] # by its name


def _matching(stock: Stock, wanted: ListFilter) -> set[str]:
    """Return the ids of the stock that match, by the values with which it was seen."""

    def fits(one: ProviderInstance, own: Tags) -> bool:
        tags = {**own, "nomos-check": stock.fleet.mark}
        return (
            (wanted.status is None or InstanceStatus.RUNNING in wanted.status)
            and (wanted.spec is None or one.spec == wanted.spec)
            and (wanted.region is None or one.region == wanted.region)
            and (wanted.tags is None or wanted.tags.items() <= tags.items())
        )

    found = stock.ids(fits)
    if not all(one.status is InstanceStatus.RUNNING for one in stock.made.values()):
        raise Blocked("clause:CMP-LIST-002", "list does not say that the instances run, get does")
    return found
