"""Asking under faults: one path, what it answers in the steady state, and what may be answered in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nomos_contracts.chaos import Experiment
from nomos_contracts.config.probes import alike, plain_samples
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.config.undisturbed import equal
from nomos_contracts.process.traffic import missing_path, soon
from nomos_contracts.provider import Answer, RunningProvider, TargetFacts
from nomos_contracts.violation import Violation

BRIEF: Final = 0.5
"""Seconds that callers of a provider which cannot answer wait."""


class Asked:
    """A path, what it answered in the steady state, and the errors that are allowed under a fault.

    Args:
        samples: where the path is taken from, a plain one if there is one.
        target: what may be known of the target.
        path: to be asked for in the place of that.
    """

    def __init__(self, samples: ConfigSamples, target: TargetFacts, path: Segments | None = None) -> None:
        plain = plain_samples(samples)
        self.path: Segments = path or (plain[0].path if plain else missing_path(samples))
        self.allowed = target.fault_codes
        self.within = target.limits["recovery"]
        self.before: Answer | None = None
        self.health: Answer | None = None

    def probe(self, provider: RunningProvider) -> Answer:
        """Ask; the first answer is the steady state, and that of Health belongs to it."""
        if self.before is None:
            self.health = provider.health()
        answer = provider.fetch(self.path, timeout=BRIEF if self.before else None)
        self.before = self.before or answer
        return answer

    def recover(self, x: Experiment) -> None:
        """See that Fetch answers as before again within the limit recovery, and then Health.

        Raises:
            Violation: one of them does not.
        """
        x.recover(self.within)
        known = self.health
        if known is None or not known.ok:
            return
        told: list[Answer] = []

        def well() -> bool:
            told.append(x.direct.health(timeout=BRIEF))
            return equal(("health",), known, told[-1])

        if not soon(well, self.within):
            raise Violation(
                f"once Fetch answers as before, Health does within {self.within:g} s too: {known.summary}",
                told[-1].summary,
                known,
                told[-1],
            )

    def right(self, answer: Answer) -> bool:
        """Whether *answer* is that of the steady state."""
        return self.before is not None and alike(self.before, answer)

    def expect_no_lie(self, answers: Sequence[Answer], during: str) -> None:
        """See that each answer is right, or an error that says that something is broken.

        Raises:
            Violation: another value, or another error: callers would believe it.
        """
        for answer in answers:
            if not self.right(answer) and (answer.code == "OK" or answer.code not in self.allowed):
                assert self.before is not None  # noqa: S101 # an experiment begins with the steady state
                raise Violation(
                    f"during {during}, for {list(self.path)} {self.before.summary}, or one of "
                    f"{', '.join(sorted(self.allowed))}",
                    answer.summary,
                    self.before,
                    answer,
                )

    def expect_right(self, answers: Sequence[Answer], during: str) -> None:
        """See that each answer is right.

        Raises:
            Violation: one is not.
        """
        for answer in answers:
            if not self.right(answer):
                assert self.before is not None  # noqa: S101 # an experiment begins with the steady state
                raise Violation(
                    f"during {during}, for {list(self.path)} {self.before.summary}", answer.summary, self.before, answer
                )
