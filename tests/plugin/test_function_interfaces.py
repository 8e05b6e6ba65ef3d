"""Targets that are provider objects: in process, over the wire, and both at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from plugin.conftest import Ran, Runner

HERE = Path(__file__).parent
MEMORY = "--nomos-provider=registered:compute/memory"
BOOT = "CMP-BOOT-001 or CMP-BOOT-002"
BOTH = "--nomos-transport=inproc,wire"
SETTINGS = """\
interface = "compute"
tier = "testing"
{top}
[limits]
call = 1
[samples]
spec = "small"
{more}
"""


@pytest.fixture
def own(author: Runner, tmp_path: Path) -> Runner:
    """Run pytest on a factory of `small_cloud` in the author's folder: ``own("Good", "-k", "x")``."""
    shutil.copy(HERE / "small_cloud.py", tmp_path / "small_cloud.py")

    def run(factory: str, *args: str, top: str = "", more: str = "") -> Ran:
        (tmp_path / "nomos.toml").write_text(SETTINGS.format(top=top, more=more))
        return author(f"--nomos-provider=python:small_cloud:{factory}", *args)

    return run


def outcomes(ran: Ran, target: str) -> dict[str, str]:
    (found,) = (one for one in ran.report()["targets"] if one["name"] == target)
    return {clause["id"]: clause["outcome"] for clause in found["clauses"] if clause["checks"]}


class TestRegistered:
    def test_it_is_tried_in_process_and_no_process_is_started(self, author: Runner) -> None:
        ran = author(MEMORY, "-k", BOOT, "-v", "--nomos-report=rep")
        assert ran.code == 0, ran.text
        assert "[registered-compute-memory] PASSED" in ran.out
        (target,) = ran.report()["targets"]
        assert (target["transport"], target["twin"], target["announcement"]) == ("inproc", "", "")
        assert target["isolation"] == {"environment": "none", "lifeline": False}
        assert target["subject"]["file"] == "nomos_reference"
        assert "snapshots" in target["capabilities"]

    def test_two_transports_are_two_targets_that_agree(self, author: Runner) -> None:
        ran = author(MEMORY, BOTH, "-k", BOOT, "-v", "--nomos-report=rep")
        assert ran.code == 0, ran.text
        assert ran.tally()["passed"] == 4
        assert "[registered-compute-memory] PASSED" in ran.out
        assert "[registered-compute-memory+wire] PASSED" in ran.out
        report = ran.report()
        assert [one["transport"] for one in report["targets"]] == ["inproc", "wire"]
        assert [one["announcement"] for one in report["targets"]] == ["", "PORT"]
        assert report["differences"] == []

    def test_one_transport_can_be_asked_for(self, author: Runner) -> None:
        ran = author(MEMORY, "--nomos-transport=wire", "-k", BOOT, "--nomos-report=rep")
        assert ran.code == 0, ran.text
        (target,) = ran.report()["targets"]
        assert (target["name"], target["transport"]) == ("registered-compute-memory", "wire")

    def test_workers_share_what_the_controller_found_out(self, author: Runner) -> None:
        ran = author(MEMORY, BOTH, "-k", "CMP-BOOT-001 or CMP-FLAG-201", "-n", "2", "--nomos-report=rep")
        assert ran.code == 0, ran.text
        for name in ("registered-compute-memory", "registered-compute-memory+wire"):
            assert outcomes(ran, name) == {"CMP-BOOT-001": "passed", "CMP-FLAG-201": "not_applicable"}

    def test_collection_makes_and_starts_nothing(self, author: Runner) -> None:
        ran = author(MEMORY, BOTH, "--collect-only", "-q", "-k", BOOT)
        assert ran.code == 0, ran.text
        assert ran.out.count("[registered-compute-memory+wire]") == 2

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (("--nomos-provider=registered:compute/nobody",), "there is no such provider"),
            (("--nomos-provider=registered:registry/memory", "--nomos-transport=wire"), "only be reached in process"),
            (("--nomos-provider=registered:config/json", "--nomos-transport=inproc"), "only be reached over the wire"),
            ((MEMORY, "--nomos-transport=pigeon"), "write inproc, wire or inproc,wire"),
            ((MEMORY, "--nomos-transport=wire,wire"), "write inproc, wire or inproc,wire"),
        ],
    )
    def test_what_cannot_be_is_one_clear_error(self, author: Runner, args: tuple[str, ...], words: str) -> None:
        ran = author(*args, "-q")
        assert ran.code == 4
        assert words in ran.text
        assert "Traceback" not in ran.text

    def test_a_clause_of_the_other_transport_does_not_apply(self, author: Runner) -> None:
        ran = author(MEMORY, "--nomos-transport=wire", "-k", "CMP-REG-001", "-rs")
        assert ran.tally() == {"skipped": 1, "deselected": ran.tally()["deselected"]}
        assert "tried only in process" in ran.out

    def test_a_mutant_is_a_target_over_both_transports(self, author: Runner) -> None:
        ran = author("--nomos-provider=mutant:CMP-BOOT-002", BOTH, "-k", "checksum_is_that", "--nomos-report=rep")
        assert ran.code == 1
        for name in ("mutant-CMP-BOOT-002", "mutant-CMP-BOOT-002+wire"):
            assert outcomes(ran, name) == {"CMP-BOOT-002": "failed"}
        assert ran.report()["differences"] == []

    def test_a_first_settings_file_says_what_it_declares_and_can_be_read(self, author: Runner) -> None:
        ran = author("init", "registered:compute/memory", module="pytest_nomos.cli")
        assert ran.code == 0, ran.text
        written = (ran.folder / "nomos.toml").read_text()
        assert 'interface = "compute"' in written
        assert "# It declares: cost_explorer, " in written
        assert '# spec = "small"' in written
        assert author(MEMORY, "-k", "CMP-BOOT-001").code == 0


