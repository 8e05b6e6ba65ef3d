"""A run that is killed at any moment leaves nothing that its journal does not tell how to undo."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from pytest_nomos.chaos.journal import read_journal
from pytest_nomos.chaos.undo import undo_journal
from victims import Victim, kill, state

RUN = """
import random, sys, time
from pathlib import Path
from nomos_contracts.fault import Cpu, Descriptors, FileSize, Memory, Pause
from pytest_nomos.chaos.cpu import DutyCycle
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.journal import Journal
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import ProcessSubject
subject = ProcessSubject.of(int(sys.argv[1]))
for path in map(str.strip, sys.stdin):
    chance = random.Random(path)
    stack = Stack(Journal(Path(path)))
    print("ready", flush=True)
    while True:
        held = []
        for fault in chance.sample([Descriptors(), Memory(), FileSize(), Cpu(percent=50), Pause()], 3):
            duty = isinstance(fault, Cpu) and chance.random() < 0.5
            applied = DutyCycle(fault, subject) if duty else process_fault(fault, subject)
            held.append(stack.push(applied, chance.choice([0.02, 10])))
        time.sleep(chance.random() / 50)
        for one in chance.sample(held, 3):
            one.end()
"""
LIMITS = (resource.RLIMIT_NOFILE, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)
MOMENTS = 20


@pytest.fixture
def runs(victim: Victim) -> Generator[Callable[[], subprocess.Popen[str]]]:
    made: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", RUN, str(victim.pid)]
        made.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return made[-1]

    yield start
    for one in made:
        kill(one)
        one.communicate()


def test_a_run_that_is_killed_at_random_moments_can_be_undone(
    victim: Victim, runs: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    limits = {number: resource.prlimit(victim.pid, number) for number in LIMITS}
    groups = Path(f"/proc/{victim.pid}/cgroup").read_text(encoding="utf-8")
    chance, left = random.Random(5), 0
    following = runs()
    for moment in range(MOMENTS):
        run, following = following, runs()  # which is imported while the other one is at work
        journal = tmp_path / f"{moment}.jsonl"
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(f"{journal}\n")
        run.stdin.flush()
        assert run.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(chance.uniform(0, 0.25))  # the moment
        kill(run)
        said: list[str] = []
        left += state(victim.pid) == "T"
        outcome = undo_journal(journal, said.append)
        assert outcome.left == [], said
        assert victim.ask("ping") == "pong", said
        assert {number: resource.prlimit(victim.pid, number) for number in LIMITS} == limits, said
        assert Path(f"/proc/{victim.pid}/cgroup").read_text(encoding="utf-8") == groups, said
        for entry in read_journal(journal).entries:
            path = (getattr(entry, "undo", None) or {}).get("path")
            assert path is None or not Path(path).exists()
        assert read_journal(journal).open == ()
    assert left  # otherwise no moment was one that matters
