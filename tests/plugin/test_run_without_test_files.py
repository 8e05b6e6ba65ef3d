"""What an author types in a folder without one test file."""

from pathlib import Path

import pytest

from plugin.conftest import FETCH, FILES, Runner

TARGET = f"--nomos-provider={FILES}"


def test_a_correct_provider_keeps_its_whole_contract_in_both_profiles(author: Runner) -> None:
    ran = author(TARGET, "--nomos-tier=reference", "--nomos-report=rep")
    assert ran.code == 0, ran.text
    assert "KEPT in profile standard" in ran.out
    assert "KEPT in profile cli" in ran.out
    report = ran.report()
    assert report["complete"] is True
    assert {c["outcome"] for c in report["targets"][0]["clauses"]} <= {"passed", "not_applicable"}


def test_k_selects_by_clause_id(author: Runner) -> None:
    ran = author(TARGET, "-k", "CFG-FETCH-001", "-v")
    assert ran.code == 0, ran.text
    assert ran.tally()["passed"] >= 1
    assert "deselected" in ran.tally()


def test_m_selects_by_level(author: Runner) -> None:
    ran = author(TARGET, "--nomos-tier=reference", "--collect-only", "-q", "-m", 'nomos(level="SHOULD")')
    assert ran.code == 0, ran.text
    assert "::" in ran.out


def test_collect_only_starts_nothing(author: Runner, tmp_path: Path) -> None:
    script = tmp_path / "provider"
    script.write_text("#!/bin/sh\ntouch started\nexit 1\n")
    script.chmod(0o755)
    (tmp_path / "nomos.toml").write_text('[targets.x]\ncommand = ["./provider"]\n')
    ran = author("--nomos-provider=x", "--collect-only", "-q")
    assert ran.code == 0, ran.text
    assert f"{FETCH}::" in ran.out
    assert not list(tmp_path.rglob("started"))


def test_a_pasted_node_id_runs_that_check_alone(author: Runner) -> None:
    listed = author(TARGET, "--collect-only", "-q", "-k", "CFG-FETCH-001").out
    node = next(line for line in listed.splitlines() if line.startswith("nomos/"))
    ran = author(TARGET, node)
    assert ran.code == 0, ran.text
    counts = ran.tally()
    assert counts.pop("passed") == 1
    assert set(counts) <= {"deselected"}


def test_an_unknown_node_id_is_a_usage_error(author: Runner) -> None:
    ran = author(TARGET, "nomos/config/fetch.py::FetchContract::test_nothing")
    assert ran.code == 4
    assert "no check has the id" in ran.text
    assert "Traceback" not in ran.text


def test_an_unknown_node_id_is_a_usage_error_with_workers_too(author: Runner) -> None:
    ran = author(TARGET, "-n", "2", "nomos/config/fetch.py::FetchContract::test_nothing")
    assert ran.code == 4, ran.text
    assert "no check has the id" in ran.text


@pytest.mark.parametrize(
    "options", [("-n", "2"), ("-W", "error"), ("-p", "no:terminal"), ("-q",), ("-v",)], ids=" ".join
)
def test_the_verdict_is_the_same_with(author: Runner, options: tuple[str, ...]) -> None:
    ran = author(TARGET, "--nomos-tier=testing", "--nomos-report=rep", *options)
    assert ran.code == 0, ran.text
    target = ran.report()["targets"][0]
    assert {p: v["ruling"] for p, v in target["verdicts"].items()} == {"standard": "kept", "cli": "kept"}


def test_several_targets_run_side_by_side_with_ids_of_their_own(author: Runner) -> None:
    ran = author(TARGET, "--nomos-provider=registered:config/json", "-k", "CFG-FETCH-001", "-v")
    assert ran.code == 0, ran.text
    assert "[registered-config-files]" in ran.out
    assert "[registered-config-json]" in ran.out


def test_last_failed_runs_what_failed_and_nothing_else(author: Runner, tmp_path: Path) -> None:
    mutant = "--nomos-provider=mutant:CFG-FETCH-001"
    first = author(mutant, "--nomos-tier=testing")
    assert first.code == 1, first.text
    second = author(mutant, "--nomos-tier=testing", "--lf")
    assert second.code == 1, second.text
    assert second.tally()["failed"] == first.tally()["failed"]
    assert second.tally().get("passed", 0) == 0


def test_x_stops_at_the_first_failure(author: Runner) -> None:
    ran = author("--nomos-provider=mutant:CFG-FETCH-001", "--nomos-tier=testing", "-x")
    assert ran.code == 1, ran.text
    assert ran.tally()["failed"] == 1


def test_maxfail_stops_too(author: Runner) -> None:
    ran = author("--nomos-provider=mutant:CFG-FETCH-001", "--nomos-tier=testing", "--maxfail=1")
    assert ran.code == 1, ran.text
    assert "stopping after 1 failures" in ran.out


def test_a_path_written_with_a_space_is_refused(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "provider").write_text("#!/bin/sh\n")
    ran = author("--nomos-provider", "./provider")
    assert ran.code == 4
    assert "write --nomos-provider=./provider" in ran.text


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("./missing", "there is no file"),
        ("nonsense", "this is no target"),
        ("registered:config/none", "there are config/files"),
        ("grpc:here", "grpc:HOST:PORT"),
        ("get:name@1.0.0", "downloads are not part of this release"),
        ("python:os", "python:package.module:factory"),
    ],
)
def test_a_bad_target_gets_one_clear_line(author: Runner, target: str, says: str) -> None:
    ran = author(f"--nomos-provider={target}")
    assert ran.code == 4
    assert says in ran.text
    assert "Traceback" not in ran.text


def test_junit_tells_clause_and_outcome(author: Runner) -> None:
    author("--nomos-provider=mutant:CFG-FETCH-001", "--nomos-tier=testing", "--junitxml=junit.xml")
    ran = author("--version")
    failed = [case for case in ran.junit().iter("testcase") if case.find("failure") is not None]
    assert failed
    for case in failed:
        properties = {p.get("name"): p.get("value") for p in case.iter("property")}
        assert properties["nomos.outcome"] == "failed"
        assert properties["nomos.clause"]


def test_a_failure_names_clause_source_mend_exchange_and_replay(author: Runner) -> None:
    ran = author("--nomos-provider=mutant:CFG-FETCH-001", "--nomos-tier=testing")
    assert "CFG-FETCH-001 (MUST):" in ran.out
    for label in ("source", "expected", "got", "mend", "exchange", "replay    pytest-nomos call"):
        assert label in ran.out
    assert "def test_" not in ran.out
