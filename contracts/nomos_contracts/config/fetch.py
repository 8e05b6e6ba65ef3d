"""Fetch: which paths give a value, and what is answered for those that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import as_list, as_map, asked
from nomos_contracts.config.init import refused_inits
from nomos_contracts.config.interface import FETCH_CODES
from nomos_contracts.config.probes import (
    SHOWN,
    Steady,
    alike,
    evenly,
    expect_refused,
    fetch_all,
    fetch_whole,
    gives,
    made_up,
    plain_samples,
    prefixes,
)
from nomos_contracts.config.samples import ConfigSamples, Segments, ValueSample
from nomos_contracts.config.spellings import collision, folds_names, respelled
from nomos_contracts.contract import Contract
from nomos_contracts.inherited import INHERITED
from nomos_contracts.provider import RunningProvider, TargetFacts
from nomos_contracts.violation import Violation, expect_code, shorten

NO_INDEX = (
    *("[0]x", "[0", "[0]]", "[[0]", "[]", "[-1]", "[x]", "[0x0]", "[0.0]", "[0,1]", "x[0]", "[0]/", "[0]."),
    *(f"[{2**32}]", f"[{2**64}]"),
)
"""What may follow a name and resembles an index, but leads to no element; no list is as long as the last two say.

Other writings of a number, `[01]` or `[+0]`, are not among them: no sentence says how an index is written."""

BLANKS = (" ", "\t", "\n", "\u00a0", "\ufeff", "\u200b")
"""What a careless provider trims off a name."""

ADDED = (
    *("{name}.{tail}", "{name}:{tail}", "{name}?{tail}=1", "{name}#{tail}", "{name};{tail}", "{name}@{tail}"),
    *("{name}|{tail}", "{name},{tail}", "{name} {tail}", "{name}&{tail}=1", "{name}[{tail}]", "{{name},{tail}}"),
    *(
        "${{tail}}{name}",
        "{name}${tail}",
        "{name}%{tail}%",
        "{{{tail}}}{name}",
        "{name}({tail})?",
        "{name}<!--{tail}-->",
    ),
)
"""How something that nobody has is added to a name where names are URLs, patterns, templates or shell words."""

Question = tuple[Segments, str]
"""A path, and in words why it is asked for."""

REFUSALS = ("INVALID_ARGUMENT", "NOT_FOUND")


def missing_paths(samples: ConfigSamples, random: Random) -> Iterator[Question]:
    """Yield well-formed paths that do not exist: the author's, and made-up names at every depth."""
    for path in samples.missing:
        yield path, "the sample says that it does not exist"
    for name in (made_up(random), made_up(random), made_up(random, 1)):
        yield (name,), "the name is made up"
    yield tuple(made_up(random, 4) for _ in range(20)), "the names are made up"
    for sample in plain_samples(samples):
        name, further = made_up(random), made_up(random)
        for depth in range(1, len(sample.path)):
            yield (*sample.path[:depth], name), "the last name is made up"
            yield (*sample.path[:depth], name, *sample.path[depth:]), "a name in the middle is made up"
        yield (name, *sample.path), "the first name is made up"
        if not isinstance(sample.value, list):
            # Below a list the segment may also be taken for a malformed index.
            below = "a scalar" if not isinstance(sample.value, dict) else "a map"
            yield (*sample.path, name), f"a made-up name below {below}"
            yield (*sample.path, name, further), f"made-up names below {below}"


