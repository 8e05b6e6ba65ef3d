"""Secrets: canaries in configurations, and values that are served, must show neither in messages nor in logs."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any
from urllib.parse import unquote

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import Config, held, leaves, replaced, told, without
from nomos_contracts.config.probes import fetch_all, made_up, plain_samples
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import initialised
from nomos_contracts.provider import Answer, RunningProvider, Starter, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation

SHORTEST_SECRET = 4
"""A shorter value turns up by chance."""

MALFORMED = (
    *(
        "http://user:{}@127.0.0.1:port/",
        "http://user:{}@local host/",
        "http://user:{}@[::1",
        "http://{}:x@127.0.0.1:99999",
    ),
    *("//user:{}@%zz", "{}\x7f", "{}\n", "{}%zz", "{}\x00", "user={} host='", "\ufeff{}"),
)
"""Where a canary stands in values that libraries refuse, mostly with all that they were given."""

SHORTEST_WORD = 12
"""A shorter value of letters only may be an ordinary word; between quotes it is the value all the same."""


ENOUGH = 12
"""Letters of a made-up value by which it is known; a value that is shown in part is shown."""

ENOUGH_BYTES = 6
"""Bytes of a value that do not stand in hex in a log by chance."""


def spellings(secret: str) -> Iterator[str]:
    """Yield the forms in which *secret* shows where bytes are logged: as text, in hex, as numbers, in base64."""
    yield secret
    if len(secret.encode()) >= ENOUGH:
        yield from encodings(secret)


def encodings(secret: str) -> Iterator[str]:
    """Yield the forms in which the bytes of *secret* show: in hex, as numbers, in base64; one of few bytes has none."""
    data = secret.encode()
    if len(data) < ENOUGH_BYTES:
        return
    yield data.hex()
    yield data.hex().upper()
    yield data.hex(" ")
    yield data.hex(" ").upper()
    signed = [byte - 256 * (byte > 127) for byte in data]  # as a byte is in some languages
    for between in (" ", ", ", ","):
        yield from (between.join(map(str, numbers)) for numbers in (data, signed))
        yield between.join(secret)
    if len(data) < ENOUGH:
        return  # too little is left of it in base64
    for before in range(3):
        # What stands before and behind it decides on the letters at its ends.
        whole = base64.b64encode(bytes(before) + data).decode()
        yield whole[4 if before else 0 : len(whole) - 4]


def _passwords(text: str) -> Iterator[str]:
    """Yield the password in a URL, as it stands there and as it is meant, unless it could be an ordinary word."""
    found = re.match(r"[\w+.-]+://[^/@:]*:(?P<password>[^/@]+)@", text)
    password = found["password"] if found else ""
    for form in dict.fromkeys((password, unquote(password))):
        if len(form) >= SHORTEST_SECRET and not (form.isalnum() and len(form) < SHORTEST_WORD):
            yield form


class SecretContract(Contract):
    """A value is for the caller who asks for it, not for messages and logs.

    Messages name keys and paths. Whatever prints a whole request, configuration or document prints secrets.
    """

    @clause("CFG-SECRET-001")
    def test_keeps_configuration_values_to_itself(
        self,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_random: Random,
    ) -> None:
        """Canaries under unknown keys, in Inits that fail and in one that may succeed; at the level debug as well."""
        for provider in levels(nomos_fresh, nomos_spawn):
            self._try_unknown_keys(provider, nomos_samples, nomos_random)

    @staticmethod
    def _try_unknown_keys(provider: RunningProvider, samples: ConfigSamples, random: Random) -> None:
        canaries = [made_up(random, 20) for _ in range(3)]
        planted = {"nomos_extra": canaries[0], "nomos_nested": {"password": canaries[1], "list": [canaries[2]]}}
        good = provider.good_config
        configs: list[Config] = [without(good, key) for key in samples.required_keys]
        configs += [sample.config for sample in (*samples.bad_configs, *samples.unavailable)]
        configs += [{**good, key: [[]]} for key in good]
        answers = [provider.init({**config, **planted}) for config in (*configs, good)]
        if answers[-1].code != "OK":
            # Unknown keys may be refused.
            answers.append(provider.init())
        answers += _exercise(provider, samples, random)
        shown = [spelled for canary in canaries for spelled in spellings(canary[:ENOUGH])]
        _expect_nowhere(provider, answers, shown, "a value of the configuration")

    @clause("CFG-SECRET-002")
    def test_keeps_secret_keys_to_itself(
        self,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_random: Random,
    ) -> None:
        """The secrets of the good configuration, and canaries in their place where Init should fail; at debug too."""
        for provider in levels(nomos_fresh, nomos_spawn):
            self._try_secret_keys(provider, nomos_samples, nomos_random)

    @staticmethod
    def _try_secret_keys(provider: RunningProvider, samples: ConfigSamples, random: Random) -> None:
        good = provider.good_config
        canaries: list[str] = []
        answers: list[Answer] = []
        for key in samples.secret_keys:
            canary = made_up(random, 20)
            canaries.append(canary)
            planted = replaced(good, key, canary)
            bad = [without(planted, other) for other in samples.required_keys if other != key]
            bad += [replaced(sample.config, key, canary) for sample in samples.bad_configs if sample.key != key]
            bad += [replaced(sample.config, key, canary) for sample in samples.unavailable]
            bad += [{**planted, "nomos_extra": 1}, replaced(good, key, [canary]), replaced(good, key, {"x": canary})]
            bad += [replaced(good, key, text.format(canary)) for text in MALFORMED]
            bad += [planted]
            answers += [provider.init(config) for config in bad]
        refused = [
            sample for sample in (*samples.bad_configs, *samples.unavailable) if sample.key in samples.secret_keys
        ]
        answers += [provider.init(sample.config) for sample in refused]
        if samples.degraded is not None:
            plain, pairs = samples.degraded.config, zip(samples.secret_keys, canaries, strict=True)
            for config in (plain, *(replaced(plain, key, canary) for key, canary in pairs)):
                answers += [provider.init(config), provider.health()]
        answers.append(provider.init())
        configs = [good] if samples.degraded is None else [good, samples.degraded.config]
        held_there = (held(config, key) for config in configs for key in samples.secret_keys)
        texts = [str(value) for value in held_there if isinstance(value, str | int | float)]
        canaries = [canary[:ENOUGH] for canary in canaries]
        canaries += [text for text in texts if len(text) >= SHORTEST_SECRET]
        # What is invalid may be an ordinary word, and a message may say that it is too short.
        invalid = [value for sample in refused if isinstance(value := held(sample.config, sample.key), str)]
        canaries += [text for text in invalid if len(text) >= SHORTEST_WORD]
        canaries += [form for text in (*texts, *invalid) for form in _passwords(text)]
        shown = [spelled for canary in canaries for spelled in spellings(canary)]
        answers += _exercise(provider, samples, random)
        _expect_nowhere(provider, answers, shown, "the value of a secret key")

    @clause("CFG-SECRET-003")
    def test_keeps_served_values_out_of_messages_and_logs(
        self,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Values that are distinctive are fetched, then what fails around them; at the level debug as well."""
        for provider in levels(nomos_fresh, nomos_spawn):
            self._try_served_values(provider, nomos_samples, nomos_target, nomos_random)

    @staticmethod
    def _try_served_values(
        provider: RunningProvider, samples: ConfigSamples, target: TargetFacts, random: Random
    ) -> None:
        initialised(provider)
        control = [provider.fetch((made_up(random),)), provider.fetch(("",)), provider.health()]
        # What stands in paths, in the configuration or in every message anyway is no secret.
        paths = [sample.path for sample in samples.values]
        public = json.dumps(
            [paths, provider.good_config, provider.alias, target.command, str(provider.scratch)],
            ensure_ascii=False,
        )
        public += " ".join(answer.message for answer in control) + provider.stderr().decode(errors="replace")
        values = {text for sample in samples.values for text in _texts(sample.value)}
        distinctive = sorted(text for text in values if len(text) >= SHORTEST_SECRET and text not in public)
        if not distinctive:
            raise NotApplicable("no sample value is long enough to be told from other words")
        answers = fetch_all(provider, paths)
        name = made_up(random)
        around: list[Segments] = []
        for sample in plain_samples(samples):
            around += [(*sample.path, end) for end in (name, "", "..", "*", "[0]", f"{name}[0]")]
            around += [(*sample.path[:-1], name), (*sample.path, name, name)]
            around += [(*sample.path[:-1], f"{sample.path[-1]}{mark}") for mark in ("[0]", "[99]", "[x]", "/", name)]
        around += [*samples.malformed, *samples.forbidden, *samples.missing]
        answers += fetch_all(provider, around)
        answers += [provider.info(), provider.health()]
        for answer in answers:
            said = answer.message if answer.code != "OK" else ""
            shown = [text for text in distinctive if _holds(said, text) or any(e in said for e in encodings(text))]
            if shown:
                raise Violation("a message without the values that are served", repr(answer.message), answer)
        # Logs are full of numbers: times, ports, sizes.
        logged = [text for text in distinctive if not re.fullmatch(r"[\d.eE+-]+", text)]
        _expect_nowhere(provider, [], logged, "a value that Fetch serves", whole=True)


