"""A disk that is full: what was acknowledged is kept, and a write that finds no room says so."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.fault import FullDisk
from nomos_contracts.violation import Blocked
from pytest_nomos.chaos import disk
from pytest_nomos.chaos.experiment import LiveExperiment
from pytest_nomos.chaos.journal import read_journal
from pytest_nomos.chaos.readying import readied
from pytest_nomos.chaos.undo import undo_journal

Make = Callable[..., AbstractContextManager[LiveExperiment]]
LENGTH = 100_000


@pytest.fixture(autouse=True)
def _mounts() -> None:
    if not any(disk._works(*way) for way in disk._ways()):
        pytest.skip("this machine lets us mount nothing")


def content(number: int) -> str:
    return f"{number:08d}" * (LENGTH // 8)


def test_no_acknowledged_write_is_lost_on_a_full_disk_and_others_are_refused_for_lack_of_room(
    make: Make, data: Path, tmp_path: Path
) -> None:
    fault = FullDisk(folder=str(data))
    known: dict[str, int] = {}
    with make(ready_for=fault) as x:
        for number in range(3):
            assert x.direct.call("write", {"path": f"{number}.txt", "content": content(number)}).ok
            known[f"{number}.txt"] = number
        with x.inject(fault) as live:
            refused: list[Any] = []
            for number in range(3, 12):
                name = f"{number % 6}.txt"
                answer = x.direct.call("write", {"path": name, "content": content(number)})
                if answer.ok:
                    known[name] = number
                else:
                    refused.append(answer)
            assert refused
            live.bit("writes found no room")
            for answer in refused:
                assert answer.code == "RESOURCE_EXHAUSTED", answer.summary
                assert answer.details["code"] == "CAPACITY_ERROR"
                assert "No space left" in answer.message
            for name, number in known.items():
                assert x.direct.call("read", {"path": name}).value == content(number)
            assert "tmpfs in a mount namespace" in live.mechanism
        assert x.recover(5) < 5
        assert x.direct.call("write", {"path": "after.txt", "content": content(99)}).ok
        names = set(x.direct.call("list", {"path": ""}).value)
        assert names == {"app.json", "after.txt", *known}, "half-written files are left"
    assert {path.name for path in data.iterdir()} == {"app.json"}, "it has written to another disk than its own"
    entries = [type(entry).__name__ for entry in read_journal(tmp_path / "chaos.jsonl").entries]
    assert entries.index("Planned") < entries.index("InForce") < entries.index("Reverted")


def test_the_folder_in_which_it_works_can_be_full_and_it_serves_on(make: Make) -> None:
    with make(ready_for=FullDisk()) as x:
        with x.inject(FullDisk()) as live:
            root = Path(f"/proc/{x.direct.pid}/cwd")
            with pytest.raises(OSError, match="No space left"):
                (root / "probe").write_bytes(b"x" * 10_000)
            live.bit("a write beside it found no room")
            assert x.direct.fetch(("app", "name")).value == "kit"
            (root / "probe").unlink()
        (root / "probe").write_bytes(b"x" * 10_000)
        x.recover(5)


def test_one_that_was_not_started_for_it_cannot_be_struck(make: Make) -> None:
    refused = pytest.raises(Blocked, match="was not started on a disk that can be filled")
    with make() as x, refused as caught, x.inject(FullDisk()):
        pytest.fail("it is in force")
    assert caught.value.by == "environment"


def test_a_folder_that_is_too_large_for_memory_blocks(make: Make, data: Path) -> None:
    with (data / "large.bin").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (disk.MOST + 1024) * 1024)
    fault = FullDisk(folder=str(data))
    with pytest.raises(Blocked, match="does not start") as caught, make(ready_for=fault):
        pytest.fail("it has begun")
    assert "more than 65536 kB" in caught.value.reason


def test_where_nothing_can_be_mounted_it_is_blocked_and_says_what_is_missing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_ways", lambda: iter(()))
    with pytest.raises(Blocked, match="root or user namespaces"), make(ready_for=FullDisk()):
        pytest.fail("it has begun")


def test_it_needs_no_root() -> None:
    """The provider is who it would be otherwise, and sees the files of the folder."""
    if os.geteuid() != 0:
        pytest.skip("every test here shows it already")
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    nobody = pwd.getpwnam("nobody")
    program = (
        "import os; from pathlib import Path; from nomos_contracts.fault import FullDisk;"
        "from pytest_nomos.chaos.readying import readied;"
        "words = readied(('/bin/sh', '-c', 'id -u; cat kept; echo $$'), FullDisk());"
        "os.chdir(os.environ['PLACE']); os.execv(words[0], words)"
    )
    command = [setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--"]
    # Folders of tests are root's alone.
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "kept").write_text("still here\n")
        os.chown(place, nobody.pw_uid, nobody.pw_gid)
        with subprocess.Popen(
            [*command, sys.executable, "-c", program],
            env={**os.environ, "PLACE": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            said, complaint = process.communicate(timeout=30)
    if "Permission denied" in complaint and "python" in complaint:
        pytest.skip("nobody may not read this installation")
    assert said.splitlines() == [str(nobody.pw_uid), "still here", str(process.pid)], complaint


def test_a_run_that_is_killed_leaves_no_disk_full(tmp_path: Path) -> None:
    place, journal = tmp_path / "place", tmp_path / "chaos.jsonl"
    place.mkdir()
    words = readied(("/bin/sh", "-c", "echo ready; exec sleep 60"), FullDisk())
    with subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        owner = (
            "import os; from pathlib import Path; from nomos_contracts.fault import FullDisk;"
            "from pytest_nomos.chaos.ending import Stack; from pytest_nomos.chaos.journal import Journal;"
            "from pytest_nomos.chaos.striking import process_fault;"
            "from pytest_nomos.chaos.subject import ProcessSubject;"
            f"Stack(Journal(Path({str(journal)!r}))).push(process_fault(FullDisk(),"
            f" ProcessSubject.of({process.pid})), 600);"
            f"print(os.statvfs('/proc/{process.pid}/cwd').f_bavail, flush=True); os.kill(os.getpid(), 9)"
        )
        done = subprocess.run([sys.executable, "-c", owner], capture_output=True, text=True, timeout=30, check=False)
        assert done.stdout == "0\n", done.stderr
        assert os.statvfs(f"/proc/{process.pid}/cwd").f_bavail > 0
        said: list[str] = []
        assert not undo_journal(journal, said.append).left
        assert said == ["nothing to do: full_disk: it ended with the run"]
        process.kill()
    assert "nomos-disk" not in Path("/proc/self/mountinfo").read_text()
