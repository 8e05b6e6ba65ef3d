"""Health: the ping, and what it says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import asked, told
from nomos_contracts.config.interface import HealthStatus
from nomos_contracts.config.probes import CALLERS, at_once, gives, plain_samples
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.process.traffic import REFUSAL, refused
from nomos_contracts.provider import Answer, RunningProvider, Starter, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, expect_code, expect_ok

Observe = Callable[[str, object], None]

STATUSES = tuple(status.value for status in HealthStatus)

PINGS = 40
"""Pings that stand for a long life."""

LONG_INIT = 1.0
"""Seconds from which on an Init is long."""

SLOW = 8
"""Slow Fetches that run beside Health; callers come in dozens."""

BESIDE_FETCH = 1.5
"""Seconds for a Health beside a running Fetch; a slow path takes two at least."""


class HealthContract(Contract):
    """Health answers always, quickly, and truthfully.

    It is the first call that a caller makes and the only one that it repeats: keep it free of locks and of work.
    """

    @clause("CFG-HEALTH-001")
    def test_answers_before_init(self, nomos_fresh: RunningProvider, nomos_observe: Observe) -> None:
        """The first call of all, repeated, then again after a Fetch that was refused."""
        nomos_observe("status before Init", status_of(nomos_fresh.health(), "before Init"))
        status_of(nomos_fresh.health(), "before Init, again")
        nomos_fresh.fetch(("nomos",))
        status_of(nomos_fresh.health(), "before Init, after a Fetch")

    @clause("CFG-HEALTH-002")
    def test_says_ok_when_operational(self, nomos_provider: RunningProvider, nomos_target: TargetFacts) -> None:
        """STATUS_STARTING may come first, for as long as a provider may take to start."""
        answer = _after_starting(nomos_provider, nomos_target.limits.get("announce", 5.0))
        if status_of(answer, "after Init") != HealthStatus.OK:
            raise Violation("Health of a provider that is fully operational says STATUS_OK", answer.summary, answer)

    @clause("CFG-HEALTH-003")
    def test_never_leaves_the_status_out(self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """After a good Init, several times, also after a Fetch that failed, and after each kind of refused Init."""

        def look(when: str) -> None:
            answer = nomos_fresh.health()
            if status_of(answer, when) == HealthStatus.UNSPECIFIED:
                raise Violation(f"a status that is set {when}", "STATUS_UNSPECIFIED", answer)

        initialised(nomos_fresh)
        for turn in range(4):
            look("after Init")
            if turn == 1:
                nomos_fresh.fetch(("",))
        for config in refused(nomos_fresh, nomos_samples):
            nomos_fresh.init(config, timeout=REFUSAL)
            look("after a good Init and one that may be refused")
            nomos_fresh.init()
            look("after the good Init again")

    @clause("CFG-HEALTH-004")
    def test_has_a_status_before_init(self, nomos_fresh: RunningProvider) -> None:
        """STATUS_STARTING says it best."""
        answer = nomos_fresh.health()
        if answer.ok and status_of(answer, "before Init") == HealthStatus.UNSPECIFIED:
            raise Violation("a status that is set, before Init too", "STATUS_UNSPECIFIED", answer)

    @clause("CFG-HEALTH-005")
    def test_says_degraded_when_a_part_does_not_work(
        self,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_target: TargetFacts,
    ) -> None:
        """Under the first configuration of a process, and under a later one where it takes such.

        STATUS_STARTING may come first here too.
        """
        if nomos_samples.degraded is None:
            raise NotApplicable("no sample `degraded`")
        within, config = nomos_target.limits.get("announce", 5.0), nomos_samples.degraded.config
        expect_ok(nomos_fresh.init(config), "the sample `degraded`")
        for said in (_after_starting(nomos_fresh, within), nomos_fresh.health()):
            _expect_degraded(said, "under the sample `degraded`")
        other = nomos_samples.other_config
        if other is None:
            return
        second = initialised(running(nomos_spawn()))
        # It may refuse a second configuration, and it may accept it and keep the first one.
        if not second.init(other.config).ok or not gives(second.fetch(other.path), other.value):
            return
        _after_starting(second, within)  # one that keeps what its first Health found keeps that it was well
        if second.init(config).ok:
            _expect_degraded(_after_starting(second, within), "when it was well before another Init")

    @clause("CFG-HEALTH-006")
    def test_says_starting_during_a_long_init(self, nomos_fresh: RunningProvider) -> None:
        """Asked all along while Init runs; a quick Init leaves nothing to see."""
        done = threading.Event()

        def init() -> Answer:
            try:
                return nomos_fresh.init()
            finally:
                done.set()

        seen: list[Answer] = []
        with ThreadPoolExecutor(1) as pool:
            began = pool.submit(init)
            while not done.wait(0.01):
                answer = nomos_fresh.health(timeout=LONG_INIT)
                if not done.is_set():
                    seen.append(answer)
            took = began.result().elapsed
        if took < LONG_INIT:
            raise NotApplicable(f"Init took {took:.2f} s, which is not long")
        # The first may have been answered before Init arrived.
        for answer in seen[len(seen) // 2 : len(seen) // 2 + 1]:
            if not answer.ok or status_of(answer, "during Init") != HealthStatus.STARTING:
                raise Violation("Health during a long Init says STATUS_STARTING", answer.summary, answer)

    @clause("CFG-HEALTH-008")
    def test_explains_a_status_that_is_not_ok(self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Before Init, and under the sample `degraded` where there is one."""
        answers = [nomos_fresh.health()]
        if nomos_samples.degraded is not None:
            expect_ok(nomos_fresh.init(nomos_samples.degraded.config))
            answers.append(nomos_fresh.health())
        for answer in answers:
            if status_of(answer, "at any time") != HealthStatus.OK and not str(told(answer).get("message", "")).strip():
                raise Violation(f"a message beside {told(answer)['status']}", "an empty one", answer)


