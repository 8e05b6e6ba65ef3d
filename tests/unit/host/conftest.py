"""Hosts with short limits, and programs to start."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pytest_nomos.host import HostedProvider, Launch, Limits, ProviderHost, Setup

SMALL = Path(__file__).with_name("small_provider.py")

Small = Callable[..., Launch]
Script = Callable[..., Launch]


@pytest.fixture
def limits() -> Limits:
    """Short, and long enough for a busy machine."""
    return Limits(grace=2, shutdown_rpc=1, announce=10, call=20)


@pytest.fixture
def host(limits: Limits, tmp_path: Path) -> Iterator[ProviderHost]:
    before = set(psutil.Process().children(recursive=True))
    with ProviderHost(limits, tmp_path) as host:
        yield host
    assert set(psutil.Process().children(recursive=True)) <= before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("nomos-")] == []


@pytest.fixture
def small() -> Small:
    """Make the launch of the small provider with some behaviours."""

    def make(*behaviours: str, **options: object) -> Launch:
        return Launch((sys.executable, str(SMALL), *behaviours), **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Write a program and make its launch."""

    def make(text: str, *, name: str = "provider", interpreter: str = "/bin/sh", mode: int = 0o755) -> Launch:
        path = tmp_path / name
        first = f"#!{interpreter}\n" if interpreter else ""
        path.write_bytes((first + textwrap.dedent(text)).encode("utf-8", "surrogateescape"))
        path.chmod(mode)
        return Launch((str(path),))

    return make


@pytest.fixture
def python(script: Script) -> Callable[[str], Launch]:
    """Write a Python program and make its launch."""
    return lambda text: script(text, interpreter=sys.executable)


@pytest.fixture
def running(host: ProviderHost, small: Small) -> HostedProvider:
    """A small provider, initialised."""
    start = host.start(small(), "settings", Setup(config={"name": "value"}))
    assert isinstance(start.provider, HostedProvider), start.error
    assert start.provider.init().ok
    return start.provider


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until a condition holds; fails after ten seconds."""

    def wait(condition: Callable[[], object], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come to be"
            time.sleep(0.01)

    return wait


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Tell whether a process has ended; one that nobody has reaped yet has."""

    def ended(pid: int) -> bool:
        try:
            os.kill(pid, 0)
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except (ProcessLookupError, psutil.NoSuchProcess):
            return True

    return ended
