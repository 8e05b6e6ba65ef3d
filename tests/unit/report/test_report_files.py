from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import pytest_nomos.report
from nomos_contracts.verdict import Outcome
from pytest_nomos.report.build import build_report
from pytest_nomos.report.folder import ReportError, load_report, report_bytes, write_atomically, write_report
from pytest_nomos.report.model import Redacted, Report, report_schema
from pytest_nomos.report.stream import ReportStream, recover
from unit.report import made

SCHEMA = Path(pytest_nomos.report.__file__).parent / "schema.json"
FIRST, SECOND = made.due_ids()[:2]


def test_the_committed_schema_is_that_of_the_model() -> None:
    assert json.loads(SCHEMA.read_text()) == report_schema(), "run python tools/generate_report_schema.py"


@pytest.mark.parametrize("report", [made.kept_report(), made.mixed_report()], ids=["kept", "mixed"])
def test_every_report_keeps_the_schema(report: Report) -> None:
    jsonschema.Draft202012Validator.check_schema(report_schema())
    jsonschema.validate(json.loads(report_bytes(report)), report_schema())


def test_a_report_comes_back_as_it_was_written(tmp_path: Path) -> None:
    report = made.mixed_report()
    paths = write_report(tmp_path / "deep" / "er", report)
    assert load_report(paths.report) == report == load_report(paths.report.parent)
    assert report_bytes(load_report(paths.report)) == paths.report.read_bytes()
    assert {p.name for p in paths.report.parent.iterdir()} == {"report.json", "summary.md", "badge.svg", "index.html"}
    assert paths.report.stat().st_mode & 0o777 == 0o644


def test_settings_appear_as_key_names_and_a_digest_only() -> None:
    text = report_bytes(made.mixed_report()).decode()
    for secret in made.CONFIG.values():
        assert secret not in text
    assert '"directory"' in text
    assert Redacted.of(made.CONFIG) != Redacted.of({**made.CONFIG, "token": "other"})
    assert Redacted.of({}) == Redacted()


def test_a_report_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ReportError, match=r"file/report\.json: cannot be written: "):
        write_atomically(tmp_path / "file" / "report.json", b"")
    (tmp_path / "report.json").mkdir()
    with pytest.raises(ReportError, match=r"report\.json: cannot be written: Is a directory"):
        write_atomically(tmp_path / "report.json", b"new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "report.json"]


@pytest.mark.parametrize("value", ["\ud800 half a pair", "\0 nul", "x" * 10_000, "‮ turned", "\u2028"])
def test_whatever_a_provider_says_can_be_written_and_read(tmp_path: Path, value: str) -> None:
    record = made.record(FIRST, Outcome.FAILED, got=value, evidence={value: [value]}, observed={"seen": value})
    report = build_report(made.run(), [made.target(info={"version": value})], [record], finished=made.FINISHED)
    paths = write_report(tmp_path, report)
    assert load_report(paths.report) == report
    jsonschema.validate(json.loads(paths.report.read_bytes()), report_schema())


def test_a_stream_leaves_a_complete_report(tmp_path: Path) -> None:
    with ReportStream(tmp_path, made.run(), [made.target()]) as stream:
        for record in made.records():
            stream.append(record)
        report = stream.finish(finished=made.FINISHED)
    assert report == load_report(tmp_path) == made.kept_report()


def test_a_stream_that_is_left_keeps_the_report_incomplete(tmp_path: Path) -> None:
    with ReportStream(tmp_path, made.run(), [made.target()]) as stream:
        stream.append(made.record(FIRST, Outcome.FAILED))
    assert not load_report(tmp_path).complete
    found = recover(tmp_path)
    assert not found.complete
    assert found.exit_code == 1
    assert found.targets[0].records == (made.record(FIRST, Outcome.FAILED),)


def test_a_run_that_was_broken_off_writes_what_it_has_and_is_incomplete(tmp_path: Path) -> None:
    with ReportStream(tmp_path, made.run(), [made.target()]) as stream:
        stream.append(made.record(FIRST))
        stream.finish(complete=False)
    report = load_report(tmp_path)
    assert not report.complete
    assert len(report.targets[0].records) == 1
    assert "Incomplete" in (tmp_path / "summary.md").read_text()


def test_without_a_folder_records_are_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ReportStream(None, made.run(), [made.target()]) as stream:
        stream.append(made.record(FIRST))
        assert stream.records == (made.record(FIRST),)
        assert stream.finish(finished=made.FINISHED).targets[0].records == (made.record(FIRST),)
    assert not list(tmp_path.iterdir())


KILLED = """
import os, sys
from pathlib import Path
from pytest_nomos.report.stream import ReportStream
from unit.report import made
stream = ReportStream(Path(sys.argv[1]), made.run(), [made.target()])
for clause in made.due_ids()[:5]:
    stream.append(made.record(clause))
print("appended", flush=True)
sys.stdin.read()
"""


def test_a_killed_run_leaves_every_record_and_a_report_marked_incomplete(tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": tests}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "appended\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
    assert not load_report(tmp_path).complete
    assert [r.clause for r in recover(tmp_path).targets[0].records] == made.due_ids()[:5]


def test_a_torn_last_line_is_left_out_and_a_broken_one_before_it_is_an_error(tmp_path: Path) -> None:
    with ReportStream(tmp_path, made.run(), [made.target()]) as stream:
        stream.append(made.record(FIRST))
        stream.append(made.record(SECOND))
    progress = tmp_path / "progress.jsonl"
    whole = progress.read_bytes()
    progress.write_bytes(whole[:-20])
    assert [r.clause for r in recover(tmp_path).targets[0].records] == [FIRST]
    progress.write_bytes(whole.replace(b'"outcome"', b'"out"', 1))
    with pytest.raises(ReportError, match=r"progress\.jsonl"):
        recover(tmp_path)
    for broken in (b"", b"{", b"{}\n", b"[]\n", b"null\n", b'{"run": 1, "targets": 2}\n', b"\xff\n"):
        progress.write_bytes(broken)
        with pytest.raises(ReportError, match=r"progress\.jsonl"):
            recover(tmp_path)


def test_a_new_run_removes_what_an_old_one_left_and_nothing_else(tmp_path: Path) -> None:
    write_report(tmp_path, made.kept_report())
    for name in ("attestation.json", "certificate.json", "attestation.second.json", "certificate-authority.json"):
        (tmp_path / name).write_text("old")
    ReportStream(tmp_path, made.run(), [made.target()]).close()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["certificate-authority.json", "progress.jsonl", "report.json"]


def test_a_folder_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ReportError, match=r"file: cannot be written: File exists"):
        ReportStream(tmp_path / "file", made.run(), [made.target()])
    assert (tmp_path / "file").read_text() == "mine"
