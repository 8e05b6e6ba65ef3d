"""Init: which configurations are taken, which are refused and how, and what an Init leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import Config, as_strings, held, replaced, without
from nomos_contracts.config.interface import INIT_CODES
from nomos_contracts.config.probes import (
    alike,
    at_once,
    expect_like,
    expect_sample,
    gives,
    plain_samples,
)
from nomos_contracts.config.samples import ConfigSamples, ValueSample
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import running
from nomos_contracts.provider import Answer, RunningProvider, Starter
from nomos_contracts.violation import NotApplicable, Violation, expect_code, expect_ok, shorten
from nomos_proto.v1 import provider_pb2

BROKEN_MESSAGE = b"\x0a\x05ab"
"""A field that says five bytes and has two."""

FIRST_INITS = 16
"""First Inits at once (row C16)."""


def refused_inits(provider: RunningProvider, samples: ConfigSamples) -> Iterator[Answer]:
    """Try every Init that should fail; stops at the first one that is accepted, which is another clause's business."""
    answer = provider.raw("Init", BROKEN_MESSAGE)
    bad = [without(provider.good_config, key) for key in samples.required_keys]
    bad += [sample.config for sample in (*samples.bad_configs, *samples.unavailable)]
    while answer.code != "OK":
        yield answer
        if not bad:
            return
        answer = provider.init(bad.pop(0))


