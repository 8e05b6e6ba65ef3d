from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.fault import Down, Fault, FileSize, Pause
from pytest_nomos.chaos.applied import FaultFailed, RevertFailed
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.journal import Journal, Planned, read_journal
from pytest_nomos.chaos.striking import process_fault
from victims import Victim, state, until


class Recorded:
    """A fault that writes down what is asked of it, and fails where it is told to."""

    mechanism = "recorded"
    undo: Mapping[str, Any] | None = None

    def __init__(self, name: str, log: list[str], **fails: BaseException) -> None:
        self.fault: Fault = Down()
        self.name, self.log, self.fails = name, log, dict(fails)

    def _do(self, what: str) -> None:
        self.log.append(f"{what} {self.name}")
        if what in self.fails:
            raise self.fails[what]

    def apply(self) -> None:
        self._do("apply")

    def verify(self) -> None:
        self._do("verify")

    def revert(self) -> None:
        self._do("revert")

    def bite(self) -> str:
        self._do("bite")
        return ""


def reverts(log: list[str]) -> list[str]:
    return [line.removeprefix("revert ") for line in log if line.startswith("revert")]


def events(stack: Stack) -> list[str]:
    return [entry.event for entry in read_journal(stack.journal.path).entries]


def test_faults_are_ended_last_in_first_out(stack: Stack) -> None:
    log: list[str] = []
    for name in "abc":
        stack.push(Recorded(name, log), 30)
    stack.close()
    assert reverts(log) == ["c", "b", "a"]


def test_a_fault_stands_in_the_journal_before_it_is_applied(stack: Stack) -> None:
    seen: list[list[str]] = []
    fault = Recorded("a", [])
    fault.apply = lambda: seen.append(events(stack))  # type: ignore[method-assign]
    fault.verify = lambda: seen.append(events(stack))  # type: ignore[method-assign]
    held = stack.push(fault, 30)
    held.bit("felt")
    held.bit("felt")
    held.end()
    assert seen == [["planned"], ["planned", "applied"]]
    assert events(stack) == ["planned", "applied", "bit", "reverted"]
    assert held.bites == ["felt"]


def test_every_fault_is_ended_also_when_others_cannot_be(stack: Stack) -> None:
    log: list[str] = []
    stack.push(Recorded("a", log), 30)
    broken = Recorded("b", log, revert=RevertFailed("b is stuck"))
    worse = Recorded("c", log, revert=OSError("c broke"), bite=OSError("nobody looks"))
    stack.push(broken, 30)
    stack.push(worse, 30)
    with pytest.raises(RevertFailed) as failed:
        stack.close()
    assert reverts(log) == ["c", "b", "a"]
    assert "OSError: c broke" in str(failed.value)
    assert "b is stuck" in str(failed.value)
    assert events(stack).count("revert_failed") == 2
    assert len(read_journal(stack.journal.path).open) == 2
    broken.fails.clear()
    worse.fails.clear()
    stack.close()
    assert read_journal(stack.journal.path).open == ()


def test_an_interrupt_waits_until_all_are_ended(stack: Stack) -> None:
    log: list[str] = []
    stack.push(Recorded("a", log), 30)
    stack.push(Recorded("b", log, revert=KeyboardInterrupt()), 30)
    with pytest.raises(KeyboardInterrupt):
        stack.close()
    assert reverts(log) == ["b", "b", "a"]
    stack._held[1]._applied.fails.clear()  # type: ignore[attr-defined]


def test_ending_twice_ends_once(stack: Stack) -> None:
    log: list[str] = []
    held = stack.push(Recorded("a", log), 30)
    held.end()
    at = held.ended_at
    held.end()
    assert held.ended_at == at
    assert reverts(log) == ["a"]


