"""A second Init on one process: with the same configuration, an empty, a bad or another one, and during Fetches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import asked, told, without
from nomos_contracts.config.interface import INIT_CODES, HealthStatus
from nomos_contracts.config.probes import CALLERS, COMPARED, Steady, alike, fetch_all, gives, plain_samples
from nomos_contracts.config.samples import ConfigSamples, OtherConfig
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.provider import Answer, RunningProvider, Starter
from nomos_contracts.violation import Blocked, NotApplicable, Violation, expect_code, expect_ok, shorten

Observe = Callable[[str, object], None]

REPEATED_INITS = 6
"""Inits that are made while Fetches run."""


class ReinitContract(Contract):
    """What a second Init does to a provider that has a good configuration.

    Sources differ: it may be taken again or refused with FAILED_PRECONDITION. What was served stays served either way.
    """

    @clause("CFG-REINIT-001")
    def test_goes_on_serving_after_the_same_init_again(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_observe: Observe
    ) -> None:
        """Three times the same Init; each Fetch afterwards gives what it gave before."""
        initialised(nomos_fresh)
        steady = Steady.of(nomos_fresh, nomos_samples, whole=True)
        for turn in ("second", "third"):
            answer = nomos_fresh.init()
            nomos_observe(f"{turn} Init with the same configuration", answer.code)
            expect_code(answer, "OK", "FAILED_PRECONDITION", because=f"the {turn} Init with the same configuration")
            steady.expect_same(nomos_fresh, f"a {turn} Init with the same configuration", answer)

    @clause("CFG-REINIT-002")
    def test_takes_the_same_init_again(self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Idempotent: OK again, with the same result."""
        initialised(nomos_fresh)
        steady = Steady.of(nomos_fresh, nomos_samples, whole=True)
        answer = expect_ok(nomos_fresh.init(), "the same configuration again")
        steady.expect_same(nomos_fresh, "a second Init with the same configuration", answer)

    @clause("CFG-REINIT-003")
    def test_keeps_its_configuration_through_an_empty_init(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """A directory build with two files calls Init twice, the second time with nothing but the alias."""
        initialised(nomos_fresh)
        steady = Steady.of(nomos_fresh, nomos_samples, whole=True)
        for turn in ("second", "third"):
            answer = nomos_fresh.init({}, source_file_path="")
            expect_ok(answer, f"a {turn} Init with an empty configuration, as a directory build sends it")
            steady.expect_same(nomos_fresh, f"a {turn} Init with an empty configuration", answer)

    @clause("CFG-REINIT-004")
    def test_survives_a_refused_second_init(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_observe: Observe
    ) -> None:
        """What is served afterwards is open, but it is the good configuration or nothing."""
        initialised(nomos_fresh)
        steady = Steady.of(nomos_fresh, nomos_samples, whole=True)
        good = nomos_fresh.good_config
        bad = [sample.config for sample in (*nomos_samples.bad_configs, *nomos_samples.unavailable)]
        bad += [without(good, key) for key in nomos_samples.required_keys]
        refused = [answer for answer in map(nomos_fresh.init, bad) if answer.code != "OK"]
        if len(refused) < len(bad) or not bad:
            raise NotApplicable("no second Init was refused")
        for answer in refused:
            expect_code(answer, *INIT_CODES)
        expect_ok(nomos_fresh.health(), "the process goes on after a refused second Init")
        for path, before in steady.before:
            now = nomos_fresh.fetch(path)
            nomos_observe("Fetch after a refused second Init", "good value" if alike(before, now) else now.code)
            if not alike(before, now) and now.code not in {"FAILED_PRECONDITION", "UNAVAILABLE"}:
                expected = f"Fetch of {list(path)} gives the value of the good configuration, or FAILED_PRECONDITION"
                raise Violation(expected, now.summary, *refused[-1:], now)
        again = expect_code(nomos_fresh.init(), "OK", "FAILED_PRECONDITION", because="the good configuration again")
        if again.ok:
            steady.expect_same(nomos_fresh, "a good Init that follows a refused one", again)

    @clause("CFG-REINIT-005")
    def test_answers_from_one_configuration_only(
        self,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_observe: Observe,
    ) -> None:
        """Everything is asked before and after, so that what is cached shows."""
        other = nomos_samples.other_config
        if other is None:
            raise NotApplicable("no sample `other_config`")
        paths = [other.path, *(sample.path for sample in nomos_samples.values[:COMPARED] if sample.path != other.path)]
        before = fetch_all(initialised(nomos_fresh), paths)
        answer = nomos_fresh.init(other.config)
        nomos_observe("second Init with another configuration", answer.code)
        after = fetch_all(nomos_fresh, paths)
        if answer.code != "OK":
            expect_code(answer, "FAILED_PRECONDITION", because="a second Init with another good configuration")
            _expect_alike(before, after, "after a second Init that was refused, as before", answer)
        elif gives(after[0], other.value):
            only = self._of_other_only(nomos_spawn, other)
            expected = "after an Init with another configuration, as a process that never had the first one"
            _expect_alike(fetch_all(only, paths), after, expected, answer)
            self._expect_same_health(only.health(), nomos_fresh.health(), answer)
            back = expect_ok(nomos_fresh.init(), "the first configuration again, after another one was accepted")
            _expect_alike(before, fetch_all(nomos_fresh, paths), "after the first configuration again, as before", back)
        elif alike(before[0], after[0]):
            _expect_alike(before, after, "after a second Init that was accepted and changed nothing, as before", answer)
            self._expect_first_kept(nomos_spawn, other, after[0])
        else:
            expected = f"Fetch of {list(other.path)} answers {shorten(other.value)} or as before, {before[0].summary}"
            raise Violation(expected, after[0].summary, before[0], answer, after[0])

    @clause("CFG-REINIT-005")
    def test_recovers_from_a_configuration_that_worked_in_part(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """Under the sample `degraded` first, then under the good one, whose values must have come to count."""
        if nomos_samples.degraded is None or not nomos_samples.values:
            raise NotApplicable("no sample `degraded`")
        expect_ok(nomos_fresh.init(nomos_samples.degraded.config), "the sample `degraded`")
        paths = [sample.path for sample in nomos_samples.values[:COMPARED]]
        before = fetch_all(nomos_fresh, paths)
        answer = nomos_fresh.init()
        after = fetch_all(nomos_fresh, paths)
        followed = any(not alike(*pair) and pair[1].ok for pair in zip(before, after, strict=True))
        if not answer.ok or not followed:
            raise NotApplicable("a second Init is refused, or changes nothing that could be seen")
        health = nomos_fresh.health()
        if told(health).get("status") == HealthStatus.DEGRADED:
            raise Violation("Health that follows the configuration in force", health.summary, answer, health)

    @staticmethod
    def _of_other_only(spawn: Starter, other: OtherConfig) -> RunningProvider:
        """Return a process that only ever had the other configuration.

        Raises:
            Blocked: it refuses what the provider has just accepted as a second configuration.
        """
        only = running(spawn())
        answer = only.init(other.config)
        if not answer.ok:
            raise Blocked("sample:other_config", f"a first Init with it answered {answer.summary}")
        return only

    @staticmethod
    def _expect_same_health(only: Answer, now: Answer, init: Answer) -> None:
        usual, status = (str(told(answer).get("status", "")) for answer in (only, now))
        # STATUS_STARTING passes by itself, at another moment in each process.
        if only.ok and status != usual and HealthStatus.STARTING not in {usual, status}:
            expected = f"Health under the other configuration says {usual}, as in a process that never had the first"
            raise Violation(expected, now.summary, only, init, now)

    def _expect_first_kept(self, spawn: Starter, other: OtherConfig, second: Answer) -> None:
        """See that a provider that keeps its first configuration keeps it for paths too that nobody asked for yet."""
        unasking = running(spawn(init=True))
        expect_ok(unasking.init(other.config))
        unasked = unasking.fetch(other.path)
        if gives(unasked, other.value):
            expected = "one configuration in force after a second Init"
            raise Violation(expected, "the first one for a path fetched before, the other one else", second, unasked)

    @clause("CFG-REINIT-006")
    def test_gives_no_wrong_answer_while_init_is_repeated(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """Thirty-two callers fetch all the while; half-built state shows in what they get."""
        initialised(nomos_fresh)
        steady = Steady.of(nomos_fresh, nomos_samples)
        if not plain_samples(nomos_samples):
            raise NotApplicable("no sample path consists of plain names")
        done = threading.Event()

        def fetch(number: int) -> list[tuple[Answer, Answer]]:
            seen: list[tuple[Answer, Answer]] = []
            while not done.is_set():
                path, before = steady.before[number % len(steady.before)]
                seen.append((before, nomos_fresh.fetch(path)))
                number += 1
            return seen

        with ThreadPoolExecutor(CALLERS) as pool:
            callers = [pool.submit(fetch, number) for number in range(CALLERS)]
            try:
                inits = [nomos_fresh.init() for _ in range(REPEATED_INITS)]
            finally:
                done.set()
            seen = [pair for caller in callers for pair in caller.result()]
        for init in inits:
            expect_code(init, "OK", "FAILED_PRECONDITION", because="the same configuration again, while Fetches run")
        for before, now in seen:
            if not alike(before, now) and now.code not in {"FAILED_PRECONDITION", "UNAVAILABLE"}:
                raise Violation(f"during an Init a Fetch answers as before, {before.summary}", now.summary, before, now)
        steady.expect_same(nomos_fresh, "repeated Inits during Fetches", *inits[:1])


def _expect_alike(wanted: Sequence[Answer], seen: Sequence[Answer], when: str, init: Answer) -> None:
    """See that the answers to the same paths are equal.

    Raises:
        Violation: two of them are not.
    """
    for usual, now in zip(wanted, seen, strict=True):
        if not alike(usual, now):
            raise Violation(f"Fetch of {asked(now)} answers {when}, {usual.summary}", now.summary, usual, init, now)
