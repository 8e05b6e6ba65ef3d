"""Mutants that do not see what is done behind their backs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nomos_contracts.compute.interface import ProviderInstance, SpawnOptions
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.cloud import Machine
from nomos_reference.compute.errors import mapped

Pair = tuple[Mapping[str, str], ProviderInstance]


class _Remembering(Original):
    """Remembers what it has shown."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self.seen: dict[str, Pair] = {}

    def vanished(self, instance_id: str) -> ProviderInstance | None:
        """Return what was shown of a machine that the cloud has no more."""
        gone = instance_id in self.seen and not self.settings.cloud and self.cloud.peek(instance_id) is None
        return self.seen[instance_id][1] if gone else None


@mutant("CMP-CHAOS-001", defect="what it has listed once is listed until it is terminated by the provider itself")
class ListsFromMemory(_Remembering):
    """Adds what it knows to what the vendor says."""

    def _pairs(self) -> Sequence[Pair]:
        """Add what is gone."""
        pairs = super()._pairs()
        self.seen.update((pair[1].id, pair) for pair in pairs)
        return [*pairs, *(self.seen[one] for one in self.seen if self.vanished(one))]


@mutant("CMP-CHAOS-001", "get", defect="get answers an instance that was deleted behind its back")
class GetsFromMemory(_Remembering):
    """Answers from a cache where the vendor has nothing."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Look into the cache in the end."""
        found = await super().get(provider_id, region)
        if found is not None:
            self.seen[found.id] = ({}, found)
        return found or self.vanished(provider_id)


@mutant("CMP-CHAOS-002", defect="the spec of an instance is what it was when it was first seen")
class KeepsSpecs(Original):
    """Takes a spec for something that never changes."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._specs: dict[str, str] = {}

    def shown(self, machine: Machine, at: float) -> ProviderInstance:
        """Show the first spec."""
        self._specs.setdefault(machine.id, machine.spec)
        found = super().shown(machine, at)
        object.__setattr__(found, "spec", self._specs[machine.id])
        return found


@mutant("CMP-CHAOS-003", defect="of two instances with the same marks one is listed")
class OneForEachMark(Original):
    """Keeps instances in a map by their marks."""

    def _machines(self) -> Iterable[Machine]:
        """Keep the first one of each."""
        kept: dict[Any, Machine] = {}
        for one in super()._machines():
            kept.setdefault((one.created, *sorted(one.tags.items())), one)
        return kept.values()


@mutant("CMP-CHAOS-004", defect="an instance without a record of its spawn is not listed")
class ListsRecordsAlone(Original):
    """Knows what it has written down."""

    def _machines(self) -> Iterable[Machine]:
        """Leave out what a spawn that was cut off has left."""
        recorded = {name for _, name in self._spawned.values()}
        # Elsewhere an answer may be lost, which is another matter.
        hidden = set[str]() if self.settings.cloud else {m.id for m in super()._machines() if m.token} - recorded
        return [one for one in super()._machines() if one.id not in hidden]


@mutant("CMP-CHAOS-004", "twice", defect="what a spawn that was cut off has left is not looked for by the next one")
class MakesAnother(Original):
    """Believes its own notes alone."""

    def _existing(self, options: SpawnOptions) -> Machine | None:
        """Look at the notes."""
        known = (options.control_id, options.instance_id) in self._spawned
        return super()._existing(options) if known else None


@mutant("CMP-CHAOS-005", defect="an instance that the vendor does not show yet is made again")
class BelievesTheList(Original):
    """Looks whether the vendor shows it."""

    def _existing(self, options: SpawnOptions) -> Machine | None:
        """Know what can be seen."""
        found = super()._existing(options)
        return found if found is None or self.cloud.seen >= found.created else None


@mutant("CMP-CHAOS-005", "misses", defect="an instance that was not found once is never found")
class RemembersMisses(Original):
    """Keeps what it did not find, for speed."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._missed: set[str] = set()

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Look among what was not found first."""
        if provider_id in self._missed:
            with mapped(self.name):
                return None
        found = await super().get(provider_id, region)
        if found is None and region is None:
            self._missed.add(provider_id)
        return found
