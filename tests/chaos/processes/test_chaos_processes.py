from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from nomos_contracts.fault import Cpu, Fault, Kill, Latency, Memory, Pause, Terminate
from pytest_nomos.chaos.applied import FaultFailed, Unavailable
from pytest_nomos.chaos.cpu import DutyCycle
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.journal import NotReverted, Reverted, read_journal
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import Identity, ProcessSubject
from victims import Victim, state, until


def test_a_paused_process_stands_still_and_runs_again(stack: Stack, victim: Victim) -> None:
    held = stack.push(process_fault(Pause(), victim.subject), 30)
    assert state(victim.pid) == "T"
    victim.tell("ping")
    assert victim.hear(0.1) is None
    held.end()
    assert victim.hear() == "pong"
    assert f"process {victim.pid} stood still" in held.bites[0]
    assert held.ended_at is not None
    assert held.escalated == ""


@pytest.mark.parametrize("leads", [True, False])
def test_a_pause_strikes_what_the_process_started(stack: Stack, victims: Callable[..., Victim], leads: bool) -> None:
    victim = victims(leads=leads)
    child = int(victim.ask("child") or 0)
    subject = ProcessSubject.of(victim.pid)
    assert subject.group == (victim.pid if leads else None)
    held = stack.push(process_fault(Pause(), subject), 30)
    assert [state(victim.pid), state(child)] == ["T", "T"]
    held.end()
    assert "T" not in {state(victim.pid), state(child)}


def test_two_pauses_end_when_both_have_ended_in_any_order(stack: Stack, victim: Victim) -> None:
    first = stack.push(process_fault(Pause(), victim.subject), 30)
    second = stack.push(process_fault(Pause(), victim.subject), 30)
    first.end()
    assert state(victim.pid) == "T"
    second.end()
    assert victim.ask("ping") == "pong"


def test_a_group_is_paused_and_continued_after_its_leader_was_killed(stack: Stack, victim: Victim) -> None:
    child = int(victim.ask("child") or 0)
    assert child in {one.pid for one in victim.subject.members()}
    stack.push(process_fault(Kill(), victim.subject), 30)
    victim.process.wait()
    try:
        # The kernel continues a stopped group by itself when it loses its leader; so the leader goes first.
        pause = stack.push(process_fault(Pause(), victim.subject), 30)
        assert state(child) == "T"
        pause.end()
        assert state(child) in {"R", "S"}
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_provider_that_listens_for_the_end_of_a_pause_hears_of_one_for_each(stack: Stack, victim: Victim) -> None:
    victim.ask("counting")
    stack.push(process_fault(Pause(), victim.subject), 30).end()
    assert victim.ask("continued") == "1"
    # Two signals at once may be heard as one; so what looks whether it runs is asked by itself, too.
    assert victim.subject.run_again(1) == ()
    assert victim.ask("continued") == "1"


def test_a_process_that_does_not_run_again_is_killed_and_that_is_reported(stack: Stack, victim: Victim) -> None:
    victim.ask("stubborn")
    held = stack.push(process_fault(Pause(), victim.subject), 30)
    held.end()
    assert victim.process.wait(10) == -signal.SIGKILL
    assert held.escalated == f"process {victim.pid} did not run again after SIGCONT: killed"
    last = read_journal(stack.journal.path).entries[-1]
    assert isinstance(last, Reverted)
    assert last.escalated == held.escalated
    assert not any(isinstance(entry, NotReverted) for entry in read_journal(stack.journal.path).entries)


def test_kill_takes_the_main_process_and_nothing_else(stack: Stack, victim: Victim) -> None:
    child = int(victim.ask("child") or 0)
    try:
        held = stack.push(process_fault(Kill(), victim.subject), 30)
        assert state(victim.pid) in {"Z", ""}
        assert state(child) in {"R", "S"}
        held.end()
        assert held.bites == [f"process {victim.pid} is gone"]
    finally:
        os.kill(child, signal.SIGKILL)


def test_terminate_asks_and_says_whether_the_process_ended(stack: Stack, victim: Victim) -> None:
    held = stack.push(process_fault(Terminate(), victim.subject), 30)
    assert victim.process.wait(10) == -signal.SIGTERM
    held.end()
    assert held.bites == [f"process {victim.pid} ended"]


def test_terminate_that_is_ignored_did_not_bite(stack: Stack, victim: Victim) -> None:
    victim.ask("deaf")
    held = stack.push(process_fault(Terminate(), victim.subject), 30)
    held.end()
    assert victim.ask("ping") == "pong"
    assert held.bites == []


@pytest.mark.parametrize("by_handle", [True, False])
@pytest.mark.parametrize("fault", [Pause(), Kill(), Terminate(), Cpu(percent=50)], ids=lambda fault: fault.words)
def test_another_process_with_the_same_number_is_not_struck(
    stack: Stack, victim: Victim, fault: Fault, by_handle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not by_handle:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    earlier = ProcessSubject(Identity(victim.pid, victim.subject.main.started - 1), victim.pid)
    with pytest.raises(FaultFailed, match="is another one now"):
        stack.push(process_fault(fault, earlier), 30)
    assert earlier.members() == ()
    assert victim.ask("ping") == "pong"
    assert state(victim.pid) != "T"


def test_signals_reach_a_group_without_process_handles_too(
    stack: Stack, victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    child = int(victim.ask("child") or 0)
    held = stack.push(process_fault(Pause(), victim.subject), 30)
    assert [state(victim.pid), state(child)] == ["T", "T"]
    held.end()
    assert victim.ask("ping") == "pong"


def test_a_limit_of_another_process_with_the_same_number_is_not_touched(victim: Victim) -> None:
    earlier = ProcessSubject(Identity(victim.pid, victim.subject.main.started - 1), victim.pid)
    with pytest.raises(Unavailable, match="is another one now"):
        process_fault(Memory(), earlier)


def test_the_run_itself_and_what_started_it_are_no_subjects() -> None:
    for pid in (os.getpid(), os.getppid(), 1, 2**22 + 1):
        with pytest.raises(Unavailable):
            ProcessSubject.of(pid)


def test_a_network_fault_is_no_fault_of_a_process(victim: Victim) -> None:
    with pytest.raises(Unavailable, match="no fault of a process"):
        process_fault(Latency(ms=1), victim.subject)


def test_a_duty_cycle_takes_away_its_share_and_leaves_the_process_running(stack: Stack, victim: Victim) -> None:
    held = stack.push(DutyCycle(Cpu(percent=20), victim.subject), 30)
    throttled = float(victim.ask("burn 1") or 0)
    held.end()
    # Of a whole second it got a fifth; a machine that is busy gives less, never more.
    assert throttled < 0.5
    assert held.bites[0].startswith("stopped ")
    assert "duty cycle" in held.mechanism
    assert victim.ask("ping") == "pong"


def test_a_pause_holds_during_a_duty_cycle(stack: Stack, victim: Victim) -> None:
    cycle = stack.push(DutyCycle(Cpu(percent=50), victim.subject), 30)
    pause = stack.push(process_fault(Pause(), victim.subject), 30)
    victim.tell("ping")
    assert victim.hear(0.3) is None
    cycle.end()
    assert state(victim.pid) == "T"
    pause.end()
    assert victim.hear() == "pong"


def test_a_duty_cycle_ends_by_itself_with_its_process(stack: Stack, victim: Victim) -> None:
    held = stack.push(DutyCycle(Cpu(percent=50), victim.subject), 30)
    victim.process.kill()
    victim.process.wait()
    assert until(lambda: not held._applied._thread.is_alive())  # type: ignore[attr-defined]
    held.end()
