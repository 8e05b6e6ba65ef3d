"""Run a command, kill it with SIGKILL at a moment, and tell as JSON what it left.

Usage: ``kill_at.py SECONDS FOLDER COMMAND…``. A negative moment never kills and tells how long the command takes.
FOLDER is the command's working folder; FOLDER/tmp is its temporary folder, so whatever is found there afterwards was
left. This process is the subreaper of all that the command started: nothing that survives can hide from it.
"""

from __future__ import annotations

import ctypes
import getpass
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 10.0
REPORTS = {"report.json", "progress.jsonl", "summary.md", "badge.svg", "index.html", "junit.xml", "attestation.json"}
REPORTS |= {"nomos.toml", "chaos.jsonl"}
"""What a run writes for its user; all else is a trace."""
BASE = f"pytest-of-{getpass.getuser()}"


def survivors() -> list[psutil.Process]:
    """Return what is below this process and runs; reaps what has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return []
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def told(process: psutil.Process) -> str:
    """Return a process in words, with its sockets."""
    try:
        sockets = [f"{c.laddr} {c.status}" for c in process.net_connections("all") if c.laddr]
        return f"{process.pid} {' '.join(process.cmdline())} {process.status()} {sockets}"
    except psutil.Error as error:
        return str(error)


def is_probe(path: Path) -> bool:
    """Return whether Python's tempfile made *path* to see whether it may write there.

    It does so once a process (`tempfile._get_default_tempdir`), as soon as pytest captures anything, and is not to be
    had without; whoever is killed between its two system calls leaves the file. All that a run makes by itself has a
    prefix.
    """
    try:
        return re.fullmatch("[a-z0-9_]{8}", path.name) is not None and path.read_bytes() in {b"", b"blat"}
    except OSError:  # a folder, or gone
        return False


def files(folder: Path, hosts: set[str]) -> list[str]:
    """Return what lies in the temporary folder and those of *hosts* for sockets, and beside the reports."""
    try:
        found = [*(folder / "tmp").rglob("*"), *folder.rglob(".*")]
    except FileNotFoundError as error:  # it goes while we look: there is something yet
        return [str(error)]
    # pytest keeps the base folders of its last three runs by itself; pytest-xdist makes one for its workers.
    left = [
        str(path)
        for path in found
        if path.name != ".pytest_cache"
        and BASE not in path.parts[len(folder.parts) :]
        and not (path.parent == folder / "tmp" and is_probe(path))
    ]
    for report in (folder / "rep", folder / "nomos-report"):
        left += [str(path) for path in report.glob("*") if path.name not in REPORTS]
    # Where the temporary folder's path is too long for a socket's address, the sockets have a folder of their own.
    left += [str(path) for name in hosts if (path := Path("/tmp", f"{name}-s")).exists()]
    left += [line for line in Path("/proc/net/unix").read_text().splitlines() if str(folder) in line]
    return left


def main() -> None:
    moment, folder, command = float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    temporary = folder / "tmp"
    temporary.mkdir()
    with (folder / "output").open("wb") as output:
        began = time.monotonic()
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
        )
    try:
        code: int | None = child.wait(None if moment < 0 else moment)
        length = time.monotonic() - began
    except subprocess.TimeoutExpired:
        code, length = None, moment
    hosts = {path.name for path in temporary.glob("nomos-*")}
    below = len(survivors()) if code is None else 0
    killed = time.monotonic()
    if code is None:
        child.send_signal(signal.SIGKILL)
        child.wait()
    # Again: some may have been made between the look and the kill, and their names are known only now.
    hosts |= {path.name for path in temporary.glob("nomos-*")}
    clean = None
    while time.monotonic() - killed < PATIENCE:
        if not survivors() and not files(folder, hosts):
            clean = time.monotonic() - killed
            break
        time.sleep(0.02)
    facts = {
        "code": code,
        "length": length,
        "processes": below,
        "clean": clean,
        "left": [told(process) for process in survivors()] + files(folder, hosts),
    }
    for process in survivors():
        process.kill()
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
