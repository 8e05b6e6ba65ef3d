"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from pytest_nomos.session.attachment import attached_python

TELL = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n), 0, 0, 0); print(n.value)"
PARENT = """
import shlex, subprocess, sys, time
from pytest_nomos.session.attachment import attached_python
child = subprocess.Popen([*shlex.split(attached_python()), "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_it_is_the_same_interpreter_with_the_words_that_it_was_given() -> None:
    command = [*shlex.split(attached_python()), "-u", "-c", "import sys; print(sys.executable, sys.argv[1:])", "a b"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{sys.executable} ['a b']\n"


def test_the_kernel_kills_it_when_its_parent_ends() -> None:
    done = subprocess.run([*shlex.split(attached_python()), "-c", TELL], capture_output=True, text=True, check=True)
    assert int(done.stdout) == signal.SIGKILL


def test_it_is_gone_though_its_parent_was_killed_right_after_the_start() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    end = time.monotonic() + 10
    while Path(f"/proc/{child}/stat").exists() and _state(child) != "Z":
        assert time.monotonic() < end, "it is there yet"
        time.sleep(0.01)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_one_whose_parent_has_ended_already_does_not_begin() -> None:
    words = shlex.split(attached_python())
    assert words[-1] == str(os.getpid())
    done = subprocess.run([*words[:-1], "1", "-c", "print(1)"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "has ended" in done.stderr
