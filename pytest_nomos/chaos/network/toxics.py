"""Toxics of the embedded proxy: stages that one direction of one connection is led through.

A stage is given pieces of data and, last, an end; it hands them to the next stage, sooner or later, in order. All
runs in the thread of the loop; nothing here waits.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Protocol

from nomos_contracts.fault import (
    Bandwidth,
    Latency,
    NetworkFault,
    Reset,
    Silence,
    Slices,
    SlowClose,
    Truncate,
)

KILO: Final = 1000
"""Bytes of a kilobyte, as Toxiproxy counts them."""
FULL: Final = 64 * 1024
"""Bytes that a stage holds before reading stops."""
FULL_LATENCY: Final = 4 * 1024 * 1024
"""The same for latency, where what is held is what is on its way: 20 MB/s at 200 ms."""
TURN: Final = 200
"""Pieces that a stage hands on before other connections have their turn."""
TICK: Final = 0.02
"""Seconds of data that bandwidth hands on at once."""


class End(Enum):
    """What comes after the last piece."""

    CLOSE = "this direction ends; the other goes on"
    CUT = "the connection is closed"
    BREAK = "the connection is reset"


Item = bytes | End


class Line(Protocol):
    """What a stage sees of the direction that it stands in."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop whose thread it runs in."""
        ...

    @property
    def carried(self) -> bool:
        """Whether data came before the toxic was added."""
        ...

    def settle(self) -> None:
        """Read on or stop reading, now that a stage holds more or less."""
        ...

    def reset(self) -> None:
        """Reset the connection at once."""
        ...


class Stage:
    """One toxic on one direction of one connection; this one hands everything on.

    Attributes:
        onward: takes what this stage lets through: the next stage, or the socket.
        held: bytes that wait here.
    """

    full = FULL

    def __init__(self, line: Line, fault: Any, strike: Callable[[], None], chance: random.Random) -> None:
        self.line = line
        self.fault = fault
        self.strike = strike
        self.chance = chance
        self.onward: Callable[[Item], None] = self._nowhere
        self.held = 0
        self.gone = False
        self.timer: asyncio.Handle | None = None

    def _nowhere(self, _: Item) -> None:
        """Before it is put into the line."""

    def begin(self) -> None:
        """Start; it stands in the line now."""

    def put(self, item: Item) -> None:
        """Take the next piece, or the end."""
        self.onward(item)

    def leave(self) -> None:
        """Hand on all that waits; it stands in the line no longer."""

    def drop(self) -> None:
        """Forget all that waits, and every timer."""
        self.gone = True
        self.held = 0
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def after(self, milliseconds: float, callback: Callable[[], None]) -> None:
        """Call back once, unless the stage is dropped before."""
        self.timer = self.line.loop.call_later(milliseconds / 1000, callback)


class Queue(Stage):
    """A stage in which pieces wait until they are due."""

    def __init__(self, line: Line, fault: Any, strike: Callable[[], None], chance: random.Random) -> None:
        super().__init__(line, fault, strike, chance)
        self.waiting: deque[tuple[Item, float]] = deque()
        self.last = 0.0
        self.due: float | None = None
        self.size = 0

    def plan(self, item: Item, came: float) -> tuple[int, float]:
        """Return how many bytes of the first item go next, and when they are due. Asked once for each such piece."""
        raise NotImplementedError

    def felt(self, item: Item) -> bool:
        """Whether somebody feels that *item* is late: of a connection's end only those who wait for it."""
        return isinstance(item, bytes)

    def put(self, item: Item) -> None:
        """Take the next piece, or the end."""
        self.waiting.append((item, self.line.loop.time()))
        if isinstance(item, bytes):
            self.held += len(item)
        if self.timer is None:
            self._turn()

    def _turn(self) -> None:
        self.timer = None
        loop = self.line.loop
        for _ in range(TURN):
            if not self.waiting or self.gone:
                break
            item, came = self.waiting[0]
            now = loop.time()
            if self.due is None:
                self.size, self.due = self.plan(item, came)
                if self.due > now and self.felt(item):
                    self.strike()
            if self.due > now:
                if self.due != math.inf:
                    self.timer = loop.call_at(self.due, self._turn)
                break
            self.last, self.due = self.due, None
            self._emit(item, came)
        else:
            if self.waiting and not self.gone:
                self.timer = loop.call_soon(self._turn)
        if not self.gone:
            self.line.settle()

    def _emit(self, item: Item, came: float) -> None:
        self.waiting.popleft()
        if isinstance(item, bytes):
            if self.size < len(item):
                self.waiting.appendleft((item[self.size :], came))
                item = item[: self.size]
            self.held -= len(item)
        self.onward(item)

    def leave(self) -> None:
        """Hand on all that waits."""
        while self.waiting and not self.gone:
            self.onward(self.waiting.popleft()[0])

    def drop(self) -> None:
        """Forget all that waits."""
        super().drop()
        self.waiting.clear()


