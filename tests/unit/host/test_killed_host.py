"""SIGKILL of the host process, at any moment, leaves nothing after two seconds.

NOMOS_KILLS says how many moments are tried.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

KILLS = int(os.environ.get("NOMOS_KILLS", "10"))
WITHIN = 2.0

HOST = """
import os, sys, threading
from pathlib import Path
from pytest_nomos.host import Launch, Limits, ProviderHost

folder, small, tag = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
print("up", flush=True)
host = ProviderHost(Limits(), folder)
number = 0

def work(thread):
    number = 0
    while True:
        number += 1
        launch = Launch((sys.executable, small, "child", tag), unix=number % 2 == 0, env={"NOMOS_TEST_TAG": tag})
        provider = host.start(launch, f"p{thread}-{number}").provider
        if provider is None:
            continue
        provider.init({"a": 1})
        provider.fetch(["child", "away"])
        (provider.scratch / "left").write_text("x")
        print("round", flush=True)
        provider.stop()

threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
for thread in threads: thread.start()
"""


def tagged(tag: str) -> list[psutil.Process]:
    """Return the live processes that carry the tag in their environment or arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            mark = f"NOMOS_TEST_TAG={tag}".encode()
            if tag in " ".join(process.cmdline()) or mark in Path(f"/proc/{process.pid}/environ").read_bytes():
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_at(moment: float, tmp_path: Path, tag: str) -> None:
    folder = tmp_path / tag
    folder.mkdir()
    script = tmp_path / "host.py"
    script.write_text(HOST)
    small = Path(__file__).with_name("small_provider.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), str(small), tag], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        time.sleep(moment)
        below = psutil.Process(process.pid).children(recursive=True)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        killed = time.monotonic()
        process.wait()
        process.stdout.close()
    while True:
        left = tagged(tag)
        files = list(folder.iterdir())
        alive = [child for child in below if lives(child)]
        if not (left or files or alive):
            return
        assert time.monotonic() - killed < WITHIN, f"after a kill at {moment:.3f} s: {left + alive} {files}"
        time.sleep(0.05)


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_host_leaves_no_process_and_no_file(number: int, tmp_path: Path) -> None:
    chance = random.Random(number)
    kill_at(chance.uniform(0, 1.2), tmp_path, f"nomos-kill-{os.getpid()}-{number}")


def test_a_provider_is_gone_though_a_fork_of_the_host_lives_on(tmp_path: Path, gone: Callable[[int], bool]) -> None:
    script = tmp_path / "forking.py"
    script.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from pytest_nomos.host import Launch, ProviderHost\n"
        "host = ProviderHost(folder=Path(sys.argv[1]))\n"
        "provider = host.start(Launch((sys.executable, sys.argv[2])), 'p').provider\n"
        "if os.fork() == 0:\n"
        "    host.close()\n"
        "    assert provider.pid\n"
        "    time.sleep(1000)\n"
        "print(provider.pid, provider.health().code, flush=True)\n"
        "time.sleep(1000)\n"
    )
    folder = tmp_path / "host"
    folder.mkdir()
    small = Path(__file__).with_name("small_provider.py")
    process = subprocess.Popen([sys.executable, str(script), str(folder), str(small)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    pid, code = process.stdout.readline().split()
    children = psutil.Process(process.pid).children()
    assert code == b"OK"
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + WITHIN
    while not gone(int(pid)) or list(folder.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for child in children:
        if child.is_running():
            child.kill()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_reaper_outlives_signals_that_are_meant_for_the_host(
    name: str, running: object, host: object, gone: Callable[[int], bool]
) -> None:
    from pytest_nomos.host import HostedProvider, ProviderHost

    assert isinstance(host, ProviderHost)
    assert isinstance(running, HostedProvider)
    reaper = host._reaping.pid
    assert reaper is not None
    assert os.getsid(reaper) == reaper
    keeper = running._process._keeper
    for pid in (reaper, keeper):
        os.kill(pid, getattr(signal, name))
    assert running.health().ok
    assert not gone(reaper)
    assert not gone(keeper)


def test_a_killed_keeper_takes_its_provider_with_it(
    running: object, gone: Callable[[int], bool], eventually: Callable[..., None]
) -> None:
    from pytest_nomos.host import HostedProvider

    assert isinstance(running, HostedProvider)
    child = int(running.fetch(["child", "away"]).value)
    pid = running.pid
    os.kill(running._process._keeper, signal.SIGKILL)
    end = running.wait(5)
    assert end is not None
    eventually(lambda: gone(pid) and gone(child))
    assert running.health().code == "UNAVAILABLE"
    running.stop()


def test_a_killed_reaper_leaves_running_providers_and_fails_new_starts(
    tmp_path: Path, gone: Callable[[int], bool], small: Callable[..., object]
) -> None:
    from pytest_nomos.host import HostedProvider, Limits, ProviderHost, ReaperError

    host = ProviderHost(Limits(grace=2), tmp_path)
    start = host.start(small(), "one")  # type: ignore[arg-type]
    assert isinstance(start.provider, HostedProvider)
    reaper = host._reaping.pid
    assert reaper is not None
    os.kill(reaper, signal.SIGKILL)
    assert start.provider.health().ok
    while not gone(reaper):
        pass
    with pytest.raises(ReaperError):
        host.start(small(), "two")  # type: ignore[arg-type]
    pid = start.provider.pid
    host.close()
    assert gone(pid)
    assert list(tmp_path.iterdir()) == []
