"""Scripts: what a mock does in place of, before or after its work."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Step:
    """One thing that a mock was told to do.

    Attributes:
        delay: seconds to wait first.
        error: makes the exception to raise from the arguments by name, None for none.
        worked: whether the work is done before it is raised: the answer is lost, the effect stays.
        change: makes the answer of the answer, None leaves it.
    """

    delay: float = 0.0
    error: Callable[[dict[str, Any]], Exception] | None = None
    worked: bool = False
    change: Callable[[Any], Any] | None = None

    def fail(self, arguments: Mapping[str, Any], *, worked: bool) -> None:
        """Raise the error, where there is one and this is the time for it: before the work, or after it."""
        if self.error is not None and self.worked is worked:
            raise self.error(dict(arguments))

    def changed(self, value: Any) -> Any:
        """Return the answer that is given in place of *value*."""
        return value if self.change is None else self.change(value)


@dataclass
class _Planned:
    step: Step
    skip: int
    left: int | None


class Scripts:
    """The steps of each method, in the order in which they were told. Thread-safe."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Lock()
        self._planned: defaultdict[str, list[_Planned]] = defaultdict(list)

    def add(self, method: str, step: Step, *, times: int | None, skip: int) -> None:
        """Plan *step* for *times* calls of *method* (None: for all) after *skip* further ones."""
        with self._lock:
            self._planned[method].append(_Planned(step, skip, times))

    def next(self, method: str) -> Step:
        """Return what the next call of *method* has to do: all delays and changes, and the first error."""
        delay = 0.0
        fails: Step | None = None
        changes: list[Callable[[Any], Any]] = []
        with self._lock:
            for one in self._planned[method]:
                if one.skip:
                    one.skip -= 1
                    continue
                if one.left == 0 or (one.step.error is not None and fails is not None):
                    continue
                if one.left is not None:
                    one.left -= 1
                delay += one.step.delay
                fails = one.step if one.step.error is not None else fails
                if one.step.change is not None:
                    changes.append(one.step.change)
        return Step(delay, fails.error if fails else None, fails.worked if fails else False, _all(changes))

    def clear(self, method: str = "") -> None:
        """Forget the steps of *method*, or all."""
        with self._lock:
            if method:
                self._planned.pop(method, None)
            else:
                self._planned.clear()


def _all(changes: list[Callable[[Any], Any]]) -> Callable[[Any], Any] | None:
    if not changes:
        return None

    def change(value: Any) -> Any:
        for one in changes:
            value = one(value)
        return value

    return change