class TestAnAuthorsOwn:
    @pytest.mark.parametrize("factory", ["Good", "in_pieces"])
    def test_a_factory_is_a_target_over_both_transports(self, own: Runner, factory: str) -> None:
        ran = own(factory, BOTH, "-k", BOOT, "--nomos-report=rep")
        assert ran.code == 0, ran.text
        name = f"python-small_cloud-{factory}"
        assert (
            outcomes(ran, name) == outcomes(ran, f"{name}+wire") == {"CMP-BOOT-001": "passed", "CMP-BOOT-002": "passed"}
        )
        assert ran.report()["targets"][0]["subject"]["file"] == "small_cloud.py"

    def test_what_the_transports_disagree_about_is_a_finding_of_its_own(self, own: Runner) -> None:
        ran = own("Forgetful", BOTH, "-k", BOOT, "--nomos-report=rep")
        assert ran.code == 1
        report = ran.report()
        assert report["exit_code"] == 1
        (found,) = report["differences"]
        assert found["clause"] == "CMP-BOOT-002"
        assert found["outcomes"] == {
            "python-small_cloud-Forgetful": "passed",
            "python-small_cloud-Forgetful+wire": "failed",
        }
        assert "CMP-BOOT-002: the transports disagree: passed as python-small_cloud-Forgetful" in ran.out
        assert "The transports disagree" in (ran.folder / "rep" / "summary.md").read_text()
        assert own("Forgetful", "--nomos-transport=inproc", "-k", BOOT).code == 0

    def test_a_failure_can_be_replayed_over_its_transport(self, own: Runner) -> None:
        ran = own("Forgetful", BOTH, "-k", BOOT)
        (line,) = {line.split("replay", 1)[1].strip() for line in ran.out.splitlines() if line.startswith("  replay")}
        assert "generate_bootstrap" in line
        assert line.endswith("--transport=wire")

    def test_what_is_not_declared_does_not_apply_by_the_flags_name(self, own: Runner) -> None:
        ran = own("Good", "-k", "CMP-SNAP-003 or CMP-FLAG-201", "--nomos-tier=additional", "-rs", "--nomos-report=rep",
                  more='[config]\ncapabilities = ["spot"]')  # fmt: skip
        assert outcomes(ran, "python-small_cloud-Good") == {"CMP-SNAP-003": "not_applicable", "CMP-FLAG-201": "passed"}
        assert "capability snapshots is not declared" in ran.out

    def test_settings_that_say_otherwise_are_told_and_do_not_count(self, own: Runner) -> None:
        ran = own("Good", "-k", "CMP-BOOT-001", top='capabilities = ["gpu"]')
        assert ran.code == 0, ran.text
        assert "the settings say gpu; the provider declares cost_explorer, " in ran.out

    def test_a_provider_that_hangs_costs_its_checks_only(self, own: Runner) -> None:
        ran = own("Hanging", "-k", "CMP-BOOT-001 or CMP-BOOT-002 or CMP-GET-002", "--nomos-report=rep")
        assert ran.code == 1
        seen = outcomes(ran, "python-small_cloud-Hanging")
        assert (seen["CMP-BOOT-001"], seen["CMP-GET-002"]) == ("failed", "passed")
        assert "DEADLINE_EXCEEDED" in ran.out

    def test_a_provider_that_wants_to_end_the_process_does_not(self, own: Runner) -> None:
        ran = own("Leaving", BOTH, "-k", "CMP-BOOT-001 or CMP-GET-002", "--nomos-report=rep")
        assert ran.code == 1
        for name in ("python-small_cloud-Leaving", "python-small_cloud-Leaving+wire"):
            assert outcomes(ran, name) == {"CMP-BOOT-001": "passed", "CMP-GET-002": "failed"}
        assert ran.report()["differences"] == []
        assert "builtins.SystemExit" in ran.out

    def test_a_raw_exception_is_named_over_both(self, own: Runner) -> None:
        ran = own("Raw", BOTH, "-k", "CMP-GET-002", "--nomos-report=rep")
        assert ran.code == 1
        assert ran.report()["differences"] == []
        assert ran.out.count("builtins.KeyError") >= 2

    @pytest.mark.parametrize(
        ("factory", "words"),
        [
            ("unmakeable", "the factory raised builtins.RuntimeError"),
            ("endless", "the factory did not return within 1 s"),
            ("nobody", "has no attribute nobody"),
        ],
    )
    def test_one_that_cannot_be_made_is_tried_once_and_told(self, own: Runner, factory: str, words: str) -> None:
        ran = own(factory, "-k", BOOT, "--nomos-report=rep")
        assert ran.code == 10, ran.text
        assert f"python-small_cloud-{factory} cannot be made" in ran.out
        assert words in ran.out
        assert "hunter2" not in ran.text
        assert set(outcomes(ran, f"python-small_cloud-{factory}").values()) == {"blocked"}

    def test_last_failed_runs_what_failed(self, own: Runner) -> None:
        own("Forgetful", BOTH, "-k", BOOT, "-p", "cacheprovider")
        ran = own("Forgetful", BOTH, "-k", BOOT, "-p", "cacheprovider", "--lf", "-v")
        assert ran.tally()["failed"] == 1
        assert "[python-small_cloud-Forgetful] " not in ran.out

    def test_a_first_settings_file_of_one_that_cannot_be_made_is_not_written(self, own: Runner, author: Runner) -> None:
        own("unmakeable", "--collect-only", "-q")
        args = ("--interface=compute", "-o", "draft.toml")
        ran = author("init", "python:small_cloud:unmakeable", *args, module="pytest_nomos.cli")
        assert ran.code == 1
        assert "the factory raised builtins.RuntimeError" in ran.text
        assert not (ran.folder / "draft.toml").exists()

    def test_one_call_by_hand(self, own: Runner, author: Runner, tmp_path: Path) -> None:
        own("Good", "--collect-only", "-q")
        for transport in ("inproc", "wire"):
            ran = author(
                "call", "python:small_cloud:Good", "get", '{"provider_id": "nobody"}', f"--transport={transport}",
                module="pytest_nomos.cli",
            )  # fmt: skip
            assert ran.code == 0, ran.text
            assert '"method": "get"' in ran.out
            assert '"value": null' in ran.out
        ran = author("call", "python:small_cloud:Good", "fly", module="pytest_nomos.cli")
        assert ran.code == 4
        assert "there is no such method" in ran.text

    def test_it_is_certified_by_its_file_over_both_transports(
        self, own: Runner, author: Runner, tmp_path: Path
    ) -> None:
        declined = 'declined = {other_spec = "x", regions = "x", page = "x"}'
        own("Good", "--collect-only", "-q", top=declined)
        args = ("--transport=inproc,wire", "--tier=testing")
        ran = author("certify", "python:small_cloud:Good", *args, module="pytest_nomos.cli")
        assert ran.code == 0, ran.text
        for name in ("attestation.python-small_cloud-Good", "attestation.python-small_cloud-Good+wire"):
            statement = json.loads((tmp_path / "nomos-report" / f"{name}.json").read_text())
            assert statement["subject"][0]["name"] == "small_cloud.py"
        ran = author("certify", "python:small_cloud:Forgetful", *args, module="pytest_nomos.cli")
        assert ran.code == 1
        assert "its transports disagree about CMP-BOOT-002" in ran.text
        assert not list((tmp_path / "nomos-report").glob("attestation*"))
