"""Resilience clauses and faults on the command line, as an author runs them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_nomos.chaos.journal import read_journal
from pytest_nomos.chaos.network.toxiproxy import ToxiproxyProxies

from .conftest import FILES, Runner

CLAUSES = {f"CFG-CHAOS-{number:03}" for number in range(1, 11)}
ONLY = ("--nomos-tier=additional", "-k", "Resilience", "--nomos-report=rep", "-q")


def outcomes(report: dict) -> dict[str, str]:
    (target,) = report["targets"]
    return {result["id"]: result["outcome"] for result in target["clauses"] if result["id"] in CLAUSES}


def mechanisms(report: dict) -> set[str]:
    (target,) = report["targets"]
    return {
        bar["mechanism"]
        for result in target["clauses"]
        for check in result["checks"]
        for timeline in check["observed"].get("timeline", ())
        for bar in timeline["faults"]
    }


def test_a_correct_provider_keeps_every_clause_and_the_report_shows_how(author: Runner) -> None:
    ran = author(f"--nomos-provider={FILES}", *ONLY)
    assert ran.code == 0, ran.text
    report = ran.report()
    assert outcomes(report) == dict.fromkeys(CLAUSES, "passed")
    assert {"SIGSTOP", "SIGKILL", "embedded proxy"} <= mechanisms(report)
    page = (ran.folder / "rep" / "index.html").read_text()
    assert "embedded proxy" in page
    assert "SIGSTOP" in page


def test_the_journal_has_every_fault_and_each_was_ended(author: Runner) -> None:
    ran = author(f"--nomos-provider={FILES}", *ONLY)
    record = read_journal(ran.folder / "rep" / "chaos.jsonl")
    kinds = [type(entry).__name__ for entry in record.entries]
    assert kinds.count("Planned") == kinds.count("InForce") == kinds.count("Reverted") > 10
    undone = author("chaos", "undo", "rep/chaos.jsonl", module="pytest_nomos.cli")
    assert undone.code == 0, undone.text


def test_a_real_toxiproxy_gives_the_same_verdicts(author: Runner, component: Callable[[str], str]) -> None:
    ran = author(f"--nomos-provider={FILES}", *ONLY, env={"NOMOS_TOXIPROXY": component("toxiproxy")})
    report = ran.report()
    assert outcomes(report) == dict.fromkeys(CLAUSES, "passed"), ran.text
    assert any(name.startswith("toxiproxy") for name in mechanisms(report)), mechanisms(report)
    assert "embedded proxy" not in mechanisms(report)


def test_a_toxiproxy_that_is_not_there_blocks_and_says_so(author: Runner) -> None:
    ran = author(f"--nomos-provider={FILES}", *ONLY, env={"NOMOS_TOXIPROXY": "127.0.0.1:1"})
    assert ran.code == 10, ran.text
    found = outcomes(ran.report())
    assert found["CFG-CHAOS-003"] == "blocked"
    assert found["CFG-CHAOS-001"] == "passed"
    assert "127.0.0.1:1" in ran.text


def test_a_provider_that_dies_of_a_fault_is_told_how(author: Runner) -> None:
    ran = author("--nomos-provider=mutant:CFG-CHAOS-009/dies", *ONLY)
    assert ran.code == 1, ran.text
    assert "exited with code 70" in ran.out
    assert "descriptors(0)" in ran.out
    assert "timeline  descriptors(0)" in ran.out
    assert "not recovered" in ran.out.lower()
    broken = {clause for clause, outcome in outcomes(ran.report()).items() if outcome != "passed"}
    assert broken == {"CFG-CHAOS-009"}


def test_a_whole_contract_can_be_tried_under_a_fault(author: Runner) -> None:
    ran = author(
        f"--nomos-provider={FILES}", "--nomos-chaos=latency(5ms)&pause", "-k", "InfoContract or ValueContract", "-v"
    )
    assert "everything is tried under latency(5)&pause" in ran.out
    tally = ran.tally()
    assert tally["passed"] > 3
    assert "failed" not in tally


def test_faults_on_the_command_line_really_strike(author: Runner) -> None:
    untouched = author(f"--nomos-provider={FILES}", "-k", "InfoContract", "-q")
    assert untouched.code == 0, untouched.text
    struck = author(f"--nomos-provider={FILES}", "--nomos-chaos=reset(0)", "-k", "InfoContract", "-q")
    assert struck.code == 1, struck.text
    assert "CFG-INFO-001" in struck.text


def test_collecting_starts_nothing_that_could_be_struck(author: Runner) -> None:
    ran = author(f"--nomos-provider={FILES}", "--nomos-chaos=reset(0)", "--collect-only", "-q", "--nomos-report=rep")
    assert ran.code == 0, ran.text
    assert not (ran.folder / "rep" / "chaos.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("storm", "there is no fault 'storm'"),
        ("latency(5", "is no fault"),
        ("kill", "ends the process"),
        ("pause&terminate", "ends the process"),
        ("", "is no fault"),
    ],
)
def test_words_that_name_no_fault_are_one_clear_error(author: Runner, text: str, told: str) -> None:
    ran = author(f"--nomos-provider={FILES}", f"--nomos-chaos={text}")
    assert ran.code == 4
    assert "--nomos-chaos: " in ran.err
    assert told in ran.err
    assert "Traceback" not in ran.text


def test_a_server_that_was_started_for_the_run_ends_with_it(component: Callable[[str], str]) -> None:
    named = component("toxiproxy")
    if ":" in named and not Path(named).exists():
        pytest.skip("a server that runs was named; it is not ours to end")
    proxies = ToxiproxyProxies(named)
    proxies.create("one", "127.0.0.1:9")
    pids = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _is_server(p, os.getpid())]
    assert pids
    proxies.close()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def _is_server(process: Path, run: int) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
        parents = {run}
        parent = int((process / "stat").read_bytes().rpartition(b")")[2].split()[1])
        while parent > 1 and parent not in parents:
            parent = int(Path(f"/proc/{parent}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return False
    return b"toxiproxy" in command and parent in parents
