"""What may be answered in and after a storm: the model beside which random operations and faults are run.

An Init whose answer was lost took effect, or will at some later time, or never does. So the model follows every world
that is still possible: the configuration in force, and the Inits that may still take effect, each of them once. Any
answer of Fetch that fits no world is a lie, whatever was broken when it was given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from nomos_contracts.config.undisturbed import GOOD, NEW, Question, Undisturbed, words
from nomos_contracts.provider import Answer
from nomos_contracts.schedule import Disagreement, Step
from nomos_contracts.violation import shorten

MOST_PENDING = 1
"""Inits with one configuration that may still take effect: a second one that does shows nothing new."""


@dataclass(frozen=True)
class World:
    """One of the things that may have happened.

    Attributes:
        state: the configuration in force.
        pending: configurations of Inits whose answers were lost and which may still take effect, sorted.
    """

    state: str
    pending: tuple[str, ...] = ()


class StormModel:
    """Follows one process, and those that are started in its place; a `nomos_contracts.schedule.Model`.

    Attributes:
        finding: the first answer that cannot be right, None as long as there is none.
        in_storm: whether a fault is in force, or was and it has not been seen since that all is well.
        starved: whether the process has no descriptors: then any error may be the consequence, except "not there".
    """

    def __init__(self, calm: Undisturbed, allowed: Iterable[str]) -> None:
        self.calm = calm
        self.finding: Disagreement | None = None
        self.in_storm = False
        self.starved = False
        self._allowed = frozenset(allowed)
        self._worlds = frozenset({World(NEW)})

    def judge(self, step: Step, answer: Answer | None) -> Disagreement | None:  # noqa: ARG002 # steps are followed call by call
        """Return what the last step's calls showed."""
        return self.finding

    @property
    def pending(self) -> int:
        """How many Inits may still take effect."""
        return max(len(world.pending) for world in self._worlds)

    def restarted(self) -> None:
        """Follow a new process."""
        self._worlds = frozenset({World(NEW)})

    def over(self) -> None:
        """Take the storm for over: from now on every answer has to be right."""
        self.in_storm = self.starved = False

    def asked(self, question: Question, answer: Answer) -> bool:
        """Take the answer to a question; returns whether it is the right one."""
        worlds = self._reachable()
        fitting = frozenset(w for w in worlds if self.calm.fits(w.state, question, answer))
        excused = self.in_storm and self._excused(question, answer)
        if excused:
            # What may be the fault's doing tells nothing about the configuration.
            self._worlds = worlds
        elif fitting:
            self._worlds = fitting
        else:
            known = [self.calm.answers[world.state].get(question) for world in worlds]
            self._find(words(question), {_told(one) for one in known if one is not None}, answer)
        return bool(fitting)

    def initialised(self, config: str, answer: Answer) -> bool:
        """Take the answer to an Init; returns whether it is the right one."""
        found: set[World] = set()
        right = False
        expected: set[str] = set()
        for world in self._reachable():
            code, then = self.calm.after(world.state, config)
            expected.add(code)
            if answer.code == code:
                right = True
                found.add(World(then, world.pending))
        if self.in_storm and self._excused(("init",), answer):
            found |= {World(world.state, _more(world.pending, config)) for world in self._reachable()}
        if found:
            self._worlds = frozenset(found)
        else:
            name = "the good configuration" if config == GOOD else "the other configuration"
            self._find(f"Init with {name}", expected, answer)
        return right

    def _find(self, asked: str, expected: Iterable[str], answer: Answer) -> None:
        known = " or ".join(sorted(expected))
        if self.in_storm:
            known += ", or an error that says that something is broken"
        self.finding = Disagreement(f"{asked} answers {known}, as where nothing broke", answer.summary)

    def _excused(self, question: Question, answer: Answer) -> bool:
        if answer.decode_error:
            return False
        if question[0] == "health" and answer.ok:
            return True
        return answer.code in self._allowed or (self.starved and answer.code not in {"OK", "NOT_FOUND"})

    def _reachable(self) -> frozenset[World]:
        """Return the worlds, and those that they become where pending Inits take effect."""
        found = set(self._worlds)
        waiting = list(found)
        while waiting:
            world = waiting.pop()
            for config in set(world.pending):
                rest = list(world.pending)
                rest.remove(config)
                _, then = self.calm.after(world.state, config)
                changed = World(then, tuple(rest))
                if changed not in found:
                    found.add(changed)
                    waiting.append(changed)
        return frozenset(found)


def _told(answer: Answer) -> str:
    return f"OK {shorten(answer.value)}" if answer.ok else answer.code


def _more(pending: tuple[str, ...], config: str) -> tuple[str, ...]:
    if Counter(pending)[config] >= MOST_PENDING:
        return pending
    return tuple(sorted((*pending, config)))
