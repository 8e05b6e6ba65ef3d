"""Shutdown: the RPC that ends a provider in an orderly way."""

from __future__ import annotations

from collections.abc import Callable

from nomos_contracts.clause import clause
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import closed, initialised, running
from nomos_contracts.process.samples import CallSamples
from nomos_contracts.process.traffic import (
    UPSET,
    ask,
    drop,
    exercise,
    keep_busy,
    known_path,
    missing_path,
    must_end,
    upset,
)
from nomos_contracts.provider import Answer, RunningProvider, Starter, TargetFacts
from nomos_contracts.violation import Blocked, Violation, expect_ok

_TRIES = 3
"""Processes whose answer to Shutdown may be lost before that is held against the provider."""


def must_answer(provider: RunningProvider, target: TargetFacts, another: Callable[[], RunningProvider]) -> Answer:
    """Call Shutdown and return its answer, which is OK.

    Row G5 lets the process end as soon as it has answered, and then the answer can be lost with the connection. That
    happens to one process and not to the next; a provider that ends before it answers is never heard. So a process that
    ended well without an answer is tried again with *another* one.

    Raises:
        Violation: it failed, did not come in time, the process crashed over it, or no process was heard.
    """
    answers: list[Answer] = []
    for turn in range(_TRIES):
        asked = another() if turn else provider
        answer = asked.shutdown(timeout=target.limits["shutdown_rpc"])
        if answer.ok:
            return answer
        if not closed(answer):
            raise Violation(f"Shutdown to answer OK within {answer.seconds:g} s", answer.summary, answer)
        answers.append(answer)
        ended = asked.wait(target.limits["grace"])
        if ended is None or ended.code != 0:
            got = f"{answer.summary}, and the process {ended.words if ended else 'still runs'}"
            raise Violation("Shutdown to answer OK", got, answer)
    got = f"{_TRIES} processes ended without an answer: {answers[-1].summary}"
    raise Violation("Shutdown to answer OK before the process ends", got, *answers)


class ShutdownContract(Contract):
    """Shutdown answers, forgets the configuration, and ends the process.

    Answer first, then stop the server from another thread or task: a graceful stop inside the handler waits for itself.
    A connection that is closed because the process is gone counts as an answer to whatever comes after Shutdown.
    """

    @clause("PROC-SHUTDOWN-001")
    def test_shutdown_is_answered(
        self,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_target: TargetFacts,
    ) -> None:
        """After Init and some use."""
        exercise(initialised(nomos_fresh), nomos_samples)
        must_answer(nomos_fresh, nomos_target, lambda: running(nomos_spawn(init=True)))

    @clause("PROC-SHUTDOWN-002")
    def test_process_ends_after_shutdown(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """After much that went wrong, an Init that was refused at last, with the caller's connection open."""
        ask(initialised(nomos_fresh), nomos_samples)
        upset(nomos_fresh, nomos_samples)
        nomos_fresh.shutdown()
        must_end(nomos_fresh, nomos_target.limits["grace"], f"Shutdown, {UPSET}")

    @clause("PROC-SHUTDOWN-002")
    def test_process_ends_after_shutdown_before_init(
        self, nomos_fresh: RunningProvider, nomos_target: TargetFacts
    ) -> None:
        """A provider that was never initialised ends as well."""
        nomos_fresh.shutdown()
        must_end(nomos_fresh, nomos_target.limits["grace"], "Shutdown before any Init")

    @clause("PROC-SHUTDOWN-002")
    def test_process_ends_after_shutdown_while_calls_run(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """With slow Fetches in flight where the author named a path, whose callers would wait on; else with many."""
        calls = keep_busy(initialised(nomos_fresh), nomos_samples, nomos_target)
        try:
            nomos_fresh.shutdown()
            must_end(nomos_fresh, nomos_target.limits["grace"], f"Shutdown with {len(calls)} calls running")
        finally:
            drop(calls)

    @clause("PROC-SHUTDOWN-003")
    def test_second_shutdown_changes_nothing(self, nomos_fresh: RunningProvider, nomos_target: TargetFacts) -> None:
        """The second one finds the process gone, or is answered as the first one was."""
        initialised(nomos_fresh)
        first = nomos_fresh.shutdown()
        second = nomos_fresh.shutdown(timeout=nomos_target.limits["shutdown_rpc"])
        if second.code != first.code and not closed(second):
            raise Violation(
                f"{first.code} or a closed connection for the second Shutdown", second.summary, first, second
            )

    @clause("PROC-SHUTDOWN-004")
    def test_shutdown_before_init_is_fine(
        self, nomos_fresh: RunningProvider, nomos_spawn: Starter, nomos_target: TargetFacts
    ) -> None:
        """A host that changes its mind calls it so."""
        must_answer(nomos_fresh, nomos_target, lambda: running(nomos_spawn()))

    @clause("PROC-SHUTDOWN-005")
    def test_nothing_is_fetched_after_shutdown(
        self,
        nomos_fresh: RunningProvider,
        nomos_samples: ConfigSamples,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """Known and unknown paths, more than once; then Init, only to see what it does."""
        ask(initialised(nomos_fresh), nomos_samples)
        last = nomos_fresh.shutdown()
        if not last.ok and not closed(last):
            raise Blocked("clause:PROC-SHUTDOWN-001", f"Shutdown answered {last.summary}")
        functions = isinstance(nomos_samples, CallSamples)
        # With a function interface a Fetch finds nothing at any time.
        codes = ("FAILED_PRECONDITION", "NOT_FOUND") if functions else ("FAILED_PRECONDITION",)
        for path in (known_path(nomos_samples), missing_path(nomos_samples), known_path(nomos_samples)):
            answer = nomos_fresh.fetch(path)
            if answer.code not in codes and not closed(answer):
                expected = f"{' or '.join(codes)} or a closed connection for a Fetch after Shutdown"
                raise Violation(expected, answer.summary, last, answer)
        if functions:
            answer = ask(nomos_fresh, nomos_samples)
            nomos_observe("Call after Shutdown", "connection closed" if closed(answer) else answer.code)
        answer = nomos_fresh.init()
        nomos_observe("Init after Shutdown", "connection closed" if closed(answer) else answer.code)

    @clause("PROC-SHUTDOWN-008")
    def test_left_alone_is_recorded(
        self, nomos_fresh: RunningProvider, nomos_observe: Callable[[str, object], None]
    ) -> None:
        """All connections are closed; whether the provider still serves is written down."""
        nomos_fresh.reconnect()
        ended = nomos_fresh.wait(0.1)
        nomos_observe("after its last caller left", ended.words if ended else "runs on")
        if ended is None:
            expect_ok(nomos_fresh.health(), "a provider that runs on also serves on")
