"""Mutants of filters: what is right alone and wrong in company, or at the ends of what a value can be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from nomos_contracts.compute.interface import InstanceStatus, ListFilter, ProviderError, ProviderInstance, SpawnOptions
from nomos_mutants.compute.listing import Filtered
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.errors import mapped
from nomos_reference.compute.filters import matching

Found = Iterable[ProviderInstance]
Tags = Mapping[str, str]


class _Compared(Original):
    """Compares tags in another way."""

    def same(self, own: Tags, wanted: Tags) -> bool:
        """Say whether an instance with the tags *own* is shown."""
        return wanted.items() <= own.items()

    async def list(self, filter: ListFilter | None = None) -> Found:  # noqa: A002 # the interface's
        """Compare in that way."""
        wanted = filter or ListFilter()
        with self._lock, mapped(self.name):
            pairs = [(one.tags, self.shown(one, self.cloud.seen)) for one in self._machines()]
        kept = [(own, one) for own, one in pairs if self.same(own, wanted.tags or {})]
        return matching(kept, replace(wanted, tags=None), provider=self.name)


@mutant("CMP-FILTER-004", "third", defect="of more than two tags those behind the second are not compared")
class TwoTags(_Compared):
    """Has an index for two."""

    def same(self, own: Tags, wanted: Tags) -> bool:
        """Compare two."""
        return dict([*wanted.items()][:2]).items() <= own.items()


@mutant("CMP-FILTER-004", "cut", defect="the values of tags are compared up to their 63rd character")
class CutTags(_Compared):
    """Keeps tags where values are short."""

    def same(self, own: Tags, wanted: Tags) -> bool:
        """Compare beginnings."""
        return all(key in own and own[key][:63] == value[:63] for key, value in wanted.items())


@mutant("CMP-FILTER-004", "signs", defect="in the keys of tags a slash is a hyphen")
class SlashIsHyphen(_Compared):
    """Keeps tags where keys have few signs."""

    def same(self, own: Tags, wanted: Tags) -> bool:
        """Compare what is kept."""
        kept = {key.replace("/", "-"): value for key, value in own.items()}
        return all(kept.get(key.replace("/", "-")) == value for key, value in wanted.items())


@mutant("CMP-FILTER-004", "joined", defect="tags are looked for in all of them, joined with commas")
class JoinedTags(_Compared):
    """Keeps tags in one text, where a value may hold what parts them."""

    def same(self, own: Tags, wanted: Tags) -> bool:
        """Look for each between commas."""
        kept = "," + ",".join(f"{key}={value}" for key, value in own.items()) + ","
        return all(f",{key}={value}," in kept for key, value in wanted.items())


@mutant("CMP-FILTER-004", "inherited", defect="a tag whose key every object has is not compared")
class InheritedTags(_Compared):
    """Keeps tags in an object."""

    def same(self, own: Tags, wanted: Tags) -> bool:
        """Leave it out."""
        return super().same(own, {key: value for key, value in wanted.items() if key != "__proto__"})


@mutant(
    "CMP-FILTER-004",
    "beside",
    defect="a spawn beside others takes the tags of the latest",
    also=("CMP-FILTER-006", "CMP-FILTER-007"),
)
class LatestTags(Original):
    """Keeps what is asked for in one place."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Look at it again after a moment; what is asked for otherwise stays."""
        self.__dict__["_tags"] = options.tags
        await asyncio.sleep(0.01)  # as long as asking a vendor
        latest: Tags = self.__dict__["_tags"] or {}
        ours = "tier" in (options.tags or {}) and "tier" in latest
        return await super().spawn(replace(options, tags=latest) if ours else options)


@mutant("CMP-FILTER-002", "none", defect="an empty spec is every spec")
class AnySpec(Filtered):
    """Tests a spec for truth."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop an empty one."""
        return replace(wanted, spec=wanted.spec or None)


@mutant("CMP-FILTER-003", "none", defect="an empty region is every region")
class AnyRegion(Filtered):
    """Tests a region for truth."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop an empty one."""
        return replace(wanted, region=wanted.region or None)


@mutant("CMP-FILTER-005", "none", defect="a limit of 0 is no limit")
class NoLimit(Filtered):
    """Tests a limit for truth."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop 0."""
        return replace(wanted, limit=wanted.limit or None)


@mutant("CMP-FILTER-005", "bits", defect="a limit is kept in 32 bits")
class NarrowLimit(Filtered):
    """Has a narrow parameter."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Cut the number."""
        large = wanted.limit is not None and wanted.limit >= 2**32
        return replace(wanted, limit=(wanted.limit or 0) & 0x7FFFFFFF) if large else wanted


@mutant("CMP-FILTER-005", "ended", defect="a limit alone counts what is terminated, which is not shown")
class CountsEnded(Filtered):
    """Lets the vendor cut."""

    @staticmethod
    def _ours(wanted: ListFilter) -> bool:
        return wanted.limit in {1, 2} and wanted == ListFilter(limit=wanted.limit)

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Include what is terminated."""
        return replace(wanted, include_terminated=True) if self._ours(wanted) else wanted

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Drop it again."""
        return [one for one in found if not self._ours(wanted) or one.status is not InstanceStatus.TERMINATED]


@mutant(
    "CMP-FILTER-006",
    "three",
    defect="beside spec and tags the filter region is ignored",
    also=("CMP-FILTER-007",),
)
class RegionThird(Filtered):
    """Has a query for each pair."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop the region."""
        return replace(wanted, region=None) if wanted.spec and wanted.tags else wanted


