"""What a process holds, counted again after each block of calls that ought to leave nothing behind."""

from __future__ import annotations

from typing import Final, Literal

from nomos_contracts.process.traffic import soon
from nomos_contracts.provider import RunningProvider
from nomos_contracts.violation import Violation

Kind = Literal["descriptors", "threads"]

SETTLE: Final = 1.0
"""Seconds in which what a block used is given back."""

BLOCKS: Final = 8
"""Blocks that have to leave something behind, each of them, before that is a leak."""


class Holdings:
    """Counts of one process, the first of them at once.

    Kinds are counted apart: idle threads that end would hide descriptors that stay.

    Args:
        provider: whose.
        kinds: what of it.
    """

    def __init__(self, provider: RunningProvider, *kinds: Kind) -> None:
        self._provider = provider
        self._kinds = kinds
        self._seen = [self._count()]
        self._grows = True

    @property
    def blocks(self) -> int:
        """How many blocks were counted."""
        return len(self._seen) - 1

    @property
    def undecided(self) -> bool:
        """Whether every block so far has left something behind, and another one may yet leave nothing."""
        return self._grows and self.blocks < BLOCKS

    def count(self, size: int) -> None:
        """Count after a block of *size*; fewer than half as many more of each kind are not what it left."""
        before = self._seen[-1]

        def hardly_more() -> bool:
            return all(now < then + size // 2 for now, then in zip(self._count(), before, strict=True))

        self._grows = not soon(hardly_more, SETTLE)
        self._seen.append(self._count())

    def expect_settled(self, block: str) -> None:
        """See that a block left nothing.

        Args:
            block: what one consists of.

        Raises:
            Violation: every one of them left something.
        """
        if self._grows:
            raise Violation(
                f"as many {' and '.join(self._kinds)} after further {block} as before",
                f"{self._words(-1)} after {self.blocks} times that, {self._words(0)} at first",
                *self._provider.answers[-1:],
                evidence={kind: [seen[place] for seen in self._seen] for place, kind in enumerate(self._kinds)},
            )

    def _words(self, position: int) -> str:
        return " and ".join(str(count) for count in self._seen[position])

    def _count(self) -> tuple[int, ...]:
        usage = self._provider.usage()
        counts = {"descriptors": usage.descriptors, "threads": usage.threads}
        return tuple(counts[kind] for kind in self._kinds)
