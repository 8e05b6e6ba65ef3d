"""What the installed plugin costs those who do not use it: one small module."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("grpc", "google.protobuf", "pydantic", "rich", "click", "psutil", "yaml", "urllib3", "filelock", "jsonschema")
OURS = {"pytest_nomos", "pytest_nomos.plugin"}
SHOW = """
import atexit, json, sys

atexit.register(lambda: print("\\nMODULES=" + json.dumps(sorted(sys.modules))))
"""


def modules_of_a_run(folder: Path, *arguments: str) -> set[str]:
    """Run pytest in *folder* and return the modules that it had imported at its end."""
    command = [sys.executable, "-c", f"{SHOW}\nimport pytest\nsys.exit(pytest.main())", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in {0, 5}, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("MODULES=")]
    return set(json.loads(line.removeprefix("MODULES=")))


@pytest.mark.parametrize("arguments", [("--collect-only",), (), ("--help",)])
def test_an_unused_plugin_imports_nothing_of_the_kit_but_itself(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    modules = modules_of_a_run(tmp_path, *arguments)
    assert {name for name in modules if name.startswith(("pytest_nomos", "nomos_"))} == OURS


def test_an_unused_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n", encoding="utf-8")
    added = modules_of_a_run(tmp_path) - modules_of_a_run(tmp_path, "-p", "no:nomos")
    assert not [name for name in added if name.startswith(HEAVY)]
    assert added == OURS


def test_a_used_plugin_is_seen_by_the_same_measurement(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    arguments = ("--collect-only", "-q", "--nomos-provider=registered:config/files")
    assert "pydantic" in modules_of_a_run(tmp_path, *arguments)
