"""What is measured is measured against the same work, and told as it is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components import ROOT

BENCHMARKS = ROOT / "tests" / "benchmarks"
MODULES = ("table", "targets", "tracing", "bare", "memory", "startup", "interfaces")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_goal_that_is_not_met_is_said_to_be_not_met(tmp_path: Path) -> None:
    from table import Measurement, render, write

    measurements = [
        Measurement("slow", 1.3, 1.25),
        Measurement("fast", 9.0, 8.0, at_least=True),
        Measurement("absent", None, 1.01, detail="valgrind is absent"),
        Measurement("beside", 1.02, None),
    ]
    slow, fast, absent, beside = (line for line in render(measurements).splitlines()[2:])
    assert "NOT MET" in slow
    assert "met" in fast
    assert "NOT" not in fast
    assert "not measured  valgrind is absent" in absent
    assert "met" not in beside
    write(measurements, tmp_path / "b.json")
    told = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))["measurements"]
    assert [row["met"] for row in told] == [False, True, None, None]


def test_the_bare_script_makes_the_starts_and_calls_of_the_traced_run(tmp_path: Path) -> None:
    from targets import clean_environment, contract, files

    provider = files(tmp_path)
    trace = tmp_path / "trace.json"
    target = f"--nomos-provider={provider.spec}"
    command = contract(
        provider, target, "-p", "tracing", "-k", "CFG-FETCH-001 or PROC-SIGNAL-001", "--nomos-tier=testing"
    )
    env = {**clean_environment(), "PYTHONPATH": str(BENCHMARKS), "NOMOS_TRACE": str(trace)}
    traced = subprocess.run(command, cwd=provider.folder, env=env, capture_output=True, text=True, check=False)
    assert traced.returncode == 0, traced.stdout + traced.stderr
    events = json.loads(trace.read_text(encoding="utf-8"))
    starts = [event for event in events if event["kind"] == "start"]
    calls = [event for event in events if event["kind"] == "call"]
    assert starts
    assert any(event["method"].endswith("/Fetch") for event in calls)
    assert any(event["kind"] == "signal" and event["number"] == signal.SIGTERM for event in events)
    assert {event["process"] for event in events if event["kind"] == "end"} == {event["process"] for event in starts}
    bare = [sys.executable, "-P", str(BENCHMARKS / "bare.py"), str(trace)]
    done = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"start": len(starts), "call": len(calls)}


def test_memory_that_grows_is_seen_and_memory_that_does_not_is_not() -> None:
    from memory import WARM, _slope

    assert _slope([50_000_000] * (WARM + 200)) == 0
    assert _slope([50_000_000 + 4096 * n for n in range(WARM + 200)]) == pytest.approx(4.0)


def test_collection_is_measured_on_as_many_checks_as_there_are(tmp_path: Path) -> None:
    from interfaces import collected

    one, two = collected(tmp_path, 1), collected(tmp_path, 2)
    assert two[0] == 2 * one[0] > 0
    assert 0 < one[1] < 60
