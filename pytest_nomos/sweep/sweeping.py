"""The sweep: which leftovers belong to a run that has ended, and their removal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from nomos_proto.errors import ProviderError
from nomos_reference.compute.orbstack_leftovers import Leftover
from pytest_nomos.sweep.owner import Life, Owner


class SweepError(Exception):
    """The place that is to be swept cannot be looked into, or something is still there."""


class NoSweeperError(SweepError):
    """What would look into it is not installed, so nothing can have been made there from here either."""


class Place(Protocol):
    """Where leftovers are."""

    def find(self) -> Sequence[Leftover]:
        """Return all that carries our label, in an order in which it can be removed."""
        ...

    def remove(self, leftover: Leftover, /) -> None:
        """Remove one; one that is gone is no error."""
        ...


@dataclass(frozen=True)
class Finding:
    """What became of one leftover.

    Attributes:
        leftover: what it is.
        removed: whether it is gone, or in a dry run would be.
        reason: why it is left or gone.
        failed: whether it should have gone and could not.
    """

    leftover: Leftover
    removed: bool
    reason: str
    failed: bool = False

    def words(self, *, dry_run: bool = False) -> str:
        """One line for a person."""
        what = f"{self.leftover.kind} {self.leftover.name or self.leftover.id}"
        whose = f" of run {self.leftover.run}" if self.leftover.run else ""
        whose += f", worker {self.leftover.worker}" if self.leftover.worker else ""
        if self.removed:
            verb = "would remove" if dry_run else "removed"
        else:
            verb = "could not remove" if self.failed else "left"
        return f"{verb} {what}{whose}: {self.reason}"


@dataclass(frozen=True)
class Sweep:
    """What to sweep.

    Attributes:
        dry_run: look only.
        run: this run alone, whether it lives or not: for its own end. None for every run that has ended.
        worker: this worker of `run` alone, None for all of them.
        elsewhere_after: hours after which what belongs to another machine counts as forgotten; None for never.
    """

    dry_run: bool = False
    run: str | None = None
    worker: str | None = None
    elsewhere_after: float | None = None

    def judge(self, leftover: Leftover, now: float) -> tuple[bool, str]:
        """Return whether *leftover* has to go, and why; *now* is in seconds since the epoch."""
        if self.run is not None:
            mine = leftover.run == self.run and self.worker in {None, leftover.worker}
            return mine, "its run is at its end" if mine else "it belongs to another run"
        owner = Owner.read(leftover.run)
        if owner is None:
            return False, "no run of pytest-nomos made it"
        if owner.life is Life.ALIVE:
            return False, "its run is alive"
        if owner.life is Life.ENDED:
            return True, "its run has ended"
        hours = (now - leftover.created_at / 1000) / 3600
        if self.elsewhere_after is not None and hours >= self.elsewhere_after:
            return True, f"its run was on another machine, and it is {hours:.1f} hours old"
        return False, "its run is on another machine (--elsewhere-after HOURS takes old ones)"


def sweep(place: Place, order: Sweep, *, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Remove what has to go; yield what became of each leftover as it happens.

    Raises:
        SweepError: the place cannot be looked into; `NoSweeperError` where an extra for it is missing.
    """
    try:
        found: Iterable[Leftover] = place.find()
    except ProviderError as error:
        kind = NoSweeperError if "extra" in error.details else SweepError
        raise kind(error.message) from error
    for leftover in found:
        goes, reason = order.judge(leftover, now())
        if not goes or order.dry_run:
            yield Finding(leftover, goes, reason)
            continue
        try:
            place.remove(leftover)
        except ProviderError as error:
            yield Finding(leftover, False, f"{error.code}: {error.message}", failed=True)
        else:
            yield Finding(leftover, True, reason)
