"""Mutants of list: pages, filters, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from nomos_contracts.compute.interface import InstanceStatus, ListFilter, ProviderError, ProviderInstance
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.errors import mapped
from nomos_reference.compute.filters import matching

Found = Iterable[ProviderInstance]


class Filtered(Original):
    """Changes the filter, or what it shows."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Return the filter that is used."""
        return wanted

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Return what is shown."""
        return found

    async def list(self, filter: ListFilter | None = None) -> Found:  # noqa: A002 # the interface's
        """Change both."""
        wanted = filter or ListFilter()
        return self.answer(wanted, list(await super().list(self.ask(wanted))))


@mutant("CMP-LIST-001", defect="an empty filter shows nothing", also=("CMP-SCHED-001",))
class EmptyShowsNothing(Original):
    """Takes a filter without wishes for one that nothing meets."""

    async def list(self, filter: ListFilter | None = None) -> Found:  # noqa: A002 # the interface's
        """Show nothing for it."""
        return [] if filter == ListFilter() else await super().list(filter)


@mutant("CMP-LIST-002", defect="list says another time of creation than get", also=("CMP-STATE-002",))
class OtherTime(Filtered):
    """Says when it was ready."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Add five seconds."""
        return [replace(one, created_at=one.created_at + 5000) for one in found]


@mutant("CMP-LIST-001", "tags", defect="a filter that asks for no tags shows what has none")
class NoTagsIsUntagged(Filtered):
    """Compares the number of tags, too."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Show nothing: whatever is spawned here has tags."""
        return [] if wanted.tags is not None and not wanted.tags else found


@mutant("CMP-LIST-002", "lean", defect="list leaves out the region, which get knows")
class LeanList(Filtered):
    """Reads what the vendor's list has, which is less."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Drop the regions."""
        return [replace(one, region=None) for one in found]


@mutant("CMP-LIST-002", "stranger", defect="list shows an instance that get does not know")
class ShowsStranger(Filtered):
    """Remembers one that somebody has removed."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Add one to what lives where two are; it is one that was there always."""
        running = [one for one in found if one.status is InstanceStatus.RUNNING]
        if wanted != ListFilter() or len(running) != len(found) or len(found) != 2:
            return found
        return [*found, replace(found[0], id="i-00000000")]


@mutant("CMP-LIST-003", defect="list shows the first two pages")
class FirstPages(Filtered):
    """Follows the cursor once."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Take ten."""
        return found[:10] if not wanted.tags and not wanted.include_terminated else found


@mutant("CMP-LIST-003", "filtered", defect="list follows the cursor, but with a filter it shows one page")
class FirstPageFiltered(Filtered):
    """Has two ways to list."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Cut what a filter by tags shows."""
        return found[:10] if wanted.tags and wanted.limit is None else found


@mutant("CMP-LIST-003", "twice", defect="what stands at the end of one page and the start of the next is shown twice")
class TwiceAtEdges(Filtered):
    """Starts the next page with the last one."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Double the last one of more than ten."""
        return [*found, found[-1]] if len(found) > 10 and wanted.limit is None else found  # two pages


@mutant("CMP-LIST-004", defect="with a filter list shows what is terminated")
class ShowsTerminated(Filtered):
    """Filters in one place only."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Include what is terminated where there is a spec."""
        return replace(wanted, include_terminated=True) if wanted.spec and wanted.limit is None else wanted


@mutant(
    "CMP-LIST-005",
    defect="include_terminated shows terminated instances alone",
    also=("CMP-FILTER-006", "CMP-FILTER-007"),
)
class TerminatedAlone(Filtered):
    """Takes include for only."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Leave out the living."""
        ended = (InstanceStatus.TERMINATED, InstanceStatus.TERMINATING)
        return [one for one in found if one.status in ended] if wanted.include_terminated else found


@mutant("CMP-FILTER-001", defect="of several statuses the first one counts")
class FirstStatus(Filtered):
    """Hands one status to the vendor."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Cut the statuses."""
        return replace(wanted, status=wanted.status[:1]) if wanted.status else wanted