class InitContract(Contract):
    """The good configuration is taken, and it is the only thing that Init depends on.

    A failure of the first check says that nothing else could be tried: the good configuration of nomos.toml is refused.
    """

    @clause("CFG-INIT-001")
    def test_takes_the_good_configuration(self, nomos_fresh: RunningProvider) -> None:
        """Init answers OK, and the provider is still there afterwards."""
        answer = expect_ok(nomos_fresh.init(), "the good configuration")
        if answer.decode_error:
            raise Violation("Init answers an InitResponse", answer.summary, answer)
        health = nomos_fresh.health()
        if health.gone:
            raise Violation("a provider that is still there after Init", health.summary, answer, health)

    @clause("CFG-INIT-007")
    def test_uses_the_alias_for_nothing_but_its_name(
        self,
        nomos_fresh: RunningProvider,
        nomos_provider: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
    ) -> None:
        """One equal to the first segment of a path neither hides nor moves anything; nor does any other.

        Each in a process of its own, since a second Init may be refused.
        """
        samples = plain_samples(nomos_samples)
        if not samples:
            raise NotApplicable("no sample path consists of plain names")
        alias = samples[0].path[0]
        answer = nomos_fresh.init(alias=alias)
        if answer.code != "OK":
            alias = "renamed"
            expect_ok(nomos_fresh.init(alias=alias), "the good configuration under another alias")
        expect_like(nomos_fresh, nomos_provider, nomos_samples, f"under the alias {alias!r}")
        for sample in samples:
            path = (alias, *sample.path)
            if any(path == other.path for other in nomos_samples.values):
                continue
            answer = nomos_fresh.fetch(path)
            if gives(answer, sample.value):
                raise Violation(
                    f"Fetch of {list(path)}, which begins with the alias, finds nothing", answer.summary, answer
                )
        for other in ALIASES:
            provider = running(nomos_spawn())
            expect_ok(provider.init(alias=other), f"the good configuration under the alias {shorten(other)}")
            expect_like(provider, nomos_provider, nomos_samples, f"under the alias {shorten(other)}")

    @clause("CFG-INIT-010")
    def test_takes_every_scalar_as_a_string(
        self, nomos_fresh: RunningProvider, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """What the command line sends is understood as what the author wrote."""
        expect_ok(nomos_fresh.init(as_strings(nomos_fresh.good_config)), "the good configuration, scalars as strings")
        expect_like(nomos_fresh, nomos_provider, nomos_samples, "after an Init with scalars as strings")

    @clause("CFG-INIT-011")
    def test_starts_relative_paths_at_the_folder_of_the_source_file(
        self, nomos_fresh: RunningProvider, nomos_spawn: Starter, nomos_samples: ConfigSamples
    ) -> None:
        """The working directory of the provider plays no part, nor does the source file of an Init that was refused."""
        relative = nomos_samples.relative
        if relative is None:
            raise NotApplicable("no sample `relative`")
        elsewhere = str(nomos_fresh.scratch / "elsewhere.csl")
        if nomos_fresh.init(relative.config, source_file_path=elsewhere).code == "OK":
            # A provider that looks later, or makes what is not there, has another good configuration now.
            nomos_fresh = running(nomos_spawn())
        answer = nomos_fresh.init(relative.config, source_file_path=relative.source_file_path)
        expect_ok(answer, f"paths relative to the folder of {relative.source_file_path}")
        expect_sample(nomos_fresh.fetch(relative.path), ValueSample(path=relative.path, value=relative.value))


class RefusedInitContract(Contract):
    """What cannot work is refused by Init, with the code that says why, and without harm.

    Validate first, connect second, and set state last: then a refused Init changes nothing.
    """

    @clause("CFG-INIT-002")
    def test_refuses_a_missing_required_key(self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Each key is dropped on its own, and all of them."""
        good = nomos_fresh.good_config
        for key in nomos_samples.required_keys:
            for _ in range(2):
                expect_code(
                    nomos_fresh.init(without(good, key)),
                    "INVALID_ARGUMENT",
                    because=f"the required key {key!r} is missing",
                )
        if nomos_samples.required_keys:
            expect_code(nomos_fresh.init({}), "INVALID_ARGUMENT", because="the first Init has an empty configuration")

    @clause("CFG-INIT-003")
    def test_refuses_an_invalid_configuration(self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Twice each: a configuration does not become valid by being tried again."""
        for sample in (*nomos_samples.bad_configs, *nomos_samples.bad_configs):
            because = f"the value of {sample.key!r} is invalid" if sample.key else "the configuration is invalid"
            expect_code(nomos_fresh.init(sample.config), "INVALID_ARGUMENT", because=because)

    @clause("CFG-INIT-004")
    def test_refuses_the_wrong_kind_of_value(self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Null stands for a missing value; a list or a map is no scalar."""
        good = nomos_fresh.good_config
        for key in nomos_samples.required_keys:
            wrong: list[Any] = [None]
            if isinstance(held(good, key), str | int | float | bool):
                wrong += [[], {}, ["x"], {"x": "y"}]
            for value in wrong:
                answer = nomos_fresh.init(replaced(good, key, value))
                expect_code(answer, "INVALID_ARGUMENT", because=f"the required key {key!r} holds {value!r}")

    @clause("CFG-INIT-005")
    def test_refuses_when_a_dependency_is_not_there(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """FAILED_PRECONDITION tells the caller that his configuration is fine and the world is not."""
        for sample in (*nomos_samples.unavailable, *nomos_samples.unavailable):
            expect_code(nomos_fresh.init(sample.config), "FAILED_PRECONDITION", because="the dependency is not there")

    @clause("CFG-INIT-006")
    def test_refuses_with_a_code_of_init_whatever_comes(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """Every key in turn holds every kind of value; what is accepted is fine too."""
        good = nomos_fresh.good_config
        configs: list[Config] = [sample.config for sample in (*nomos_samples.bad_configs, *nomos_samples.unavailable)]
        for key in good:
            configs.append(without(good, key))
            configs.extend({**good, key: value} for value in HOSTILE)
        configs += [{}, {**good, "nomos-unknown": 1}, {**good, "": "x"}]
        for config in configs:
            answer = nomos_fresh.init(config)
            if answer.code != "OK":
                expect_code(answer, *INIT_CODES)
        if nomos_fresh.health().gone:
            raise Violation(
                "a provider that goes on after refused Inits", "one that is gone", *nomos_fresh.answers[-3:]
            )

    @clause("CFG-INIT-008")
    def test_refuses_an_empty_alias(self, nomos_fresh: RunningProvider) -> None:
        """A provider without a name cannot be told from another one."""
        expect_code(nomos_fresh.init(alias=""), "INVALID_ARGUMENT", because="the alias is empty")

    @clause("CFG-INIT-009")
    def test_stays_usable_after_failed_inits(
        self, nomos_fresh: RunningProvider, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """One failed Init of each kind, then the good one."""
        failed = list(refused_inits(nomos_fresh, nomos_samples))
        if nomos_fresh.answers and nomos_fresh.answers[-1].code == "OK":
            raise NotApplicable("an Init that should fail was accepted, which breaks another clause")
        answer = nomos_fresh.init()
        if not answer.ok:
            raise Violation(
                "Init with the good configuration answers OK after failed ones", answer.summary, *failed, answer
            )
        expect_like(nomos_fresh, nomos_provider, nomos_samples, "after failed Inits and a good one")

    @clause("CFG-INIT-012")
    def test_survives_a_missing_config_field(
        self, nomos_fresh: RunningProvider, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """The field may be unset on the wire; that is no reason to crash."""
        request = provider_pb2.InitRequest(alias=nomos_fresh.alias).SerializeToString()
        answer = nomos_fresh.raw("Init", request)
        if answer.code != "OK":
            expect_code(answer, *INIT_CODES, because="the config field is not set")
        expect_ok(nomos_fresh.health(), "the process goes on after an Init without its config field")
        good = nomos_fresh.init()
        allowed = ("OK", "FAILED_PRECONDITION") if answer.code == "OK" else ("OK",)
        expect_code(good, *allowed, because="Init with the good configuration after one without its config field")
        if good.code == "OK" and answer.code != "OK":
            expect_like(nomos_fresh, nomos_provider, nomos_samples, "after an Init without its config field")


class ConcurrentInitContract(Contract):
    """First Inits that arrive together end in one good state.

    State that is published before it is complete, or by two calls at once, shows here.
    """

    @clause("CFG-INIT-013")
    def test_survives_sixteen_first_inits_at_once(
        self, nomos_fresh: RunningProvider, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """Fetches run beside them: each sees no configuration or the whole of it."""
        samples = plain_samples(nomos_samples)
        asked = [samples[index % len(samples)] for index in range(FIRST_INITS)] if samples else []
        calls: list[Callable[[], Answer]] = [nomos_fresh.init for _ in range(FIRST_INITS)]
        calls += [partial(nomos_fresh.fetch, sample.path) for sample in asked]
        answers = at_once(calls)
        inits, fetches = answers[:FIRST_INITS], answers[FIRST_INITS:]
        for answer in inits:
            expect_code(answer, "OK", "FAILED_PRECONDITION", "UNAVAILABLE", because="sixteen good Inits at once")
        if not any(answer.ok for answer in inits):
            raise Violation("one of sixteen good Inits answers OK", "none did", *inits[:3])
        expect_like(nomos_fresh, nomos_provider, nomos_samples, "after sixteen Inits at once")
        for sample, answer in zip(asked, fetches, strict=True):
            usual = nomos_provider.fetch(sample.path)
            if answer.code not in {"FAILED_PRECONDITION", "UNAVAILABLE"} and not alike(usual, answer):
                expected = f"a Fetch during the first Inits answers FAILED_PRECONDITION or as usual, {usual.summary}"
                raise Violation(expected, answer.summary, usual, answer)


ALIASES = ("прод ü", "a.b-c", "x" * 300)
"""Names that mean something elsewhere, or are no names there."""

HOSTILE: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    " ",
    True,
    -1,
    1e308,
    0.5,
    "\x00",
    "‮%s%n{0}",
    "nomos/no/such/thing",
    "http://[::1",
    "x" * 100_000,
    [[[[[[[[]]]]]]]],
    {"a": {"b": {"c": {"d": {"e": {}}}}}},
)
"""Values that a configuration may hold by mistake; none names anything that exists."""
