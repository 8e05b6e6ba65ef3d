"""Slopes: what grows with every block of work, however often the block is done again.

Caches and pools fill up and stop, garbage is collected in the end; leaks go on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, Literal

from nomos_contracts.process.traffic import soon
from nomos_contracts.provider import RunningProvider
from nomos_contracts.violation import Violation

Kind = Literal["descriptors", "threads", "children"]

SETTLE: Final = 1.0
"""Seconds in which a server gives back what broken connections held, on a busy machine too."""

BLOCKS: Final = 8
"""Blocks of broken connections after which growth is no pool that fills: each of them takes about a second."""

LATE: Final = 2
"""A lag for what callers leave behind: the end of their calls may come when it was counted already."""


def slopes(
    measure: Callable[[], Mapping[str, float]], block: Callable[[], None], blocks: int, least: float, lag: int = 1
) -> dict[str, list[float]]:
    """Run *block* again and again and measure after each, as long as something grows every time.

    The first block warms up. Only what grows by *least* or more in every *lag* blocks that follow has a slope.

    Args:
        measure: returns values by name.
        block: a fixed number of cycles.
        blocks: how many follow the first one.
        least: growth that counts, in the unit of the values.
        lag: blocks in which that growth has to happen.

    Returns:
        The measured values of everything that has a slope, by name.
    """
    block()
    seen = [measure()]
    growing = set(seen[0])
    for _ in range(blocks):
        if not growing:
            break
        block()
        seen.append(measure())
        if len(seen) > lag:
            growing = {name for name in growing if seen[-1][name] - seen[-1 - lag][name] >= least}
    return {name: [values[name] for values in seen] for name in sorted(growing)}


def for_loops(blocks: int, connections: int) -> int:
    """Return *blocks*, and as many more as it takes until each event loop of a server has had a connection.

    Netty, for one, makes two loops for each processor, each with a thread and three descriptors, and not before the
    first connection reaches it.

    Args:
        blocks: how many would do on a machine without processors.
        connections: how many a block makes.
    """
    return blocks + 2 * (os.cpu_count() or 1) // connections


class HandleSlopes:
    """Slopes of what a process and its children hold.

    Kinds are counted apart: idle threads that end would hide descriptors that stay.

    Args:
        provider: whose.
        kinds: what of it.
        settle: seconds in which what a block used is given back.
    """

    def __init__(self, provider: RunningProvider, *kinds: Kind, settle: float) -> None:
        self._provider = provider
        self._kinds = kinds
        self._settle = settle
        self._found: dict[str, list[float]] = {}

    def seek(self, block: Callable[[], None], blocks: int, least: int) -> None:
        """Do *block* as :func:`slopes` does; *least* more within two blocks is growth."""
        last: dict[str, float] = {}

        def measure() -> Mapping[str, float]:
            # Servers close what a caller has left a moment later.
            soon(lambda: all(held - last.get(kind, held) < least for kind, held in self._held().items()), self._settle)
            last.update(self._held())
            return dict(last)

        self._found = slopes(measure, block, blocks, least, LATE)

    def expect_none(self, work: str) -> None:
        """See that nothing grew.

        Args:
            work: what the blocks consisted of.

        Raises:
            Violation: something did.
        """
        for kind, values in self._found.items():
            raise Violation(
                f"as many {kind} after {work} as before",
                f"{values[0]:g} at first, {values[-1]:g} in the end",
                *self._provider.answers[-1:],
                evidence={kind: values},
            )

    def _held(self) -> dict[str, float]:
        usage = self._provider.usage()
        counts = {"descriptors": usage.descriptors, "threads": usage.threads, "children": usage.children}
        return {kind: counts[kind] for kind in self._kinds}
