"""Filters of list: each alone, with a limit, and together."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import Fleet, code_of, fleet_of, told
from nomos_contracts.compute.interface import InstanceStatus, ListFilter
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.stock import (
    ODD,
    Stock,
    Tags,
    expect_each_its_own,
    expect_exactly,
    expect_none_of,
    in_pairs,
    in_threes,
    in_words,
    matching,
    odd_stock,
    one_wrong,
    single,
    stock_of,
    with_ended,
)
from nomos_contracts.contract import Contract
from nomos_contracts.provider import InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten

LARGE = (2**31, 2**32, 2**63 - 1)
"""Limits that are negative, or nothing, where they are kept in 32 bits."""


AT_ONCE = 8
"""Lists that are under way at the same time."""


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
        """Running ones; what is not running is left out, and several statuses show each of them.

        Also one that nobody asks get about, from its beginning to its end.
        """
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn_many(2)
            fleet.run_all(made)
            fleet.visible(made)
            ids = {one.id for one in made}
            stock = Stock(fleet, {one.id: one for one in made}, {one.id: {} for one in made})
            others = tuple(one for one in InstanceStatus if one is not InstanceStatus.RUNNING)
            expect_exactly(stock, ListFilter(status=(InstanceStatus.RUNNING,)), ids)
            expect_exactly(stock, ListFilter(status=(InstanceStatus.STOPPED, InstanceStatus.RUNNING)), ids)
            expect_exactly(stock, ListFilter(status=(InstanceStatus.RUNNING, InstanceStatus.RUNNING)), ids)
            expect_exactly(stock, ListFilter(status=(InstanceStatus.STOPPED,)), set())
            expect_exactly(stock, ListFilter(status=others), set())
            self._expect_by_list_alone(fleet)

    @staticmethod
    def _expect_by_list_alone(fleet: Fleet) -> None:
        one, wanted = fleet.spawn().id, ListFilter(status=(InstanceStatus.RUNNING,))
        if not fleet.poll(fleet.boot, lambda: one in fleet.listed(wanted)):
            last = fleet.list_answer(wanted)
            if fleet.running(one) is None:
                raise Blocked("clause:CMP-STATE-001", f"{one} does not run within {fleet.boot:g} s")
            raise Violation(f"list with {in_words(wanted)} shows {one}, which runs", told(last), last)
        fleet.terminate(one)
        if not fleet.poll(fleet.settle, lambda: one not in fleet.listed(wanted)):
            last = fleet.list_answer(wanted)
            if not fleet.ended(one):
                raise Blocked("clause:CMP-TERM-001", f"{one} is not gone within {fleet.settle:g} s")
            raise Violation(f"list with {in_words(wanted)} leaves out {one}, which was terminated", told(last), last)

    @clause("CMP-FILTER-002")
    def test_spec_shows_exactly_those(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each of two specs, a made-up one, one that is a part of another's name, and none."""
        spec, other = nomos_samples.spec, nomos_samples.other_spec
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = {spec: fleet.spawn(spec=spec), other: fleet.spawn(spec=other)}
            fleet.visible(made.values())
            stock = Stock(fleet, made, {spec: {}, other: {}})
            for one in (spec, other, f"no-{fleet.name()}", spec[:-1], spec[1:], spec + "x"):
                expect_exactly(stock, ListFilter(spec=one), {made[one].id} if one in made else set())
            expect_none_of(stock, ListFilter(spec=""))

    @clause("CMP-FILTER-003")
    def test_region_shows_exactly_those(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each region of the samples, a made-up one, names that are nearly a region's, and none."""
        regions = nomos_samples.regions[: 2 if "multi_region" in nomos_provider.capabilities else 1]
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = {one: fleet.spawn(region=one) for one in regions}
            fleet.visible(made.values())
            stock = Stock(fleet, made, {one: {} for one in made})
            nearly = [near for one in regions for near in (one[:-1], one[1:], one.upper(), one + " ") if near]
            for one in dict.fromkeys((*regions, f"no-{fleet.name()}", *nearly)):
                expect_exactly(stock, ListFilter(region=one), {made[one].id} if one in made else set())
            expect_none_of(stock, ListFilter(region=""))

    @clause("CMP-FILTER-004")
    def test_tags_show_exactly_those(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Whole keys and whole values, all of those that are given; an instance may have more.

        Of many tags each in turn is the one that does not fit. Several lists at once have each its own filter.
        Tags that are long, many, without a key or with odd signs are kept as a whole where they are taken.
        """
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
                *({**stock.tags["both"], key: "other"} for key in stock.tags["both"]),
            )
            for tags in asked:
                wanted = ListFilter(tags=tags)
                expect_exactly(stock, wanted, matching(stock, wanted))
            expect_each_its_own(stock, [ListFilter(tags=tags) for tags in asked[:AT_ONCE]])
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            stock = odd_stock(fleet)
            for name in (one for one in ODD if one in stock.tags):
                for tags in one_wrong(stock.tags[name]):
                    wanted = ListFilter(tags=tags)
                    expect_exactly(stock, wanted, matching(stock, wanted))

    @clause("CMP-FILTER-005")
    def test_limit_shows_at_most_so_many(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """None, one, two, as many as there are, and far more; alone it is a limit of the whole list.

        What was terminated does not count. At most -1 is nothing, or refused.
        """
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn_many(4)
            fleet.visible(made)
            for limit in (1, 2, 3, 4, 1000, *LARGE):
                self._expect_up_to(fleet, limit, len(made))
            for limit in (0, -1, -(2**31), -(2**63)):
                answer = fleet.list_answer(ListFilter(limit=limit))
                if answer.ok and len(answer.value):
                    raise Violation(f"list with limit {limit} shows nothing", told(answer), answer)
            for one in made[:2]:
                fleet.end(one.id)
            for limit in (1, 2):
                self._expect_up_to(fleet, limit, len(made) - 2)

    @staticmethod
    def _expect_up_to(fleet: Fleet, limit: int, there: int) -> None:
        answer = fleet.list_answer(ListFilter(limit=limit))
        if limit in LARGE and code_of(answer) == "INVALID_SPEC":
            return
        if answer.code != "OK" or len(answer.value) > limit:
            raise Violation(f"list with limit {limit} shows at most {limit}", told(answer), answer)
        if len(answer.value) < min(limit, there):
            expected = f"list with limit {limit} shows as many as there are, {min(limit, there)} or more"
            raise Violation(expected, f"{len(answer.value)}", answer)

    @clause("CMP-FILTER-006")
    def test_filters_hold_together(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Every two of them, every three and all at once; also for what is terminated, where it is asked for."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            stock = stock_of(fleet)
            for wanted in (*in_pairs(stock), *in_threes(stock)):
                expect_exactly(stock, wanted, matching(stock, wanted))
            stock.end("longer")
            for wanted in with_ended(stock):
                expect_exactly(stock, wanted, matching(stock, wanted))

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
            for wanted in (*in_pairs(stock), *single(stock)):
                fitting = matching(stock, wanted)
                for limit in (1, 2, 1000):
                    self._expect_some(stock, replace(wanted, limit=limit), fitting)
            for wanted in in_threes(stock):
                self._expect_some(stock, replace(wanted, limit=1), matching(stock, wanted))

    @staticmethod
    def _expect_some(stock: Stock, wanted: ListFilter, fitting: set[str]) -> None:
        answer = stock.fleet.list_answer(wanted)
        if answer.code != "OK":
            raise Violation(f"list with {in_words(wanted)} answers instances", told(answer), answer)
        seen = [one.id for one in answer.value if one.id in stock.fleet.ids]
        limit = wanted.limit or 0
        if set(seen) - fitting:
            raise Violation(f"list with {in_words(wanted)} shows only what matches", shorten(answer.value), answer)
        # Others in the account may match too, unless the filter names the check's own mark.
        if stock.fleet.mark in str(wanted.tags) and len(answer.value) != min(limit, len(fitting)):
            raise Violation(
                f"list with {in_words(wanted)} shows {min(limit, len(fitting))} of the {len(fitting)} that match",
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
                    raise Violation(f"list with {in_words(wanted)} shows nothing", told(answer), answer)