class PingContract(Contract):
    """Pings are answered however many there are and whatever else goes on.

    A provider that does not answer a ping is restarted, so a busy one must answer as an idle one does.
    """

    @clause("CFG-HEALTH-007")
    def test_answers_every_ping(self, nomos_provider: RunningProvider, nomos_target: TargetFacts) -> None:
        """Many, one after the other and together, all with the same status."""
        within = nomos_target.limits.get("announce", 5.0)
        answers = [nomos_provider.health(timeout=within) for _ in range(PINGS)]
        answers += at_once([lambda: nomos_provider.health(timeout=within)] * 8)
        nomos_provider.reconnect()
        answers.append(nomos_provider.health(timeout=within))
        _expect_steady(answers)

    @clause("CFG-HEALTH-007")
    def test_answers_pings_among_many_fetches(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Fetches that succeed and that fail are in flight meanwhile."""
        within = nomos_target.limits.get("announce", 5.0)
        paths: list[Segments] = [sample.path for sample in plain_samples(nomos_samples)] or [("nomos",)]
        paths += [("",), ("nomos-none",)]
        answers: list[Answer] = []
        for _ in range(3):
            calls = [nomos_provider.start_fetch(paths[number % len(paths)]) for number in range(2 * CALLERS)]
            answers += [nomos_provider.health(timeout=within) for _ in range(3)]
            for call in calls:
                call.answer()
        _expect_steady(answers)

    @clause("CFG-HEALTH-009")
    def test_answers_while_a_fetch_is_running(
        self, nomos_fresh: RunningProvider, nomos_spawn: Starter, nomos_samples: ConfigSamples
    ) -> None:
        """Several pings beside eight slow Fetches, some of which run after the last; then all over one connection."""
        initialised(nomos_fresh)
        slow = list(islice(cycle(nomos_samples.slow), max(SLOW, len(nomos_samples.slow))))
        failed: list[Answer] = []
        for _ in range(3):
            pings, over = _beside(nomos_fresh, slow)
            for answer in over:
                if answer.code not in {"DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE"} and answer.elapsed < 1.0:
                    raise Blocked("sample:slow", f"Fetch of {asked(answer)} is not slow: {answer.summary}")
            failed = [ping for ping in pings if not ping.ok]
            if not failed and len(over) == len(slow):
                failed = pings[-1:]
            if not failed:
                break
        where = ""
        if not failed:
            where = " over the same connection"
            for _ in range(2):
                nomos_fresh.reconnect(1)
                failed = [ping for ping in _beside(nomos_fresh, nomos_samples.slow[:1])[0] if not ping.ok]
                if not failed:
                    return
        control = running(nomos_spawn(init=True)).health()
        if control.elapsed > BESIDE_FETCH / 2:
            raise Blocked("environment", f"an ordinary Health takes {control.elapsed:.2f} s on this machine now")
        raise Violation(f"Health answers while a Fetch is running{where}", failed[0].summary, failed[0])


def _beside(provider: RunningProvider, paths: Sequence[Segments]) -> tuple[list[Answer], list[Answer]]:
    """Return four pings beside Fetches of *paths*, and the answers of those that were over after the last of them."""
    slow = [provider.start_fetch(path) for path in paths]
    pings: list[Answer] = []
    for _ in range(4):
        pings.append(provider.health(timeout=BESIDE_FETCH))
        time.sleep(0.02)
    over = [call.answer() for call in slow if call.done()]
    for call in slow:
        call.cancel()
    return pings, over


def _after_starting(provider: RunningProvider, within: float) -> Answer:
    """Return the first Health that does not say STATUS_STARTING, or the last one *within* so many seconds."""
    end = time.monotonic() + within
    answer = provider.health()
    while status_of(answer, "after Init") == HealthStatus.STARTING and time.monotonic() < end:
        time.sleep(0.02)
        answer = provider.health()
    return answer


def _expect_degraded(answer: Answer, when: str) -> None:
    if status_of(answer, "when degraded") != HealthStatus.DEGRADED:
        raise Violation(f"STATUS_DEGRADED {when}", answer.summary, answer)


def status_of(answer: Answer, when: str) -> str:
    """Return the status of a Health that succeeded.

    Raises:
        Violation: it failed, or its status is none of the protocol.
    """
    expect_code(answer, "OK", because=when)
    status = str(told(answer).get("status", ""))
    if answer.decode_error or status not in STATUSES:
        raise Violation(f"Health {when} says a status of the protocol", answer.summary, answer)
    return status


def _expect_steady(answers: list[Answer]) -> None:
    first = status_of(answers[0], "as a ping")
    for number, answer in enumerate(answers, 1):
        if status_of(answer, f"as ping {number}") != first:
            raise Violation(
                f"{first} each time while nothing changes", f"{answer.summary} as ping {number}", answers[0], answer
            )
