"""Callers that leave: what the provider still does for them, and what it does for the others."""

from __future__ import annotations

import time

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import asked, told
from nomos_contracts.config.interface import HealthStatus
from nomos_contracts.config.probes import CALLERS, Steady, alike, fetch_all, plain_samples
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.process.traffic import soon
from nomos_contracts.provider import Answer, PendingAnswer, RunningProvider, Starter, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, expect_code, expect_ok

LEFT = ("DEADLINE_EXCEEDED", "CANCELLED")

PATIENCE = 0.3
"""Seconds after which the callers of a slow path leave."""

SERVED = 1.5
"""Seconds for a Fetch beside abandoned ones; a slow path takes two at least, of which patience is over."""

ABANDONED = 40
"""Slow calls that are left at once: more than the threads of a usual pool."""

EARLY = 0.5
"""Part of its time after which a call was not waited for; a provider may give up a little before its caller does."""

ARRIVES = 0.02
"""Seconds by which one caller of a slow path comes before the others."""

NOTICED = 0.2
"""Seconds in which what the end of one call does to another shows."""

ALONE = 256
"""Slow calls that are left one after the other: more than places of any usual kind, each of which may keep one."""

EACH = (0.002, 0.004)
"""Seconds that such a call has: it has arrived, even where a call takes longer than usual."""

TOGETHER = 32
"""Such calls on one connection: servers close connections on which hundreds are left."""

WINDOW = 0.4
"""Seconds over which CPU time is measured."""

IDLE_WINDOWS = 2
"""Windows in a row that are idle; in a single one a spinning process may just not get its turn on a busy machine."""

WINDOWS = 8
"""Windows at most, so that a collector of garbage or a compiler at run time has its time to end."""

IDLE_SHARE = 0.1
"""Part of one CPU that an idle provider stays below; a spinning one takes all it gets, a tenth beside twenty others."""


GROWN_SHARE = 0.06
"""As much more of a CPU than before the callers came is work that is done for nobody."""


