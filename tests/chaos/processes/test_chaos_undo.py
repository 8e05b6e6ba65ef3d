from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.fault import Cpu
from pytest_nomos.chaos.cpu import CpuGroup, throttle
from pytest_nomos.chaos.journal import read_journal
from pytest_nomos.sweep.owner import Owner
from victims import Victim, kill, state, until

RUN = """
import sys, time
from pathlib import Path
from nomos_contracts.fault import Cpu, Descriptors, FileSize, Kill, Memory, Pause
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.journal import Journal
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import ProcessSubject
stack = Stack(Journal(Path(sys.argv[1])))
subject = ProcessSubject.of(int(sys.argv[2]))
for fault in eval(sys.argv[3]):
    stack.push(process_fault(fault, subject), 60)
print("in force", flush=True)
time.sleep(60)
"""
FAULTS = "Descriptors(), Memory(spare=8), FileSize(limit=10), FileSize(limit=5), Cpu(percent=50), Pause()"
LIMITS = (resource.RLIMIT_NOFILE, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)


def undo(journal: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest_nomos.cli", "chaos", "undo", str(journal), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return done.stdout.splitlines()


@pytest.fixture
def faults() -> str:
    return FAULTS


@pytest.fixture
def run(victim: Victim, tmp_path: Path, faults: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", RUN, str(tmp_path / "run.jsonl"), str(victim.pid), faults]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == "in force\n"
            yield run
        finally:
            kill(run)


def written(path: Path, undo: object, owner: str = "", fault: str = "pause") -> Path:
    """Write the journal of a run that has ended, with one fault in force."""
    if not owner:
        ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        owner = str(Owner.of_process(ended.pid))
        ended.communicate(b"\n")
    planned = {"at": 1, "wall": "2026-11-21T11:00:00Z", "id": "a", "event": "planned", "mechanism": "m"}
    planned |= {"fault": {"kind": fault}, "undo": undo, "owner": owner}
    path.write_text(json.dumps(planned) + "\n", encoding="utf-8")
    return path


def stopped(victim: Victim, by: int = 0) -> dict[str, Any]:
    main = victim.subject.main
    return {"kind": "continue", "pid": main.pid, "started": main.started + by, "group": main.pid, "members": []}


def test_what_a_killed_run_left_is_put_right(victim: Victim, run: subprocess.Popen[str], tmp_path: Path) -> None:
    journal = tmp_path / "run.jsonl"
    limits = {number: resource.prlimit(run.pid, number) for number in LIMITS}
    kill(run)
    assert state(victim.pid) == "T"
    assert resource.prlimit(victim.pid, resource.RLIMIT_FSIZE)[0] == 5
    done = undo(journal)
    assert done.returncode == 0, done.stdout + done.stderr
    assert victim.ask("ping") == "pong"
    assert {number: resource.prlimit(victim.pid, number) for number in LIMITS} == limits
    group = Path(f"/proc/{victim.pid}/cgroup").read_text(encoding="utf-8")
    assert "nomos-" not in group
    said = lines(done)
    assert len(said) == 6
    # Continued first; then last in, first out.
    assert [line.split(": ")[1] for line in said if "cpu(50)" not in line] == [
        "pause",
        "file_size(5)",
        "file_size(10)",
        "memory(8)",
        "descriptors(0)",
    ]
    assert said[0].startswith("undone: pause")
    assert read_journal(journal).open == ()
    again = undo(journal)
    assert (again.returncode, lines(again)) == (0, ["nothing to undo: every fault in the journal has ended"])


def test_a_control_group_of_a_killed_run_is_removed(victim: Victim, tmp_path: Path) -> None:
    fault = throttle(Cpu(percent=50), victim.subject)
    if not isinstance(fault, CpuGroup):
        pytest.skip("no control group with a quota can be made here")
    fault.apply()
    folder = Path(str(fault.undo["path"]))
    try:
        done = undo(written(tmp_path / "j.jsonl", fault.undo))
        assert (done.returncode, lines(done)) == (0, [f"undone: pause: control group {folder} removed"])
        assert not folder.exists()
    finally:
        fault.revert()


# Where there are no control groups, a run that throttles stops the process again and again as long as it is alive.
@pytest.mark.parametrize("faults", ["Descriptors(), Pause()"])
def test_nothing_is_undone_while_the_run_is_alive(victim: Victim, run: subprocess.Popen[str], tmp_path: Path) -> None:
    journal = tmp_path / "run.jsonl"
    before = journal.read_bytes()
    refused = undo(journal)
    assert refused.returncode == 4
    assert f"is alive (process {run.pid})" in refused.stderr
    assert "--even-if-alive" in refused.stderr
    assert state(victim.pid) == "T"
    assert journal.read_bytes() == before
    assert undo(journal, "--even-if-alive").returncode == 0
    assert victim.ask("ping") == "pong"


def test_another_process_with_the_number_is_left_alone(victim: Victim, tmp_path: Path) -> None:
    victim.subject.stop()
    done = undo(written(tmp_path / "j.jsonl", stopped(victim, by=-1)))
    assert done.returncode == 0
    assert lines(done) == [f"nothing to do: pause: process {victim.pid} is gone, or is another one now"]
    assert state(victim.pid) == "T"
    hard = resource.prlimit(victim.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, (50, hard))
    recipe = {"kind": "rlimit", "pid": victim.pid, "started": victim.subject.main.started - 1, "soft": 60}
    done = undo(written(tmp_path / "k.jsonl", recipe | {"limit": "RLIMIT_NOFILE"}))
    assert "is another one now" in done.stdout
    assert resource.prlimit(victim.pid, resource.RLIMIT_NOFILE)[0] == 50


def test_a_process_that_does_not_run_again_is_left_and_said(victim: Victim, tmp_path: Path) -> None:
    victim.ask("stubborn")
    victim.subject.stop()
    journal = written(tmp_path / "j.jsonl", stopped(victim))
    done = undo(journal)
    assert done.returncode == 1
    assert lines(done)[0].startswith(f"left: pause: process {victim.pid} stands still after SIGCONT")
    assert until(lambda: state(victim.pid) == "T")  # and was not killed
    assert len(read_journal(journal).open) == 1
    victim.process.kill()
    victim.process.wait()
    assert undo(journal).returncode == 0


def test_the_journal_of_another_machine_or_an_earlier_boot_strikes_nobody(victim: Victim, tmp_path: Path) -> None:
    victim.subject.stop()
    here = Owner.of_process()
    elsewhere = str(Owner("00000000", here.boot, 99, 1))
    refused = undo(written(tmp_path / "j.jsonl", stopped(victim), elsewhere))
    assert refused.returncode == 4
    assert "another machine" in refused.stderr
    earlier = str(Owner(here.machine, "00000000", 99, 1))
    done = undo(written(tmp_path / "k.jsonl", stopped(victim), earlier))
    assert (done.returncode, lines(done)) == (0, ["nothing to do: pause: the machine was started again since"])
    assert state(victim.pid) == "T"


def test_a_way_to_undo_that_is_not_known_is_left(tmp_path: Path) -> None:
    done = undo(written(tmp_path / "j.jsonl", {"kind": "spell"}))
    assert (done.returncode, lines(done)) == (1, ["left: pause: this version knows no way to undo 'spell'"])


def test_a_folder_that_is_no_control_group_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "nomos-mine"
    folder.mkdir()
    done = undo(written(tmp_path / "j.jsonl", {"kind": "cgroup", "path": str(folder), "home": str(tmp_path)}))
    assert done.returncode == 1
    assert "no control group" in done.stdout
    assert folder.is_dir()


def test_a_line_that_was_cut_off_is_said(victim: Victim, tmp_path: Path) -> None:
    victim.subject.stop()
    journal = written(tmp_path / "j.jsonl", stopped(victim))
    with journal.open("ab") as file:
        file.write(b'{"at":2')
    done = undo(journal)
    assert done.returncode == 0
    assert lines(done)[0].startswith("line 2 of the journal was cut off")
    assert victim.ask("ping") == "pong"
    assert read_journal(journal).open == ()


def test_what_is_no_journal_is_one_line_and_exit_code_4(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text("hello\n", encoding="utf-8")
    done = undo(path)
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
    assert "line 1 is no entry of a journal" in done.stderr


class Server:
    """The part of Toxiproxy's API that removes a proxy."""

    def __init__(self) -> None:
        self.proxies = {"nomos/a b", "of somebody else"}
        self.silent = threading.Event()
        self.over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_DELETE(self) -> None:
                if server.silent.is_set():
                    server.over.wait(30)
                from urllib.parse import unquote

                name = unquote(self.path.removeprefix("/proxies/"))
                there = name in server.proxies
                server.proxies.discard(name)
                self.send_response(204 if there else 404)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.api = f"127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.over.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server() -> Generator[Server]:
    server = Server()
    yield server
    server.close()


def test_a_proxy_is_removed_and_no_other(server: Server, tmp_path: Path) -> None:
    recipe = {"kind": "toxiproxy", "api": server.api, "proxy": "nomos/a b"}
    done = undo(written(tmp_path / "j.jsonl", recipe, fault="down"))
    assert (done.returncode, lines(done)) == (0, [f"undone: down: proxy nomos/a b removed from {server.api}"])
    assert server.proxies == {"of somebody else"}
    done = undo(written(tmp_path / "k.jsonl", recipe, fault="down"))
    assert (done.returncode, lines(done)) == (0, [f"nothing to do: down: {server.api} has no proxy nomos/a b"])


def test_a_server_that_is_gone_has_no_proxy_and_one_that_hangs_is_left(server: Server, tmp_path: Path) -> None:
    server.silent.set()
    recipe = {"kind": "toxiproxy", "api": server.api, "proxy": "p"}
    done = undo(written(tmp_path / "j.jsonl", recipe, fault="down"))
    assert done.returncode == 1
    assert "end that server" in done.stdout
    # Port 1 of this machine: nobody listens there.
    done = undo(written(tmp_path / "k.jsonl", recipe | {"api": "127.0.0.1:1"}, fault="down"))
    assert done.returncode == 0
    assert "so proxy p is gone" in done.stdout
