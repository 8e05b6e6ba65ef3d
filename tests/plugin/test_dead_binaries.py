"""One dead binary is one failed clause and the rest blocked by it, not sixty errors."""

import sys
from pathlib import Path

import pytest

from plugin.conftest import Runner


def provider(folder: Path, text: str, mode: int = 0o755) -> None:
    script = folder / "provider"
    script.write_text(text)
    script.chmod(mode)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("#!/bin/sh\necho no config >&2\nexit 3\n", ("exit", "3", "no config")),
        ("#!/bin/sh\necho hello world\nsleep 60\n", ("hello world", "PORT=")),
        ("#!/bin/sh\necho PORT=80\nsleep 60\n", ("80", "1024")),
        ("#!/no/such/interpreter\n", ("/no/such/interpreter",)),
    ],
    ids=["exits", "garbage", "port", "interpreter"],
)
def test_a_dead_binary_fails_one_clause_and_says_why(
    author: Runner, tmp_path: Path, text: str, says: tuple[str, ...]
) -> None:
    provider(tmp_path, text)
    ran = author("--nomos-provider=./provider", "--nomos-report=rep")
    assert ran.code == 1, ran.text
    outcomes = [c for c in ran.report()["targets"][0]["clauses"] if c["outcome"] == "failed"]
    assert len(outcomes) == 1, outcomes
    for word in says:
        assert word in ran.out
    assert ran.tally().get("errors", 0) == 0
    assert "Traceback" not in ran.text


def test_what_broke_in_the_check_of_another_clause_only_is_shown(author: Runner, tmp_path: Path) -> None:
    serve = f"exec {sys.executable} -m nomos_reference"
    text = f'#!/bin/sh\nif [ -n "$NOMOS_LISTEN" ]; then {serve} config/json; fi\n{serve} config/files\n'
    provider(tmp_path, text)
    (tmp_path / "data").mkdir()
    (tmp_path / "nomos.toml").write_text('[config]\ndirectory = "data"\n')
    ran = author("--nomos-provider=./provider", "-k", "CFG-INIT-001 or PROC-LISTEN-003")
    assert ran.code == 1, ran.text
    assert "broken: CFG-INIT-001" in ran.out
    assert "it held when it was tried, and not for another check: Init with the good config answered" in ran.out
    assert "mend      Start the provider by hand" in ran.out


def test_a_file_that_is_not_executable_says_chmod(author: Runner, tmp_path: Path) -> None:
    provider(tmp_path, "#!/bin/sh\n", mode=0o644)
    ran = author("--nomos-provider=./provider")
    assert ran.code == 1
    assert "chmod +x" in ran.out


def test_an_empty_config_blocks_what_needs_samples_and_prints_the_lines_to_paste(
    author: Runner, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "nomos.toml").write_text('[config]\ndirectory = "data"\n')
    ran = author("--nomos-provider=registered:config/files", "--nomos-tier=testing")
    assert ran.code == 10, ran.text
    assert "[[samples.values]]" in ran.out
    assert "NOT JUDGED" in ran.out


@pytest.mark.parametrize(
    "clause",
    [
        "PROC-START-001",
        "PROC-START-002",
        "PROC-START-003",
        "PROC-START-004",
        "PROC-START-005",
        "PROC-ANNOUNCE-001",
        "PROC-ANNOUNCE-002",
        "PROC-ANNOUNCE-003",
        "PROC-ANNOUNCE-004",
    ],
)
def test_each_way_in_which_a_start_fails_breaks_its_one_clause(author: Runner, clause: str) -> None:
    ran = author(f"--nomos-provider=mutant:{clause}", "--nomos-tier=testing", "--nomos-report=rep")
    assert ran.code == 1, ran.text
    failed = [c["id"] for c in ran.report()["targets"][0]["clauses"] if c["outcome"] == "failed"]
    assert failed == [clause]
