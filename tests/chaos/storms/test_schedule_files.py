"""Schedule files: what is written is read back, can be run, and every other file is one clear error."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from nomos_contracts.schedule import Step
from nomos_contracts.verdict import CURRENT_EDITION
from pytest_nomos.chaos.schedule_file import (
    SHEBANG,
    Header,
    ScheduleFileError,
    read_schedule_file,
    write_schedule_file,
)
from pytest_nomos.report.folder import ReportError

HEADER = Header(clause="CFG-CHAOS-011", target="registered:config/files", seed=7, edition=CURRENT_EDITION, steps=4)
STEPS = (
    Step("fault", {"fault": "reset(0, direction=upstream)", "steps": 1, "path": ["app", "größe"]}),
    Step("init", {"config": "other"}),
    Step("fetch", {"path": ["app", "größe"]}),
    Step("agree"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rep" / "schedule.jsonl"
    write_schedule_file(path, HEADER, STEPS)
    return path


def replayed(file: Path, *args: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_nomos.cli", "replay", str(file), *args],
        cwd=file.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_what_is_written_is_read_back(file: Path) -> None:
    assert read_schedule_file(file) == (HEADER, STEPS)


def test_it_is_an_executable_script_of_json_lines(file: Path) -> None:
    first, *others = file.read_text().splitlines()
    assert first == SHEBANG
    assert [json.loads(line).get("step") for line in others] == [None, "fault", "init", "fetch", "agree"]
    assert os.access(file, os.X_OK)
    assert stat.S_IMODE(file.stat().st_mode) == 0o755


def test_it_is_written_whole_or_not_at_all(file: Path) -> None:
    before = file.read_bytes()
    write_schedule_file(file, HEADER, STEPS)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    blocked = file / "below"
    with pytest.raises(ReportError):
        write_schedule_file(blocked, HEADER, STEPS)
    assert file.read_bytes() == before


def test_without_its_first_line_it_is_the_same_schedule(file: Path) -> None:
    file.write_text(file.read_text().partition("\n")[2])
    assert read_schedule_file(file) == (HEADER, STEPS)


def lines(header: dict[str, object] | str | None = None, *steps: object) -> str:
    changed = HEADER.model_dump() | (header if isinstance(header, dict) else {})
    first = header if isinstance(header, str) else json.dumps(changed)
    shown: Sequence[object] = steps or [{"step": step.kind, **step.args} for step in STEPS]
    return "\n".join([SHEBANG, first, *(step if isinstance(step, str) else json.dumps(step) for step in shown), ""])


BAD = {
    "nothing": ("", "it is empty"),
    "only the first line": (SHEBANG + "\n", "it is empty"),
    "no text": (b"\xff\xfe\x00", "no text in UTF-8"),
    "no JSON": ("hello\n", ":1: is no JSON: 'hello'"),
    "no object": ("[1]\n", ":1: is no JSON object"),
    "deep": ("[" * 100_000, "is no JSON"),
    "another object": ('{"a": 1}\n', ":1: is no schedule"),
    "a version to come": (lines({"schedule": 2}), ":2: is no schedule"),
    "no target": (lines(json.dumps({"schedule": 1, "clause": "CFG-CHAOS-011"})), "the header's target: Field required"),
    "an empty target": (lines({"target": ""}), "the header's target"),
    "a number for a target": (lines({"target": 5}), "the header's target"),
    "a key too many": (lines({"color": "red"}), "the header's color"),
    "another clause": (lines({"clause": "CFG-FETCH-001"}), "cannot be replayed, only those of CFG-CHAOS-011"),
    "cut between lines": (
        lines().rpartition('{"step": "agree"}')[0],
        "has 3 steps where its header says 4: it was cut off",
    ),
    "cut within a line": (lines()[:-6], ":6: is no JSON"),
    "a step too many": (lines() + '{"step": "agree"}\n', "something was added"),
    "a step without a kind": (lines({"steps": 1}, {"config": "good"}), ":3: a step is"),
    "an unknown step": (lines({"steps": 1}, {"step": "dance"}), ":3: there is no step 'dance'; there are init, fetch"),
    "an unknown fault": (
        lines({"steps": 1}, {"step": "fault", "fault": "storm", "steps": 0, "path": []}),
        "there is no fault 'storm'",
    ),
    "a fault that is none of storms": (
        lines({"steps": 1}, {"step": "fault", "fault": "terminate", "steps": 0, "path": []}),
        "terminate is none of the faults of storms",
    ),
    "a fault for ever": (
        lines({"steps": 1}, {"step": "fault", "fault": "pause", "steps": 10**9, "path": []}),
        '"steps" is a number from 0 to 100',
    ),
    "a fault that lasts too long": (
        lines({"steps": 1}, {"step": "fault", "fault": "pause", "steps": 0, "path": [], "least": 11}),
        '"least" is a number of seconds from 0 to 10',
    ),
    "a fault without a path": (lines({"steps": 1}, {"step": "fault", "fault": "pause", "steps": 0}), "fault takes"),
    "an unknown configuration": (lines({"steps": 1}, {"step": "init", "config": "best"}), "init takes"),
    "no configuration": (lines({"steps": 1}, {"step": "init"}), "init takes"),
    "a path that is none": (lines({"steps": 1}, {"step": "fetch", "path": "app"}), "fetch takes"),
    "arguments for nothing": (lines({"steps": 1}, {"step": "agree", "with": "me"}), "agree takes nothing, not with"),
}


@pytest.mark.parametrize("name", BAD)
def test_any_other_file_is_refused_with_what_is_wrong_and_where(name: str, tmp_path: Path) -> None:
    content, told = BAD[name]
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ScheduleFileError) as caught:
        read_schedule_file(path)
    assert str(caught.value).startswith(f"{path}")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(ScheduleFileError, match="cannot be read"):
            read_schedule_file(path)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ({"edition": "1999-01"}, "was written for edition 1999-01"),
        ({"target": "./gone"}, "its target: ./gone: there is no file"),
        ({"settings": "gone.toml"}, "the settings gone.toml are not there"),
        ({"target": "registered:compute/memory"}, "implements compute"),
        ({"target": "python:json:loads", "needs": ["config", "samples.other_config"]}, "needs samples.other_config"),
    ],
    ids=("edition", "target", "settings", "interface", "samples"),
)
def test_what_cannot_be_run_here_is_exit_code_2_and_one_line(file: Path, header: dict[str, object], told: str) -> None:
    file.write_text(lines(header))
    code, text = replayed(file)
    assert (code, told in text) == (2, True), text


def test_a_bad_file_is_exit_code_2_on_the_command_line(file: Path) -> None:
    file.write_text("hello\n")
    code, text = replayed(file)
    assert (code, text.count("\n")) == (2, 1)
    assert text.startswith("pytest-nomos: ")
