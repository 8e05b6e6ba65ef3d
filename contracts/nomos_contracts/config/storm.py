"""A storm: one process, the faults that are in force on it, and the model that follows what it answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from nomos_contracts.chaos import Experiment
from nomos_contracts.config.resilience import CROWD, crowd
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.config.storm_model import StormModel
from nomos_contracts.config.undisturbed import GOOD, Question, Undisturbed, ask, initialise
from nomos_contracts.fault import Descriptors, Down, Fault, Kill, Latency, Pause, Reset, Silence
from nomos_contracts.provider import Answer
from nomos_contracts.schedule import Disagreement
from nomos_contracts.violation import Blocked, Violation

BRIEF: Final = 0.12
"""Seconds that callers wait under a fault under which nothing comes; what comes later is given to nobody."""
PATIENT: Final = 4.0
"""Seconds that callers wait where something comes."""
PAUSE: Final = 0.03
"""Seconds between two looks at a provider that is not well yet."""
TTL: Final = 30.0


@dataclass(eq=False)
class Force:
    """A fault in force.

    Attributes:
        fault: the fault.
        left: after how many further steps it ends.
        held: what ends it.
        until: when it may end, by the monotonic clock.
    """

    fault: Fault
    left: int
    held: ExitStack
    until: float


class Storm:
    """One process under random faults.

    Attributes:
        struck: the kinds of faults that were injected.
        bitten: those that some call felt.

    Args:
        x: the experiment that holds it.
        model: follows it.
        samples: what the author told.
        recovery: seconds from the end of the faults until it is well.
        bitten: takes the kind of each fault that was felt.
        calm: inject nothing: the same calls are made of a process that nothing happens to.
    """

    def __init__(
        self,
        x: Experiment,
        model: StormModel,
        samples: ConfigSamples,
        recovery: float,
        *,
        calm: bool = False,
    ) -> None:
        self._x = x
        self._model = model
        self._samples = samples
        self._recovery = recovery
        self._calm = calm
        self.struck: set[str] = set()
        self.bitten: set[str] = set()
        self._forces: list[Force] = []
        self._ended = time.monotonic()
        self._connect()

    @property
    def calm(self) -> Undisturbed:
        """What it answers while nothing breaks."""
        return self._model.calm

    def init(self, config: str) -> Answer:
        """Call Init, which may meet a fault."""
        answer = initialise(self._x.provider, self._samples, config, self._timeout)
        self._felt(self._model.initialised(config, answer), answer)
        self._pass(self._forces)
        return answer

    def ask(self, question: Question) -> Answer:
        """Put a question, which may meet a fault."""
        answer = ask(self._x.provider, question, self._timeout)
        self._felt(self._model.asked(question, answer), answer)
        self._pass(self._forces)
        return answer

    def strike(self, fault: Fault, steps: int, question: Question, *, least: float = 0) -> Answer | None:
        """Have *fault* in force for the next *steps* steps, or for *question* only where they are none.

        It lasts *least* seconds at least.

        Raises:
            Blocked: this machine cannot do it.
        """
        self._end([force for force in self._forces if type(force.fault) is type(fault)])
        others = list(self._forces)
        if not self._calm and self._x.direct.alive():
            held = self._injected(fault, steps)
            self._forces.append(Force(fault, steps, held, time.monotonic() + least))
        answer: Answer | None = None
        if not steps:
            answer = ask(self._x.provider, question, self._timeout)
            self._felt(self._model.asked(question, answer), answer)
            self._end([force for force in self._forces if force not in others])
        self._pass(others)
        return answer

    def _injected(self, fault: Fault, steps: int) -> ExitStack:
        held = ExitStack()
        # They leave after the fault has ended: their places are there again when they are given back.
        guests = held.enter_context(ExitStack())
        self._model.in_storm = True
        self.struck.add(_kind(fault))
        self._model.starved = self._model.starved or isinstance(fault, Descriptors)
        try:
            held.enter_context(self._x.inject(fault, TTL))
            if isinstance(fault, Descriptors):
                # What connections of before give back is taken by the crowd.
                guests.enter_context(crowd(self._x.direct.announcement.address, CROWD))
                self._x.provider.reconnect()
            elif isinstance(fault, Reset) and (not steps or fault.direction == "upstream"):
                # Some proxies reset new connections only. An answer is lost on one that is open already.
                self._x.provider.reconnect()
        except Blocked:
            held.close()
            # One that has just died is found so by the next call.
            if self._x.direct.wait(0.2) is None:
                raise
        return held

    def kill(self) -> Answer | None:
        """Kill it in the middle of a call, and start another one in its place."""
        self._end(self._forces)
        question = self.calm.questions[0]
        waiting = self._x.provider.start_fetch(question[1:], timeout=PATIENT)
        if self._calm:
            self._model.asked(question, waiting.answer())
            self._x.direct.stop()
        elif self._x.direct.alive():
            self._model.in_storm = True
            with self._x.inject(Kill(), TTL):
                self._model.asked(question, waiting.answer())
            self.bitten.add("kill")
        self._ended = time.monotonic()
        try:
            self._x.restart()
        except Violation as violation:
            self._model.finding = Disagreement(violation.expected, violation.got)
            return None
        self._model.restarted()
        self._connect()
        return None

    def _connect(self) -> None:
        """Be there before any fault is: through a fault no first connection could be made."""
        _ = self._x.provider

    def agree(self) -> Answer:
        """End all faults, compare all that can be asked, call Init as platforms do after an outage, and compare again.

        As long as the limit ``recovery`` is not over an error may be given once more, never another value.
        """
        self._end(self._forces)
        provider = self._x.provider
        taken = False
        answer, _ = self._compare(self._limited())
        if self._model.finding is not None:
            return answer
        while True:
            late = time.monotonic() >= self._ended + self._recovery or not self._x.direct.alive()
            answer, well = self._look(self._limited(), init=not taken)
            taken = taken or well or answer.method != "Init"
            if well:
                self._model.over()
            elif self._model.finding is None and late:
                self._model.finding = self._not_well(answer)
            if well or self._model.finding is not None:
                return answer
            provider.reconnect()
            time.sleep(PAUSE)

    def _look(self, timeout: float, *, init: bool) -> tuple[Answer, bool]:
        """Return the first answer that is not right, or the last one, and whether all were right."""
        provider = self._x.provider
        if init:
            answer = initialise(provider, self._samples, GOOD, timeout)
            if not self._model.initialised(GOOD, answer):
                return answer, False
        return self._compare(timeout)

    def _compare(self, timeout: float) -> tuple[Answer, bool]:
        # Each lost Init may come true once, between two questions; what is torn shows when all are asked again.
        *others, last = self.calm.questions * (2 + self._model.pending)
        for question in others:
            answer = ask(self._x.provider, question, timeout)
            if not self._model.asked(question, answer):
                return answer, False
        answer = ask(self._x.provider, last, timeout)
        return answer, self._model.asked(last, answer)

    def _limited(self) -> float:
        """Return the seconds for a call after which it would be too late to be well."""
        return max(0.5, min(PATIENT, self._ended + self._recovery - time.monotonic()))

    def _not_well(self, answer: Answer) -> Disagreement:
        ended = self._x.direct.wait(0.2)
        expected = f"within {self._recovery:g} s after the last fault, {answer.method} answers as where nothing broke"
        return Disagreement(expected, f"the process {ended.words}" if ended else answer.summary)

    @property
    def _timeout(self) -> float:
        mute = any(isinstance(force.fault, Pause | Silence | Down | Descriptors) for force in self._forces)
        return BRIEF if mute else PATIENT

    def _felt(self, right: bool, answer: Answer) -> None:
        for force in self._forces:
            fault = force.fault
            if not right or (isinstance(fault, Latency) and answer.elapsed >= fault.ms / 1000):
                self.bitten.add(_kind(fault))

    def _pass(self, forces: Sequence[Force]) -> None:
        """A step under *forces* is over."""
        for force in forces:
            force.left -= 1
        self._end([force for force in forces if force.left <= 0])

    def _end(self, forces: Sequence[Force]) -> None:
        for force in reversed(list(forces)):
            self._forces.remove(force)
            time.sleep(max(0.0, force.until - time.monotonic()))
            force.held.close()
            self._ended = time.monotonic()
            self._model.starved = any(isinstance(other.fault, Descriptors) for other in self._forces)
            if isinstance(force.fault, Down | Reset | Silence | Descriptors) and not self._forces:
                self._x.provider.reconnect()

    def close(self) -> None:
        """End what is in force."""
        self._end(self._forces)


def _kind(fault: Fault) -> str:
    return fault.words.partition("(")[0]
