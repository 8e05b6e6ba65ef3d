"""Probes: the questions that several contracts ask a configuration provider, and how answers are compared."""

from __future__ import annotations

import string
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from random import Random
from typing import Any

from nomos_contracts.config.samples import ConfigSamples, Segments, ValueSample
from nomos_contracts.provider import Answer, Path_, RunningProvider, TargetFacts
from nomos_contracts.violation import Violation, expect_ok, same, shorten

CALLERS = 32
"""Calls in flight where a contract asks for many at once (row D9)."""

SHOWN = 6
"""Samples that a contract takes where every further one would only repeat the question."""

COMPARED = 64
"""Samples that a contract takes where it compares all that there is in two states of a provider."""

PREFIXES = 16
"""Beginnings of paths below which a contract tries what should not work."""


def made_up(random: Random, letters: int = 12) -> str:
    """Return a name that no provider has; lower-case letters only, so that it is legal everywhere."""
    return "nomos" + "".join(random.choices(string.ascii_lowercase, k=letters))


def is_special(segment: str) -> bool:
    """Whether a segment is a wildcard or carries a list index."""
    return segment == "*" or segment.endswith("]")


def _depth(sample: ValueSample) -> object:
    return len(sample.path)


def _kind(sample: ValueSample) -> object:
    return type(sample.value).__name__


def _itself(sample: ValueSample) -> object:
    return sample.path


def plain_samples(samples: ConfigSamples) -> list[ValueSample]:
    """Return the samples at a path of plain names, at most `SHOWN`: one of each depth first, then one of each kind."""
    plain = [s for s in samples.values if s.path and not any(is_special(segment) for segment in s.path)]
    chosen: dict[Segments, ValueSample] = {}
    for facet in (_depth, _kind, _itself):
        seen = {facet(sample) for sample in chosen.values()}
        for sample in plain:
            if facet(sample) not in seen:
                seen.add(facet(sample))
                chosen[sample.path] = sample
    return list(chosen.values())[:SHOWN]


def prefixes(paths: Iterable[Segments], most: int = PREFIXES) -> list[Segments]:
    """Return the distinct beginnings of *paths*, plain names only: every first segment first, then longer ones."""
    plain = [tuple(takewhile(lambda segment: not is_special(segment), path)) for path in paths]
    found = dict.fromkeys(path[:depth] for depth in (1, 2, 3) for path in plain if len(path) >= depth)
    return list(found)[:most]


def gives(answer: Answer, value: Any) -> bool:
    """Whether an answer of Fetch is *value*, types included.

    A map may also come unwrapped where it happens to have ``value`` as its only key.
    """
    if not answer.ok:
        return False
    return same(answer.value, value) or (isinstance(value, dict) and same(answer.struct, value))


def expect_sample(answer: Answer, sample: ValueSample, because: str = "") -> None:
    """See that *answer* is what the author promised.

    Raises:
        Violation: it is not.
    """
    if gives(answer, sample.value):
        return
    why = because or "a sample of the settings"
    asked = f"Fetch of {list(sample.path)} answers {shorten(sample.value)} ({why})"
    got = shorten(answer.value) if answer.ok else answer.summary
    raise Violation(asked, got, answer)


def alike(left: Answer, right: Answer) -> bool:
    """Whether two answers to the same question are equal: code and, where they succeeded, value."""
    if left.code != right.code or bool(left.decode_error) != bool(right.decode_error):
        return False
    return left.struct is right.struct if left.struct is None else same(left.struct, right.struct)


def fetch_all(
    provider: RunningProvider, paths: Iterable[Path_], *, at_once: int = CALLERS, timeout: float | None = None
) -> list[Answer]:
    """Fetch all *paths* with *at_once* calls in flight and return the answers in their order."""
    asked = list(paths)
    answers: list[Answer] = []
    for start in range(0, len(asked), at_once):
        pending = [provider.start_fetch(path, timeout=timeout) for path in asked[start : start + at_once]]
        answers.extend(call.answer() for call in pending)
    return answers


def evenly(paths: Iterable[Segments], facts: TargetFacts) -> list[Segments]:
    """Return *paths* without repetitions, at most as many as the limit ``spellings`` allows, evenly chosen."""
    found = list(dict.fromkeys(paths))
    most = int(facts.limits.get("spellings", len(found))) or 1
    return found if len(found) <= most else [found[number * len(found) // most] for number in range(most)]


def at_once(calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Make all *calls* at the same moment, each in a thread of its own, and return the answers in their order."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@dataclass(frozen=True)
class Steady:
    """What a provider answers while it is left in peace; whatever is done to it, it answers the same afterwards."""

    before: tuple[tuple[Segments, Answer], ...]

    @classmethod
    def of(cls, provider: RunningProvider, samples: ConfigSamples, *, whole: bool = False) -> Steady:
        """Ask for some samples, or for the *whole* of them, and remember the answers.

        Without samples only Health is asked later.
        """
        chosen = samples.values[:COMPARED] if whole else plain_samples(samples)[:4]
        return cls(tuple((sample.path, provider.fetch(sample.path)) for sample in chosen))

    def expect_same(self, provider: RunningProvider, after: str, *shown: Answer) -> None:
        """See that the provider lives and answers as before.

        Raises:
            Violation: Health fails, or an answer is another one than before *after*.
        """
        expect_ok(provider.health(), f"the process goes on after {after}")
        for path, before in self.before:
            now = provider.fetch(path)
            if not alike(before, now):
                expected = f"Fetch of {list(path)} after {after} answers as before, {before.summary}"
                raise Violation(expected, now.summary, *shown, before, now)


def expect_like(provider: RunningProvider, other: RunningProvider, samples: ConfigSamples, because: str) -> None:
    """See that two processes with the same configuration give the same values, at most `COMPARED` of them.

    What a provider gives is compared with itself, so that a wrong value breaks the clause about values only.

    Raises:
        Violation: they do not.
    """
    paths = [sample.path for sample in samples.values[:COMPARED]]
    pairs = zip(fetch_all(other, paths, at_once=8), fetch_all(provider, paths, at_once=8), strict=True)
    for path, (usual, answer) in zip(paths, pairs, strict=True):
        if not alike(usual, answer):
            expected = f"Fetch of {list(path)} {because} answers as usual, {usual.summary}"
            raise Violation(expected, answer.summary, usual, answer)


def expect_refused(answer: Answer, codes: Sequence[str], path: Path_, why: str) -> None:
    """See that a Fetch of *path* failed with one of *codes*.

    Raises:
        Violation: it gave a value, or carries another code.
    """
    if answer.code not in codes:
        raise Violation(f"Fetch of {shorten(list(path))} answers {' or '.join(codes)} ({why})", answer.summary, answer)


def is_wildcard(path: Path_) -> bool:
    """Whether *path* asks for all there is at some place."""
    return not path or path[-1] == "*"


def fetch_whole(provider: RunningProvider, samples: ConfigSamples, path: Path_) -> Answer:
    """Fetch a path that stands for much; not for long where parts of it are known to be slow."""
    return provider.fetch(path, timeout=1.0 if samples.slow else None)