@mutant("CMP-FILTER-006", "ended", defect="what is terminated is shown whatever its spec")
class EndedOfAnySpec(Filtered):
    """Asks an archive, and filters what lives."""

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Add what the spec left out."""
        if not wanted.include_terminated or wanted.spec is None or wanted.limit is not None:
            return found
        tags = (wanted.tags or {}).items()
        with self._lock, mapped(self.name):
            pairs = [(one.tags, self.shown(one, self.cloud.seen)) for one in self._machines()]
        gone = [one for own, one in pairs if one.status is InstanceStatus.TERMINATED and tags <= own.items()]
        return [*found, *(one for one in gone if one.spec != wanted.spec)]


@mutant("CMP-ERROR-001", "trim", defect="blanks around a spec do not count")
class TrimmedSpec(Original):
    """Is kind to callers."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Take them off."""
        return await super().spawn(replace(options, spec=options.spec.strip(" ")))


@mutant("CMP-ERROR-001", "inherited", defect="a spec whose name every object has is the default one")
class InheritedSpec(Original):
    """Looks specs up in an object."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Spawn it."""
        try:
            return await super().spawn(options)
        except ProviderError:
            if options.spec != "constructor":
                raise
        return await super().spawn(replace(options, spec="small"))


class _Pages(Original):
    """Asks for pages by how many were seen, and takes a moment for each."""

    newest_first = False

    async def list(self, filter: ListFilter | None = None) -> Found:  # noqa: A002 # the interface's
        """Follow the pages."""
        wanted = filter or ListFilter()
        found: list[tuple[Tags, ProviderInstance]] = []
        while True:
            with self._lock, mapped(self.name):
                pairs = [(one.tags, self.shown(one, self.cloud.seen)) for one in self._machines()]
            living = [one for one in pairs if one[1].status is not InstanceStatus.TERMINATED]
            ordered = living[::-1] if self.newest_first else living
            page = ordered[len(found) : len(found) + self.settings.page]
            found += page
            if len(page) < self.settings.page or wanted != ListFilter():
                break
            await asyncio.sleep(0.005)  # as long as asking a vendor
        return matching(found, wanted, provider=self.name) if wanted == ListFilter() else await super().list(wanted)


@mutant("CMP-LIST-003", "skipped", defect="what moves to a page that was seen, since another one ended, is lost")
class SkipsAtEdges(_Pages):
    """Lists the oldest first."""


@mutant("CMP-LIST-003", "moved", defect="what moves to the next page, since another one came, is shown twice")
class MovesAtEdges(_Pages):
    """Lists the newest first."""

    newest_first = True


class _Keeping(Original):
    """Keeps other tags than those that were given."""

    def kept(self, tags: Tags) -> Tags:
        """Return what is kept of *tags*."""
        raise NotImplementedError

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Spawn with them."""
        return await super().spawn(replace(options, tags=self.kept(options.tags or {})))


@mutant("CMP-FILTER-004", "many", defect="of many tags the first fifty are kept")
class FiftyTags(_Keeping):
    """Has a table of a fixed size."""

    def kept(self, tags: Tags) -> Tags:
        """Cut the map."""
        return dict(list(tags.items())[:50])


@mutant("CMP-FILTER-004", "column", defect="the values of tags are cut at 256 characters")
class CutValues(_Keeping):
    """Has a column of a fixed length."""

    def kept(self, tags: Tags) -> Tags:
        """Cut the values."""
        return {key: value[:256] for key, value in tags.items()}


@mutant("CMP-FILTER-004", "blank", defect="a tag with an empty key is lost")
class NeedsKeys(_Keeping):
    """Takes an empty key for none."""

    def kept(self, tags: Tags) -> Tags:
        """Leave it out."""
        return {key: value for key, value in tags.items() if key}


@mutant("CMP-LIST-004", "status", defect="who asks for the status terminated sees what is terminated")
class StatusIncludes(Filtered):
    """Takes the one wish for the other."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Include it."""
        named = InstanceStatus.TERMINATED in (wanted.status or ()) and wanted.limit is None
        return replace(wanted, include_terminated=True) if named else wanted


@mutant("CMP-FILTER-005", "negative", defect="a negative limit is none at all")
class NegativeIsNone(Filtered):
    """Has a sign for no limit."""

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Drop it."""
        return replace(wanted, limit=None) if (wanted.limit or 0) < 0 else wanted


@mutant("CMP-FILTER-001", "stale", defect="the filter status compares what spawn and get said last")
class NotedStatus(Filtered):
    """Writes down what it answers."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Note it."""
        return self._noted(await super().spawn(options))

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Note it here too."""
        found = await super().get(provider_id, region)
        return found and self._noted(found)

    def _noted(self, one: ProviderInstance) -> ProviderInstance:
        self._notes = {**getattr(self, "_notes", {}), one.id: one.status}
        return one

    def ask(self, wanted: ListFilter) -> ListFilter:
        """Leave the status to `answer`."""
        return replace(wanted, status=None, limit=None) if wanted.status else wanted

    def answer(self, wanted: ListFilter, found: list[ProviderInstance]) -> list[ProviderInstance]:
        """Compare the notes."""
        if not wanted.status:
            return found
        notes = getattr(self, "_notes", {})
        return [one for one in found if notes.get(one.id, one.status) in wanted.status][: wanted.limit]