class Late(Queue):
    """Latency: each item is due some time after it came, and never before the one ahead of it."""

    full = FULL_LATENCY
    fault: Latency

    def plan(self, item: Item, came: float) -> tuple[int, float]:
        """Return the whole item and its time."""
        delay = float(self.fault.ms)
        if self.fault.jitter:
            delay = max(0.0, delay + self.chance.uniform(-self.fault.jitter, self.fault.jitter))
        return (len(item) if isinstance(item, bytes) else 0), max(self.last, came + delay / 1000)


class Narrow(Queue):
    """Bandwidth: a piece is due when the line has had the time for its bytes."""

    fault: Bandwidth

    def plan(self, item: Item, came: float) -> tuple[int, float]:
        """Return a piece and the time at which its last byte is through."""
        since = max(self.last, came)
        rate = self.fault.rate * KILO
        if not isinstance(item, bytes):
            # An end takes no room on the line; where nothing gets through it does not either.
            return 0, since if rate else math.inf
        size = min(len(item), max(1, int(rate * TICK)))
        return size, (since + size / rate if rate else math.inf)


class Lingering(Queue):
    """SlowClose: data pass, an end is late."""

    fault: SlowClose

    def felt(self, item: Item) -> bool:
        """An end is what is late here."""
        return not isinstance(item, bytes)

    def plan(self, item: Item, came: float) -> tuple[int, float]:
        """Return the whole item; an end has to wait."""
        return (len(item), came) if isinstance(item, bytes) else (0, came + self.fault.ms / 1000)


class Slicing(Queue):
    """Slices: pieces of about one size, with a pause between them."""

    fault: Slices

    def plan(self, item: Item, came: float) -> tuple[int, float]:
        """Return a slice and its time."""
        if not isinstance(item, bytes):
            return 0, came
        size = self.fault.size
        if self.fault.variation:
            size = max(1, size + self.chance.randint(-self.fault.variation, self.fault.variation))
        if size < len(item):
            self.strike()
        return min(size, len(item)), max(came, self.last + self.fault.delay / 1e6)


class Silent(Stage):
    """Silence: data are swallowed; after a time, and when it is removed, the connection is closed."""

    fault: Silence

    def begin(self) -> None:
        """Start the time."""
        if self.fault.ms:
            self.after(self.fault.ms, self._close)

    def _close(self) -> None:
        self.strike()
        self.onward(End.CUT)

    def put(self, item: Item) -> None:
        """Swallow data."""
        if isinstance(item, bytes):
            self.strike()
        else:
            self.onward(item)

    def leave(self) -> None:
        """Close: bytes may be missing, so that nothing that follows could be understood."""
        self.onward(End.CUT)


class Resetting(Stage):
    """Reset: some time after data came, the connection is reset. Data wait, so that a removal in time loses none."""

    fault: Reset

    def __init__(self, line: Line, fault: Any, strike: Callable[[], None], chance: random.Random) -> None:
        super().__init__(line, fault, strike, chance)
        self.waiting: list[Item] = []

    def begin(self) -> None:
        """Start the time, if the connection has carried data."""
        if self.line.carried:
            self._begin()

    def _begin(self) -> None:
        if self.fault.ms:
            self.after(self.fault.ms, self._reset)
        else:
            self._reset()

    def _reset(self) -> None:
        self.strike()
        self.line.reset()

    def put(self, item: Item) -> None:
        """Hold the item, and start the time if it is the first."""
        self.waiting.append(item)
        if isinstance(item, bytes):
            self.held += len(item)
        if self.timer is None:
            self._begin()

    def leave(self) -> None:
        """Hand on what waits."""
        for item in self.waiting:
            self.onward(item)

    def drop(self) -> None:
        """Forget what waits."""
        super().drop()
        self.waiting.clear()


class Cutting(Stage):
    """Truncate: some bytes pass, then the connection is closed."""

    fault: Truncate

    def __init__(self, line: Line, fault: Any, strike: Callable[[], None], chance: random.Random) -> None:
        super().__init__(line, fault, strike, chance)
        self.left: int = self.fault.after
        self.done = False

    def put(self, item: Item) -> None:
        """Let through what is left to go."""
        if self.done:
            return
        if not isinstance(item, bytes):
            self.onward(item)
            return
        if self.left:
            self.onward(item[: self.left])
        self.left -= min(self.left, len(item))
        if not self.left and not self.gone:
            self.done = True
            self.strike()
            self.onward(End.CUT)


STAGES: Final[Mapping[type[NetworkFault], type[Stage]]] = {
    Latency: Late,
    Bandwidth: Narrow,
    SlowClose: Lingering,
    Silence: Silent,
    Reset: Resetting,
    Slices: Slicing,
    Truncate: Cutting,
}
"""What does each fault."""
