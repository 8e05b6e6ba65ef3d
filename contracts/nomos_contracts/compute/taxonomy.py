"""Errors: every failure is one of the taxonomy, says what it is, and leaves nothing behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import (
    Configured,
    Fleet,
    bootstrap,
    code_of,
    expect_taxonomy,
    fleet_of,
    shaped,
    told,
)
from nomos_contracts.compute.hostile import SCRIPT, SECRET, hostile_answers, hostile_spawns, secret_bootstrap
from nomos_contracts.compute.interface import ERROR_CODES, INTERFACE
from nomos_contracts.compute.leftovers import Leftovers
from nomos_contracts.compute.malformed import malformed_answers
from nomos_contracts.compute.presenting import program_of
from nomos_contracts.compute.provoked import all_provoked, shrinks, waits
from nomos_contracts.compute.refusals import refusals, refusals_of_life, refused_start
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.secrets import secret_answers, shows
from nomos_contracts.config.secrets import expect_no_line, levels, spellings
from nomos_contracts.contract import Contract
from nomos_contracts.faces import WireFace
from nomos_contracts.inherited import INHERITED
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.provider import Answer, InterfaceProvider, Starter, TargetFacts
from nomos_contracts.violation import Violation, shorten
from nomos_proto.errors import STATUS_NUMBERS, read_status, row_of

LONG = 300
"""Seconds to wait from which on it is looked at twice: a third of a second, if they were milliseconds."""

MESSAGE = 8192
"""Bytes that a message stays below: many libraries refuse a call whose header is larger."""

SOME = ("capacity", "auth", "rate_limit")
"""Provocations from which it shows how a provider makes its errors."""


def failures(fleet: Fleet) -> Iterator[Answer]:
    """Yield failures that every provider can have, all of the taxonomy; others are another clause's matter."""
    answers = [fleet.try_spawn(**changes) for changes in hostile_spawns(fleet)]
    answers += refusals(fleet)
    answers += refusals_of_life(fleet)
    yield from (answer for answer in answers if answer.code != "OK" and code_of(answer))


def _refused(fleet: Fleet, changes: Mapping[str, Any]) -> bool:
    return shaped(fleet.try_spawn(**changes)).code != "OK"


def _last(fleet: Fleet) -> Sequence[Answer]:
    failed = [one for one in fleet.provider.answers if one.method == "spawn" and one.code != "OK"]
    return failed[-1:]


