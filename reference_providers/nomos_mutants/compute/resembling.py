"""Mutants that take one id, or one pair of ids, for another that resembles it."""

from __future__ import annotations

import unicodedata
import urllib.parse
from dataclasses import replace
from typing import Any

from nomos_contracts.compute.interface import ProviderInstance, SpawnOptions
from nomos_mutants.compute.living import GONE
from nomos_mutants.compute.original import Original, mutant
from nomos_mutants.compute.repeating import Careless
from nomos_reference.compute.errors import mapped


@mutant("CMP-GET-003", "empty", defect="get of an empty id answers the first instance")
class EmptyIsFirst(Original):
    """Hands the id to a filter that is off where it is empty."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Answer the first one that lives."""
        if provider_id:
            return await super().get(provider_id, region)
        return next((one for one in await super().list() if one.status not in GONE), None)


@mutant("CMP-GET-003", "parts", defect="get ignores what stands behind the parts that an id has")
class ReadsParts(Original):
    """Splits an id, and looks at what it needs."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Take two parts."""
        return await super().get("-".join(provider_id.split("-")[:2]), region)


@mutant("CMP-GET-003", "writing", defect="get knows an id in another writing", also=("CMP-TERM-006",))
class ReadsWritings(Original):
    """Cleans what comes from outside, in one place for all."""

    @staticmethod
    def _clean(provider_id: str) -> str:
        return unicodedata.normalize("NFKC", urllib.parse.unquote(provider_id))

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Clean it."""
        return await super().get(self._clean(provider_id), region)

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """Clean it here too."""
        await super().terminate(self._clean(provider_id), region)


@mutant("CMP-TERM-006", "empty", defect="terminate of an empty id ends everything")
class EmptyIsAll(Original):
    """Hands the id to a filter that is off where it is empty."""

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """End what lives."""
        found = [] if provider_id else [one.id for one in await super().list()]
        for one in found or [provider_id]:
            await super().terminate(one, region)


@mutant(
    "CMP-TERM-006", "number", defect="terminate ends the instances with the same number of other control planes too"
)
class EndsNumber(Original):
    """Finds what to end by the number in its name."""

    async def terminate(self, provider_id: str, region: str | None = None) -> None:
        """End all of that number."""
        await super().terminate(provider_id, region)
        numbers = {made: key[1] for key, (_, made) in self._spawned.items()}
        for made, number in numbers.items():
            if number == numbers.get(provider_id) and made != provider_id:
                await super().terminate(made)


@mutant("CMP-STATE-002", "again", defect="the same spawn again answers the spec that is asked for now")
class AnswersWish(Original):
    """Fills the answer with what was asked for."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Say the spec of the options."""
        with mapped(self.name):
            before = self._spawned.get((options.control_id, options.instance_id))
            known = before and self.cloud.peek(before[1])
        if before is None or known is None or known.terminated is not None:
            return await super().spawn(options)
        return replace(await super().spawn(before[0]), spec=options.spec)


@mutant("CMP-IDEM-001", "many", defect="spawn is idempotent as long as fewer than sixteen others come between")
class KnowsSixteen(Original):
    """Keeps sixteen pairs of ids; those without a label of their own stay."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Forget the oldest of more."""
        made = await super().spawn(options)
        for pair in [*self._spawned][:-16]:
            if "once" in (self._spawned[pair][0].tags or {}):
                del self._spawned[pair]
        return made


@mutant("CMP-IDEM-004", "blanks", defect="blanks around control ids do not count")
class TrimsControl(Careless):
    """Cleans what comes from outside."""

    def key(self, options: SpawnOptions) -> tuple[str, int]:
        """Trim the control id."""
        return options.control_id.strip(), options.instance_id


@mutant("CMP-IDEM-004", "sign", defect="the sign of instance ids does not count")
class Unsigned(Careless):
    """Has a column for numbers without a sign."""

    def key(self, options: SpawnOptions) -> tuple[str, int]:
        """Drop it."""
        return options.control_id, abs(options.instance_id)


@mutant("CMP-IDEM-005", "region", defect="another region creates a second instance")
class RegionInTheKey(Original):
    """Asks the region in which it is to create."""

    def _existing(self, options: SpawnOptions) -> Any:
        """Know those of the same region alone."""
        before = self._spawned.get((options.control_id, options.instance_id))
        same = before is None or (before[0].region or self.settings.regions[0]) == (
            options.region or self.settings.regions[0]
        )
        return super()._existing(options) if same else None


@mutant("CMP-IDEM-005", "manifest", defect="another manifest creates a second instance")
class ManifestInTheKey(Original):
    """Has names that are told apart by the manifest too."""

    def _existing(self, options: SpawnOptions) -> Any:
        """Know those of the same manifest alone."""
        before = self._spawned.get((options.control_id, options.instance_id))
        same = before is None or before[0].manifest_id == options.manifest_id
        return super()._existing(options) if same else None
