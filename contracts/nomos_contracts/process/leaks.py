"""Leaks: what grows with every call will fill the machine one day."""

from __future__ import annotations

from itertools import count
from typing import Final

from nomos_contracts.clause import clause
from nomos_contracts.config.probes import is_special, plain_samples
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import first_running, running
from nomos_contracts.process.samples import CallSamples
from nomos_contracts.process.slopes import HandleSlopes, for_loops, slopes
from nomos_contracts.process.traffic import MADE_UP, ask, burst, missing_path
from nomos_contracts.provider import RunningProvider, Start, Starter
from nomos_contracts.violation import Violation

_HANDLE_CYCLES: Final = 25
_CONNECTIONS: Final = 5
_HANDLE_BLOCKS: Final = 7
_HANDLES: Final = 8
"""As many descriptors, threads or children more in each two blocks of 25 cycles are a leak."""

_SPECIAL: Final = 8
"""Paths with a wildcard or an index in each cycle; folders, documents and lists each have a way of their own."""

_SETTLE: Final = 0.5
"""Seconds that a server may take to close the connections that were left."""

_MEMORY_CALLS: Final = 60
_MEMORY_BLOCKS: Final = 10
_BYTES_A_CALL: Final = 64 * 1024
"""A runtime that collects garbage keeps up to about 20 KiB a call until it collects; only more than that is a leak."""

_TIME_CALLS: Final = 40
_TIME_BLOCKS: Final = 10
_TIME_LAG: Final = 3
_SECONDS_A_BLOCK: Final = 0.0006
"""As much more for the quickest of 40 calls, again and again, is a slope: noise goes both ways."""

_ABANDONED: Final = 8
"""Slow calls that are left in each block; so many in two blocks that one handle for each shows."""

_LEFT_AFTER: Final = 0.1
"""Seconds after which their callers leave: a hundred times what a call takes to arrive, on a machine that is idle."""


class LeakContract(Contract):
    """Nothing grows with the number of calls, connections and errors.

    Measured on the process and its children as slopes over many cycles after a warm-up; caches, thread pools and
    garbage collectors fill up and stop, leaks do not.
    """

    @clause("PROC-LEAK-001")
    def test_handles_do_not_grow(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Cycles of connections and of calls that succeed and fail; descriptors, threads and children.

        Where the interface is one of functions no Init is repeated: it may be refused, or cost what others use.
        """
        functions = isinstance(nomos_samples, CallSamples)
        special = [sample.path for sample in nomos_samples.values if sample.path[-1:] and is_special(sample.path[-1])]
        paths = [*(sample.path for sample in plain_samples(nomos_samples)[:3]), *special[:_SPECIAL], ("",)]
        paths += [missing_path(nomos_samples), *nomos_samples.forbidden[:1], *nomos_samples.malformed[:1]]

        def block() -> None:
            for cycle in range(_HANDLE_CYCLES):
                if cycle % (_HANDLE_CYCLES // _CONNECTIONS) == 0:
                    nomos_provider.reconnect()
                    if not functions:
                        nomos_provider.init()
                for path in paths:
                    nomos_provider.fetch(path)
                if functions:
                    ask(nomos_provider, nomos_samples)
                nomos_provider.info()
                nomos_provider.health()

        handles = _handles(nomos_provider)
        handles.seek(block, for_loops(_HANDLE_BLOCKS, _CONNECTIONS), _HANDLES)
        handles.expect_none(f"blocks of {_HANDLE_CYCLES} cycles")

    @clause("PROC-LEAK-004")
    def test_callers_that_leave_take_their_handles_with_them(
        self, nomos_start: Start, nomos_spawn: Starter, nomos_samples: ConfigSamples
    ) -> None:
        """Slow Fetches, each left by its caller, of a process of its own; what was opened for them is closed soon."""
        first_running(nomos_start)
        provider = running(nomos_spawn(init=True))

        def block() -> None:
            # On a busy machine calls arrive later, and one that is left before it arrived shows nothing.
            seconds = min(max(_LEFT_AFTER, 10 * provider.health().elapsed), 5 * _LEFT_AFTER)
            for pending in burst(provider, nomos_samples.slow, _ABANDONED, seconds):
                pending.answer()

        handles = _handles(provider)
        handles.seek(block, _HANDLE_BLOCKS, _HANDLES)
        handles.expect_none(f"blocks of {_ABANDONED} slow calls whose callers left")

    @clause("PROC-LEAK-002")
    def test_memory_does_not_grow(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Fetches of known paths, and of unknown ones that are all different, as a cache of misses would keep them."""
        numbers = count()

        def block() -> None:
            for _ in range(_MEMORY_CALLS // 2):
                ask(nomos_provider, nomos_samples)
                nomos_provider.fetch((*MADE_UP, str(next(numbers))))

        least = _MEMORY_CALLS * _BYTES_A_CALL
        for values in slopes(lambda: {"rss": nomos_provider.usage().rss}, block, _MEMORY_BLOCKS, least).values():
            calls = _MEMORY_BLOCKS * _MEMORY_CALLS
            got = f"{(values[-1] - values[0]) / calls / 1024:.0f} KiB more for each of {calls} calls"
            raise Violation("resident memory that stays as it is over many calls", got, evidence={"rss": values})

    @clause("PROC-LEAK-003")
    def test_time_does_not_grow(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """The quickest Fetch of each block, because a busy machine makes calls slower but never quicker."""
        quickest = 0.0

        def block() -> None:
            nonlocal quickest
            quickest = min(ask(nomos_provider, nomos_samples).elapsed for _ in range(_TIME_CALLS))

        # One block on a busy machine is as slow as the next ones ought to become: several show what noise hides.
        least = _TIME_LAG * _SECONDS_A_BLOCK
        for values in slopes(lambda: {"seconds": quickest}, block, _TIME_BLOCKS, least, _TIME_LAG).values():
            got = f"{values[0] * 1000:.1f} ms at first, {values[-1] * 1000:.1f} ms in the end"
            raise Violation("calls that take as long after many others as before", got, evidence={"seconds": values})


def _handles(provider: RunningProvider) -> HandleSlopes:
    return HandleSlopes(provider, "descriptors", "threads", "children", settle=_SETTLE)
