"""What the files provider has acknowledged is there after a kill, at whatever moment that comes.

NOMOS_KILLS says how many moments are tried.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from pathlib import Path

import pytest

from nomos_contracts.provider import RunningProvider
from pytest_nomos.host import Launch, Limits, ProviderHost, Setup

KILLS = int(os.environ.get("NOMOS_KILLS", "20"))
NAMES = ("one.txt", "two.txt", "three.txt")
LENGTH = 20_000
MOST = 100_000
"""Writes that a provider with a tenth of a second to live never gets to."""

STOPPED = """
import os, sys
from nomos_proto.serve import run
from nomos_reference.config import files_functions
from nomos_reference.config.files_provider import FilesProvider

place, turn = sys.argv[1], int(sys.argv[2])
real, calls = getattr(os, place), 0

def killed(*args, **kwargs):
    global calls
    calls += 1
    if calls == turn:
        os.kill(os.getpid(), 9)
    return real(*args, **kwargs)

setattr(files_functions.os, place, killed)
run(FilesProvider(), [])
"""


def content(number: int) -> str:
    """Contents of one write: as long as all others, told apart in every part."""
    return f"{number:08d}" * (LENGTH // 8)


def started(host: ProviderHost, folder: Path, alias: str, *command: str) -> RunningProvider:
    launch = Launch((sys.executable, *(command or ("-m", "nomos_reference", "config/files"))))
    start = host.start(launch, alias, Setup(config={"directory": str(folder)}))
    assert start.provider is not None, start.error
    assert start.provider.init().ok
    return start.provider


def write_until_it_dies(provider: RunningProvider, first: int, known: dict[str, int], tried: dict[str, int]) -> int:
    """Write one file after the other; *known* gets what was acknowledged, *tried* what was begun."""
    for number in range(first + 1, first + MOST):
        name = NAMES[number % len(NAMES)]
        tried[name] = number
        if not provider.call("write", {"path": name, "content": content(number)}, timeout=10).ok:
            return number
        known[name] = number
    raise AssertionError("it does not die")


def expect_kept(folder: Path, known: dict[str, int], tried: dict[str, int]) -> None:
    """Each file holds what was acknowledged last, or what was begun after it: whole, and nothing else is there."""
    for name, number in known.items():
        text = (folder / name).read_text()
        assert text in {content(number), content(tried[name])}, f"{name}: {text[:8]}…, acknowledged {number}"
        known[name] = int(text[:8])
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} <= {*NAMES}


def test_no_acknowledged_write_is_lost_when_it_is_killed_at_any_moment(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    folder = tmp_path / "data"
    folder.mkdir()
    known: dict[str, int] = {}
    tried: dict[str, int] = {}
    number = acknowledged = 0
    with ProviderHost(Limits(), warm=("nomos_reference",)) as host:
        for turn in range(KILLS):
            provider = started(host, folder, f"files-{turn}")
            timer = threading.Timer(chance.random() * 0.1, provider.signal, ("SIGKILL",))
            timer.start()
            before = number
            number = write_until_it_dies(provider, number, known, tried)
            acknowledged += number - before - 1
            timer.join()
            ended = provider.stop()
            assert ended is not None
            assert ended.signal == "SIGKILL", (ended, seed)
            expect_kept(folder, known, tried)
    print(f"{KILLS} kills, {acknowledged} writes acknowledged, none lost, seed {seed}")
    assert acknowledged > 0


@pytest.mark.parametrize("place", ["fchmod", "fsync", "rename"])
@pytest.mark.parametrize("turn", [1, 2, 5])
def test_a_kill_right_before_each_step_of_a_write_leaves_the_old_or_the_new_content(
    place: str, turn: int, tmp_path: Path
) -> None:
    """The mode is set once the bytes are written, and before they are on the disk."""
    folder = tmp_path / "data"
    folder.mkdir()
    program = tmp_path / "killed.py"
    program.write_text(STOPPED)
    known: dict[str, int] = {}
    tried: dict[str, int] = {}
    with ProviderHost(Limits()) as host:
        provider = started(host, folder, "first")
        for number, name in enumerate(NAMES):
            assert provider.call("write", {"path": name, "content": content(number)}).ok
            known[name] = tried[name] = number
        provider.stop()
        provider = started(host, folder, "struck", str(program), place, str(turn))
        write_until_it_dies(provider, 10, known, tried)
        ended = provider.wait(5)
        assert ended is not None
        assert ended.signal == signal.Signals.SIGKILL.name
        expect_kept(folder, known, tried)
        again = started(host, folder, "again")
        for name, number in known.items():
            assert again.call("read", {"path": name}).value == content(number)