class ErrorContract(Contract):
    """Every failure is a ProviderError: code, category, whether to try again, and the provider's name.

    Wrap all that your vendor's library raises in one place, and let nothing else out. Check arguments before anything
    is created.
    """

    @clause("CMP-ERROR-001")
    def test_an_unknown_spec_is_invalid(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Made-up ones, some that are nearly a spec, names that tables of some languages have; with INVALID_SPEC."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            nearly = (f"{nomos_samples.spec}-{fleet.name()}", f"{nomos_samples.spec} ", f" {nomos_samples.spec}")
            for spec in (f"no-{fleet.name()}", *nearly, "", *INHERITED):
                expect_taxonomy(fleet.try_spawn(spec=spec), "INVALID_SPEC", because=f"there is no spec {spec!r}")

    @clause("CMP-ERROR-002")
    def test_category_and_retryable_are_those_of_the_code(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_configured: Configured,
    ) -> None:
        """Of every failure that could be provoked; so is the status of the call, by which others see what it is."""
        seen: list[Answer] = list(all_provoked(nomos_configured, nomos_samples, nomos_target, nomos_random))
        seen += refused_start(nomos_configured, nomos_samples)
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            seen += failures(fleet)
        for answer in seen:
            row = row_of(code_of(answer))
            got = answer.details.get("category"), answer.details.get("retryable")
            if code_of(answer) not in ERROR_CODES:
                continue
            if got != (row.category, row.retryable):
                wanted = f"{row.code} with category {row.category}, retryable {row.retryable}"
                raise Violation(wanted, f"category {got[0]}, retryable {got[1]}", answer)
            if answer.code != row.status:
                raise Violation(f"{row.code} with the gRPC status {row.status}", answer.code, answer)

    @clause("CMP-ERROR-003")
    def test_nothing_but_the_taxonomy_gets_out(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Whatever the arguments: an answer, or an error of the taxonomy."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for what, answer in hostile_answers(fleet):
                if answer.code == "OK":
                    continue
                if code_of(answer) not in ERROR_CODES:
                    raise Violation(f"{what} answers, or fails with a code of the taxonomy", told(answer), answer)

    @clause("CMP-ERROR-004")
    def test_every_failure_names_the_provider(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_configured: Configured,
    ) -> None:
        """The same name in each, also where the arguments cannot be read."""
        seen: list[Answer] = list(all_provoked(nomos_configured, nomos_samples, nomos_target, nomos_random, *SOME))
        seen += refused_start(nomos_configured, nomos_samples)
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            # A method that is not there fails before the provider is asked.
            seen += (one for one in refusals(fleet) if nomos_provider.offers(one.method))
            if isinstance(nomos_provider, WireFace):
                seen += (answer for *_, answer in malformed_answers(fleet, nomos_provider))
        names = {str(one.details.get("provider")): one for one in seen if code_of(one)}
        for name, answer in names.items():
            if name in {"", "None"}:
                raise Violation("a failure that names its provider", "no name", answer)
        if len(names) > 1:
            raise Violation("one name in all failures", shorten(sorted(names)), *names.values())

    @clause("CMP-ERROR-005")
    def test_every_failure_has_a_message_without_secrets(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Neither the registration token nor a value of the environment, in whatever way they are refused."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            answers = [*secret_answers(fleet), *refusals(fleet), *refusals_of_life(fleet)]
        for answer in answers:
            if answer.code == "OK":
                continue
            if not answer.message.strip():
                raise Violation("a failure with a message", told(answer), answer)
            if shows(answer, SECRET):
                raise Violation("a failure that shows neither token nor environment", "it shows one", answer)

    @clause("CMP-ERROR-007")
    def test_the_status_of_a_failure_is_whole(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Of calls with hostile and with malformed arguments: what callers of any language read it from."""
        provider = program_of(nomos_provider)
        with fleet_of(provider, nomos_samples, nomos_target, nomos_random) as fleet:
            answers = [answer for _, answer in hostile_answers(fleet)]
            answers += (answer for *_, answer in malformed_answers(fleet, provider))
        for answer in answers:
            if answer.code == "OK":
                continue
            if len(answer.message.encode()) >= MESSAGE:
                raise Violation(f"a message below {MESSAGE} bytes", f"{len(answer.message.encode())} bytes", answer)
            if answer.trailer is None or not code_of(answer):
                continue  # another clause's matter
            number, message = read_status(answer.trailer)
            if number != STATUS_NUMBERS.get(answer.code):
                expected = f"a google.rpc.Status with the code of the call, {STATUS_NUMBERS.get(answer.code)}"
                raise Violation(expected, f"code {number}", answer)
            if answer.message.strip() and not message.strip():
                raise Violation("a google.rpc.Status with a message, as the call has one", "without", answer)

    @clause("CMP-ERROR-008")
    def test_no_failure_shows_the_script(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """The user's script, in whatever way it is refused, or what stands beside it."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            answers = [*secret_answers(fleet)]
        for answer in answers:
            if answer.code != "OK" and shows(answer, SCRIPT):
                raise Violation("a failure that shows nothing of init_script", "it shows its first line", answer)

    @clause("CMP-ERROR-009")
    def test_logs_show_no_secret(
        self,
        nomos_provider: InterfaceProvider,
        nomos_spawn: Starter,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """As text, in hex, in base64, of calls that succeed and that fail; at the level debug as well."""
        program_of(nomos_provider)
        forms = tuple(spellings(SECRET))
        for process in levels(running(nomos_spawn()), nomos_spawn):
            provider = WireFace(initialised(process), INTERFACE)
            with fleet_of(provider, nomos_samples, nomos_target, nomos_random) as fleet:
                fleet.try_spawn(bootstrap=secret_bootstrap(bootstrap(init_script="true\n")))
                for _ in secret_answers(fleet):
                    continue
            process.stop()
            what = "the registration token or a value of the environment"
            expect_no_line(process, lambda line: any(form in line for form in forms), what)

    @clause("CMP-ERROR-006")
    def test_a_spawn_that_fails_leaves_nothing(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_configured: Configured,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """Hostile options, and the samples that provoke a failure; list shows no more than before."""
        busy = False
        with fleet_of(nomos_fresh, nomos_samples, nomos_target, nomos_random) as fleet:
            leftovers = Leftovers(fleet)
            for changes in hostile_spawns(fleet):
                left = leftovers.of(partial(_refused, fleet, changes))
                if left:
                    raise Violation("a spawn that fails creates nothing", f"{left} is there", *_last(fleet))
            busy = leftovers.busy
        for name in ("capacity", "quota", "interrupted"):
            how = getattr(nomos_samples, name)
            if how is None or how.method != "spawn":
                continue
            with fleet_of(nomos_configured(how.config), nomos_samples, nomos_target, nomos_random) as fleet:
                leftovers = Leftovers(fleet, busy)
                for _ in range(min(how.calls, 8)):
                    left = leftovers.of(partial(_refused, fleet, {"spot": how.spot}))
                    if left:
                        raise Violation("a spawn that fails creates nothing", f"{left} is there", *_last(fleet))
                busy = leftovers.busy
        if busy:
            nomos_observe("others create instances in the account", "what carries the tag of the check was judged")

    @clause("CMP-ERROR-017")
    def test_the_time_to_wait_is_a_time(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Seconds, over 0 and less than a day, in every failure that has it; a long time passes as time does."""
        for answer in all_provoked(nomos_configured, nomos_samples, nomos_target, nomos_random, *SOME, "quota"):
            wait = answer.details.get("retry_after")
            if wait is None:
                continue
            if not isinstance(wait, int | float) or not math.isfinite(wait) or not 0 < wait < 24 * 3600:
                raise Violation("retry_after in seconds, over 0 and less than a day", shorten(wait), answer)
            if not answer.details.get("retryable"):
                raise Violation("retry_after where a retry helps", f"{code_of(answer)} has one", answer)
            if wait >= LONG and code_of(answer) == "RATE_LIMIT_ERROR" and nomos_samples.rate_limit is not None:
                seen = waits(nomos_samples.rate_limit, nomos_configured, nomos_samples, nomos_target, nomos_random)
                if shrinks(seen):
                    told_waits = ", ".join(f"{one:g} s at {at - seen[0][0]:.1f} s" for at, one in seen)
                    raise Violation("a time to wait that passes as time does", told_waits, answer)

    @clause("CMP-ERROR-018")
    def test_too_many_calls_say_how_long_to_wait(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """By the sample `rate_limit`."""
        for answer in all_provoked(nomos_configured, nomos_samples, nomos_target, nomos_random, "rate_limit"):
            if code_of(answer) == "RATE_LIMIT_ERROR" and answer.details.get("retry_after") is None:
                raise Violation("RATE_LIMIT_ERROR with retry_after", "without", answer)
