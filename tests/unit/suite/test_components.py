"""A component that is absent is named at the end, and fails the run where it is required."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components import COMPONENTS, REQUIRE, ROOT, absent

ABSENT = """
import pytest

def test_by_fixture(component):
    component("valgrind")

def test_by_reason():
    pytest.skip("needs go: install it")

def test_present():
    assert True
"""
WHOLE_MODULE = """
import pytest

pytest.skip("needs docker: start it", allow_module_level=True)
"""


def run(folder: Path, module: str, required: str = "") -> subprocess.CompletedProcess[str]:
    """Run pytest on *module* with this suite's conftest and nothing on PATH."""
    tests = ROOT / "tests"
    (folder / "conftest.py").write_text((tests / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_it.py").write_text(module, encoding="utf-8")
    environment = {**os.environ, "PATH": str(folder), "PYTHONPATH": str(tests), REQUIRE: required}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        str(folder),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder, timeout=60)


def test_an_absent_component_is_listed_with_the_command_that_provides_it(tmp_path: Path) -> None:
    done = run(tmp_path, ABSENT)
    assert done.returncode == 0
    assert f"go: 1 not run; what provides it: {COMPONENTS['go'].command}" in done.stdout
    assert "valgrind: 1 not run; what provides it: apt-get install valgrind" in done.stdout
    assert "1 passed, 2 skipped" in done.stdout


def test_a_required_component_that_is_absent_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, ABSENT, required="go")
    assert done.returncode == 1
    assert "1 failed, 1 passed, 1 skipped" in done.stdout
    assert "NOMOS_REQUIRE names go, which is absent here" in done.stdout


def test_a_required_component_that_a_whole_module_needs_fails_the_run(tmp_path: Path) -> None:
    assert run(tmp_path, WHOLE_MODULE).returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    done = run(tmp_path, WHOLE_MODULE, required="docker")
    assert done.returncode not in {0, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert "NOMOS_REQUIRE names docker" in done.stdout


def test_a_run_with_an_ignored_interrupt_can_be_interrupted_all_the_same(tmp_path: Path) -> None:
    module = "import os, signal, pytest\n\ndef test_it():\n    with pytest.raises(KeyboardInterrupt):\n"
    module += "        os.kill(os.getpid(), signal.SIGINT)\n"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(tmp_path, module).returncode == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_misspelt_requirement_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, ABSENT, required="golang")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no component golang" in done.stderr


@pytest.mark.parametrize("reason", ["not on this platform", "needs more thought", ""])
def test_a_skip_for_another_reason_is_no_absent_component(reason: str) -> None:
    assert absent(reason) is None


def test_every_component_says_what_provides_it() -> None:
    for component in COMPONENTS.values():
        assert absent(component.reason) == (component.name, component.command)
