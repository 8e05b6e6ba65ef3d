"""Errors: the code and the message of what fails."""

from __future__ import annotations

from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import asked, without
from nomos_contracts.config.fetch import malformed_paths, missing_paths
from nomos_contracts.config.init import HOSTILE, refused_inits
from nomos_contracts.config.interface import FETCH_CODES, MESSAGE_BYTES
from nomos_contracts.config.probes import Steady, fetch_all, fetch_whole, is_wildcard, made_up, plain_samples, prefixes
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, RunningProvider
from nomos_contracts.violation import NotApplicable, Violation, shorten

ODD_SEGMENTS = (
    " ",
    "\t",
    "\n",
    "a\r\nb: c",
    "\x1b[31m",
    "\x7f",
    "\u2028",
    "\ufeff",
    "\u202e",
    "\ufffd",
    "\U0010ffff",
    "e\u0301" * 20,
    "%s%n%d",
    "{0}",
    "{name}",
    "${HOME}",
    "$(id)",
    "`id`",
    "{{7*7}}",
    "'; --",
    '"',
    "<x>",
    "[",
    "]",
    "[0]",
    "[-1]",
    "a[",
    "a[]",
    "a[x]",
    "a[-1]",
    "a[99999999999999999999]",
    "**",
    "?",
    "~",
    "-",
    "--help",
    "+",
    "#",
    "&x=y",
    ":",
    "@",
    "0",
    "-1",
    "1e999",
    "NaN",
    "null",
    "true",
    "CON",
    "a.json",
    ".hidden",
    "\\u002e",
)
"""Segments that are legal strings and that careless code trips over."""

LONG_NAMES = (251, 256, 300, 1024, 4095)
"""Lengths of names around and above the 255 bytes that file systems take, and below the 4096 of a whole path."""

PLACES = 6
"""Places below which they are tried."""

ALONE = 75
"""So many malformed paths come first that hold nothing but the malformed segment and a made-up name."""


class ErrorContract(Contract):
    """A failure says what was wrong: by its code to programs, by its message to people.

    Catch errors where they arise and say there what is known: the key, the segment, the file. Not the value.
    """

    @clause("CFG-ERROR-001")
    def test_gives_every_failure_a_message(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Fetch before Init, refused Inits, missing and malformed paths, the samples of failing paths."""
        failures = [nomos_fresh.fetch((made_up(nomos_random),)), nomos_fresh.fetch(())]
        refused = list(refused_inits(nomos_fresh, nomos_samples))[1:]
        failures += refused
        if refused and nomos_fresh.answers[-1].code == "OK":
            raise NotApplicable("an Init that should fail was accepted, which breaks another clause")
        nomos_fresh.init()
        paths = [path for path, _ in missing_paths(nomos_samples, nomos_random)]
        malformed = list(malformed_paths(nomos_samples, nomos_random))
        paths += [*malformed[:ALONE], *malformed[ALONE::4]]
        paths += [("",), (made_up(nomos_random), ""), *nomos_samples.forbidden, *nomos_samples.malformed]
        failures += fetch_all(nomos_fresh, paths)
        for answer in failures:
            if answer.code != "OK" and not answer.message.strip():
                raise Violation(f"a message beside {answer.code}", "an empty one", answer)

    @clause("CFG-ERROR-002")
    def test_names_the_missing_key(self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Each required key is dropped on its own."""
        for key in nomos_samples.required_keys:
            _expect_key(nomos_fresh.init(without(nomos_fresh.good_config, key)), key, "is missing")

    @clause("CFG-ERROR-003")
    def test_names_the_key_at_fault(self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """For each bad configuration whose key the sample names."""
        for sample in nomos_samples.bad_configs:
            if sample.key:
                _expect_key(nomos_fresh.init(sample.config), sample.key, "holds a bad value")

    @clause("CFG-ERROR-004")
    def test_names_the_segment_that_was_not_found(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """A made-up name at every depth of what exists."""
        name = made_up(nomos_random)
        paths: list[Segments] = [(name,)]
        for sample in plain_samples(nomos_samples):
            paths += [(*sample.path[:depth], name) for depth in range(1, len(sample.path) + 1)]
        for answer in fetch_all(nomos_provider, paths):
            if answer.code == "NOT_FOUND" and name not in answer.message:
                raise Violation(f"a message that names {name!r}", repr(answer.message), answer)

    @clause("CFG-ERROR-005")
    def test_fails_with_a_code_of_fetch(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Odd and long names alone, above and below what exists; what happens to exist may be answered."""
        steady = Steady.of(nomos_provider, nomos_samples)
        name = made_up(nomos_random)
        paths: list[Segments] = [(odd,) for odd in ODD_SEGMENTS]
        paths += [(name, odd) for odd in ODD_SEGMENTS[::3]]
        for sample in plain_samples(nomos_samples)[:4]:
            paths += [(*sample.path, odd) for odd in ODD_SEGMENTS]
            paths += [(*sample.path[:-1], f"{sample.path[-1]}{odd}") for odd in ODD_SEGMENTS[::2]]
        # Below a folder a long name is one that the file system refuses with an error of its own.
        above = [(), *prefixes((sample.path[:-1] for sample in nomos_samples.values), PLACES)]
        paths += [(*place, "x" * length) for place in above for length in LONG_NAMES]
        paths += [(*place, "x" * LONG_NAMES[0], name) for place in above]
        answers = fetch_all(nomos_provider, paths)
        whole = [fetch_whole(nomos_provider, nomos_samples, path) for path in ((), ("*",), (name, "*"), ("*", name))]
        # What there is as a whole may be too much for an answer.
        answers += [answer for answer in whole if answer.code != "RESOURCE_EXHAUSTED"]
        for answer in answers:
            if answer.code not in {"OK", *FETCH_CODES}:
                raise Violation(f"Fetch of {shorten(asked(answer))} fails with a code of Fetch", answer.summary, answer)
        steady.expect_same(nomos_provider, "odd names")

    @clause("CFG-ERROR-006")
    def test_keeps_messages_short(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Long segments, many segments, and long ones below what exists."""
        name = made_up(nomos_random)
        long = name * 1_000
        paths: list[Segments] = [(long,), (name,) * 1_000, (name, long), (long, "")]
        paths += [(*s.path, long) for s in plain_samples(nomos_samples)[:2] if not is_wildcard(s.path)]
        for path in paths:
            _expect_short(nomos_provider.fetch(path))


class LongInitErrorContract(Contract):
    """What Init says about a long value is short as well."""

    @clause("CFG-ERROR-006")
    def test_keeps_messages_of_init_short(self, nomos_fresh: RunningProvider) -> None:
        """Each key in turn holds a long string, and there is a key with a long name."""
        good = nomos_fresh.good_config
        long = next(value for value in HOSTILE if isinstance(value, str) and len(value) > MESSAGE_BYTES)
        for key in good:
            _expect_short(nomos_fresh.init({**good, key: long}))
        _expect_short(nomos_fresh.init({**good, long: "x"}))


def _expect_key(answer: Answer, key: str, what: str) -> None:
    """See that a failed Init names *key*; one that succeeded breaks another clause."""
    name = key.rpartition(".")[2]
    if answer.code != "OK" and name.lower() not in answer.message.lower():
        raise Violation(f"a message that names the key {key!r}, which {what}", repr(answer.message), answer)


def _expect_short(answer: Answer) -> None:
    size = len(answer.message.encode())
    if size >= MESSAGE_BYTES:
        raise Violation(f"a message shorter than {MESSAGE_BYTES} bytes", f"one of {size} bytes", answer)
