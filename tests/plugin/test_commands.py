"""The commands around the contract: what they print, and one clear line for whatever they cannot use."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.conftest import Ran, Runner

CLI = "pytest_nomos.cli"
FILES = "registered:config/files"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A report folder of a small run that was judged."""
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("finished")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--nomos-provider={FILES}"]
    command += ["--nomos-report=rep", "--nomos-tier=testing", "--nomos-seed=1", "-k", "CFG-INFO or CFG-FETCH-001"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    yield folder / "rep"
    shutil.rmtree(folder)


@pytest.fixture
def cli(author: Runner, tmp_path: Path, finished: Path) -> Runner:
    shutil.copytree(finished, tmp_path / "rep")

    def run(*args: str, **options: str) -> Ran:
        ran = author(*args, module=CLI, **options)
        assert "Traceback" not in ran.text
        return ran

    return run


def one_line(ran: Ran, says: str) -> None:
    assert ran.code == 4, ran.text
    assert says in ran.err
    assert not ran.out
    told = [line for line in ran.err.splitlines() if not line.startswith(("Usage: ", "Try "))]
    assert len([line for line in told if line]) == 1, ran.err


# call


def test_call_prints_one_exchange_as_json(cli: Runner) -> None:
    ran = cli("call", FILES, "Fetch", '["app", "name"]')
    assert ran.code == 0, ran.text
    exchange = json.loads(ran.out)
    assert (exchange["method"], exchange["code"], exchange["value"]) == ("Fetch", "OK", "shop")


def test_call_exits_with_one_when_the_call_fails(cli: Runner) -> None:
    ran = cli("call", FILES, "Fetch", '["no", "such"]')
    assert ran.code == 1
    assert json.loads(ran.out)["code"] == "NOT_FOUND"


@pytest.mark.parametrize("function", ["Info", "Health", "Describe", "Shutdown"])
def test_call_reaches_every_method(cli: Runner, function: str) -> None:
    ran = cli("call", FILES, function)
    assert ran.code == 0, ran.text
    assert json.loads(ran.out)["method"] == function


def test_call_init_takes_a_config_and_puts_in_the_settings_own(cli: Runner) -> None:
    assert cli("call", FILES, "Init", '{"config": {"directory": "{config.directory}"}}').code == 0
    refused = cli("call", FILES, "Init", '{"config": {"directory": 5}}')
    assert refused.code == 1
    assert json.loads(refused.out)["code"] == "INVALID_ARGUMENT"


def test_call_reaches_functions_of_version_2(cli: Runner) -> None:
    ran = cli("call", FILES, "exists", '{"path": "app.json"}')
    assert ran.code == 0, ran.text
    assert json.loads(ran.out)["value"] is True


def test_call_without_init_meets_a_provider_that_refuses(cli: Runner) -> None:
    ran = cli("call", FILES, "Fetch", '["app"]', "--no-init")
    assert ran.code == 1
    assert json.loads(ran.out)["code"] == "FAILED_PRECONDITION"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((FILES, "Fetch", "[nonsense"), "the arguments are no JSON"),
        ((FILES, "Fetch", '"app"'), "Fetch takes the path as a JSON list of strings"),
        ((FILES, "Fetch", "[1]"), "Fetch takes the path as a JSON list of strings"),
        ((FILES, "Init", "[1]"), "Init takes its arguments as a JSON object"),
        ((FILES, "Init", '{"settings": {}}'), "Init has no argument settings"),
        ((FILES, "Init", '{"config": 5}'), "config is a JSON object"),
        ((FILES, "read", "5"), "read takes its arguments as a JSON object"),
        ((FILES, "Info", "--timeout", "0"), "--timeout"),
        (("./nobody", "Info"), "build the provider first"),
        (("all", "Info"), "name one target"),
        (("grpc:127.0.0.1:1", "Info"), "127.0.0.1:1"),
        ((FILES,), "Missing argument"),
    ],
)
def test_call_says_in_one_line_what_it_cannot_use(cli: Runner, args: tuple[str, ...], says: str) -> None:
    ran = cli("call", *args)
    assert ran.code == 4, ran.text
    assert says in ran.err
    assert not ran.out


# clauses


def test_clauses_lists_all_and_shows_one(cli: Runner) -> None:
    listed = cli("clauses")
    assert listed.code == 0
    assert any(line.startswith("CFG-FETCH-001 ") for line in listed.out.splitlines())
    shown = cli("clauses", "cfg-fetch-001")
    assert shown.code == 0
    for word in ("CFG-FETCH-001: ", "level        MUST", "sources", "mend"):
        assert word in shown.out


def test_clauses_as_json_hold_the_whole_table(cli: Runner) -> None:
    table = json.loads(cli("clauses", "--json").out)
    assert {"id", "level", "sentence", "sources", "mend"} <= table[0].keys()
    assert json.loads(cli("clauses", "CFG-FETCH-001", "--json").out)["id"] == "CFG-FETCH-001"


@pytest.mark.parametrize(("name", "says"), [("CFG-FETCH-999", "near it: CFG-FETCH-001"), ("nonsense", "lists them")])
def test_a_clause_that_is_not_there_is_one_line_with_those_near_it(cli: Runner, name: str, says: str) -> None:
    one_line(cli("clauses", name), says)


# report


def test_report_show_reads_a_folder_and_a_file(cli: Runner) -> None:
    folder, file = cli("report", "show", "rep"), cli("report", "show", "rep/report.json")
    assert folder.code == 0, folder.text
    assert "registered-config-files" in folder.out
    assert folder.out == file.out
    assert json.loads(cli("report", "show", "rep", "--json").out)["complete"] is True


