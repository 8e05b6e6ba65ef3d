"""SIGKILL of a run, at any moment of it, leaves no process, socket or temporary file after two seconds.

NOMOS_KILLS says how many moments are tried, over all commands together.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from plugin.kill_at import files
from plugin.killing import LONGEST, assert_kills_leave_nothing, share

FILES = "registered:config/files"
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nomos-report=rep")
CLI = (sys.executable, "-m", "pytest_nomos.cli")
SOME = "CFG-FETCH-001 or CFG-DEADLINE-001 or PROC-START-009 or PROC-SHUTDOWN-001 or CFG-INIT-002"
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "pytest": (*PYTEST, f"--nomos-provider={FILES}", "-k", SOME),
    "workers": (*PYTEST, f"--nomos-provider={FILES}", "-k", SOME, "-n", "2"),
    "upstream": (*PYTEST, "--nomos-provider=registered:config/http", "-k", "CFG-FETCH or CFG-DEADLINE"),
    "mutant": (*PYTEST, "--nomos-provider=mutant:PROC-START-001", "-k", "PROC-START"),
    "certify": (*CLI, "certify", FILES, "--tier", "testing"),
    "certify with workers": (*CLI, "certify", FILES, "--tier", "testing", "-n", "2"),
    "init": (*CLI, "init", FILES, "--config", "directory=."),
    "call": (*CLI, "call", FILES, "Fetch", '["app", "name"]'),
    "chaos": (*PYTEST, f"--nomos-provider={FILES}", "--nomos-tier=additional", "-k", "Resilience"),
    "collect": (*PYTEST, f"--nomos-provider={FILES}", "--collect-only", "-q"),
}
SHARES = {
    "pytest": 4,
    "workers": 5,
    "upstream": 2,
    "mutant": 1,
    "certify": 2,
    "certify with workers": 2,
    "init": 2,
    "chaos": 4,
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_run_that_is_killed_leaves_nothing(name: str, tmp_path: Path) -> None:
    longest = LONGEST if name.startswith("certify") else float("inf")
    wanted = share(name, list(COMMANDS), SHARES)
    assert_kills_leave_nothing(name, COMMANDS[name], wanted, tmp_path, longest=longest)


def test_what_python_probes_a_folder_with_is_no_trace_and_all_else_is(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    (temporary / "nomos-0").mkdir(parents=True)
    traces = {temporary / "nomos-0", temporary / "nomos-0" / "6t898jfk", temporary / "abcdefgh", temporary / "blat"}
    (temporary / "nomos-0" / "6t898jfk").write_bytes(b"blat")
    (temporary / "abcdefgh").write_bytes(b"ours")
    (temporary / "blat").write_bytes(b"blat")
    for number, probed in enumerate((b"", b"blat")):
        (temporary / f"6t898jf{number}").write_bytes(probed)
    assert set(files(tmp_path, set())) == {str(path) for path in traces}
