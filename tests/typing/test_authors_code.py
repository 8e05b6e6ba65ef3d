"""An author's code types against the installed packages, and what is missing is said before anything runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "cases"


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[int, list[str]]]:
    """The errors that mypy finds, by file and line; one run for all files, away from this project's settings."""
    folder = tmp_path_factory.mktemp("authors")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(folder / "cache")]
    files = [str(file) for file in sorted(CASES.glob("*.py"))]
    done = subprocess.run([*command, *files], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found: dict[str, dict[int, list[str]]] = {Path(file).name: {} for file in files}
    for line in done.stdout.splitlines():
        matched = re.match(r"(?P<file>.+\.py):(?P<line>\d+): (error|note): (?P<text>.+)", line)
        if matched:
            found[Path(matched["file"]).name].setdefault(int(matched["line"]), []).append(matched["text"])
    return found


@pytest.mark.parametrize("file", sorted(file.name for file in CASES.glob("kept_*.py")))
def test_what_an_author_may_write_is_accepted(errors: Mapping[str, dict[int, list[str]]], file: str) -> None:
    assert errors[file] == {}


@pytest.mark.parametrize("file", sorted(file.name for file in CASES.glob("refused_*.py")))
def test_what_an_author_got_wrong_is_refused_where_it_stands(
    errors: Mapping[str, dict[int, list[str]]], file: str
) -> None:
    expected: dict[int, str] = {}
    for number, line in enumerate((CASES / file).read_text(encoding="utf-8").splitlines(), start=1):
        _, mark, text = line.partition("# error: ")
        if mark:
            expected[number] = text
    assert expected.keys() == errors[file].keys()
    for number, text in expected.items():
        assert any(part in "\n".join(errors[file][number]) for part in text.split("|")), errors[file][number]