def test_report_show_tells_what_a_killed_run_had_seen(cli: Runner, tmp_path: Path) -> None:
    rep = tmp_path / "rep"
    whole = json.loads((rep / "report.json").read_text())
    lines = (rep / "progress.jsonl").read_text().splitlines(keepends=True)
    started = {**whole, "complete": False, "finished": None}
    for state in ("begun", "gone"):
        # As SIGKILL leaves it: the report of the start, and a stream with a torn last line.
        (rep / "progress.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
        (rep / "report.json").write_text(json.dumps(started))
        if state == "gone":
            (rep / "report.json").unlink()
        ran = cli("report", "show", "rep", "--json")
        assert ran.code == 0, ran.text
        shown = json.loads(ran.out)
        assert shown["complete"] is False
        assert sum(len(c["checks"]) for c in shown["targets"][0]["clauses"]) == 2
        assert "incomplete" in cli("report", "show", "rep").out.lower()


def test_report_verify_says_two_sentences(cli: Runner) -> None:
    ran = cli("report", "verify", "rep")
    assert ran.out.startswith(("Consistent", "Not consistent"))
    assert "Unsigned" in ran.out
    facts = json.loads(cli("report", "verify", "rep", "--json").out)
    assert facts["consistent"] is (ran.code == 0)


def test_report_verify_convicts_an_edited_report(cli: Runner, tmp_path: Path) -> None:
    file = tmp_path / "rep" / "report.json"
    file.write_text(file.read_text().replace('"not_run"', '"passed"', 1))
    ran = cli("report", "verify", "rep")
    assert ran.code == 1
    assert ran.out.startswith("Not consistent")


def test_report_merge_leaves_no_old_attestation_beside_the_new_report(cli: Runner, tmp_path: Path) -> None:
    old = tmp_path / "out"
    old.mkdir()
    for name in ("attestation.json", "attestation.files.json", "certificate.json", "progress.jsonl"):
        (old / name).write_text("{}")
    (old / "notes.txt").write_text("mine")
    ran = cli("report", "merge", "rep", "-o", "out")
    assert ran.code == 10, ran.text
    assert {path.name for path in old.iterdir()} == {
        "report.json",
        "summary.md",
        "badge.svg",
        "index.html",
        "notes.txt",
    }


def test_report_merge_writes_nothing_when_the_parts_do_not_fit(cli: Runner, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "rep", tmp_path / "other")
    file = tmp_path / "other" / "report.json"
    file.write_text(file.read_text().replace('"seed": 1', '"seed": 2'))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "attestation.json").write_text("{}")
    one_line(cli("report", "merge", "rep", "other", "-o", "out"), "the seed differs: 1 and 2")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["attestation.json"]


def test_report_badge_draws(cli: Runner, tmp_path: Path) -> None:
    ran = cli("report", "badge", "rep", "-o", "deep/badge.svg")
    assert ran.code == 0, ran.text
    assert (tmp_path / "deep" / "badge.svg").read_text().startswith("<svg")


BAD = {
    "no JSON": ("{", "rep.json"),
    "no report": ("{}", "is no report of pytest-nomos"),
    "another format": ('{"format": "nomos-report/99"}', "this release reads"),
    "a list": ("[1]", "is no report of pytest-nomos"),
    "not UTF-8": ("\xff", "rep.json"),
    "deep": ("[" * 100_000, "rep.json"),
}


@pytest.mark.parametrize("command", ["show", "merge", "badge"])
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_report_is_one_line_and_nothing_is_written(
    cli: Runner, tmp_path: Path, command: str, kind: str
) -> None:
    text, says = BAD[kind]
    (tmp_path / "rep.json").write_bytes(text.encode("latin-1"))
    output = {"show": (), "merge": ("-o", "out"), "badge": ("-o", "out")}[command]
    one_line(cli("report", command, "rep.json", *output), says)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", BAD)
def test_verify_convicts_what_is_no_report(cli: Runner, tmp_path: Path, kind: str) -> None:
    (tmp_path / "rep.json").write_bytes(BAD[kind][0].encode("latin-1"))
    ran = cli("report", "verify", "rep.json")
    assert ran.code in {1, 4}, ran.text
    assert not ran.out.startswith("Consistent")


@pytest.mark.parametrize("command", ["show", "verify", "merge", "badge"])
def test_a_report_that_is_not_there_is_one_line(cli: Runner, command: str) -> None:
    ran = cli("report", command, "nowhere")
    assert ran.code == 4
    assert "nowhere" in ran.err


def test_a_folder_without_a_report_is_one_line(cli: Runner, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    one_line(cli("report", "show", "empty"), "report.json")


# the settings of them all


def test_a_relative_source_file_of_a_sample_starts_at_the_settings_file(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "data" / "near").mkdir(parents=True)
    (tmp_path / "data" / "app.json").write_text('{"name": "shop"}')
    (tmp_path / "data" / "near" / "app.json").write_text('{"name": "near"}')
    (tmp_path / "nomos.toml").write_text(
        '[config]\ndirectory = "{here}/data"\n[samples.relative]\nconfig = { directory = "near" }\n'
        'source_file_path = "data/app.csl"\npath = ["app", "name"]\nvalue = "near"\n'
    )
    (tmp_path / "below").mkdir()
    ran = author(f"--nomos-provider={FILES}", "-k", "CFG-INIT-011", "--rootdir=.", "-v")
    assert ran.code == 0, ran.text
    assert ran.tally()["passed"] == 1


@pytest.mark.parametrize("args", [("nonsense",), ("certify",), ("certify", FILES, "--tier", "best"), ("--nonsense",)])
def test_what_no_command_takes_is_one_line(author: Runner, args: tuple[str, ...]) -> None:
    ran = author(*args, module=CLI)
    assert ran.code == 4
    assert "Error" in ran.err
    assert "Traceback" not in ran.text
