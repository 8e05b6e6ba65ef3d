"""Mutants of idempotent spawn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nomos_contracts.compute.interface import ProviderInstance, SpawnOptions
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.errors import mapped


class _Keyed(Original):
    """Changes the pair of ids by which a spawn is known."""

    def key(self, options: SpawnOptions) -> tuple[str, int]:
        """Return the pair."""
        return options.control_id, options.instance_id

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Take another pair for the one given."""
        control, number = self.key(options)
        return await super().spawn(replace(options, control_id=control, instance_id=number))


class Careless(_Keyed):
    """Changes it, and looks at nothing else."""

    def _existing(self, options: SpawnOptions) -> Any:
        """Do not look at the options."""
        before = self._spawned.get((options.control_id, options.instance_id))
        if before is None:
            return super()._existing(options)
        machine = before and self.cloud.peek(before[1])
        return machine if machine and machine.terminated is None else None


@mutant(
    "CMP-IDEM-001",
    defect="spawn is not idempotent",
    also=("CMP-IDEM-002", "CMP-IDEM-003", "CMP-IDEM-005", "CMP-SCHED-001"),
)
class NeverTheSame(Original):
    """Declares what it does not have."""

    def _existing(self, options: SpawnOptions) -> Any:
        """Know nothing."""
        return None


@mutant("CMP-IDEM-001", "running", defect="spawn is idempotent until the instance runs", also=("CMP-SCHED-001",))
class UntilItRuns(Original):
    """Keeps pending spawns alone."""

    def _existing(self, options: SpawnOptions) -> Any:
        """Forget what runs."""
        machine = super()._existing(options)
        return None if machine and machine.status(self.cloud.now, self.settings) == "running" else machine


@mutant("CMP-IDEM-001", "few", defect="spawn is idempotent as long as few others come between")
class KnowsTheLatest(Original):
    """Keeps eight pairs of ids, those that came last; those without a label of their own stay."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Forget the oldest of more than eight."""
        made = await super().spawn(options)
        for pair in [*self._spawned][:-8]:
            if "once" in (self._spawned[pair][0].tags or {}):
                del self._spawned[pair]
        return made


@mutant("CMP-IDEM-001", "soon", defect="spawn is idempotent for a fifth of a second")
class ForgetsSoon(Original):
    """Keeps pairs of ids in a cache; those without a label of their own stay there."""

    def _existing(self, options: SpawnOptions) -> Any:
        """Forget a pair that is older."""
        times: dict[tuple[str, int], float] = self.__dict__.setdefault("_times", {})
        since = times.setdefault((options.control_id, options.instance_id), time.monotonic())
        machine = super()._existing(options)
        old = machine is not None and "once" in machine.tags and time.monotonic() > since + 0.2
        return None if old else machine


@mutant("CMP-IDEM-002", defect="spawn is idempotent unless callers come at once")
class LooksThenActs(Original):
    """Has no lock around looking and creating."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Look, wait a moment, create."""
        with mapped(self.name):
            known = self._existing(options)
        await asyncio.sleep(0.005)  # as long as asking a record that lies elsewhere
        if known is None:
            self._spawned.pop((options.control_id, options.instance_id), None)
        return await super().spawn(options)


@mutant("CMP-IDEM-003", defect="spawn is not idempotent after a lost answer", also=("CMP-IDEM-002",))
class NotedAtTheEnd(Original):
    """Notes the pair when it answers."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._answered: set[tuple[str, int]] = set()

    def _existing(self, options: SpawnOptions) -> Any:
        """Know what was answered."""
        key = (options.control_id, options.instance_id)
        return super()._existing(options) if key in self._answered or key not in self._spawned else None

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Note it last."""
        made = await super().spawn(options)
        self._answered.add((options.control_id, options.instance_id))
        return made


@mutant("CMP-IDEM-003", "lost", defect="a caller that leaves takes the note of its spawn with it")
class ForgetsOnCancel(Original):
    """Cleans up its notes, and not what they stand for."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        """Forget the pair when cancelled."""
        try:
            return await super().spawn(options)
        except asyncio.CancelledError:
            self._spawned.pop((options.control_id, options.instance_id), None)
            raise


@mutant("CMP-IDEM-004", defect="control id and instance id are joined without a separator")
class Joined(_Keyed):
    """Makes one token of both."""

    def key(self, options: SpawnOptions) -> tuple[str, int]:
        """Join them; what is asked for otherwise is not looked at."""
        return f"{options.control_id}{options.instance_id}", 0

    def token(self, options: SpawnOptions) -> str | None:
        """Join them, once."""
        return f"{options.control_id}{options.instance_id or ''}"

    def _existing(self, options: SpawnOptions) -> Any:
        """Compare the token alone."""
        before = self._spawned.get((options.control_id, 0))
        if before is None:
            return super()._existing(options)
        machine = before and self.cloud.peek(before[1])
        return machine if machine and machine.terminated is None else None


@mutant("CMP-IDEM-004", "case", defect="the case of control ids does not count")
class Lowered(Careless):
    """Lowers tokens."""

    def key(self, options: SpawnOptions) -> tuple[str, int]:
        """Lower the control id."""
        return options.control_id.casefold(), options.instance_id

    def token(self, options: SpawnOptions) -> str | None:
        """Lower it there too."""
        return super().token(replace(options, control_id=options.control_id.casefold()))


@mutant("CMP-IDEM-004", "double", defect="instance ids are kept as doubles")
class AsDouble(Careless):
    """Has one type for numbers."""

    def key(self, options: SpawnOptions) -> tuple[str, int]:
        """Round the number."""
        return options.control_id, int(float(options.instance_id))


@mutant("CMP-IDEM-004", "bits", defect="instance ids are kept in 32 bits")
class Narrow(Careless):
    """Has a narrow column."""

    def key(self, options: SpawnOptions) -> tuple[str, int]:
        """Cut the number."""
        return options.control_id, options.instance_id & 0xFFFFFFFF


@mutant("CMP-IDEM-005", defect="other options create a second instance")
class OptionsInTheKey(Original):
    """Hashes all options."""

    def _existing(self, options: SpawnOptions) -> Any:
        """Know equal options alone."""
        before = self._spawned.get((options.control_id, options.instance_id))
        return super()._existing(options) if before is None or before[0] == options else None
