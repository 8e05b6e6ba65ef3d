"""Signals: how a provider ends when its host asks it to."""

from __future__ import annotations

import time

from nomos_contracts.clause import clause
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import closed, first_running, initialised, running
from nomos_contracts.process.traffic import ARRIVAL, UPSET, drop, exercise, keep_busy, must_end, soon, upset
from nomos_contracts.provider import Answer, RunningProvider, Start, Starter, TargetFacts
from nomos_contracts.violation import Violation

_IN_FLIGHT = 1.0
"""Seconds that a running call has at most; less than a slow path takes and than any grace."""

_SECOND = 0.15
"""Seconds until a further signal: the first one has been taken, and no call has ended by its own deadline."""


def _cut_off(provider: RunningProvider, path: Segments, seconds: float, before: float) -> Answer | None:
    """Return how a Fetch of *path* ended that was cut off by SIGTERM, sent *before* seconds after it; None if not.

    After the signal it has *seconds* until its own deadline.
    """
    call = provider.start_fetch(path, timeout=before + seconds)
    try:
        provider.health()
        soon(call.done, before)
        provider.signal("SIGTERM")
        answer = call.answer(before + seconds + 5.0)
    finally:
        drop([call])
    return answer if closed(answer) and answer.elapsed < 0.9 * (before + seconds) else None


class SignalContract(Contract):
    """SIGTERM and SIGINT end the process soon, in whatever state it is.

    A host sends SIGTERM, waits, and kills what is left; what was not written by then is lost. Common causes: a handler
    that only sets a flag which nobody reads, a graceful stop without a bound, a shell wrapper that does not use exec,
    a process that is pid 1 of a container and has no handler at all.
    """

    @clause("PROC-SIGNAL-001")
    def test_sigterm_ends_a_used_provider(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """After much that went wrong, an Init that was refused at last, with the caller's connection open."""
        exercise(initialised(nomos_fresh), nomos_samples)
        upset(nomos_fresh, nomos_samples)
        nomos_fresh.signal("SIGTERM")
        must_end(nomos_fresh, nomos_target.limits["grace"], f"SIGTERM, {UPSET}")

    @clause("PROC-SIGNAL-001")
    def test_sigterm_ends_an_unused_provider(self, nomos_fresh: RunningProvider, nomos_target: TargetFacts) -> None:
        """Before any Init."""
        nomos_fresh.signal("SIGTERM")
        must_end(nomos_fresh, nomos_target.limits["grace"], "SIGTERM before any Init")

    @clause("PROC-SIGNAL-002")
    def test_sigint_ends_the_provider(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """As SIGTERM does; Ctrl-C in a terminal sends it."""
        initialised(nomos_fresh)
        upset(nomos_fresh, nomos_samples)
        nomos_fresh.signal("SIGINT")
        must_end(nomos_fresh, nomos_target.limits["grace"], f"SIGINT, {UPSET}")

    @clause("PROC-SIGNAL-002")
    def test_sigint_ends_a_busy_provider(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """With calls in flight whose callers would wait on."""
        calls = keep_busy(initialised(nomos_fresh), nomos_samples, nomos_target)
        try:
            nomos_fresh.signal("SIGINT")
            must_end(nomos_fresh, nomos_target.limits["grace"], f"SIGINT with {len(calls)} calls running")
        finally:
            drop(calls)


class BusyStopContract(Contract):
    """Running calls neither keep the process alive for ever nor are they cut off needlessly.

    Stop accepting, let running calls end, and close after a few seconds whatever is left.
    """

    @clause("PROC-SIGNAL-003")
    def test_sigterm_ends_a_busy_provider(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """With slow Fetches in flight where the author named a path, whose callers would wait on; else with many."""
        provider = initialised(nomos_fresh)
        calls = keep_busy(provider, nomos_samples, nomos_target)
        try:
            provider.signal("SIGTERM")
            must_end(provider, nomos_target.limits["grace"], f"SIGTERM with {len(calls)} calls running")
        finally:
            drop(calls)

    @clause("PROC-SIGNAL-004")
    def test_running_call_is_finished(
        self, nomos_start: Start, nomos_spawn: Starter, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """A slow Fetch ends by its answer or by its own deadline, not by the end of the connection."""
        first_running(nomos_start)
        for_call = nomos_samples.slow[0], min(_IN_FLIGHT, nomos_target.limits["grace"] / 2)
        first = _cut_off(initialised(running(nomos_spawn())), *for_call, ARRIVAL)
        if first is None:
            return
        # One that arrives after the signal, on a busy machine, is rightly refused: with more time it arrives before.
        again = _cut_off(initialised(running(nomos_spawn())), *for_call, 3 * ARRIVAL)
        if again is not None:
            raise Violation("the running Fetch to end by itself", again.summary, first, again)

    @clause("PROC-SIGNAL-006")
    def test_a_second_sigterm_does_not_keep_it(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """A moment after the first, while calls are running; an impatient host, or a person, sends it."""
        provider = initialised(nomos_fresh)
        grace = nomos_target.limits["grace"]
        calls = keep_busy(provider, nomos_samples, nomos_target)
        try:
            provider.signal("SIGTERM")
            began = time.monotonic()
            for _ in range(2):
                if provider.wait(_SECOND) is None:
                    provider.signal("SIGTERM")
            must_end(provider, max(0.0, grace - (time.monotonic() - began)), "SIGTERM, and again while it was ending")
        finally:
            drop(calls)

    @clause("PROC-SIGNAL-005")
    def test_orderly_end_has_exit_code_0(
        self, nomos_start: Start, nomos_spawn: Starter, nomos_target: TargetFacts
    ) -> None:
        """One process for each of the three ways to ask for the end."""
        first_running(nomos_start)
        ways = {name: running(nomos_spawn(init=True)) for name in ("SIGTERM", "SIGINT", "Shutdown")}
        for name, provider in ways.items():
            if name == "Shutdown":
                provider.shutdown()
            else:
                provider.signal(name)
        for name, provider in ways.items():
            ended = must_end(provider, nomos_target.limits["grace"], name)
            if ended.code != 0:
                raise Violation(f"exit code 0 after {name}", f"the process {ended.words}")