class FetchContract(Contract):
    """Fetch answers for what is there and says plainly what is not.

    Look at the state first, then at the form of the path, then walk it segment by segment.
    """

    @clause("CFG-FETCH-001")
    def test_refuses_before_a_good_init(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Asked twice each, and again after Inits that failed."""
        paths: list[Segments] = [(), (made_up(nomos_random),), ("*",)]
        paths += [sample.path for sample in plain_samples(nomos_samples)]

        def expect_refusal(when: str) -> None:
            for path in (*paths, *paths):
                expect_refused(nomos_fresh.fetch(path), ("FAILED_PRECONDITION",), path, when)

        expect_refusal("before Init")
        for _ in refused_inits(nomos_fresh, nomos_samples):
            pass
        if nomos_fresh.answers and nomos_fresh.answers[-1].code != "OK":
            expect_refusal("after a failed Init, which is none")

    @clause("CFG-FETCH-002")
    def test_does_not_find_what_is_not_there(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Twice each, so that a negative cache shows; what exists is found as before."""
        steady = Steady.of(nomos_provider, nomos_samples)
        questions = list(missing_paths(nomos_samples, nomos_random))
        for _ in range(2):
            answers = fetch_all(nomos_provider, [path for path, _ in questions])
            for (path, why), answer in zip(questions, answers, strict=True):
                expect_refused(answer, ("NOT_FOUND",), path, why)
        steady.expect_same(nomos_provider, "paths that do not exist")

    @clause("CFG-FETCH-003")
    def test_refuses_an_empty_segment(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """At every position of paths that exist, of made-up ones, and alone."""
        name = made_up(nomos_random)
        paths: list[Segments] = [("",), ("", ""), ("", name), (name, ""), (name, "", name), ("",) * 20]
        for sample in plain_samples(nomos_samples):
            for position in range(len(sample.path) + 1):
                paths.append((*sample.path[:position], "", *sample.path[position:]))
                if position < len(sample.path):
                    paths.append((*sample.path[:position], "", *sample.path[position + 1 :]))
        for path, answer in zip(paths, fetch_all(nomos_provider, paths), strict=True):
            expect_refused(answer, ("INVALID_ARGUMENT",), path, "a segment is empty")

    @clause("CFG-FETCH-004")
    def test_never_gives_a_value_for_a_malformed_segment(
        self,
        nomos_provider: RunningProvider,
        nomos_target: TargetFacts,
        nomos_samples: ConfigSamples,
        nomos_random: Random,
    ) -> None:
        """Malformed on its own, and beside, around and between names that exist."""
        steady = Steady.of(nomos_provider, nomos_samples)
        paths = evenly(malformed_paths(nomos_samples, nomos_random), nomos_target)
        for path, answer in zip(paths, fetch_all(nomos_provider, paths), strict=True):
            expect_refused(answer, REFUSALS, path, "a segment is malformed")
        steady.expect_same(nomos_provider, "malformed paths")

    @clause("CFG-FETCH-005")
    def test_decides_what_the_empty_path_is(
        self,
        nomos_provider: RunningProvider,
        nomos_samples: ConfigSamples,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """The root as a map, or an error, since there may be no root or something in it that cannot be served."""
        answers = [fetch_whole(nomos_provider, nomos_samples, ()) for _ in range(3)]
        nomos_observe("Fetch of the empty path", answers[0].code)
        for answer in answers:
            expect_code(answer, "OK", *FETCH_CODES, "RESOURCE_EXHAUSTED", because="the path is empty")
            if answer.code == "OK" and (answer.struct is None or not answer.ok):
                raise Violation("Fetch of the empty path answers a map or an error", answer.summary, answer)
            if not alike(answers[0], answer):
                raise Violation("the empty path answers the same each time", answer.summary, answers[0], answer)

    @clause("CFG-FETCH-006")
    def test_survives_long_paths(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Long as a whole, long in one segment, and long below something that exists."""
        steady = Steady.of(nomos_provider, nomos_samples)
        name = made_up(nomos_random)
        paths: list[Segments] = [
            (name,) * 10_000,
            ("..",) * 10_000,
            ("x" * 1_000_000,),
            ("é" * 200,),
            ("x" * 300, name),
            ("x" * 5_000,),
        ]
        for sample in plain_samples(nomos_samples)[:2]:
            paths += [(*sample.path, *[name] * 10_000), (sample.path[0],) * 10_000, (*sample.path, "x" * 300)]
        for path in paths:
            answer = nomos_provider.fetch(path)
            length = f"{len(path)} segments, the longest of {max(len(segment) for segment in path)} characters"
            if answer.code in {"OK", "UNKNOWN"}:
                raise Violation(f"Fetch of a path of {length} fails, and not with UNKNOWN", answer.summary, answer)
            steady.expect_same(nomos_provider, f"a path of {length}", answer)

    @clause("CFG-FETCH-007")
    def test_tells_what_is_not_permitted(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """PERMISSION_DENIED, again and again, and nothing of it in a value."""
        steady = Steady.of(nomos_provider, nomos_samples)
        for path in (*nomos_samples.forbidden, *nomos_samples.forbidden):
            expect_refused(nomos_provider.fetch(path), ("PERMISSION_DENIED",), path, "the provider may not read it")
        steady.expect_same(nomos_provider, "a path that may not be read")

    @clause("CFG-FETCH-008")
    def test_survives_a_source_that_cannot_be_parsed(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """An error that is not UNKNOWN, each time, and no half of a value."""
        steady = Steady.of(nomos_provider, nomos_samples)
        for path in (*nomos_samples.malformed, *nomos_samples.malformed):
            answer = nomos_provider.fetch(path)
            if answer.code in {"OK", "UNKNOWN"}:
                raise Violation(
                    f"Fetch of {list(path)}, whose source is broken, fails and not with UNKNOWN", answer.summary, answer
                )
            steady.expect_same(nomos_provider, "a source that cannot be parsed", answer)

    @clause("CFG-FETCH-010")
    def test_tells_names_that_resemble_each_other_apart(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """A name that happens to exist may have a value of its own, but not the value of the one it resembles."""
        samples = plain_samples(nomos_samples)
        known = {sample.path[:depth] for sample in nomos_samples.values for depth in range(1, len(sample.path) + 1)}
        folded = folds_names()
        for sample in samples:
            nomos_provider.fetch(sample.path)  # so that a cache has it whose keys may collide
            strict = [path for path in _unlike(sample, nomos_random) if path not in known]
            near = [path for path in _blanks(sample) if path not in known]
            for path, answer in zip(near, fetch_all(nomos_provider, near), strict=True):
                if answer.code not in REFUSALS and (not answer.ok or gives(answer, sample.value)):
                    expected = f"Fetch of {shorten(list(path))} does not answer for {list(sample.path)}"
                    raise Violation(expected, answer.summary, answer)
            for path, answer in zip(strict, fetch_all(nomos_provider, strict), strict=True):
                expect_refused(answer, REFUSALS, path, f"only {list(sample.path)} exists")
            for paths in respelled(sample, folded=folded):
                answers = fetch_all(nomos_provider, [path for path in paths if path not in known])
                taken = [answer for answer in answers if gives(answer, sample.value)]
                if len(taken) > 1:
                    expected = f"Fetch of {shorten(asked(taken[0]))} does not answer for {list(sample.path)}"
                    raise Violation(expected, taken[0].summary, *taken)
        indexes = [path for path in _no_indexes(nomos_samples) if path not in known]
        for path, answer in zip(indexes, fetch_all(nomos_provider, indexes), strict=True):
            expect_refused(answer, REFUSALS, path, "what follows the name is no index")
        roots = [(name,) for name in INHERITED if (name,) not in known]
        for path, answer in zip(roots, fetch_all(nomos_provider, roots), strict=True):
            expect_refused(answer, REFUSALS, path, "a property of objects is no data")

    @clause("CFG-FETCH-011")
    def test_answers_the_same_to_the_same_question(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """In shuffled order, errors among them, and over a new connection."""
        paths: list[Segments] = [sample.path for sample in nomos_samples.values]
        paths += [path for path, _ in missing_paths(nomos_samples, nomos_random)][:6]
        paths += [("",), ("..",)] if nomos_samples.slow else [(), ("*",), ("",), ("..",)]
        first = dict(zip(paths, fetch_all(nomos_provider, paths, at_once=1), strict=True))
        for turn in range(4):
            if turn == 2:
                nomos_provider.reconnect()
            nomos_random.shuffle(paths)
            for path, answer in zip(paths, fetch_all(nomos_provider, paths, at_once=1), strict=True):
                if not alike(first[path], answer):
                    expected = f"Fetch of {list(path)} answers as the first time, {first[path].summary}"
                    raise Violation(expected, answer.summary, first[path], answer)


def malformed_paths(samples: ConfigSamples, random: Random) -> Iterator[Segments]:
    """Yield paths with a segment that is no name."""
    alone = [
        ".",
        "..",
        "a/b",
        "a\\b",
        "/",
        "\\",
        "./",
        "../",
        "a\x00b",
        "\x00",
        "%2e",
        "%2e%2e",
        "%2E%2E",
        ".%2e",
        "..%2f",
    ]
    alone += ["..%5c", "%2e%2e%2f", "%252e%252e", "%00", "//", "/etc", "C:\\", "..\\", "a/../b", "file:///etc/hostname"]
    name = made_up(random)
    for segment in alone:
        yield (segment,)
        yield (name, segment)
        yield (segment, name)
    for sample in plain_samples(samples):
        path = sample.path
        first, rest = path[0], path[1:]
        for dots in (".", "..", "%2e", "%2e%2e"):
            yield (dots, *path)
            yield (*path, dots)
            yield (first, dots, *rest)
            yield (*path[:-1], dots, path[-1])
        yield (first, "..", *path)
        yield (name, "..", *path)
        yield (*path, "..", path[-1])
        yield (*path, name, "..")
        for around in (
            "{}/",
            "/{}",
            "./{}",
            "{}/.",
            "{}\\",
            ".\\{}",
            "{}\x00",
            "\x00{}",
            "{}\x00.json",
            "x/../{}",
            "{}%00",
            "%2e/{}",
        ):
            yield (around.format(first), *rest)
            yield (*path[:-1], around.format(path[-1]))
        for between in ("/", "\\", "%2f", "%5c", "\x00", "//", "/./"):
            if rest:
                yield (between.join(path),)
                yield (f"{path[0]}{between}{path[1]}", *path[2:])
                yield (*path[:-2], f"{path[-2]}{between}{path[-1]}")
    yield from _roundabout(samples, name)


def _roundabout(samples: ConfigSamples, name: str) -> Iterator[Segments]:
    """Yield malformed paths below each beginning of a path, and from there to what exists elsewhere."""
    for prefix in prefixes(sample.path for sample in samples.values):
        yield from ((*prefix, segment) for segment in ("..", f"../{name}", f"{name}/..", "%2e%2e", "..\\", "\x00"))
        for sample in plain_samples(samples)[:4]:
            path, out = sample.path, [".."] * len(prefix)
            yield (*prefix, *out, *path)
            yield (*prefix, "/".join([*out, *path]))
            yield (*prefix, "/".join([*out, path[0]]), *path[1:])
            if path[1:] or out[1:]:
                yield (*prefix, "/".join([*out[1:], *path]))


def _unlike(sample: ValueSample, random: Random) -> Iterator[Segments]:
    """Yield paths that certainly do not exist although they resemble that of *sample*."""
    path, tail = sample.path, made_up(random, 3)
    for position, segment in enumerate(path):
        names = [segment + tail, tail + segment, segment + tail.upper()]
        names += [form.replace("{name}", segment).replace("{tail}", tail) for form in ADDED]
        for name in names:
            yield (*path[:position], name, *path[position + 1 :])
        if len(segment) > 1:
            yield (*path[:position], collision(segment), *path[position + 1 :])
    below = as_map(sample.value)
    yield from ((*path, name) for name in INHERITED if name not in (below or ()))
    if below is not None:
        yield from ((*path, key + tail) for key in list(below)[:2])
    elif as_list(sample.value) is None:
        yield from ((*path, name) for name in ("length", "0", "value", path[-1]))
        yield (*path, *path)


def _blanks(sample: ValueSample) -> Iterator[Segments]:
    """Yield paths that differ from that of *sample* in what is easily trimmed off; they may exist."""
    for position, segment in enumerate(sample.path):
        for blank in BLANKS:
            for name in (segment + blank, blank + segment):
                yield (*sample.path[:position], name, *sample.path[position + 1 :])


def _no_indexes(samples: ConfigSamples) -> Iterator[Segments]:
    """Yield paths that only resemble one to an element of a list."""
    named = [sample.path for sample in samples.values if sample.path and as_list(sample.value)]
    named += [sample.path for sample in samples.values if sample.path and sample.path[-1].endswith("]")]
    lists = dict.fromkeys((*path[:-1], path[-1].partition("[")[0]) for path in named)
    for *above, name in list(lists)[:SHOWN]:
        yield from ((*above, f"{name}{mark}") for mark in NO_INDEX)
