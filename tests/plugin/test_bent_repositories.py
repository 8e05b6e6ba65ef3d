"""What an author's repository does to the kit by accident."""

from pathlib import Path

import pytest

from plugin.conftest import FILES, Runner

TARGET = f"--nomos-provider={FILES}"
ONE = ("-k", "CFG-FETCH-001")


def test_a_conftest_that_replaces_a_fixture_blocks_the_checks_that_use_it(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef nomos_provider():\n    raise RuntimeError('mine')\n"
    )
    # The one check of CFG-FETCH-003 asks for the shared process.
    ran = author(TARGET, "-k", "CFG-FETCH-003", "--nomos-report=rep")
    assert ran.code == 10, ran.text
    blocked = [c for c in ran.report()["targets"][0]["clauses"] if c["outcome"] == "blocked"]
    assert blocked
    assert "author" in ran.out


def test_certify_reads_no_conftest(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("raise RuntimeError('never imported')\n")
    ran = author("certify", FILES, "--tier", "testing", module="pytest_nomos.cli")
    assert ran.code == 0, ran.text
    assert "never imported" not in ran.text


@pytest.mark.parametrize(
    "ini",
    [
        "addopts = -k nothing_at_all",
        "python_functions = check_*",
        "python_classes = Case*",
        "filterwarnings = error",
        "addopts = -p no:nomos",
        "testpaths = elsewhere",
    ],
)
def test_certify_obeys_no_ini_of_the_author(author: Runner, tmp_path: Path, ini: str) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    ran = author("certify", FILES, "--tier", "testing", module="pytest_nomos.cli", env={"PYTEST_ADDOPTS": "-k nothing"})
    assert ran.code == 0, ran.text


def test_certify_imports_nothing_from_the_authors_folder(author: Runner, tmp_path: Path) -> None:
    for name in ("pytest", "yaml", "grpc", "nomos_contracts"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('shadowed')\n")
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-I", "-m", "pytest_nomos.cli", "certify", FILES, "--tier", "testing"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("ini", ["python_functions = check_*", "filterwarnings = error", "python_classes = Case*"])
def test_the_authors_ini_does_not_empty_a_plain_run(author: Runner, tmp_path: Path, ini: str) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    ran = author(TARGET, *ONE)
    assert ran.code == 0, ran.text
    assert ran.tally()["passed"] >= 1


def test_autouse_fixtures_of_the_author_that_fail_are_not_the_providers_fault(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture(autouse=True)\ndef mine():\n    raise RuntimeError('broken')\n"
    )
    ran = author(TARGET, *ONE, "--nomos-report=rep")
    assert ran.code == 10, ran.text
    assert not [c for c in ran.report()["targets"][0]["clauses"] if c["outcome"] == "failed"]


def test_a_folder_named_nomos_changes_nothing(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "nomos" / "config").mkdir(parents=True)
    (tmp_path / "nomos" / "config" / "fetch.py").write_text("raise RuntimeError\n")
    ran = author(TARGET, *ONE)
    assert ran.code == 0, ran.text


def test_an_authors_own_tests_run_beside_when_their_path_is_given(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine():\n    assert True\n")
    ran = author(TARGET, "-k", "CFG-FETCH-001 or test_mine", "test_mine.py", "-v")
    assert ran.code == 0, ran.text
    assert "test_mine.py::test_mine PASSED" in ran.out


def test_a_failing_test_of_the_authors_own_fails_the_run(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine():\n    assert False\n")
    ran = author(TARGET, "-k", "CFG-FETCH-001 or test_mine", "test_mine.py")
    assert ran.code == 1, ran.text


def test_a_subclass_in_the_authors_test_file_is_collected(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "from pytest_nomos.testing import Contract, clause, expect_ok\n"
        "class MyContract(Contract):\n"
        "    @clause('CFG-FETCH-001')\n"
        "    def test_more(self, nomos_provider):\n"
        "        expect_ok(nomos_provider.health())\n"
    )
    ran = author(TARGET, "-k", "test_more", "test_mine.py", "-v")
    assert ran.code == 0, ran.text
    assert "MyContract::test_more[registered-config-files] PASSED" in ran.out


def test_a_subclass_that_replaces_a_check_is_a_collection_error(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "from nomos_contracts.config.fetch import *\n"
        "from nomos_contracts.config import fetch\n"
        "from nomos_contracts.contract import Contract\n"
        "classes = [c for c in vars(fetch).values() if isinstance(c, type) and issubclass(c, Contract)]\n"
        "base = next(c for c in classes if c is not Contract)\n"
        "name = next(iter(base.checks()))[0]\n"
        "Mine = type('MineContract', (base,), {name: lambda self: None})\n"
    )
    ran = author(TARGET, *ONE, "test_mine.py")
    assert ran.code != 0
    assert "replaces the check" in ran.out


def test_an_xfail_mark_of_the_author_excuses_nothing(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\ndef pytest_collection_modifyitems(items):\n"
        "    for item in items:\n        item.add_marker(pytest.mark.xfail)\n"
    )
    ran = author("--nomos-provider=mutant:CFG-FETCH-001", "--nomos-tier=testing")
    assert ran.code == 1, ran.text


def test_a_skip_mark_of_the_author_is_blocked_and_never_kept(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\ndef pytest_collection_modifyitems(items):\n"
        "    for item in items:\n        item.add_marker(pytest.mark.skip(reason='no'))\n"
    )
    ran = author(TARGET, *ONE)
    assert ran.code == 10, ran.text
