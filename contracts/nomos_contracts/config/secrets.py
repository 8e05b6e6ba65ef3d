"""Secrets: canaries in configurations, and values that are served, must show neither in messages nor in logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import Config, held, leaves, replaced, told, without
from nomos_contracts.config.probes import fetch_all, made_up, plain_samples
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import initialised
from nomos_contracts.provider import Answer, RunningProvider, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation

SHORTEST_SECRET = 4
"""A shorter value turns up by chance."""

SHORTEST_WORD = 12
"""A shorter value of letters only may be an ordinary word; between quotes it is the value all the same."""


class SecretContract(Contract):
    """A value is for the caller who asks for it, not for messages and logs.

    Messages name keys and paths. Whatever prints a whole request, configuration or document prints secrets.
    """

    @clause("CFG-SECRET-001")
    def test_keeps_configuration_values_to_itself(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Canaries under unknown keys, plain and nested, in Inits that fail and in one that may succeed."""
        canaries = [made_up(nomos_random, 20) for _ in range(3)]
        planted = {"nomos_extra": canaries[0], "nomos_nested": {"password": canaries[1], "list": [canaries[2]]}}
        good = nomos_fresh.good_config
        configs: list[Config] = [without(good, key) for key in nomos_samples.required_keys]
        configs += [sample.config for sample in (*nomos_samples.bad_configs, *nomos_samples.unavailable)]
        configs += [{**good, key: [[]]} for key in good]
        answers = [nomos_fresh.init({**config, **planted}) for config in (*configs, good)]
        if answers[-1].code != "OK":
            # Unknown keys may be refused.
            answers.append(nomos_fresh.init())
        answers += _exercise(nomos_fresh, nomos_samples, nomos_random)
        _expect_nowhere(nomos_fresh, answers, canaries, "a value of the configuration")

    @clause("CFG-SECRET-002")
    def test_keeps_secret_keys_to_itself(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """The secrets of the good configuration, and canaries in their place where Init should fail."""
        good = nomos_fresh.good_config
        canaries: list[str] = []
        answers: list[Answer] = []
        for key in nomos_samples.secret_keys:
            canary = made_up(nomos_random, 20)
            canaries.append(canary)
            planted = replaced(good, key, canary)
            bad = [without(planted, other) for other in nomos_samples.required_keys if other != key]
            bad += [replaced(sample.config, key, canary) for sample in nomos_samples.bad_configs if sample.key != key]
            bad += [replaced(sample.config, key, canary) for sample in nomos_samples.unavailable]
            bad += [{**planted, "nomos_extra": 1}, replaced(good, key, [canary]), replaced(good, key, {"x": canary})]
            bad += [planted]
            answers += [nomos_fresh.init(config) for config in bad]
        answers.append(nomos_fresh.init())
        plain = [
            str(value) for key in nomos_samples.secret_keys if isinstance(value := held(good, key), str | int | float)
        ]
        canaries += [text for text in plain if len(text) >= SHORTEST_SECRET]
        answers += _exercise(nomos_fresh, nomos_samples, nomos_random)
        _expect_nowhere(nomos_fresh, answers, canaries, "the value of a secret key")

    @clause("CFG-SECRET-003")
    def test_keeps_served_values_out_of_messages_and_logs(
        self,
        nomos_fresh: RunningProvider,
        nomos_samples: ConfigSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Values that are distinctive are fetched, then everything around them is asked for that fails."""
        initialised(nomos_fresh)
        control = [nomos_fresh.fetch((made_up(nomos_random),)), nomos_fresh.fetch(("",)), nomos_fresh.health()]
        # What stands in paths, in the configuration or in every message anyway is no secret.
        paths = [sample.path for sample in nomos_samples.values]
        public = json.dumps(
            [paths, nomos_fresh.good_config, nomos_fresh.alias, nomos_target.command, str(nomos_fresh.scratch)],
            ensure_ascii=False,
        )
        public += " ".join(answer.message for answer in control) + nomos_fresh.stderr().decode(errors="replace")
        samples = plain_samples(nomos_samples)
        values = {text for sample in nomos_samples.values for text in _texts(sample.value)}
        distinctive = sorted(text for text in values if len(text) >= SHORTEST_SECRET and text not in public)
        if not distinctive:
            raise NotApplicable("no sample value is long enough to be told from other words")
        answers = fetch_all(nomos_fresh, paths)
        name = made_up(nomos_random)
        around: list[Segments] = []
        for sample in samples:
            around += [(*sample.path, end) for end in (name, "", "..", "*", "[0]", f"{name}[0]")]
            around += [(*sample.path[:-1], name), (*sample.path, name, name)]
            around += [(*sample.path[:-1], f"{sample.path[-1]}{mark}") for mark in ("[0]", "[99]", "[x]", "/", name)]
        around += [*nomos_samples.malformed, *nomos_samples.forbidden, *nomos_samples.missing]
        answers += fetch_all(nomos_fresh, around)
        answers += [nomos_fresh.info(), nomos_fresh.health()]
        for answer in answers:
            shown = [text for text in distinctive if answer.code != "OK" and _holds(answer.message, text)]
            if shown:
                raise Violation("a message without the values that are served", repr(answer.message), answer)
        # Logs are full of numbers: times, ports, sizes.
        logged = [text for text in distinctive if not re.fullmatch(r"[\d.eE+-]+", text)]
        _expect_nowhere(nomos_fresh, [], logged, "a value that Fetch serves", whole=True)


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
    for stream, data in (("stderr", provider.stderr()), ("stdout", provider.stdout())):
        text = data.decode(errors="replace")
        for line in text.splitlines():
            if any(_holds(line, canary) if whole else canary in line for canary in canaries):
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
