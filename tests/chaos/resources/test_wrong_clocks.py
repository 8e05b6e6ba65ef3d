"""A clock that jumps: by libfaketime, for programs that are linked dynamically."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from nomos_contracts.fault import Clock
from nomos_contracts.violation import Blocked
from pytest_nomos.chaos import clock
from pytest_nomos.chaos.applied import Unavailable
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.experiment import LiveExperiment
from pytest_nomos.chaos.journal import Journal
from pytest_nomos.chaos.readying import readied
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import ProcessSubject
from pytest_nomos.chaos.undo import undo_journal

Make = Callable[..., AbstractContextManager[LiveExperiment]]
DAY = 86_400
TELLS = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"


class Teller:
    """A process that tells both of its clocks."""

    def __init__(self, folder: Path) -> None:
        place = folder / "place"
        place.mkdir()
        self.file = folder / f"place{clock.SUFFIX}"
        self.process = subprocess.Popen(
            readied((sys.executable, "-u", "-c", TELLS), Clock(shift=DAY)),
            cwd=place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.ask()
        self.subject = ProcessSubject.of(self.process.pid)

    def ask(self) -> tuple[float, float]:
        """Return how far its time of day and its monotonic clock are from ours."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("now\n")
        self.process.stdin.flush()
        day, steady = map(float, self.process.stdout.readline().split())
        return day - time.time(), steady - time.monotonic()


@pytest.fixture
def teller(tmp_path: Path, component: Callable[[str], str]) -> Iterator[Teller]:
    component("faketime")
    made = Teller(tmp_path)
    with made.process:
        yield made
        made.process.kill()


@pytest.mark.parametrize("shift", [DAY, -DAY])
def test_the_time_of_day_jumps_and_the_monotonic_clock_does_not(teller: Teller, tmp_path: Path, shift: int) -> None:
    with Stack(Journal(tmp_path / "chaos.jsonl")) as stack:
        held = stack.push(process_fault(Clock(shift=shift), teller.subject), 30)
        day, steady = teller.ask()
        assert abs(day - shift) < 60
        assert abs(steady) < 60
        held.end()
        assert "read the time of day" in held.bites[0]
        assert abs(teller.ask()[0]) < 60


def test_one_that_does_not_look_at_its_clock_is_not_bitten(teller: Teller, tmp_path: Path) -> None:
    with Stack(Journal(tmp_path / "chaos.jsonl")) as stack:
        held = stack.push(process_fault(Clock(shift=DAY), teller.subject), 30)
        held.end()
        assert held.bites == []


def test_what_a_killed_run_left_wrong_is_set_right_by_its_journal(teller: Teller, tmp_path: Path) -> None:
    journal = tmp_path / "chaos.jsonl"
    program = (
        "import os, sys; from pathlib import Path; from nomos_contracts.fault import Clock;"
        "from pytest_nomos.chaos.ending import Stack; from pytest_nomos.chaos.journal import Journal;"
        "from pytest_nomos.chaos.striking import process_fault; from pytest_nomos.chaos.subject import ProcessSubject;"
        f"Stack(Journal(Path({str(journal)!r}))).push(process_fault(Clock(shift={DAY}),"
        f" ProcessSubject.of({teller.process.pid})), 600); os.kill(os.getpid(), {int(signal.SIGKILL)})"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == -signal.SIGKILL
    assert abs(teller.ask()[0] - DAY) < 60
    said: list[str] = []
    assert undo_journal(journal, said.append).done
    assert "set right" in said[0]
    assert abs(teller.ask()[0]) < 60
    assert not undo_journal(journal, said.append).done
    planned = json.loads(journal.read_text().splitlines()[0])
    assert planned["undo"]["kind"] == "clock"


def test_what_is_linked_statically_cannot_be_struck_and_says_so(
    tmp_path: Path, component: Callable[[str], str]
) -> None:
    component("faketime")
    go = component("go")
    (tmp_path / "main.go").write_text('package main\nimport "time"\nfunc main() { time.Sleep(time.Hour) }\n')
    environment = {**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off", "GOCACHE": str(tmp_path / "cache")}
    built = tmp_path / "static"
    subprocess.run([go, "build", "-o", built, "main.go"], cwd=tmp_path, env=environment, check=True, timeout=120)
    place = tmp_path / "place"
    place.mkdir()
    process = subprocess.Popen(readied((str(built),), Clock(shift=DAY)), cwd=place, stderr=subprocess.DEVNULL)
    try:
        while Path(f"/proc/{process.pid}/exe").resolve() != built:
            assert process.poll() is None
            time.sleep(0.01)
        with pytest.raises(Unavailable, match="linked statically"):
            process_fault(Clock(shift=DAY), ProcessSubject.of(process.pid))
    finally:
        process.kill()
        process.wait()


def test_without_the_library_it_is_blocked_and_says_what_to_install(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "find_library", lambda: None)
    with pytest.raises(Blocked, match="install it") as caught, make(ready_for=Clock(shift=DAY)):
        pytest.fail("it has begun")
    assert caught.value.by == "environment"


def test_a_library_that_does_nothing_is_found_out(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "libnothing.so"
    other.write_bytes(b"")
    monkeypatch.setenv(clock.NAMED, str(other))
    with pytest.raises(Blocked, match="does not work here"), make(ready_for=Clock(shift=DAY)):
        pytest.fail("it has begun")


def test_a_provider_serves_on_while_its_clock_is_a_day_off(make: Make, component: Callable[[str], str]) -> None:
    component("faketime")
    with make(ready_for=Clock(shift=DAY)) as x:
        with x.inject(Clock(shift=DAY)) as live:
            for _ in range(5):
                assert x.direct.fetch(("app", "name"), timeout=5).value == "kit"
            assert live.mechanism.startswith("libfaketime")
        x.recover(5)
        assert list(x.direct.scratch.iterdir()) == []
