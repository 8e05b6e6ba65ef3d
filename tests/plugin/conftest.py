"""A folder of an author, and runs of the kit in it as processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

FILES = "registered:config/files"
FETCH = "nomos/config/fetch.py"


@dataclass(frozen=True)
class Ran:
    """One finished run."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def text(self) -> str:
        return self.out + self.err

    def report(self, folder: str = "rep") -> dict:
        return json.loads((self.folder / folder / "report.json").read_text())

    def junit(self) -> ET.Element:
        return ET.parse(self.folder / "junit.xml").getroot()

    def tally(self) -> dict[str, int]:
        """The counts of pytest's last line."""
        line = [text for text in self.out.splitlines() if re.search(r"\d+ \w+.* in [\d.]+s", text)][-1]
        return {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", line.rpartition(" in ")[0])}


Runner = Callable[..., Ran]

HANGS = 600
"""Seconds after which a run hangs; a whole contract takes one minute, three where the machine has other work."""


@pytest.fixture
def author(tmp_path: Path) -> Runner:
    """Run pytest in an empty folder of an author: ``author("-k", "x")``."""

    def run(*args: str, env: dict[str, str] | None = None, module: str = "pytest") -> Ran:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [sys.executable, "-m", module, *args],
            cwd=tmp_path,
            env=clean | (env or {}),
            capture_output=True,
            text=True,
            timeout=HANGS,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr, tmp_path)

    return run
