"""The line of progress: on a real terminal, while an experiment goes on, and nowhere and never else."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nomos-provider=registered:config/files")
CLAUSE = "little_processor_time"
KEEP, BACK, CLEAR = "\x1b7", "\x1b8", "\x1b[K"
OTHERS = {"CI", "BUILD_NUMBER", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "COLUMNS"}


@pytest.fixture
def terminals(component: Callable[[str], str]) -> None:
    """See that there are pseudo-terminals."""
    component("terminals")


def on_a_terminal(folder: Path, *words: str, **variables: str) -> str:
    """Return what a run writes to a terminal of eighty columns."""
    names = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_") and name not in OTHERS}
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(
            [*COMMAND, *words, "-k", CLAUSE],
            cwd=folder,
            env={**names, "TERM": "xterm", "COLUMNS": "120", **variables},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        ) as process:
            os.close(slave)
            slave = -1
            written = bytearray()
            end = time.monotonic() + 60
            while time.monotonic() < end:
                if not select.select([master], [], [], 1)[0]:
                    continue
                try:
                    data = os.read(master, 65536)
                except OSError:  # the other end is closed
                    break
                if not data:
                    break
                written += data
            else:
                process.kill()
                pytest.fail(f"it does not end: {written.decode(errors='replace')}")
            assert process.wait() in {0, 1, 10}, written.decode(errors="replace")
    finally:
        os.close(master)
        if slave >= 0:
            os.close(slave)
    return written.decode(errors="replace")


def left_of(text: str) -> str:
    """Return what a terminal shows in the end: text between keeping the cursor and going back is written over."""
    screen = list[str]()
    column = kept = 0
    line = list[str]()
    for piece in re.split(r"(\x1b7|\x1b8|\x1b\[[0-9;]*[A-Za-z]|\r|\n)", text):
        match piece:
            case "\x1b7":
                kept = column
            case "\x1b8":
                column = kept
            case "\x1b[K":
                del line[column:]
            case "\r":
                column = 0
            case "\n":
                screen.append("".join(line))
                line, column = [], 0
            case _ if not piece.startswith("\x1b"):
                line[column : column + len(piece)] = piece
                column += len(piece)
    return "\n".join([*screen, "".join(line)])


@pytest.mark.usefixtures("terminals")
def test_a_long_experiment_shows_what_it_is_doing_and_nothing_of_that_stays(tmp_path: Path) -> None:
    text = on_a_terminal(tmp_path)
    assert re.search(rf"{KEEP} 1 s: CFG-CHAOS-021: cpu\(5\){re.escape(CLEAR)}{BACK}", text), text
    shown = left_of(text)
    assert "nomos/config/exhaustion.py ." in shown
    assert "cpu(5)" not in shown
    assert "1 passed" in shown


@pytest.mark.usefixtures("terminals")
@pytest.mark.parametrize(
    ("words", "variables"),
    [(["-q"], {}), (["-n", "1"], {}), ([], {"CI": "1"}), ([], {"TERM": "dumb"})],
    ids=["quiet", "workers", "ci", "dumb terminal"],
)
def test_where_nobody_looks_nothing_is_shown(tmp_path: Path, words: list[str], variables: dict[str, str]) -> None:
    text = on_a_terminal(tmp_path, *words, **variables)
    assert KEEP not in text
    assert "1 passed" in text


def test_without_a_terminal_nothing_is_shown(tmp_path: Path) -> None:
    command = [*COMMAND, "-k", CLAUSE, "--color=yes"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "1 passed" in done.stdout
    assert KEEP not in done.stdout