class DeadlineContract(Contract):
    """The caller's deadline is the provider's too.

    Pass the call's context to whatever waits (file, socket, lock), and let go of everything when it ends.
    """

    @clause("CFG-DEADLINE-001")
    def test_goes_on_when_callers_of_a_slow_path_have_left(
        self,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_target: TargetFacts,
    ) -> None:
        """Forty leave at their deadline and hundreds by cancelling; others are served, and the CPU is idle again.

        Who stays does not lose his answer to those who leave: each call has a deadline of its own.
        """
        initialised(nomos_fresh)
        others = [sample.path for sample in plain_samples(nomos_samples)[:4]]
        if not others:
            raise NotApplicable("no sample path consists of plain names")
        serial, well = fetch_all(nomos_fresh, others, at_once=1), nomos_fresh.health()
        usual = _share(nomos_fresh)
        for attempt in (1, 2):
            abandoned = self._abandon(nomos_fresh, nomos_spawn, nomos_samples.slow)
            answers = fetch_all(nomos_fresh, others, timeout=SERVED)
            late = [now for now in answers if now.code in LEFT]
            if not late:
                break
            if attempt == 2:
                # Twice, and an untouched process as a control: a machine that stands still is not the provider's fault.
                control = running(nomos_spawn(init=True)).fetch(others[0])
                if control.elapsed > SERVED / 2:
                    raise Blocked("environment", f"an ordinary Fetch takes {control.elapsed:.2f} s on this machine now")
                expected = f"Fetch of {asked(late[0])} within {SERVED} s after the callers of a slow path have left"
                raise Violation(expected, late[0].summary, abandoned[0], late[0])
        for before, now in zip(serial, answers, strict=True):
            if not alike(before, now):
                raise Violation(
                    f"after callers have left, Fetch answers as before, {before.summary}", now.summary, before, now
                )
        self._leave_one_by_one(nomos_fresh, nomos_spawn, nomos_samples.slow[0], serial)
        self._expect_idle(nomos_fresh, usual)
        health = expect_ok(nomos_fresh.health(timeout=nomos_target.limits.get("call")), "after callers have left")
        # STATUS_STARTING passes by itself.
        if told(health).get("status") != told(well).get("status") != HealthStatus.STARTING:
            raise Violation(f"Health as before callers have left, {well.summary}", health.summary, well, health)

    def _abandon(self, provider: RunningProvider, spawn: Starter, slow: tuple[Segments, ...]) -> list[Answer]:
        # What an earlier call left behind, and a call that came first and leaves first, are others' by no means.
        gone = [provider.start_fetch(path) for path in slow]
        soon(lambda: any(call.done() for call in gone), ARRIVES)
        for call in gone:
            call.cancel()
        # What a provider makes of that, once it has noticed, is not for those who come now.
        soon(lambda: False, NOTICED)
        first = [provider.start_fetch(path, timeout=PATIENCE) for path in slow]
        soon(lambda: any(call.done() for call in first), ARRIVES)
        stayed = [provider.start_fetch(path) for path in slow]
        paths = [slow[number % len(slow)] for number in range(ABANDONED)]
        waiting = [*first, *(provider.start_fetch(path, timeout=PATIENCE) for path in paths)]
        answers = [call.answer() for call in waiting]
        soon(lambda: any(call.done() for call in stayed), NOTICED)
        over = [call for call in stayed if call.done()]
        for call in stayed:
            call.cancel()
        kept = [call.answer() for call in stayed]
        early = [now for now in answers if now.code in LEFT and now.elapsed < EARLY * now.seconds]
        early += [now for now in (call.answer() for call in over) if now.code in LEFT and now.elapsed < SERVED]
        answers += [*kept, *(call.answer() for call in gone)]
        waited_for = [asked(answer) for answer in answers if answer.code in LEFT]
        for answer in answers:
            # What is slow for one caller and not there for another is no wrong sample.
            absent = answer.code in {"NOT_FOUND", "INVALID_ARGUMENT"}
            if answer.ok or (absent and asked(answer) not in waited_for):
                raise Blocked("sample:slow", f"Fetch of {asked(answer)} is not slow: it answered {answer.summary}")
            expect_code(answer, *LEFT, because="the caller has left")
        for answer in early:
            self._must_be_slow(spawn, answer)
            expected = f"a slow Fetch of {asked(answer)} ends with its own deadline, whoever else has left"
            raise Violation(expected, answer.summary, answer)
        return answers

    @staticmethod
    def _must_be_slow(spawn: Starter, early: Answer) -> None:
        """See that the path of *early* is slow for a caller whom nobody has been before.

        Raises:
            Blocked: it is not.
        """
        alone = running(spawn(init=True)).fetch(asked(early), timeout=SERVED)
        if alone.code not in LEFT or alone.elapsed < EARLY * alone.seconds:
            raise Blocked("sample:slow", f"Fetch of {asked(alone)} is not slow: it answered {alone.summary}")

    def _leave_one_by_one(
        self, provider: RunningProvider, spawn: Starter, slow: Segments, serial: list[Answer]
    ) -> None:
        """See that others get the answers of *serial* after many calls of *slow*, each left before the next one came.

        Raises:
            Violation: they do not, nor when they are asked again.
        """
        each = min(max(EACH[0], provider.health().elapsed), EACH[1])
        calls: list[PendingAnswer] = []
        for number in range(ALONE):
            if number % TOGETHER == 0:
                provider.reconnect()
            calls.append(provider.start_fetch(slow))
            time.sleep(each)
            calls[-1].cancel()
        provider.reconnect()
        late: list[Answer] = []
        # Asked twice: a queue of what was left may take a moment to empty.
        for _ in range(2):
            answers = fetch_all(provider, map(asked, serial), timeout=SERVED)
            late = [now for before, now in zip(serial, answers, strict=True) if not alike(before, now)]
            if not late:
                return
        control = running(spawn(init=True)).fetch(asked(late[0]))
        if control.elapsed > SERVED / 2:
            raise Blocked("environment", f"an ordinary Fetch takes {control.elapsed:.2f} s on this machine now")
        expected = (
            f"the same answer to Fetch of {asked(late[0])} after {ALONE} callers of a slow path have left, one by one"
        )
        raise Violation(expected, late[0].summary, calls[-1].answer(), late[0])

    def _expect_idle(self, provider: RunningProvider, usual: float) -> None:
        """See that the process is idle for some windows in a row, by the CPU time that its group has used."""
        shares: list[float] = []
        for _ in range(WINDOWS):
            shares.append(_share(provider))
            if len(shares) >= IDLE_WINDOWS and max(shares[-IDLE_WINDOWS:]) < min(IDLE_SHARE, usual + GROWN_SHARE):
                return
        raise Violation(
            "a provider that is idle after the callers of a slow path have left",
            f"{sum(shares) / len(shares):.0%} of a CPU in use",
            *provider.answers[-1:],
            evidence={"cpu_share_before": round(usual, 2), "cpu_shares": [round(share, 2) for share in shares]},
        )

    @clause("CFG-DEADLINE-002")
    def test_takes_no_harm_from_callers_that_leave_at_once(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples
    ) -> None:
        """Cancelled in flight, and with a millisecond to live."""
        steady = Steady.of(nomos_provider, nomos_samples)
        paths = [sample.path for sample in plain_samples(nomos_samples)] or [()]
        usual = min(max(0.001, nomos_provider.fetch(paths[0]).elapsed), 0.01)
        calls: list[PendingAnswer] = []
        for number in range(2 * CALLERS):
            # One after the other, each leaving at another point of its call.
            path, moment = paths[number % len(paths)], usual * (number % CALLERS) / CALLERS
            if number % 2:
                calls.append(nomos_provider.start_fetch(path, timeout=max(moment, 0.0005)))
                calls[-1].answer()
            else:
                calls.append(nomos_provider.start_fetch(path))
                time.sleep(moment)
                calls[-1].cancel()
        for _ in range(2):
            # And many together, while some of them are being worked on.
            crowd = [nomos_provider.start_fetch(paths[number % len(paths)]) for number in range(CALLERS)]
            crowd[0].answer()
            for call in crowd[::-1]:
                call.cancel()
            calls += crowd
        for answer in [call.answer() for call in calls]:
            expect_code(answer, "OK", *LEFT, because="the caller leaves at once")
        steady.expect_same(nomos_provider, "callers that left at once")


def _share(provider: RunningProvider) -> float:
    """Return the part of one CPU that the process group takes in one window."""
    before, began = provider.usage().cpu, time.monotonic()
    time.sleep(WINDOW)
    return (provider.usage().cpu - before) / (time.monotonic() - began)
