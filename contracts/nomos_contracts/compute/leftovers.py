"""Leftovers: what a spawn that failed has left behind, told from what others in the account create meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nomos_contracts.compute.fleet import TAG, Fleet
from nomos_contracts.compute.interface import ListFilter

QUIET = 0.25
"""Seconds for which nothing may come while nothing is asked for: an account in which something does has other users."""

TRIES = 3
"""So many times more something has to be left, each time after such a quiet time."""


@dataclass
class Leftovers:
    """Looks for what spawns leave.

    Attributes:
        fleet: whose spawns they are.
        busy: whether others create instances in the account; then only what carries the tag of the fleet is judged.
    """

    fleet: Fleet
    busy: bool = False
    _seen: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        """See what is there."""
        self._new()

    def of(self, act: Callable[[], bool]) -> list[str]:
        """Return the ids of what *act* leaves behind; it is done again where that may be somebody else's.

        Args:
            act: tries to spawn, and answers whether that failed.
        """
        began = time.monotonic()
        if not act() or not (new := self._new()):
            return []
        took = time.monotonic() - began
        if marked := self._marked(new):
            for one in marked:
                self.fleet.own(one)
            return sorted(marked)
        for _ in range(TRIES):
            if self.busy:
                return []
            self.fleet.poll(max(QUIET, 3 * took), lambda: False)
            self.busy = bool(self._new())
            if self.busy or not act() or not (new := self._new()):
                return []
        return sorted(new)

    def _new(self) -> set[str]:
        """Return the ids that list shows now and has not shown before, but for those of the fleet."""
        shown = {one.id for one in self.fleet.shown()}
        new = shown - self._seen - set(self.fleet.ids)
        self._seen |= shown
        return new

    def _marked(self, new: set[str]) -> set[str]:
        """Return those of *new* that list shows for the tag of the fleet, and not for a tag of nobody."""
        others = {one.id for one in self.fleet.shown(ListFilter(tags={TAG: self.fleet.name()}))}
        return new & {one.id for one in self.fleet.shown(ListFilter(tags={TAG: self.fleet.mark}))} - others
