"""Start: the provider runs, listens and answers, a second process of it too."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import START_CLAUSES, blocked_by, closed, first_running, running
from nomos_contracts.process.traffic import burst, known_path
from nomos_contracts.provider import RunningProvider, Start, Starter, StartError, StartFailure, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation, shorten

_ARGUMENTS_READ = 0.3
"""Seconds after the announcement within which a provider has looked at its arguments."""

_CALLERS = 16


def started_or_broken(start: Start, clause_id: str, expected: str) -> RunningProvider:
    """Return the provider of the first start, whose failure is held against the one clause that it broke.

    Args:
        start: the result of the start.
        clause_id: the clause that asks.
        expected: what it asks for, in words.

    Raises:
        Violation: the start failed in a way that breaks *clause_id*.
        Blocked: it failed in another way.
    """
    error = start.error
    if error is not None and START_CLAUSES.get(error.failure) == clause_id:
        raise start_violation(expected, error)
    return first_running(start)


def start_violation(expected: str, error: StartError) -> Violation:
    """Return a failed start as a broken clause, with what the process left as evidence."""
    evidence: dict[str, Any] = {
        "failure": error.failure.value,
        "exit_code": error.exit_code,
        "signal": error.signal,
        "stdout": error.stdout.decode("utf-8", "backslashreplace"),
        "stderr": error.stderr.decode("utf-8", "backslashreplace"),
        "elapsed": round(error.elapsed, 3),
    }
    return Violation(expected, error.message, evidence=evidence)


class StartContract(Contract):
    """A provider is a program that starts without help, listens before it says where, and stays.

    Start it by hand as a host does, with `</dev/null` and from an empty folder, and read stderr. A start is tried once:
    the way in which it fails breaks exactly one clause, and all others are blocked by that one.
    """

    @clause("PROC-START-001")
    def test_system_can_start_it(self, nomos_start: Start) -> None:
        """The file is there, is executable, and its format or interpreter is known here."""
        started_or_broken(nomos_start, "PROC-START-001", "a file that the operating system can start")

    @clause("PROC-START-002")
    def test_keeps_running(self, nomos_start: Start) -> None:
        """It neither exits before its announcement nor dies before it answered."""
        started_or_broken(nomos_start, "PROC-START-002", "a process that keeps running without arguments and input")

    @clause("PROC-START-003")
    def test_listens_where_it_announced(self, nomos_start: Start) -> None:
        """Somebody listens at the announced address when the announcement is there, not a moment later."""
        expected = "a provider that listens at the announced address"
        announced = started_or_broken(nomos_start, "PROC-START-003", expected).announcement
        if announced.unheard:
            got = (
                f"after {announced.line.decode(errors='replace')} the first attempt to connect met: {announced.unheard}"
            )
            raise Violation(f"{expected} before it announces it", got)

    @clause("PROC-START-003")
    def test_accepts_further_connections(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """The first connection is no special one: it can be closed, and others can be open at once."""
        for _ in range(3):
            nomos_provider.reconnect()
            answer = nomos_provider.health()
            if closed(answer):
                raise Violation("an answer over a new connection", answer.summary, answer)
        for pending in burst(nomos_provider, [known_path(nomos_samples)], _CALLERS, 10.0):
            answer = pending.answer(15.0)
            if closed(answer) or answer.code == "DEADLINE_EXCEEDED":
                raise Violation(f"answers to {_CALLERS} callers at once", answer.summary, answer)

    @clause("PROC-START-004")
    def test_speaks_grpc(self, nomos_start: Start) -> None:
        """What listens there understands plaintext HTTP/2 and gRPC."""
        started_or_broken(nomos_start, "PROC-START-004", "gRPC over plaintext HTTP/2 at the announced address")

    @clause("PROC-START-005")
    def test_first_call_is_answered(self, nomos_start: Start, nomos_spawn: Starter, nomos_target: TargetFacts) -> None:
        """The server serves when it is announced, not some seconds later; tried twice before it is held against it."""
        bound = nomos_target.limits["connect_timeout"]
        expected = f"an answer to Health within {bound:g} s of the announcement"
        started_or_broken(nomos_start, "PROC-START-005", expected)
        waited = 0.0
        for _ in range(2):
            began = time.monotonic()
            provider = running(nomos_spawn())
            waited = time.monotonic() - began - provider.announcement.after
            if waited <= bound:
                return
        raise Violation(expected, f"the first answer came after {waited:.1f} s, twice")


class FurtherProcessContract(Contract):
    """A provider shares nothing with another process of itself: callers start one for each alias.

    A failure names what the second process said on stderr, most often that the port is taken.
    """

    @clause("PROC-START-006")
    def test_second_process_starts_beside_the_first(self, nomos_start: Start, nomos_spawn: Starter) -> None:
        """Two processes run at the same time, each at an address of its own, and each answers."""
        first = first_running(nomos_start)
        start = nomos_spawn()
        if start.error is not None:
            if start.error.failure is StartFailure.CANCELLED:
                raise blocked_by(start.error, first=False)
            raise start_violation("a second process that starts beside the first", start.error)
        second = running(start)
        if not first.alive():  # another check ended it
            first = running(nomos_spawn())
        address = second.announcement.address
        if address == first.announcement.address:
            raise Violation("an address of its own for each process", f"both announced {address}")
        for process in (first, second):
            answer = process.health()
            if closed(answer):
                got = f"{process.announcement.address}: {answer.summary}"
                raise Violation("both processes to answer while both run", got, answer)


class ProgramContract(Contract):
    """What an installer and an operator expect of the program itself."""

    @clause("PROC-START-007")
    def test_file_is_not_writable_by_everybody(self, nomos_target: TargetFacts) -> None:
        """Whoever can write the file decides what its users run."""
        if nomos_target.file is None:
            raise NotApplicable("the target is no file")
        try:
            mode = nomos_target.file.stat().st_mode
        except OSError as error:
            raise NotApplicable(f"the target's file cannot be examined: {error.strerror}") from error
        if mode & stat.S_IWOTH:
            raise Violation("a file that others cannot write, such as 0755", f"mode {stat.S_IMODE(mode):04o}")

    @clause("PROC-START-008")
    def test_takes_a_log_level(
        self, nomos_start: Start, nomos_spawn: Starter, nomos_observe: Callable[[str, object], None]
    ) -> None:
        """The flag is accepted as two arguments or as one with an equals sign."""
        first_running(nomos_start)
        start = nomos_spawn(args=("--log-level", "debug"))
        form = "--log-level debug"
        if start.provider is None:
            start = nomos_spawn(args=("--log-level=debug",))
            form = "--log-level=debug"
        expected = "a provider that starts with --log-level debug"
        if start.error is not None:
            raise start_violation(expected, start.error)
        # It may have announced before it looked at its arguments.
        ended = running(start).wait(_ARGUMENTS_READ)
        if ended is not None:
            raise Violation(expected, f"it announced and {ended.words}")
        nomos_observe("log level", form)

    @clause("PROC-START-009")
    def test_exits_when_it_cannot_listen(self, nomos_start: Start, nomos_spawn: Starter, nomos_scratch: Path) -> None:
        """Asked for a socket at a place where none can be, it says so by its exit code and announces nothing."""
        first_running(nomos_start)
        occupied = nomos_scratch / "file"
        occupied.write_bytes(b"")
        start = nomos_spawn(env={"NOMOS_LISTEN": f"unix:{occupied}/socket"})
        if start.provider is not None:
            if start.provider.announcement.form != "UNIX":
                raise NotApplicable("the provider does not know NOMOS_LISTEN and announced a port")
            raise Violation("no announcement of an impossible socket", shorten(start.provider.announcement.line))
        error = start.error
        assert error is not None  # noqa: S101 # a Start holds one of the two
        if error.failure is not StartFailure.EXITED or not error.exit_code:
            raise start_violation("exit with a code other than 0 when it cannot listen", error)