@mutant("CMP-FILTER-001", "twice", defect="an instance stands there once for each status that is asked for")
class OncePerStatus(Filtered):
    """Asks the vendor for one status after the other."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Join the answers."""
        return [one for status in wanted.status for one in found if one.status == status] if wanted.status else found


@mutant("CMP-FILTER-004", "shared", defect="of several lists at once each has the filter of the last one")
class SharedFilter(Original):
    """Keeps the filter in a field while it waits for the vendor."""

    async def list(self, filter: ListFilter | None = None) -> Found:  # noqa: A002 # the interface's
        """Wait between keeping it and using it."""
        self._wanted = filter
        await asyncio.sleep(0.002)
        return await super().list(self._wanted)


@mutant("CMP-FILTER-002", defect="spec matches beginnings")
class SpecBegins(Filtered):
    """Hands the spec to a filter with a star."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Leave it to `answer`; a limit below 0 is refused as ever."""
        return replace(wanted, spec=None, limit=None if (wanted.limit or 0) >= 0 else wanted.limit)

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Match beginnings."""
        return [one for one in found if one.spec.startswith(wanted.spec or "")][: wanted.limit]


@mutant(
    "CMP-FILTER-003",
    defect="region is ignored, the region of the account counts",
    also=("CMP-FILTER-006", "CMP-FILTER-007"),
)
class RegionIgnored(Filtered):
    """Asks its own region."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop it."""
        return replace(wanted, region=None)


@mutant("CMP-FILTER-003", "prefix", defect="region matches beginnings")
class RegionBegins(Filtered):
    """Hands the region to a filter with a star."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Complete it."""
        known = [one for one in self.settings.regions if wanted.region and one.startswith(wanted.region)]
        return replace(wanted, region=known[0]) if known else wanted


@mutant(
    "CMP-FILTER-004", defect="tags are compared by a part of their values", also=("CMP-FILTER-006", "CMP-FILTER-007")
)
class TagsByPart(Original):
    """Uses `in` where `==` is meant."""

    async def list(self, filter: ListFilter | None = None) -> Found:  # noqa: A002 # the interface's
        """Compare parts."""
        wanted = filter or ListFilter()
        with self._lock, mapped(self.name):
            pairs = [(one.tags, self.shown(one, self.cloud.seen)) for one in self._machines()]
        tags = wanted.tags or {}
        kept = [(own, one) for own, one in pairs if all(value in own.get(key, "\0") for key, value in tags.items())]
        return matching(kept, replace(wanted, tags=None), provider=self.name)


@mutant("CMP-FILTER-004", "any", defect="one of the tags is enough")
class AnyTag(Original):
    """Joins with or."""

    async def list(self, filter: ListFilter | None = None) -> Found:  # noqa: A002 # the interface's
        """Take any of two or more tags, where nothing else is asked for."""
        wanted = filter or ListFilter()
        if replace(wanted, tags=None) != ListFilter() or not wanted.tags or len(wanted.tags) == 1:
            return await super().list(filter)
        found: dict[str, ProviderInstance] = {}
        for key, value in wanted.tags.items():
            found.update((one.id, one) for one in await super().list(replace(wanted, tags={key: value})))
        return found.values()


@mutant("CMP-FILTER-004", "empty", defect="an empty value matches every value")
class EmptyMatchesAll(Filtered):
    """Tests a value for truth."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop empty values."""
        return replace(wanted, tags={key: value for key, value in (wanted.tags or {}).items() if value})


