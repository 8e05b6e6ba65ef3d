"""Upstream: what a provider does while its vendor is slow, mute, broken or gone, and how soon it is well again."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from enum import Enum
from random import Random
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.drifting import live_of, recovery
from nomos_contracts.compute.fleet import ENDED, Fleet, bootstrap, code_of, fleet_of, shaped, told
from nomos_contracts.compute.heartbeats import LONG, beat, deadline, receipt_of
from nomos_contracts.compute.idempotency import expect_one, once
from nomos_contracts.compute.interface import (
    HeartbeatExpectations,
    HeartbeatTask,
    ReceiptStatus,
    SpawnOptions,
    TaskType,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.fault import Down, Latency, Silence
from nomos_contracts.provider import Answer, InterfaceProvider, PendingAnswer, TargetFacts
from nomos_contracts.vendor import Vendor, VendorExperiment
from nomos_contracts.violation import Blocked, Violation, shorten

DELAY: Final = 0.2
"""Seconds that each answer of the vendor is on its way: time in which it can be lost for certain."""

MOMENTS: Final = (0.4, 0.7, 0.55, 0.85, 0.4, 0.7, 0.55, 0.85)
"""Parts of that time after which it is lost, each tried where none before has struck: machines are busy at times."""

STEPS: Final = 60
"""At most so many answers of the vendor to one spawn are lost in turn."""

LOST: Final = 2
"""So many creations whose answers were lost are enough."""

BRIEF: Final = 0.5
"""Seconds that callers wait who then leave."""

LEAVING: Final = 24
"""Callers who leave."""


def probe(provider: InterfaceProvider) -> Answer:
    """List; while the vendor is well, that is answered."""
    return provider.invoke("list", filter=None)


class _Lost(Enum):
    """Which answer of the vendor was lost."""

    CREATION = "that to a creation"
    OTHER = "another one, or one that cannot be told"
    NOTHING = "none: the call was over before"


@contextmanager
def _experiment(
    vendor: Vendor, samples: ComputeSamples, target: TargetFacts, random: Random
) -> Generator[tuple[VendorExperiment, Fleet]]:
    """Yield an experiment that lists, and a fleet on its provider, which is gone before the vendor is."""
    with vendor.experiment(probe) as x, fleet_of(x.provider, samples, target, random) as fleet:
        yield x, fleet


def _expect_says_so(answer: Answer, target: TargetFacts, during: str) -> None:
    """See that a failure is one that callers may try again after.

    Raises:
        Violation: it is none of the taxonomy, or it says that trying again is of no use.
    """
    if answer.code in target.fault_codes and code_of(answer) and answer.details.get("retryable") is True:
        return
    codes = ", ".join(sorted(target.fault_codes))
    raise Violation(
        f"during {during}, {answer.method} is right, or fails with an error of the taxonomy that may be retried, "
        f"as one of {codes}",
        told(answer) + (" (not retryable)" if code_of(answer) else ""),
        answer,
    )


class UpstreamContract(Contract):
    """A vendor that is not there is an error, and nothing else: no hang, no invention, and nothing of it stays.

    Give every request to the vendor a time limit, hold no lock while you wait for it, make a connection anew where one
    broke, and hand the vendor a token with each creation, so that one whose answer was lost is found again.
    """

    @clause("CMP-CHAOS-006")
    def test_serves_through_a_slow_connection_to_the_vendor(
        self,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """Every byte comes a seventh of a second late, both ways."""
        with _experiment(nomos_vendor, nomos_samples, nomos_target, nomos_random) as (x, fleet):
            with x.inject(Latency(ms=150, direction="upstream") & Latency(ms=150), ttl=120) as fault:
                answer = shaped(fleet.try_spawn())
                if answer.elapsed >= 0.24:
                    fault.bit(f"spawn took {answer.elapsed:.2f} s")
                if answer.code != "OK":
                    raise Violation(f"during {fault.words}, spawn answers an instance", told(answer), answer)
                made = str(answer.value.id)

                def seen() -> bool:
                    listed = shaped(probe(x.provider))
                    if listed.code != "OK":
                        raise Violation(f"during {fault.words}, list answers", told(listed), listed)
                    return made in {one.id for one in listed.value}

                if not fleet.poll(fleet.settle, seen):
                    raise Violation(f"during {fault.words}, list shows {made}", "it does not", *x.provider.answers[-1:])
                ended = x.provider.invoke("terminate", provider_id=made)
                if ended.code != "OK":
                    raise Violation(f"during {fault.words}, terminate succeeds", told(ended), ended)
            x.recover(recovery(fleet))

    @clause("CMP-CHAOS-007")
    def test_a_creation_whose_answer_was_lost_is_not_done_again(
        self,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """Each answer of the vendor to a spawn is lost in turn, with its connection; then the spawn is tried again."""
        with _experiment(nomos_vendor, nomos_samples, nomos_target, nomos_random) as (x, fleet):
            lost = 0
            for moment in MOMENTS:
                for step in range(STEPS):
                    fleet.remember()
                    options = once(fleet)
                    what = self._lose(x, fleet, options, step + moment)
                    self._try_again(fleet, options)
                    lost += what is _Lost.CREATION
                    if what is _Lost.NOTHING or lost >= LOST:
                        break
                if lost:
                    break
            x.recover(recovery(fleet))
            if not lost:
                raise Blocked("environment", "of no spawn that failed the creation was done: nothing was shown")

    @staticmethod
    def _lose(x: VendorExperiment, fleet: Fleet, options: SpawnOptions, after: float) -> _Lost:
        """Lose the answer of the vendor that is on its way *after* so many answers, and say which one that was.

        Answers are on their way for a while, so that one can be lost after its request was done.
        """
        with x.inject(Latency(ms=round(DELAY * 1000)), ttl=60) as slow:
            pending = x.provider.start("spawn", options=options)
            if _done(pending, after * DELAY):
                fleet.adopt(pending.answer())
                return _Lost.NOTHING
            before = x.connections
            # Not a reset by a toxic: to put one in, Toxiproxy first lets through what latency holds back.
            with x.inject(Down(), ttl=30) as fault:
                _done(pending, 10 * DELAY)
            first = fleet.adopt(pending.answer())
            slow.bit("what was on its way was lost")
        if first.ok and x.connections > before:
            # It has tried again by itself, so that what was lost may have been the answer to a creation.
            fault.bit("the provider connected anew")
            return _Lost.CREATION
        if first.ok:
            return _Lost.OTHER
        fault.bit("the spawn failed")
        return _Lost.CREATION if fleet.poll(DELAY, lambda: live_of(fleet, options)) else _Lost.OTHER

    @staticmethod
    def _try_again(fleet: Fleet, options: SpawnOptions) -> None:
        answers: list[Answer] = []

        def again() -> bool:
            answers.append(shaped(fleet.try_spawn(options)))
            return answers[-1].code == "OK"

        if not fleet.poll(recovery(fleet), again):
            raise Violation(
                "the same spawn again, after one whose answer the vendor's connection lost, gives its instance",
                told(answers[-1]),
                answers[-1],
            )
        ids = {str(one.value.id) for one in answers if one.ok}
        expect_one(fleet, options, ids, "for a spawn during which the connection to the vendor was reset")

    @clause("CMP-CHAOS-008")
    def test_says_that_the_vendor_is_gone(
        self,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """Nobody listens there; what a call answers nevertheless is true, then and afterwards."""
        with _experiment(nomos_vendor, nomos_samples, nomos_target, nomos_random) as (x, fleet):
            kept, ended = fleet.spawn_many(2)
            fleet.visible((kept, ended))
            options = once(fleet)
            with x.inject(Down(), ttl=60) as fault:
                answers = {
                    "get": x.provider.invoke("get", provider_id=kept.id),
                    "list": probe(x.provider),
                    "spawn": fleet.try_spawn(options),
                    "terminate": x.provider.invoke("terminate", provider_id=ended.id),
                }
                _, receipt = receipt_of(x.provider, TaskType.RECONCILE_INSTANCES, {"expected": [{"id": kept.id}]})
                failed = [one for one in answers.values() if one.code != "OK"]
                if failed or receipt.status is not ReceiptStatus.COMPLETED:
                    fault.bit("calls failed")
                for answer in failed:
                    _expect_says_so(answer, nomos_target, fault.words)
                found = answers["get"].value if answers["get"].ok else kept
                if found is None or found.status in ENDED:
                    raise Violation(f"during {fault.words}, get finds {kept.id}, or fails", "it says that it is gone")
                if answers["list"].ok and kept.id not in {one.id for one in answers["list"].value}:
                    raise Violation(f"during {fault.words}, list shows {kept.id}, or fails", "it shows nothing of it")
                if receipt.status is ReceiptStatus.COMPLETED and kept.id in (receipt.result or {}).get("missing", ()):
                    raise Violation(
                        f"during {fault.words}, reconciliation fails, or misses nothing", f"{kept.id} is missing"
                    )
            x.recover(recovery(fleet))
            spawned, terminated = answers["spawn"], answers["terminate"]
            if spawned.ok and not fleet.poll(recovery(fleet), lambda: live_of(fleet, options)):
                raise Violation(f"what spawn answered during {fault.words} is there", "it is not", spawned)
            if terminated.ok and not fleet.ended(ended.id):
                raise Violation(f"what terminate ended during {fault.words} is gone", "it is not", terminated)

    @clause("CMP-CHAOS-009")
    def test_recovers_once_the_vendor_is_back(
        self,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """Gone and back three times, with calls on their way; what was spawned before is there, and spawn works."""
        with _experiment(nomos_vendor, nomos_samples, nomos_target, nomos_random) as (x, fleet):
            kept = fleet.spawn()
            fleet.visible((kept,))
            for _ in range(3):
                with x.inject(Down(), ttl=60) as fault:
                    calls = [x.provider.start("list", filter=None) for _ in range(4)]
                    calls.append(x.provider.start("get", provider_id=kept.id))
                    failed = [one for one in (call.answer() for call in calls) if one.code != "OK"]
                    if failed:
                        fault.bit(f"{len(failed)} calls failed")
                x.recover(recovery(fleet))
                found = shaped(x.provider.invoke("get", provider_id=kept.id))
                if found.code != "OK" or found.value is None:
                    raise Violation(f"after {fault.words}, get finds {kept.id}", told(found), found)
                answer = shaped(fleet.try_spawn())
                if answer.code != "OK":
                    raise Violation(f"after {fault.words}, spawn answers an instance", told(answer), answer)

    @clause("CMP-CHAOS-010")
    def test_is_not_well_while_the_vendor_is_gone(
        self, nomos_samples: ComputeSamples, nomos_target: TargetFacts, nomos_random: Random, nomos_vendor: Vendor
    ) -> None:
        """The health check says so, and says when it is well again."""
        with _experiment(nomos_vendor, nomos_samples, nomos_target, nomos_random) as (x, fleet):

            def well() -> bool:
                answer = beat(x.provider, [HeartbeatTask(TaskType.HEALTH_CHECK.value)])
                if answer.code != "OK" or not answer.value.receipts:
                    return False  # which another clause has an eye on
                receipt = answer.value.receipts[0]
                result: Mapping[str, Any] = receipt.result or {}
                return receipt.status is ReceiptStatus.COMPLETED and result.get("healthy") is not False

            if not well():
                raise Violation("the health check is completed while the vendor is there", "it is not")
            with x.inject(Down(), ttl=60) as fault:
                # One that looks from time to time has a while to notice.
                if not fleet.poll(recovery(fleet), lambda: not well()):
                    raise Violation(
                        f"during {fault.words}, the health check fails", "it is completed", *x.provider.answers[-1:]
                    )
                fault.bit("the health check failed")
            x.recover(recovery(fleet))
            if not fleet.poll(recovery(fleet), well):
                raise Violation(
                    f"after {fault.words}, the health check is completed", "it fails", *x.provider.answers[-1:]
                )

    @clause("CMP-CHAOS-011")
    def test_gives_a_mute_vendor_up(
        self,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """What is sent to the vendor is swallowed; calls end by themselves before the limit of their callers."""
        with _experiment(nomos_vendor, nomos_samples, nomos_target, nomos_random) as (x, fleet):
            kept = fleet.spawn()
            fleet.visible((kept,))
            health = HeartbeatTask(TaskType.HEALTH_CHECK.value)
            with x.inject(Silence(direction="upstream"), ttl=180) as fault:
                asked = [
                    x.provider.start("list", filter=None),
                    x.provider.start("get", provider_id=kept.id),
                    x.provider.start("spawn", options=fleet.options()),
                    x.provider.start("on_heartbeat", expectations=HeartbeatExpectations((health,), deadline(LONG))),
                ]
                answers = [fleet.adopt(one.answer()) for one in asked]
                self._expect_ended(answers, x.provider, fault.words)
                failed = [one for one in answers[:-1] if one.code != "OK"]
                if failed:
                    fault.bit(f"{len(failed)} calls failed")
                for answer in failed:
                    _expect_says_so(answer, nomos_target, fault.words)
            x.recover(recovery(fleet))

    @staticmethod
    def _expect_ended(answers: Iterable[Answer], provider: InterfaceProvider, during: str) -> None:
        for answer in answers:
            # Over the wire the caller's deadline reaches the provider, and both may give up at once.
            if (
                provider.transport == "inproc"
                and answer.code == "DEADLINE_EXCEEDED"
                and answer.elapsed >= answer.seconds
            ):
                raise Violation(
                    f"during {during}, {answer.method} ends by itself within {answer.seconds:g} s, the limit call",
                    "it went on",
                    answer,
                )

    @clause("CMP-CHAOS-012")
    def test_a_mute_vendor_keeps_nobody_waiting_who_does_not_need_it(
        self,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_vendor: Vendor,
    ) -> None:
        """Callers ask for what only the vendor knows, and leave; others want a bootstrap script."""
        with _experiment(nomos_vendor, nomos_samples, nomos_target, nomos_random) as (x, fleet):
            plain = bootstrap()
            # Where scripts differ from call to call, which is another clause's matter, an answer is enough.
            before, again = (shaped(x.provider.invoke("generate_bootstrap", cfg=plain)) for _ in range(2))
            differs = before.value != again.value
            with x.inject(Silence(direction="upstream"), ttl=120) as fault:
                leaving = [x.provider.start("list", filter=None, timeout=BRIEF) for _ in range(LEAVING)]
                answers = [one.answer() for one in leaving]
                script = shaped(x.provider.invoke("generate_bootstrap", cfg=plain))
                if not any(answer.ok for answer in answers):
                    fault.bit(f"{LEAVING} callers were not answered")
                if before.ok and (script.code != "OK" or (script.value != before.value and not differs)):
                    raise Violation(
                        f"during {fault.words}, generate_bootstrap answers as before", shorten(told(script)), script
                    )
            x.recover(recovery(fleet))


def _done(pending: PendingAnswer, seconds: float) -> bool:
    """Wait until a call is answered; False where it is not within *seconds*."""
    for _ in range(100):
        if pending.done():
            return True
        threading.Event().wait(seconds / 100)
    return pending.done()
