"""Exhaustion: what a provider does when memory, processor time or files run out, and when its clock jumps.

A shortage may cost answers, and even the process where the language knows no other way; it makes no answer wrong.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from nomos_contracts.chaos import Chaos, Experiment
from nomos_contracts.clause import clause
from nomos_contracts.config.asking import Asked
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.fault import Clock, Cpu, FileSize, Kill, Memory
from nomos_contracts.process.traffic import soon
from nomos_contracts.provider import Answer, RunningProvider, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation

CROWD: Final = 32
"""Calls at once that want more memory than there is."""

LARGE: Final = 3 * 1024 * 1024
"""Letters in the path of such a call: below what gRPC servers take unless told otherwise."""

WAVE: Final = 16
"""Calls at once for a provider that is slow."""

SPELL: Final = 1.5
"""Seconds for which it is kept busy."""

DAY: Final = 86_400
"""Seconds."""


class ExhaustionContract(Contract):
    """What runs out is there again later, and then the provider serves as before.

    An error that says what is missing is right, and so is an end that the platform sees. Wrong is an answer made from
    half of the work: an empty map for what could not be read, a default for what took too long.
    """

    @clause("CFG-CHAOS-020")
    def test_tells_no_lie_when_memory_runs_out(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """A few calls, then a crowd with long paths; the platform replaces a process that ended or is mute."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            with x.inject(Memory(spare=1)) as fault:
                answers = [x.direct.fetch(asked.path, timeout=2) for _ in range(4)]
                if _all_right(asked, answers):
                    answers += self._crowd(x, asked)
                if not _all_right(asked, answers):
                    fault.bit("calls were not answered")
            asked.expect_no_lie(answers, fault.words)
            soon(lambda: x.direct.wait(0) is not None or _served(x, asked), asked.within)
            replaced = self._replaced(x)
            try:
                asked.recover(x)
            except Violation:
                # Java's machine writes down what it dies of before it ends, and may serve a call meanwhile.
                if replaced or x.direct.alive():
                    raise
                x.restart()
                asked.recover(x)

    @staticmethod
    def _replaced(x: Experiment) -> bool:
        """Do what a platform does with a process that ended or is mute, and return whether it was one."""
        if x.direct.alive():
            if x.direct.health(timeout=1).ok:
                return False
            with x.inject(Kill()):
                pass
        x.restart()
        return True

    @staticmethod
    def _crowd(x: Experiment, asked: Asked) -> list[Answer]:
        long = ("n" * LARGE,)
        calls = [x.direct.start_fetch(long if number % 4 else asked.path, timeout=2) for number in range(CROWD)]
        # Whatever is said of a path that long is said of a path that nobody has.
        return [call.answer() for call in calls][::4]

    @clause("CFG-CHAOS-021")
    def test_answers_rightly_with_little_processor_time(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """A twentieth of a processor, and more calls than that can answer soon; their callers wait."""
        asked = Asked(nomos_samples, nomos_target)
        patient = nomos_target.limits["call"]
        with nomos_chaos.experiment(asked.probe) as x:
            answers: list[Answer] = []
            with x.inject(Cpu(percent=5), ttl=patient + 10) as fault:
                end = time.monotonic() + SPELL
                while time.monotonic() < end:
                    calls = [x.direct.start_fetch(asked.path, timeout=patient, patient=True) for _ in range(WAVE)]
                    answers += [call.answer() for call in calls]
            asked.expect_no_lie(answers, fault.words)
            asked.recover(x)

    @clause("CFG-CHAOS-022")
    def test_serves_on_while_no_file_may_grow(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Its log, its cache: what cannot be written is not written, and reading goes on."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            with x.inject(FileSize(limit=0)) as fault:
                writes = x.direct.usage().writing
                answers = [x.direct.fetch(asked.path, timeout=2) for _ in range(8)]
                felt = not _all_right(asked, answers) or not x.direct.alive()
                if writes or felt:
                    fault.bit(f"{writes} open files could not grow" if writes else "calls were not answered")
            asked.expect_right(answers, fault.words)
            if not writes and not felt:
                raise NotApplicable("it had no file open for writing, and answered while none could grow")
            asked.recover(x)

    @clause("CFG-CHAOS-023")
    def test_tells_no_lie_when_the_clock_jumps(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """A day ahead and right again, a day back and right again; the monotonic clock does not jump."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe, ready_for=Clock(shift=DAY)) as x:
            for shift in (DAY, -DAY):
                with x.inject(Clock(shift=shift)) as fault:
                    answers = [x.direct.fetch(asked.path, timeout=2) for _ in range(8)]
                    x.direct.reconnect()
                    answers += [x.direct.fetch(asked.path, timeout=2) for _ in range(4)]
                asked.expect_no_lie(answers, fault.words)
                asked.recover(x)


def _all_right(asked: Asked, answers: Sequence[Answer]) -> bool:
    return all(asked.right(answer) for answer in answers)


def _served(x: Experiment, asked: Asked) -> bool:
    """Whether a call is answered as before."""
    provider: RunningProvider = x.direct
    if asked.right(asked.probe(provider)):
        return True
    provider.reconnect()
    return False
