from __future__ import annotations

import resource
from pathlib import Path

import pytest

from nomos_contracts.fault import Cpu, Descriptors, Fault, FileSize, Memory
from pytest_nomos.chaos import limits
from pytest_nomos.chaos.applied import FaultFailed, RevertFailed, Unavailable
from pytest_nomos.chaos.cpu import CpuGroup, DutyCycle, Place, places, throttle
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import ProcessSubject
from victims import Victim, state


def test_descriptors_are_used_up_and_there_again(stack: Stack, victim: Victim) -> None:
    before = resource.prlimit(victim.pid, resource.RLIMIT_NOFILE)
    held = stack.push(process_fault(Descriptors(), victim.subject), 30)
    assert victim.ask("open") == "EMFILE"
    held.end()
    assert resource.prlimit(victim.pid, resource.RLIMIT_NOFILE) == before
    assert victim.ask("open") not in {"EMFILE", None}


def test_as_many_descriptors_are_spare_as_the_fault_says_holes_included(stack: Stack, victim: Victim) -> None:
    opened = [victim.ask("open") for _ in range(5)]
    victim.ask(f"close {opened[1]}")  # a hole
    held = stack.push(process_fault(Descriptors(spare=2), victim.subject), 30)
    assert held._applied.bite() == ""
    assert victim.ask("open") == opened[1]
    assert "EMFILE" not in str(victim.ask("open"))
    assert victim.ask("open") == "EMFILE"
    held.end()
    assert "in use" in held.bites[0]


def test_memory_runs_out_and_comes_back(stack: Stack, victim: Victim) -> None:
    before = resource.prlimit(victim.pid, resource.RLIMIT_DATA)
    assert victim.ask("take 64") == "done"
    held = stack.push(process_fault(Memory(spare=8), victim.subject), 30)
    assert victim.ask("take 64") == "MemoryError"
    held.end()
    assert victim.ask("take 64") == "done"
    assert resource.prlimit(victim.pid, resource.RLIMIT_DATA) == before


def test_files_end_at_their_limit(stack: Stack, victim: Victim, tmp_path: Path) -> None:
    held = stack.push(process_fault(FileSize(limit=10), victim.subject), 30)
    assert victim.ask(f"write 100 {tmp_path}") == "10"
    held.end()
    assert victim.ask(f"write 100 {tmp_path}") == "100"


def test_two_limits_of_one_kind_end_in_any_order(stack: Stack, victim: Victim) -> None:
    before = resource.prlimit(victim.pid, resource.RLIMIT_FSIZE)
    first = stack.push(process_fault(FileSize(limit=100), victim.subject), 30)
    second = stack.push(process_fault(FileSize(limit=10), victim.subject), 30)
    first.end()
    assert resource.prlimit(victim.pid, resource.RLIMIT_FSIZE)[0] == 10
    second.end()
    assert resource.prlimit(victim.pid, resource.RLIMIT_FSIZE) == before


def test_a_limit_that_the_process_raised_itself_is_left_as_it_is(stack: Stack, victim: Victim) -> None:
    hard = resource.prlimit(victim.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, (100, hard))
    held = stack.push(process_fault(Descriptors(spare=20), victim.subject), 30)
    victim.ask("raise-limit")
    held.end()
    assert resource.prlimit(victim.pid, resource.RLIMIT_NOFILE) == (hard, hard)


def test_a_limit_that_is_lower_already_is_no_fault(stack: Stack, victim: Victim) -> None:
    resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, (100, 100))
    with pytest.raises(FaultFailed, match="is 100 already"):
        stack.push(process_fault(Descriptors(spare=1000), victim.subject), 30)
    assert resource.prlimit(victim.pid, resource.RLIMIT_NOFILE) == (100, 100)