def test_many_threads_end_a_fault_once(stack: Stack) -> None:
    log: list[str] = []
    held = stack.push(Recorded("a", log), 30)
    threads = [threading.Thread(target=held.end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reverts(log) == ["a"]


def test_a_fault_whose_time_is_up_ends_by_itself(stack: Stack, victim: Victim) -> None:
    held = stack.push(process_fault(Pause(), victim.subject), 0.2)
    assert state(victim.pid) == "T"
    assert victim.ask("ping") == "pong"
    assert until(lambda: held.ended_at is not None)
    assert held.expired
    assert (held.ended_at or 0) - held.started_at >= 0.2


def test_a_fault_that_was_ended_does_not_expire_and_leaves_no_thread(stack: Stack) -> None:
    before = threading.active_count()
    log: list[str] = []
    held = stack.push(Recorded("a", log), 30)
    assert threading.active_count() == before + 1
    held.end()
    assert threading.active_count() == before
    assert not held.expired


def test_what_could_not_be_ended_in_time_is_said_and_tried_again(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    fault = Recorded("a", [], revert=RevertFailed("stuck"))
    held = stack.push(fault, 0.01)
    assert until(lambda: held.trouble)
    assert until(lambda: "its time was up and it could not be ended: down: stuck" in capfd.readouterr().err)
    fault.fails.clear()
    held.end()
    assert held.trouble == ""
    assert events(stack)[-2:] == ["revert_failed", "reverted"]


@pytest.mark.parametrize("step", ["apply", "verify"])
@pytest.mark.parametrize("error", [FaultFailed("no"), KeyboardInterrupt()], ids=["failed", "interrupt"])
def test_a_fault_that_did_not_take_hold_is_ended(stack: Stack, step: str, error: BaseException) -> None:
    log: list[str] = []
    with pytest.raises(type(error)):
        stack.push(Recorded("a", log, **{step: error}), 30)
    assert reverts(log) == ["a"]
    assert events(stack)[-2:] == ["failed", "reverted"]
    assert read_journal(stack.journal.path).open == ()


def test_nothing_is_injected_that_cannot_be_written_down(victim: Victim) -> None:
    journal = Journal(Path("/dev/full"))
    with Stack(journal) as stack, pytest.raises(FaultFailed, match="No space left on device; so nothing was injected"):
        stack.push(process_fault(Pause(), victim.subject), 30)
    assert victim.ask("ping") == "pong"


def test_a_journal_that_is_full_later_ends_the_fault(
    stack: Stack, victim: Victim, capfd: pytest.CaptureFixture[str]
) -> None:
    fault = process_fault(Pause(), victim.subject)
    real = fault.apply

    def apply() -> None:
        real()
        stack.journal.path = Path("/dev/full")

    fault.apply = apply  # type: ignore[method-assign]
    with pytest.raises(FaultFailed, match="No space left"):
        stack.push(fault, 30)
    assert victim.ask("ping") == "pong"
    assert "No space left" in capfd.readouterr().err


def test_a_fault_that_nothing_would_end_in_time_is_ended_at_once(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    log: list[str] = []
    monkeypatch.setattr(threading.Timer, "start", refuse)
    with pytest.raises(FaultFailed, match="can't start new thread"):
        stack.push(Recorded("a", log), 30)
    assert reverts(log) == ["a"]


def test_nothing_is_injected_after_the_end(stack: Stack) -> None:
    stack.close()
    with pytest.raises(FaultFailed, match="over"):
        stack.push(Recorded("a", []), 30)
    with pytest.raises(ValueError, match="longer than 0 seconds"):
        stack.push(Recorded("a", []), 0)


RUN = """
import os, signal, sys, threading, time
from pathlib import Path
from nomos_contracts.fault import FileSize, Pause
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.journal import Journal
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import ProcessSubject
stack = Stack(Journal(Path(sys.argv[1])))
subject = ProcessSubject.of(int(sys.argv[2]))
for fault in (FileSize(limit=10), Pause()):
    stack.push(process_fault(fault, subject), 60)
print("in force", flush=True)
if sys.argv[3] == "exit":
    sys.exit(3)
if sys.argv[3] == "raise":
    raise RuntimeError("the test failed")
if sys.argv[3] == "fork":
    if not os.fork():
        sys.exit(0)
    os.wait()
    print("forked", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["exit", "raise", "interrupt"])
def test_what_is_in_force_when_the_interpreter_ends_is_ended(victim: Victim, tmp_path: Path, how: str) -> None:
    journal = tmp_path / "run.jsonl"
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(journal), str(victim.pid), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == "in force\n"
        if how == "interrupt":
            run.send_signal(signal.SIGINT)
        run.wait(20)
    assert read_journal(journal).open == ()
    assert victim.ask("write 100 /tmp") == "100"


def test_a_fork_that_ends_ends_no_fault_of_its_parent(victim: Victim, tmp_path: Path) -> None:
    journal = tmp_path / "run.jsonl"
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(journal), str(victim.pid), "fork"], stdout=subprocess.PIPE, text=True
    )
    with run:
        assert run.stdout is not None
        assert [run.stdout.readline(), run.stdout.readline()] == ["in force\n", "forked\n"]
        assert state(victim.pid) == "T"
        run.send_signal(signal.SIGINT)
    assert victim.ask("ping") == "pong"


def test_the_journal_says_how_long_a_fault_may_last_and_how_it_is_undone(stack: Stack, victim: Victim) -> None:
    stack.push(process_fault(FileSize(limit=10), victim.subject), 7)
    planned = read_journal(stack.journal.path).open[0]
    assert isinstance(planned, Planned)
    assert planned.ttl == 7
    assert planned.undo is not None
    assert planned.undo["kind"] == "rlimit"
    assert planned.fault == {"kind": "file_size", "limit": 10}