def levels(provider: RunningProvider, spawn: Starter) -> Iterator[RunningProvider]:
    """Yield *provider*, and where it takes the option a process that logs all it can."""
    yield provider
    for args in (("--log-level", "debug"), ("--log-level=debug",)):
        start = spawn(args=args)
        if start.provider is not None:
            yield start.provider
            return


def _exercise(provider: RunningProvider, samples: ConfigSamples, random: Random) -> list[Answer]:
    """Ask what is usually asked, and what fails."""
    paths: list[Segments] = [sample.path for sample in plain_samples(samples)]
    paths += [(made_up(random),), ("",), ("..", "x"), (), *samples.forbidden, *samples.malformed]
    timeout = 1.0 if samples.slow else None
    return [*fetch_all(provider, paths, timeout=timeout), provider.info(), provider.health(), provider.init()]


def _expect_nowhere(
    provider: RunningProvider, answers: Iterable[Answer], canaries: list[str], what: str, *, whole: bool = False
) -> None:
    """See that no canary stands in a message, in Info, in Health, or in what the process wrote; ends the process."""
    for answer in answers:
        said = answer.message
        if answer.method in {"Info", "Health"}:
            said += " ".join(str(part) for part in told(answer).values())
        if any(canary in said for canary in canaries):
            raise Violation(f"{answer.method} says nothing of {what}", repr(said), answer)
    provider.stop()
    encoded = [form for canary in canaries for form in encodings(canary)] if whole else []

    def shows(line: str) -> bool:
        plain = any(_holds(line, canary) if whole else canary in line for canary in canaries)
        return plain or any(form in line for form in encoded)

    expect_no_line(provider, shows, what)


def expect_no_line(provider: RunningProvider, shows: Callable[[str], bool], what: str) -> None:
    """See that a process wrote no line on its streams for which *shows* holds.

    Raises:
        Violation: it did; the line shows *what*.
    """
    for stream, data in (("stderr", provider.stderr()), ("stdout", provider.stdout())):
        for line in data.decode(errors="replace").splitlines():
            if shows(line):
                raise Violation(f"no log line with {what}", f"on {stream}: {line[:300]!r}", evidence={"stream": stream})


def _texts(value: Any) -> Iterator[str]:
    """Yield the scalars of *value* as texts that could show in a message."""
    for leaf in leaves(value):
        if isinstance(leaf, str):
            # Of a long text its beginning is enough.
            yield leaf.strip()[:80]
        elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
            yield str(leaf)


def _holds(text: str, word: str) -> bool:
    """Whether *text* shows the value *word*: as a whole word, or between quotes where it may be an ordinary one."""
    if word.isalpha() and len(word) < SHORTEST_WORD:
        return any(f"{quote}{word}{quote}" in text for quote in "\"'`")
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
