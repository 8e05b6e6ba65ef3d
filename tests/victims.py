"""Processes that faults are done to, and that tell what they feel."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from pytest_nomos.chaos.subject import ProcessSubject

_PROGRAM = r"""
import errno, os, signal, subprocess, sys, tempfile, threading, time
kept = []
continued = []

def answer(word, *rest):
    if word == "ping":
        return "pong"
    if word == "open":
        return str(os.open("/dev/null", os.O_RDONLY))
    if word == "close":
        os.close(int(rest[0]))
    if word == "take":
        kept.append(bytearray(int(rest[0]) * 1024 * 1024))
    if word == "write":
        with tempfile.TemporaryFile(dir=rest[1], buffering=0) as file:
            return str(file.write(b"x" * int(rest[0])))
    if word == "burn":
        end, before = time.monotonic() + float(rest[0]), time.process_time()
        while time.monotonic() < end:
            pass
        return str(time.process_time() - before)
    if word == "child":
        kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return str(kept[-1].pid)
    if word == "stubborn":
        signal.signal(signal.SIGCONT, lambda *_: os.kill(os.getpid(), signal.SIGSTOP))
    if word == "counting":
        signal.signal(signal.SIGCONT, lambda *_: continued.append(1))
    if word == "continued":
        return str(len(continued))
    if word == "raise-limit":
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if word == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return "done"

for line in sys.stdin:
    try:
        said = answer(*line.split())
    except OSError as error:
        said = errno.errorcode[error.errno]
    except MemoryError:
        said = "MemoryError"
    print(said, flush=True)
"""


class Victim:
    """A process in a group of its own, which answers one line with one line."""

    def __init__(self, *, leads: bool = True) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0 if leads else None,
        )
        assert self.ask("ping") == "pong"
        self.subject = ProcessSubject.of(self.pid)

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, words: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def hear(self, within: float = 10) -> str | None:
        """Return the next line, None where there is none in time, empty where there will be none."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], within)[0]:
            return None
        return self.process.stdout.readline().strip()

    def ask(self, words: str) -> str | None:
        self.tell(words)
        return self.hear()

    def close(self) -> None:
        descendants = []
        if self.process.poll() is None:
            descendants = psutil.Process(self.pid).children(recursive=True)
        for one in descendants:
            one.kill()
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def state(pid: int) -> str:
    """Return the state letter of a process, empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def until(condition: Callable[[], object], within: float = 10) -> bool:
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
