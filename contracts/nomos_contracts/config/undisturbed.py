"""Undisturbed: what a provider answers while nothing breaks, learned from itself.

Whatever is done to it, it may give no other value. It is compared with itself, so that an answer which is wrong at any
time breaks the clause about it only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nomos_contracts.config.probes import alike, plain_samples
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.process.interface import GOOD_INIT
from nomos_contracts.process.traffic import missing_path
from nomos_contracts.provider import Answer, RunningProvider
from nomos_contracts.violation import Blocked, same

NEW: Final = "new"
"""The state of a provider that no Init has reached."""
GOOD: Final = "good"
OTHER: Final = "other"
PATHS: Final = 4
"""Sample values that are asked for: each of them is asked for after every storm."""

SAME_INIT: Final = "CFG-REINIT-001"
"""The clause about a second Init with the same configuration."""

Question = tuple[str, ...]
"""``("fetch", …path)``, ``("health",)`` or ``("info",)``."""


def ask(provider: RunningProvider, question: Question, timeout: float) -> Answer:
    """Put a question."""
    match question[0]:
        case "fetch":
            return provider.fetch(question[1:], timeout=timeout)
        case "health":
            return provider.health(timeout=timeout)
        case _:
            return provider.info(timeout=timeout)


def words(question: Question) -> str:
    """Return a question in words."""
    return f"Fetch {list(question[1:])!r}" if question[0] == "fetch" else question[0].capitalize()


def equal(question: Question, left: Answer, right: Answer) -> bool:
    """Whether two answers to *question* are the same as far as a caller relies on it."""
    if question[0] == "fetch":
        return alike(left, right)
    if left.code != right.code or bool(left.decode_error) != bool(right.decode_error):
        return False
    if not left.ok:
        return True
    if question[0] == "health":
        return _status(left) == _status(right)
    return all(same(left.value.get(name), right.value.get(name)) for name in ("version", "type"))


def _status(answer: Answer) -> object:
    """Return the status of Health; one that is about to be well is well."""
    status = answer.value.get("status")
    return "STATUS_OK" if status == "STATUS_STARTING" else status


@dataclass(frozen=True)
class Undisturbed:
    """What a process answered, state by state.

    Attributes:
        paths: what is fetched.
        answers: each answer, by state and question.
        again: the code of an Init after the first good one.
        replaces: whether such an Init replaces the configuration.
    """

    paths: tuple[Segments, ...]
    answers: Mapping[str, Mapping[Question, Answer]]
    again: str
    replaces: bool

    @property
    def questions(self) -> tuple[Question, ...]:
        """Everything that is asked."""
        return (*(("fetch", *path) for path in self.paths), ("health",), ("info",))

    def fits(self, state: str, question: Question, answer: Answer) -> bool:
        """Whether *answer* is that of an undisturbed process in *state*."""
        known = self.answers[state].get(question)
        return known is not None and equal(question, known, answer)

    def after(self, state: str, config: str) -> tuple[str, str]:
        """Return the code of an Init with *config* in *state*, and the state after it."""
        if state == NEW:
            return "OK", config
        return self.again, config if self.replaces else state


def initialise(provider: RunningProvider, samples: ConfigSamples, config: str, timeout: float) -> Answer:
    """Call Init with the good configuration or the other one."""
    chosen = samples.other_config.config if config == OTHER and samples.other_config is not None else None
    return provider.init(chosen, timeout=timeout)


def learn(provider: RunningProvider, samples: ConfigSamples, timeout: float) -> Undisturbed:
    """Ask a process that has seen no Init.

    Raises:
        Blocked: Init with the good configuration does not answer OK, or changes what it had put into force.
    """
    paths = list(dict.fromkeys(sample.path for sample in plain_samples(samples)[:PATHS]))
    if samples.other_config is not None and samples.other_config.path not in paths:
        paths.append(samples.other_config.path)
    paths.append(missing_path(samples))
    questions: Sequence[Question] = [*(("fetch", *path) for path in paths), ("health",), ("info",)]

    def answers() -> dict[Question, Answer]:
        return {question: ask(provider, question, timeout) for question in questions}

    seen: dict[str, Mapping[Question, Answer]] = {NEW: answers()}
    first = initialise(provider, samples, GOOD, timeout)
    if not first.ok:
        raise Blocked(f"clause:{GOOD_INIT}", f"Init with the good config answered {first.summary}")
    good = seen[GOOD] = answers()
    again = initialise(provider, samples, GOOD, timeout)
    if _told_apart(good, answers()):
        raise Blocked(f"clause:{SAME_INIT}", "a second Init with the same configuration changes what is answered")
    if samples.other_config is None:
        return Undisturbed(tuple(paths), seen, again.code, replaces=False)
    again = initialise(provider, samples, OTHER, timeout)
    other = answers()
    replaces = again.ok and _told_apart(good, other) and _back(provider, samples, good, answers, timeout)
    if replaces:
        seen[OTHER] = other
    return Undisturbed(tuple(paths), seen, again.code, replaces)


def _told_apart(good: Mapping[Question, Answer], other: Mapping[Question, Answer]) -> bool:
    return any(not equal(question, answer, other[question]) for question, answer in good.items())


def _back(
    provider: RunningProvider,
    samples: ConfigSamples,
    good: Mapping[Question, Answer],
    answers: Callable[[], Mapping[Question, Answer]],
    timeout: float,
) -> bool:
    """Whether a further Init brings the good configuration back."""
    again = initialise(provider, samples, GOOD, timeout)
    return again.ok and not _told_apart(good, answers())
