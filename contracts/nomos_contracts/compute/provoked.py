"""Provoked failures: what the author says that fails, and with which code."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import Configured, Fleet, code_of, fleet_of, shaped, told
from nomos_contracts.compute.samples import ComputeSamples, Provocation
from nomos_contracts.contract import Contract
from nomos_contracts.faces import failure_details
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation
from nomos_proto.errors import ProviderError

NAMED: Mapping[str, str] = {
    "capacity": "CAPACITY_ERROR",
    "auth": "AUTH_ERROR",
    "rate_limit": "RATE_LIMIT_ERROR",
    "quota": "QUOTA_EXCEEDED",
    "interrupted": "SPOT_INTERRUPTED",
}
"""Samples that provoke one code each."""

LOOKS, PAUSE = 3, 1.5
"""So often a time to wait is looked at, and seconds in between: more than one, since it may be whole seconds."""


class NeverFailedError(Exception):
    """A provocation to which the provider did not fail; the message says what was tried."""


def provoke(
    how: Provocation, configured: Configured, samples: ComputeSamples, target: TargetFacts, random: Random
) -> Answer:
    """Provoke a failure and return it.

    Raises:
        NeverFailedError: all calls succeeded.
    """
    try:
        provider = configured(how.config)
    except Blocked as blocked:
        # A provider may look at its credentials when it is made.
        error = blocked.__cause__
        if not isinstance(error, ProviderError):
            raise
        return Answer("making the provider", {"args": {}}, error.status, error.message, details=failure_details(error))
    with fleet_of(provider, samples, target, random) as fleet:
        for answer in _answers(how, fleet):
            if answer.code != "OK":
                return answer
    raise NeverFailedError(f"{how.calls} calls of {how.method} succeed")


def waits(
    how: Provocation, configured: Configured, samples: ComputeSamples, target: TargetFacts, random: Random
) -> Sequence[tuple[float, float]]:
    """Provoke a failure again and again; return when, and for how many seconds it says to wait, while it says so."""
    seen: list[tuple[float, float]] = []
    with fleet_of(configured(how.config), samples, target, random) as fleet:
        for answer in _answers(how, fleet, LOOKS):
            wait = answer.details.get("retry_after")
            if answer.code == "OK" and not seen:
                continue
            if not isinstance(wait, int | float):
                break
            seen.append((time.monotonic(), wait))
            if len(seen) == LOOKS:
                break
            fleet.poll(PAUSE, lambda: False)
    return seen


def shrinks(seen: Sequence[tuple[float, float]]) -> bool:
    """Say whether times to wait go by far faster than time, each time: they are in a smaller unit than seconds."""
    pairs = itertools.pairwise(seen)
    return len(seen) == LOOKS and all(before - after > 100 * (then - now) for (now, before), (then, after) in pairs)


def exhausted(how: Provocation, fleet: Fleet) -> list[str]:
    """Spawn until that fails; return the ids of what came before, none where nothing failed."""
    if how.method != "spawn":
        return []
    made: list[str] = []
    for answer in _answers(how, fleet):
        if not shaped(answer).ok:
            return made
        made.append(answer.value.id)
    return []


def _answers(how: Provocation, fleet: Fleet, further: int = 0) -> Iterator[Answer]:
    """Yield the answers of its calls; what they make belongs to the fleet."""
    for _ in range(how.calls + further):
        yield fleet.adopt(_call(fleet.provider, how, fleet.options(**how.changes)))


def _call(provider: InterfaceProvider, how: Provocation, options: Any) -> Answer:
    if how.method == "spawn":
        return provider.invoke("spawn", options=options)
    if how.method in {"get", "terminate"}:
        return provider.invoke(how.method, provider_id="nomos-nobody")
    return provider.invoke(how.method)


def provocations(samples: ComputeSamples, *names: str) -> Iterator[Provocation]:
    """Yield the provocations among the samples, those of *names* or all: each costs a provider of its own."""
    yield from (how for name in names or NAMED if (how := getattr(samples, name)) is not None)
    if not names:
        yield from samples.provoke


def all_provoked(
    configured: Configured, samples: ComputeSamples, target: TargetFacts, random: Random, *names: str
) -> Iterator[Answer]:
    """Yield the failure of each provocation; those that do not fail are left out."""
    for how in provocations(samples, *names):
        try:
            yield provoke(how, configured, samples, target, random)
        except NeverFailedError:
            continue


class ProvokedContract(Contract):
    """Each failure of the vendor has its code in the taxonomy.

    Decide on the vendor's code, not on its HTTP status or on the text. An account's limit is QUOTA_EXCEEDED, a vendor
    without a machine CAPACITY_ERROR: only the second may be tried again.
    """

    def _expect(self, how: Provocation | None, code: str, answers: Any) -> None:
        if how is None:
            return
        try:
            answer: Answer = provoke(how, *answers)
        except NeverFailedError as error:
            raise Violation(f"{how.method} fails with {code}, as the sample says", str(error)) from None
        if code_of(answer) != code:
            raise Violation(f"{how.method} fails with {code}, as the sample says", told(answer), answer)

    @clause("CMP-ERROR-011")
    def test_no_capacity(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """CAPACITY_ERROR, by the sample `capacity`."""
        everything = (nomos_configured, nomos_samples, nomos_target, nomos_random)
        self._expect(nomos_samples.capacity, "CAPACITY_ERROR", everything)

    @clause("CMP-ERROR-012")
    def test_no_credentials(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """AUTH_ERROR, by the sample `auth`."""
        everything = (nomos_configured, nomos_samples, nomos_target, nomos_random)
        self._expect(nomos_samples.auth, "AUTH_ERROR", everything)

    @clause("CMP-ERROR-013")
    def test_too_many_calls(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """RATE_LIMIT_ERROR, by the sample `rate_limit`."""
        everything = (nomos_configured, nomos_samples, nomos_target, nomos_random)
        self._expect(nomos_samples.rate_limit, "RATE_LIMIT_ERROR", everything)

    @clause("CMP-ERROR-014")
    def test_spot_taken_back(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """SPOT_INTERRUPTED, by the sample `interrupted`."""
        everything = (nomos_configured, nomos_samples, nomos_target, nomos_random)
        self._expect(nomos_samples.interrupted, "SPOT_INTERRUPTED", everything)

    @clause("CMP-ERROR-015")
    def test_account_used_up(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """QUOTA_EXCEEDED, by the sample `quota`."""
        everything = (nomos_configured, nomos_samples, nomos_target, nomos_random)
        self._expect(nomos_samples.quota, "QUOTA_EXCEEDED", everything)

    @clause("CMP-ERROR-016")
    def test_other_failures(
        self,
        nomos_configured: Configured,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each of the samples `provoke`."""
        everything = (nomos_configured, nomos_samples, nomos_target, nomos_random)
        for how in nomos_samples.provoke:
            self._expect(how, how.code, everything)