@mutant(
    "CMP-FILTER-004",
    "case",
    defect="the case of letters in tags does not count",
    also=("CMP-FILTER-006", "CMP-FILTER-007"),
)
class CaseOfTags(Original):
    """Lowers everything."""

    async def list(self, filter: ListFilter | None = None) -> Found:  # noqa: A002 # the interface's
        """Compare lowered tags where there is one that differs in case."""
        wanted = filter or ListFilter()
        tags = wanted.tags or {}
        with self._lock, mapped(self.name):
            pairs = [(one.tags, self.shown(one, self.cloud.seen)) for one in self._machines()]
        kept = [
            (own, one)
            for own, one in pairs
            if all(own.get(key, "\0").casefold() == value.casefold() for key, value in tags.items())
        ]
        return matching(kept, replace(wanted, tags=None), provider=self.name)


@mutant("CMP-FILTER-004", "trim", defect="blanks around the values of tags do not count")
class TrimsTags(Original):
    """Is too kind."""

    async def list(self, filter: ListFilter | None = None) -> Found:  # noqa: A002 # the interface's
        """Compare trimmed values."""
        wanted = filter or ListFilter()
        with self._lock, mapped(self.name):
            pairs = [(one.tags, self.shown(one, self.cloud.seen)) for one in self._machines()]
        tags = wanted.tags or {}
        kept = [
            (own, one)
            for own, one in pairs
            if all(key in own and own[key].strip() == value.strip() for key, value in tags.items())
        ]
        return matching(kept, replace(wanted, tags=None), provider=self.name)


@mutant("CMP-FILTER-005", defect="a limit over a page is the page", also=())
class LimitOfPage(Filtered):
    """Has a limit of its own, of three."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Cut at three where the limit is alone."""
        alone = wanted.limit is not None and ListFilter(limit=wanted.limit) == wanted
        return found[:3] if alone and (wanted.limit or 0) > 3 else found  # its own limit


@mutant("CMP-FILTER-005", "one", defect="a limit shows one more", also=("CMP-FILTER-007", "CMP-SCHED-001"))
class OneMore(Filtered):
    """Counts from 0."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Add one."""
        return replace(wanted, limit=wanted.limit + 1) if wanted.limit and wanted.limit > 0 else wanted


@mutant("CMP-FILTER-006", defect="beside tags the filter spec is ignored", also=("CMP-FILTER-007",))
class TagsWin(Filtered):
    """Has a query for each filter."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop the spec beside tags."""
        return replace(wanted, spec=None) if wanted.tags else wanted


@mutant("CMP-FILTER-006", "status", defect="beside a region the filter status is ignored", also=("CMP-FILTER-007",))
class RegionWins(Filtered):
    """Has a query for each region."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop the status beside a region."""
        return replace(wanted, status=None) if wanted.region else wanted


@mutant("CMP-FILTER-007", defect="filters are ignored where there is a limit")
class LimitAlone(Filtered):
    """Hands the limit to the vendor and forgets the rest."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop the tags beside a limit, unless there is nothing else to see."""
        return (
            replace(wanted, tags=None)
            if wanted.limit is not None and len(wanted.tags or {}) == 1 and "role" in (wanted.tags or {})
            else wanted
        )


@mutant("CMP-FILTER-007", "first", defect="the limit counts before tags are compared")
class LimitFirst(Filtered):
    """Lets the vendor cut."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Filter less."""
        return replace(wanted, tags=None) if wanted.limit is not None and self._ours(wanted) else wanted

    @staticmethod
    def _ours(wanted: ListFilter) -> bool:
        return bool(wanted.tags) and wanted.limit in {1, 2} and "role" in (wanted.tags or {})

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Compare the tags of what is left."""
        if wanted.limit is None or not self._ours(wanted):
            return found
        tags = (wanted.tags or {}).items()
        return [one for one in found if (machine := self.cloud.peek(one.id)) and tags <= machine.tags.items()]


@mutant("CMP-FILTER-008", defect="a filter that nothing matches fails with NOT_FOUND")
class NothingIsError(Filtered):
    """Takes nothing for an error."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Raise where a tag is unknown."""
        if (
            not found and wanted.tags and (wanted.limit == 3 or any(key.startswith("no-") for key in wanted.tags))
        ):  # as it likes
            raise ProviderError("nothing matches", "NOT_FOUND", provider=self.name)
        return found
