"""Programs with a function interface: how their process starts, listens, behaves and ends is due for them too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugin.conftest import Ran, Runner

SETTINGS = """\
interface = "compute"
tier = "{tier}"
[limits]
grace = 2
shutdown_rpc = 2
[samples]
spec = "small"
"""
PROVIDER = """\
#!{python}
import os, runpy, socket, sys, time
STDOUT, KEPT = os.dup(1), []
from nomos_reference.compute.memory import MemoryProvider

class Plain(MemoryProvider):
    async def list(self, filter=None):
        {work}
        return await super().list(filter)

def unmakeable(config):
    raise RuntimeError("no")

{end}
sys.modules["mine"] = sys.modules["__main__"]
sys.argv[1:] = ["compute", "mine:{factory}", "--path", ".", *sys.argv[1:]]
runpy.run_module("nomos_contracts", run_name="__main__")
"""
TURNED = """
import dataclasses, itertools, nomos_contracts.exposure as exposure
COUNT, DESCRIBE = itertools.count(), exposure.ServedInterface.describe

def describe(self):
    found, way = DESCRIBE(self), 1 - 2 * (next(COUNT) % 2)
    (one,) = found.interfaces
    turned = dataclasses.replace(one, functions=one.functions[::way], capabilities=one.capabilities[::way])
    return dataclasses.replace(found, interfaces=(turned,))

exposure.ServedInterface.describe = describe
"""
Write = Callable[..., Ran]


@pytest.fixture
def program(author: Runner, tmp_path: Path) -> Write:
    """Write a compute provider as a program, and run pytest on it: ``program("-k", "x", work="os.write(…)")``."""

    def run(
        *args: str, work: str = "pass", end: str = "", factory: str = "Plain", tier: str = "reference", text: str = ""
    ) -> Ran:
        (tmp_path / "nomos.toml").write_text(SETTINGS.format(tier=tier))
        script = tmp_path / "provider"
        script.write_text(text or PROVIDER.format(python=sys.executable, work=work, end=end, factory=factory))
        script.chmod(0o755)
        return author("--nomos-provider=./provider", "--nomos-report=rep", *args)

    return run


def clauses(ran: Ran) -> dict[str, dict[str, Any]]:
    (target,) = ran.report()["targets"]
    assert target["program"]
    return {clause["id"]: clause for clause in target["clauses"]}


def test_its_process_is_judged_and_nothing_is_asked_that_only_fetch_could_answer(program: Write) -> None:
    ran = program("-k", "PROC-LISTEN or PROC-SIGNAL or PROC-SHUTDOWN-005 or PROC-SURFACE")
    assert ran.code == 0, ran.text
    seen = {name: clause for name, clause in clauses(ran).items() if name.startswith("PROC-")}
    assert all("standard" in clause["due"] for name, clause in seen.items() if name != "PROC-ANNOUNCE-006")
    tried = {name: clause["outcome"] for name, clause in seen.items() if clause["checks"]}
    apart = {name for name, outcome in tried.items() if outcome == "not_applicable"}
    assert apart == {"PROC-SIGNAL-004", "PROC-SURFACE-007", "PROC-SURFACE-008"}
    assert {outcome for name, outcome in tried.items() if name not in apart} == {"passed"}


@pytest.mark.parametrize(
    ("work", "end", "clause", "outcome"),
    [
        ("os.write(STDOUT, b'listed')", "", "PROC-OUTPUT-001", "failed"),
        ("KEPT.append(socket.socket())", "", "PROC-LEAK-001", "warned"),
        ("pass", "leave = os._exit; os._exit = lambda code: leave(3)", "PROC-SIGNAL-005", "warned"),
        ("pass", "os._exit = lambda code: time.sleep(60)", "PROC-SHUTDOWN-002", "failed"),
        ("pass", "OPEN = socket.create_server(('0.0.0.0', 0))", "PROC-LISTEN-001", "failed"),
    ],
    ids=["noise", "leak", "exit code", "stays", "open to all"],
)
def test_a_process_that_misbehaves_is_convicted(program: Write, work: str, end: str, clause: str, outcome: str) -> None:
    ran = program("-k", clause, work=work, end=end)
    assert clauses(ran)[clause]["outcome"] == outcome, ran.text
    assert ran.code == (1 if outcome == "failed" else 0), ran.text


def test_the_order_in_which_describe_lists_what_is_there_has_no_meaning(program: Write) -> None:
    ran = program("-k", "CMP-CALL or CMP-SHAPE-004", end=TURNED)
    assert ran.code == 0, ran.text
    tried = {name: clause["outcome"] for name, clause in clauses(ran).items() if clause["checks"]}
    passed = dict.fromkeys((*(f"CMP-CALL-00{n}" for n in range(1, 9)), "CMP-SHAPE-004"), "passed")
    # Nothing that makes something is said to be idempotent there.
    assert tried == {**passed, "CMP-CALL-009": "not_applicable"}


def test_a_dead_one_fails_one_clause_and_blocks_the_rest(program: Write) -> None:
    ran = program("--nomos-tier=testing", text="#!/bin/sh\necho no cloud >&2\nexit 3\n")
    assert ran.code == 1, ran.text
    found = clauses(ran)
    assert [name for name, clause in found.items() if clause["outcome"] == "failed"] == ["PROC-START-002"]
    assert {clause["outcome"] for clause in found.values()} <= {"failed", "blocked", "not_applicable"}
    blocked = {by for clause in found.values() for by in clause["blocked_by"]}
    assert blocked == {"clause:PROC-START-002"}
    assert ran.tally().get("errors", 0) == 0


def test_one_that_cannot_be_made_blocks_by_its_author_and_not_by_a_clause_of_another_interface(program: Write) -> None:
    ran = program("-k", "PROC-SIGNAL-002 or PROC-LISTEN-001", factory="unmakeable")
    assert ran.code == 10, ran.text
    found = clauses(ran)
    assert {by for clause in found.values() for by in clause["blocked_by"]} == {"author"}


def test_an_object_has_no_process_to_be_judged_over_either_transport(author: Runner) -> None:
    ran = author("--nomos-provider=registered:compute/memory", "--nomos-transport=inproc,wire", "--collect-only", "-q")
    assert ran.code == 0, ran.text
    assert "nomos/compute/listing.py" in ran.out
    assert "nomos/process/" not in ran.out


def test_beside_an_object_only_the_program_has_one(program: Write) -> None:
    ran = program("--nomos-provider=registered:compute/memory", "--collect-only", "-q")
    checks = [line for line in ran.out.splitlines() if line.startswith("nomos/process/")]
    assert checks
    assert all(line.endswith("[provider]") for line in checks)
