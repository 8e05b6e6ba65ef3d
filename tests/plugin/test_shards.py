"""A contract in several parts, on several machines, and one verdict of all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nomos_contracts.clause import CONTRACTS_OF, clauses_of
from plugin.conftest import Runner
from pytest_nomos.session.shard import Shard, ShardError

JSON = "registered:config/json"
SOME = "CFG-INFO or CFG-FETCH-001 or CFG-FETCH-003 or CFG-ERROR"


def test_every_clause_is_in_exactly_one_shard() -> None:
    clauses = clauses_of(CONTRACTS_OF["config"])
    for total in (1, 2, 5, 40):
        for clause in clauses:
            assert sum(Shard(index, total).holds(clause) for index in range(1, total + 1)) == 1
    assert all(any(Shard(index, 5).holds(clause) for clause in clauses) for index in range(1, 6))


@pytest.mark.parametrize(
    "text", ["", "2", "0/5", "6/5", "1/0", "-1/5", "a/b", "1/5/5", "1 / 5", "¹/5", "01/5", "1/99999"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ShardError, match="write 2/5"):
        Shard.parse(text)


@pytest.mark.parametrize(
    "command", [("pytest", f"--nomos-provider={JSON}", "--nomos-shard=6/5"), ("cli", "certify", JSON, "--shard=6/5")]
)
def test_a_shard_that_is_none_is_one_clear_line(author: Runner, command: tuple[str, ...]) -> None:
    module, *rest = command
    ran = author(*rest, module="pytest" if module == "pytest" else "pytest_nomos.cli")
    assert ran.code == 4
    assert "'6/5' is no shard; write 2/5" in ran.text
    assert "Traceback" not in ran.text
    assert not list(ran.folder.glob("**/report.json"))


def test_shards_are_kept_by_themselves_and_make_one_whole(author: Runner, tmp_path: Path) -> None:
    options = (f"--nomos-provider={JSON}", "--nomos-tier=testing", "--nomos-seed=5")
    whole = {line for line in author(*options, "--collect-only", "-q").out.splitlines() if "::" in line}
    seen: list[str] = []
    for index, workers in ((1, ()), (2, ("-n", "2"))):
        ran = author(*options, f"--nomos-shard={index}/2", f"--nomos-report=part{index}", *workers)
        assert ran.code == 0, ran.text
        assert f"shard {index}/2 only" in ran.out
        report = ran.report(f"part{index}")
        assert report["shard"] == f"{index}/2"
        seen += [check["node"] for target in report["targets"] for c in target["clauses"] for check in c["checks"]]
    assert sorted(seen) == sorted(whole)
    part = author("report", "merge", "part1", "-o", "half", module="pytest_nomos.cli")
    assert part.code == 10, part.text
    both = author("report", "merge", "part2", "part1", "-o", "both", module="pytest_nomos.cli")
    assert both.code == 0, both.text
    merged = json.loads((tmp_path / "both" / "report.json").read_text())
    assert merged["shard"] == ""
    assert {p: v["ruling"] for p, v in merged["targets"][0]["verdicts"].items()} == {"standard": "kept", "cli": "kept"}


def test_a_shard_with_a_failure_is_broken(author: Runner) -> None:
    clause = "CFG-FETCH-001"
    index = next(i for i in (1, 2, 3) if Shard(i, 3).holds(clause))
    ran = author(f"--nomos-provider=mutant:{clause}", f"--nomos-shard={index}/3", "-k", "CFG-FETCH")
    assert ran.code == 1, ran.text


def test_a_selection_is_not_held_against_a_run_with_workers(author: Runner) -> None:
    ran = author(f"--nomos-provider={JSON}", "-k", SOME, "-n", "2")
    assert ran.code == 0, ran.text
