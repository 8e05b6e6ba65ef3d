from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from pytest_nomos.host import Limits, reaper
from pytest_nomos.host.output import LogFile, Output


def test_the_limits_are_those_of_the_seed_document() -> None:
    limits = Limits()
    assert (limits.announce, limits.call, limits.grace, limits.connect_timeout, limits.ping_interval) == (
        5,
        30,
        5,
        2,
        10,
    )
    assert (limits.connect_attempts, limits.restarts, limits.pool_size, limits.pool_idle) == (3, 3, 10, 300)
    assert (limits.connect_backoff, limits.port_min, limits.port_max) == (0.5, 1024, 65535)


@pytest.mark.parametrize(
    "wrong",
    [
        {"announce": 0},
        {"grace": -1},
        {"call": float("inf")},
        {"call": float("nan")},
        {"restarts": -1},
        {"typo": 1},
        {"port_min": 5000, "port_max": 4000},
        {"pool_size": 0},
        {"announce": "soon"},
    ],
)
def test_an_impossible_limit_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Limits(**wrong)  # type: ignore[arg-type]


def test_the_reaper_is_there_in_a_moment_and_imports_little() -> None:
    began = time.monotonic()
    code = (
        "import sys, runpy; runpy.run_path(sys.argv[1], run_name='x'); print(len(sys.modules), 'grpc' in sys.modules)"
    )
    seen = subprocess.run([sys.executable, "-I", "-S", "-c", code, reaper.__file__], capture_output=True, check=True)
    assert time.monotonic() - began < 2
    count, grpc = seen.stdout.split()
    assert int(count) < 120
    assert grpc == b"False"


def test_frames_survive_being_cut() -> None:
    buffer = bytearray()
    messages = [{"a": 1}, {"b": [b"x" * 100, "é"]}, {}]
    data = b"".join(reaper.pack(message) for message in messages)
    found = []
    for at in range(len(data)):
        buffer += data[at : at + 1]
        while (message := reaper.unpack(buffer)) is not None:
            found.append(message)
    assert found == messages
    assert not buffer


def test_removing_a_folder_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    folder = tmp_path / "folder"
    (folder / "sub" / "locked").mkdir(parents=True)
    (folder / "sub" / "locked" / "file").touch()
    (folder / "sub" / "locked").chmod(0)
    (folder / "link").symlink_to(outside)
    reaper.remove(str(folder))
    assert not folder.exists()
    assert (outside / "kept").exists()
    reaper.remove(str(folder))


def test_a_line_of_stderr_without_end_is_cut_and_tagged(tmp_path: Path) -> None:
    output = Output(LogFile(tmp_path / "log", 10_000_000), keep_last=True, tag=b"provider=x")
    for _ in range(3):
        output.feed(b"y" * 50_000)
    output.feed(b"\nnext")
    output.finish()
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert all(line.startswith(b"provider=x ") for line in lines)
    assert b"".join(line.removeprefix(b"provider=x ") for line in lines) == b"y" * 150_000 + b"next"
    assert output.total == 150_005
    assert output.last_lines(1) == b"next"
