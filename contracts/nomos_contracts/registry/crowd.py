"""Many threads at once, in such a way that they meet: they start together and change over at nearly every line."""

from __future__ import annotations

import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from random import Random
from types import FrameType
from typing import Any, Final

from nomos_contracts.registry.bench import PATIENCE, Attempt
from nomos_contracts.violation import Violation

SWITCH_SECONDS: Final = 1e-4
"""How long a thread runs before another one gets its turn; Python's default is 5 ms."""

_PAUSE: Final = 1e-5
_OFTEN: Final = 0.5
_QUICK: Final = ("nomos_contracts.", "nomos_proto.", "pydantic", "jsonschema", "referencing")
_LIBRARY: Final = sysconfig.get_paths()["stdlib"]


@contextmanager
def switching_often() -> Generator[None]:
    """Have threads change over fifty times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def at_once(
    works: Sequence[Callable[[], Any]], random: Random, *, pausing: int | None = None, seconds: float = 3 * PATIENCE
) -> list[Attempt]:
    """Run each of *works* in a thread of its own, all from the same moment on; return what became of each.

    Args:
        works: what the threads do.
        random: decides where threads pause.
        seconds: how long all of them may take.
        pausing: how many of *works*, the first ones, pause before many lines of the target, so that others come in
            between; None: all.

    Raises:
        Violation: one of them does not return.
    """
    found: list[Attempt | None] = [None] * len(works)
    start = threading.Barrier(len(works))
    seeds = [random.random() for _ in works]

    def run(at: int) -> None:
        start.wait(PATIENCE)
        if pausing is None or at < pausing:
            sys.settrace(_pausing(Random(seeds[at])))  # noqa: S311 # where a thread pauses is no secret
        try:
            found[at] = Attempt("the operation", works[at]())
        except BaseException as error:  # noqa: BLE001 # whatever a target raises is a finding
            found[at] = Attempt("the operation", error=error)
        finally:
            sys.settrace(None)

    threads = [
        threading.Thread(target=run, args=(at,), name=f"registry-check-{at}", daemon=True) for at in range(len(works))
    ]
    with switching_often():
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
    stuck = sum(one is None for one in found)
    if stuck:
        raise Violation("all threads return", f"{stuck} of {len(works)} did not within {seconds:g} s")
    return [one for one in found if one is not None]


def _pausing(random: Random) -> Callable[[FrameType, str, Any], Any]:
    """Return a trace function that lets other threads run before many a line of the target.

    What the target calls of others runs through, or the threads would be far apart when they come to what matters.
    """

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if str(frame.f_globals.get("__name__", "")).startswith(_QUICK) or frame.f_code.co_filename.startswith(
            (_LIBRARY, "<")
        ):
            return None
        if event == "line" and random.random() < _OFTEN:
            time.sleep(_PAUSE)
        return trace

    return trace
