"""Values: what Fetch answers is exactly what is there, in the form that callers expect."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import as_list, as_map, asked, is_scalar, leaves, levels, parts
from nomos_contracts.config.interface import ANSWER_BYTES, LEVELS
from nomos_contracts.config.probes import (
    SHOWN,
    expect_refused,
    expect_sample,
    fetch_all,
    fetch_whole,
    gives,
    is_special,
    is_wildcard,
    made_up,
    plain_samples,
)
from nomos_contracts.config.samples import ConfigSamples, Segments, ValueSample
from nomos_contracts.config.spellings import texts_beyond_ascii, torn_character, wide_names
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, RunningProvider
from nomos_contracts.violation import NotApplicable, Violation, same, shorten

DOCUMENTED_BYTES = 10_000_000
"""The size that the documents advise against (row D13)."""

ROUNDS = 4
"""Times that each sample is asked for; what is wrong the second time only shows."""

PARTS = 96
"""Parts of sample values that are asked for on their own."""

PLACES = 16
"""Maps that are asked for to see what they hold."""

_NAME = re.compile(r"[\w-]+")
"""A key that is a segment of a path without doubt."""

_INDEX = re.compile(r"^(?P<name>.+)\[(?P<index>\d+)\]$")

SCRIPTS = ("ключ", "键", "مفتاح", "clé", "clé", "🗝️", "ｋｅｙ", "ß", "İ", "a\u200bb", "\U0010fffd", "naïve café")
"""Names in several scripts, composed and decomposed, and outside the basic plane."""


def _list_of(path: Segments) -> Segments:
    """Return the path of the list of which *path* is an element, by an index."""
    return (*path[:-1], path[-1].partition("[")[0])


class ValueContract(Contract):
    """The value at a path arrives as it is: its kind, its digits, its characters, its emptiness.

    Most failures here come from formatting a value as text on its way, or from an encoder that drops what is empty.
    """

    @clause("CFG-VALUE-001")
    def test_gives_exactly_the_value(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Every sample several times, in shuffled order, one by one and many at once, then over a new connection."""
        samples = list(nomos_samples.values)
        for turn in range(ROUNDS):
            if turn == ROUNDS - 1:
                nomos_provider.reconnect()
            nomos_random.shuffle(samples)
            answers = fetch_all(nomos_provider, [sample.path for sample in samples], at_once=1 if turn % 2 == 0 else 8)
            for sample, answer in zip(samples, answers, strict=True):
                expect_sample(answer, sample)

    @clause("CFG-VALUE-001")
    def test_gives_the_parts_of_a_value_as_they_stand_in_it(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """What a sample names as part of a map or list has that value on its own too, where it can be asked for."""
        known = {sample.path for sample in nomos_samples.values}
        inner = (part for sample in nomos_samples.values for part in islice(parts_of(sample), PARTS))
        chosen = list({part.path: part for part in inner if part.path not in known}.values())[:PARTS]
        answers = list(zip(chosen, fetch_all(nomos_provider, [part.path for part in chosen]), strict=True))
        taken = Counter(_list_of(part.path) for part, answer in answers if answer.code == "OK")
        for part, answer in answers:
            # Not every provider walks into its values; and one that does not may have a name that ends in "[0]".
            named = is_special(part.path[-1]) and taken[_list_of(part.path)] == 1
            if answer.code == "OK" and not (named and not gives(answer, part.value)):
                expect_sample(answer, part, "as a part of a sample")

    @clause("CFG-VALUE-001")
    def test_keeps_what_is_empty_in_a_map(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """A map that shows one sample as it is shows those beside it that are empty, or have empty parts; twice."""
        beside: dict[Segments, list[ValueSample]] = {}
        for sample in nomos_samples.values:
            if len(sample.path) > 1 and not any(map(is_special, sample.path)):
                beside.setdefault(sample.path[:-1], []).append(sample)
        # What is slow may be left out where a whole is asked for.
        slow = {path[:depth] for path in nomos_samples.slow for depth in range(len(path))}
        for above, held in list(beside.items())[:PLACES]:
            empty = [sample for sample in held if _has_empty_parts(sample.value)]
            for _ in range(2 if empty and above not in slow else 0):
                answer = nomos_provider.fetch(above)
                shown = _children(answer, held)
                lost = [sample for sample in empty if shown and sample.path[-1] not in shown]
                lost += [sample for sample in empty if shown and not same(shown.get(sample.path[-1]), sample.value)]
                if lost:
                    expected = f"{lost[0].path[-1]!r} with {shorten(lost[0].value)} in the map at {list(above)}"
                    raise Violation(expected, answer.summary, answer)

    @clause("CFG-VALUE-002")
    def test_sets_the_value_field(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """An answer without it is null for the command line, whatever was meant."""
        for answer in _answers(nomos_provider, nomos_samples):
            if answer.code == "OK" and not answer.decode_error and answer.struct is None:
                raise Violation(
                    f"Fetch of {_path(answer)} answers with its value field set", "an answer without it", answer
                )

    @clause("CFG-VALUE-003")
    def test_gives_values_that_json_can_say(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """Every part of every answer is looked at."""
        for answer in _answers(nomos_provider, nomos_samples):
            if answer.code != "OK":
                continue
            odd = answer.decode_error or next(_oddities(answer.struct), "")
            if odd:
                raise Violation(f"Fetch of {_path(answer)} answers a value that JSON can say", odd, answer)

    @clause("CFG-VALUE-004")
    def test_wraps_what_is_no_map(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """The one key is `value`, and there is no other."""
        samples = [sample for sample in nomos_samples.values if not isinstance(sample.value, dict)]
        if not samples:
            raise NotApplicable("every sample value is a map")
        for sample, answer in zip(samples, fetch_all(nomos_provider, [s.path for s in samples]), strict=True):
            if answer.ok and (answer.struct is None or not _is_wrapped(answer.struct)):
                keys = "no map" if answer.struct is None else f"a map with the keys {shorten(sorted(answer.struct))}"
                raise Violation(f"Fetch of {list(sample.path)} answers {{'value': …}}", keys, answer)

    @clause("CFG-VALUE-007")
    def test_nests_at_most_ten_levels(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Maps and lists are counted, the outermost map included."""
        for answer in _answers(nomos_provider, nomos_samples):
            deep = levels(answer.struct)
            if deep > LEVELS:
                raise Violation(f"Fetch of {_path(answer)} answers at most {LEVELS} levels", f"{deep} levels", answer)

    @clause("CFG-VALUE-008")
    def test_answers_at_most_ten_megabytes(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """As bytes on the wire."""
        _expect_size(nomos_provider, nomos_samples, DOCUMENTED_BYTES)

    @clause("CFG-VALUE-009")
    def test_answers_what_the_command_line_can_receive(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """As bytes on the wire; beyond the limit the command line sees RESOURCE_EXHAUSTED."""
        _expect_size(nomos_provider, nomos_samples, ANSWER_BYTES)

    @clause("CFG-VALUE-010")
    def test_keeps_every_character(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Names of several scripts are not found, alone and below what exists; samples beyond ASCII come back whole."""
        tail = made_up(nomos_random)
        paths: list[Segments] = [(name + tail,) for name in SCRIPTS]
        near: dict[Segments, ValueSample] = {}
        for sample in plain_samples(nomos_samples)[:3]:
            paths += [(*sample.path[:-1], name + tail) for name in SCRIPTS]
            marks = ("\u0301", "\u200d", "é", "\U0001f511")
            near.update({(*sample.path[:-1], sample.path[-1] + mark): sample for mark in marks})
        known = {sample.path for sample in nomos_samples.values}
        paths += [(*above, name) for above in _above(nomos_samples) for name in wide_names()]
        paths = [path for path in (*paths, *near) if path not in known]
        for path, answer in zip(paths, fetch_all(nomos_provider, paths), strict=True):
            if answer.ok and path in near and not gives(answer, near[path].value):
                continue  # a name that nobody has told of, with a value of its own
            # Names may be restricted to some characters; then one with others is malformed.
            expect_refused(answer, ("NOT_FOUND", "INVALID_ARGUMENT"), path, "it does not exist")
            torn = torn_character(answer.message, path)
            if torn:
                raise Violation("a message that cuts names between characters", f"{torn} in {answer.message!r}", answer)
        for sample in nomos_samples.values:
            if not f"{sample.path}{sample.value}".isascii():
                _expect_characters(nomos_provider.fetch(sample.path), sample)


class SpecialPathContract(Contract):
    """Wildcards and list indexes, as the command line sends them.

    They are optional: where the provider refuses them and no sample promises them, there is nothing to keep.
    """

    @clause("CFG-VALUE-005")
    def test_answers_a_map_to_a_wildcard(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """For the root, for each map among the samples, and for the samples that end in `*`."""
        promised = [sample for sample in nomos_samples.values if is_wildcard(sample.path) and sample.path]
        for sample in promised:
            answer = nomos_provider.fetch(sample.path)
            if answer.code != "OK" or not _is_map(answer) or not gives(answer, sample.value):
                raise Violation(
                    f"Fetch of {list(sample.path)} answers the map {shorten(sample.value)}", answer.summary, answer
                )
        whole: list[Segments] = [("*",)]
        whole += [(*s.path, "*") for s in plain_samples(nomos_samples) if isinstance(s.value, dict)]
        answered = bool(promised)
        for path in whole:
            answer = fetch_whole(nomos_provider, nomos_samples, path)
            answered = answered or answer.code == "OK"
            if answer.code == "OK" and not _is_map(answer):
                raise Violation(f"Fetch of {list(path)} answers a map", answer.summary, answer)
        if not answered:
            raise NotApplicable("the provider knows no wildcard, and no sample path ends in *")

    @clause("CFG-VALUE-006")
    def test_answers_an_element_to_an_index(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """The right element, none beyond the end, none of what is no list."""
        promised = [s for s in nomos_samples.values if any(_INDEX.match(segment) for segment in s.path)]
        for sample in promised:
            expect_sample(nomos_provider.fetch(sample.path), sample, "the path holds an index")
        answered = bool(promised)
        lists = [s for s in nomos_samples.values if as_list(s.value) and not any(map(is_special, s.path))][:SHOWN]
        for sample in {s.path: s for s in (*plain_samples(nomos_samples), *lists)}.values():
            parent, name = sample.path[:-1], sample.path[-1]
            elements = as_list(sample.value)
            if elements is not None:
                answered = self._expect_elements(nomos_provider, sample.path, elements) or answered
            elif answered:
                path = (*parent, f"{name}[0]")
                expect_refused(nomos_provider.fetch(path), ("NOT_FOUND", "INVALID_ARGUMENT"), path, "it is no list")
        if answered:
            path = (f"{made_up(nomos_random)}[0]",)
            expect_refused(nomos_provider.fetch(path), ("NOT_FOUND", "INVALID_ARGUMENT"), path, "it does not exist")
            return
        raise NotApplicable("the provider knows no index, and no sample path holds one")

    def _expect_elements(self, provider: RunningProvider, path: Segments, value: Sequence[Any]) -> bool:
        parent, name = path[:-1], path[-1]
        answered = False
        for index in {0, len(value) // 2, len(value) - 1} if value else set[int]():
            element = (*parent, f"{name}[{index}]")
            answer = provider.fetch(element)
            if answer.code == "OK":
                answered = True
                if not gives(answer, value[index]):
                    raise Violation(f"Fetch of {list(element)} answers {shorten(value[index])}", answer.summary, answer)
        for index in (len(value), len(value) + 1, 2**32, 10**6, 10**30):
            beyond = (*parent, f"{name}[{index}]")
            expect_refused(provider.fetch(beyond), ("NOT_FOUND", "INVALID_ARGUMENT"), beyond, "beyond the end")
        return answered


def parts_of(sample: ValueSample) -> Iterator[ValueSample]:
    """Yield what lies in the value of *sample* as samples of their own: keys of maps, elements of lists, and below."""
    opened = [sample] if sample.path and not is_wildcard(sample.path) else []
    while opened:
        held = opened.pop(0)
        inner = as_map(held.value) or {}
        found = [ValueSample(path=(*held.path, key), value=part) for key, part in inner.items() if _NAME.fullmatch(key)]
        *above, name = held.path
        elements = as_list(held.value) or ()
        found += [ValueSample(path=(*above, f"{name}[{at}]"), value=part) for at, part in enumerate(elements)]
        yield from found
        opened += found


def _answers(provider: RunningProvider, samples: ConfigSamples) -> Iterator[Answer]:
    """Yield an answer for each sample, for the maps above them, and for the root."""
    paths = [sample.path for sample in samples.values]
    above = {path[:depth] for path in paths for depth in range(1, len(path)) if not any(map(is_special, path))}
    yield from fetch_all(provider, paths, at_once=8)
    for path in sorted(above.difference(paths))[:16]:
        yield fetch_whole(provider, samples, path)
    for path in ((), ("*",)):
        yield fetch_whole(provider, samples, path)


def _has_empty_parts(value: Any) -> bool:
    """Whether *value* is or holds null, an empty text, list or map."""
    return value in (None, "") or not (parts(value) or is_scalar(value)) or any(map(_has_empty_parts, parts(value)))


def _children(answer: Answer, samples: Sequence[ValueSample]) -> Mapping[str, Any]:
    """Return the map in *answer* that holds one of *samples* with something in it as it is; none otherwise."""
    if answer.ok:
        for shown in (as_map(answer.value), answer.struct):
            if any(shown and same(shown.get(s.path[-1]), s.value) for s in samples if not _has_empty_parts(s.value)):
                return shown or {}
    return {}


def _above(samples: ConfigSamples) -> list[Segments]:
    """Return the root, and the place of the deepest of some samples."""
    deepest = max((sample.path[:-1] for sample in plain_samples(samples)), key=len, default=())
    return list(dict.fromkeys([(), deepest]))


def _expect_characters(answer: Answer, sample: ValueSample) -> None:
    """See that the strings and keys beyond ASCII came as they are; numbers and the rest are not looked at.

    Raises:
        Violation: one is missing, or there is no value at all.
    """
    wanted, held = set(texts_beyond_ascii(sample.value)), set(texts_beyond_ascii(answer.value if answer.ok else None))
    other = isinstance(sample.value, str) and isinstance(answer.value, str) and answer.value != sample.value
    if not answer.ok or other or wanted - held:
        expect_sample(answer, sample, "beyond ASCII")


def _path(answer: Answer) -> str:
    return shorten(asked(answer))


def _is_map(answer: Answer) -> bool:
    """Whether the answer is a map for the command line: no scalar and no list under the one key `value`."""
    return answer.struct is not None and (not _is_wrapped(answer.struct) or as_map(answer.struct["value"]) is not None)


def _is_wrapped(struct: Mapping[str, Any]) -> bool:
    return list(struct) == ["value"]


def _oddities(value: Any) -> Iterator[str]:
    """Yield in words what of *value* JSON cannot say."""
    for leaf in leaves(value):
        if isinstance(leaf, float) and not math.isfinite(leaf):
            yield f"the number {leaf}"
        elif leaf is not None and not isinstance(leaf, str | int | float | bool):
            yield f"a value of kind {type(leaf).__name__}"


def _expect_size(provider: RunningProvider, samples: ConfigSamples, limit: int) -> None:
    for answer in _answers(provider, samples):
        size = len(answer.response or b"")
        if size > limit:
            raise Violation(f"Fetch of {_path(answer)} answers at most {limit} bytes", f"{size} bytes", answer)
