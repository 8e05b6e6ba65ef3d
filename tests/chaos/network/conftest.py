"""Both backends, and a line through each."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import psutil
import pytest

from pytest_nomos.chaos.network.embedded import EmbeddedProxies
from pytest_nomos.chaos.network.proxy import Proxies
from pytest_nomos.chaos.network.toxiproxy import ToxiproxyProxies
from wires import Line, line


@pytest.fixture(params=["embedded", "toxiproxy"])
def backend(request: pytest.FixtureRequest) -> str:
    return cast("str", request.param)


@pytest.fixture(scope="session")
def program(component: Callable[[str], str]) -> str:
    """The Toxiproxy binary: these tests stop and kill servers, which nobody may do to one that runs somewhere."""
    found = shutil.which("toxiproxy-server") or component("toxiproxy")
    if shutil.which(found) is None:
        pytest.skip("needs toxiproxy: put toxiproxy-server on PATH")
    return found


def descriptors() -> dict[str, str]:
    """What this process holds open: its descriptors' numbers, each with what stands behind it."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them is gone
            found[entry.name] = str(entry.readlink())
    return found


@pytest.fixture
def proxies(backend: str, request: pytest.FixtureRequest) -> Iterator[Proxies]:
    """Proxies of a backend; nothing is left of them."""
    threads = set(threading.enumerate())
    children = set(psutil.Process().children(recursive=True))
    before = descriptors()
    program = request.getfixturevalue("program") if backend == "toxiproxy" else ""
    with ToxiproxyProxies(program) if program else EmbeddedProxies(7) as made:
        yield made
    deadline = time.monotonic() + 5
    # gRPC closes the sockets of a closed channel from threads of its own, some moments later.
    while (set(threading.enumerate()) - threads or len(descriptors()) > len(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= threads
    assert set(psutil.Process().children(recursive=True)) <= children
    assert len(left := descriptors()) <= len(before), {number: left[number] for number in left if number not in before}


@pytest.fixture
def embedded() -> Iterator[EmbeddedProxies]:
    with EmbeddedProxies(7) as made:
        yield made


@pytest.fixture
def through(proxies: Proxies) -> Iterator[Line]:
    """A line through one proxy."""
    with line(proxies) as made:
        yield made