def test_a_limit_that_does_not_take_is_a_failed_fault(
    stack: Stack, victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = resource.prlimit
    monkeypatch.setattr(resource, "prlimit", lambda pid, number, *values: real(pid, number))
    with pytest.raises(FaultFailed, match="after it was set"):
        stack.push(process_fault(FileSize(limit=10), victim.subject), 30)


def test_a_limit_that_cannot_be_set_back_is_said_and_tried_again(
    stack: Stack, victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = stack.push(process_fault(FileSize(limit=10), victim.subject), 30)
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> bool:
            raise PermissionError(1, "Operation not permitted")

        patch.setattr(limits, "restore", refuse)
        with pytest.raises(RevertFailed, match=r"RLIMIT_FSIZE of process \d+ cannot be set back to unlimited"):
            held.end()
    assert held.ended_at is None
    held.end()
    assert resource.prlimit(victim.pid, resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize("fault", [Descriptors(), Memory(), FileSize()], ids=lambda fault: fault.words)
def test_without_prlimit_limits_are_unavailable(victim: Victim, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(resource, "prlimit")
    with pytest.raises(Unavailable, match="prlimit, which only Linux has"):
        process_fault(fault, victim.subject)


def test_the_kernel_holds_a_process_back_where_control_groups_can_be_made(stack: Stack, victim: Victim) -> None:
    fault = throttle(Cpu(percent=20), victim.subject)
    if not isinstance(fault, CpuGroup):
        pytest.skip("no control group with a quota can be made here")
    child = int(victim.ask("child") or 0)
    folder = Path(str(fault.undo["path"]))
    held = stack.push(fault, 30)
    assert {str(victim.pid), str(child)} <= set((folder / "cgroup.procs").read_text(encoding="ascii").split())
    assert float(victim.ask("burn 1") or 0) < 0.5
    held.end()
    assert "held back by the kernel" in held.bites[0]
    assert not folder.exists()
    assert state(victim.pid) == "S"


def test_a_process_that_was_idle_was_not_held_back(stack: Stack, victim: Victim) -> None:
    fault = throttle(Cpu(percent=90), victim.subject)
    if not isinstance(fault, CpuGroup):
        pytest.skip("no control group with a quota can be made here")
    held = stack.push(fault, 30)
    held.end()
    assert held.bites == []


def test_without_rights_to_a_control_group_a_duty_cycle_is_used(
    victim: Victim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not Place(2, tmp_path, tmp_path).usable
    monkeypatch.setattr("pytest_nomos.chaos.cpu.places", lambda subject: iter([Place(2, tmp_path, tmp_path)]))
    assert isinstance(process_fault(Cpu(percent=20), victim.subject), DutyCycle)


@pytest.mark.parametrize(
    ("mountinfo", "own", "enabled", "expected"),
    [
        ("30 29 0:26 / {root} rw - cgroup2 cgroup2 rw", "0::/user/app", "user", ("user/app", "user")),
        ("30 29 0:26 / {root} rw - cgroup2 cgroup2 rw", "0::/", "", ("", "")),
        ("30 29 0:26 / {root} rw - cgroup2 cgroup2 rw", "0::/user/app", None, None),
        ("30 29 0:26 /box {root} rw - cgroup2 cgroup2 rw", "0::/box/user/app", "user", ("user/app", "user")),
        ("30 29 0:26 / {root} rw - cgroup cgroup rw,cpu,cpuacct", "3:cpu,cpuacct:/app", None, ("app", "app")),
        ("30 29 0:26 / {root} rw - cgroup cgroup rw,memory", "3:memory:/app", None, None),
    ],
)
def test_the_place_of_a_control_group_is_read_off_the_mounts(
    victim: Victim,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mountinfo: str,
    own: str,
    enabled: str | None,
    expected: tuple[str, str] | None,
) -> None:
    if enabled is not None:
        (tmp_path / enabled).mkdir(exist_ok=True)
        (tmp_path / enabled / "cgroup.subtree_control").write_text("memory cpu\n", encoding="ascii")
    real = Path.read_text

    def read(path: Path, **how: str) -> str:
        if str(path) == "/proc/self/mountinfo":
            return mountinfo.format(root=tmp_path) + "\n"
        if str(path) == f"/proc/{victim.pid}/cgroup":
            return own + "\n"
        return real(path, **how)

    monkeypatch.setattr(Path, "read_text", read)
    found = [(place.home, place.parent) for place in places(ProcessSubject(victim.subject.main, None))]
    assert found == ([] if expected is None else [(tmp_path / expected[0], tmp_path / expected[1])])
