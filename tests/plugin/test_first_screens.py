"""What a person sees first when his provider does not start, or he has not said anything about it yet."""

from __future__ import annotations

import re
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from plugin.conftest import Ran, Runner

CLI = "pytest_nomos.cli"
SHELL = "#!/bin/sh\n"
PYTHON = f"#!{sys.executable}\n"
FLOOD = """
import sys, threading
def pour(stream):
    while True: stream.write("x" * 500 + "\\n")
threading.Thread(target=pour, args=(sys.stderr,), daemon=True).start()
pour(sys.stdout)
"""
HTTP1 = """
from http.server import BaseHTTPRequestHandler, HTTPServer
server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
print(f"PORT={server.server_address[1]}", flush=True)
server.serve_forever()
"""
DEAF = """
import socket, time
held = socket.socket()
held.bind(("127.0.0.1", 0))  # taken, and nobody listens
print(f"PORT={held.getsockname()[1]}", flush=True)
time.sleep(60)
"""
DYING = """
import os
from nomos_reference.config.files_provider import FilesProvider
class Dying(FilesProvider):
    def init(self, *_, **__): os._exit(3)
"""
TELLING = """
from nomos_proto.errors import ProviderError
from nomos_reference.config.files_provider import FilesProvider
class Telling(FilesProvider):
    def init(self, alias, config, *_, **__):
        raise ProviderError(f"no such token: {config['token']}", "INVALID_SPEC")
"""
BROKEN = {
    "floods": (PYTHON + FLOOD, "was the first line on stdout: logs belong on stderr"),
    "never announces": (f"{SHELL}exec sleep 60\n", "nothing was on stdout within 5 s"),
    "does not listen": (PYTHON + DEAF, "nobody listens on 127.0.0.1:"),
    "speaks HTTP/1": (PYTHON + HTTP1, "does not speak HTTP/2"),
    "exits at once": (
        f"{SHELL}echo 'no config.yaml' >&2\nexit 3\n",
        "exited with code 3. Last line of stderr: no config",
    ),
    "announces wrongly": (f"{SHELL}echo 'Listening on 127.0.0.1:4000'\nexec sleep 60\n", "stdout starts with PORT="),
    "has no interpreter": ("#!/no/such/python\n", "its interpreter /no/such/python does not exist; install it"),
    "has no interpreter on PATH": ("#!/usr/bin/env no-such-python\n", "is not on PATH"),
}
SECONDS = 7.0


def provider(folder: Path, text: str) -> None:
    script = folder / "provider"
    script.write_text(text)
    script.chmod(0o755)


def elapsed(ran: Ran) -> float:
    """How long the kit waited for the provider until it could tell, by its own clock."""
    found = re.search(r"^  elapsed +([\d.]+)$", ran.out, re.MULTILINE)
    assert found is not None, ran.out
    return float(found[1])


@pytest.mark.parametrize("how", BROKEN)
def test_a_provider_that_does_not_start_is_explained_on_one_screen(author: Runner, tmp_path: Path, how: str) -> None:
    text, says = BROKEN[how]
    provider(tmp_path, text)
    ran = author("--nomos-provider=./provider", "-q", "-p", "no:cacheprovider")
    assert ran.code == 1, ran.text
    assert says in ran.out
    assert elapsed(ran) < SECONDS
    assert "Traceback" not in ran.text
    assert len(ran.out.splitlines()) < 50
    assert max(map(len, ran.out.splitlines())) < 600


@pytest.mark.parametrize("how", BROKEN)
def test_init_and_call_explain_it_too_and_write_nothing(author: Runner, tmp_path: Path, how: str) -> None:
    text, says = BROKEN[how]
    provider(tmp_path, text)
    for command, code in ((("init", "./provider"), 1), (("call", "./provider", "Info"), 4)):
        ran = author(*command, module=CLI)
        assert ran.code == code, ran.text
        assert says in ran.err
        assert "Traceback" not in ran.text
    assert [path.name for path in tmp_path.iterdir()] == ["provider"]


def test_the_header_tells_first_that_it_does_not_start(author: Runner, tmp_path: Path) -> None:
    provider(tmp_path, f"{SHELL}exit 3\n")
    ran = author("--nomos-provider=./provider", "-n", "2")
    head = ran.out.partition("collected")[0].splitlines()[:8]
    assert any("does not start: provider did not output port" in line for line in head), ran.out


def test_without_settings_the_header_names_the_command_that_writes_them(author: Runner) -> None:
    ran = author("--nomos-provider=python:nomos_reference.config.files_provider:FilesProvider", "--nomos-tier=testing")
    assert ran.code == 10, ran.text
    head = ran.out.partition("collected")[0]
    command = "pytest-nomos init python:nomos_reference.config.files_provider:FilesProvider --config KEY=VALUE"
    assert "without a nomos.toml most of the contract stays blocked" in head
    assert f"`{command}`" in head
    assert f"next: {command}" in "\n".join(ran.out.splitlines()[-3:])


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("", 10),  # nobody has said what Init gets
        ("[config]\n", 1),  # the author says that it gets nothing
        ("[config]\ndirectory = 5\n", 1),
    ],
)
def test_a_refused_init_is_held_against_a_provider_whose_author_gave_a_configuration(
    author: Runner, tmp_path: Path, settings: str, code: int
) -> None:
    (tmp_path / "nomos.toml").write_text(f"{settings}[samples]\n")
    target = "--nomos-provider=python:nomos_reference.config.files_provider:FilesProvider"
    ran = author(target, "--nomos-tier=testing", "-k", "CFG-INIT-001 or CFG-FETCH-002")
    assert ran.code == code, ran.text
    assert ("broken: CFG-INIT-001" in ran.out) == (code == 1)
    assert ("the settings give no [config], and Init without keys answers" in ran.out) == (code == 10)
    assert ("next: pytest-nomos init" in ran.out) == (code == 10)


def test_a_provider_that_dies_of_an_empty_init_is_broken_whatever_the_settings_say(
    author: Runner, tmp_path: Path
) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    ran = author("--nomos-provider=python:dying:Dying", "--nomos-tier=testing", "-k", "CFG-INIT-001")
    assert ran.code == 1, ran.text
    assert "broken: CFG-INIT-001" in ran.out


def test_the_gate_ends_with_the_reason_why_nothing_could_be_judged(author: Runner, tmp_path: Path) -> None:
    text, says = BROKEN["announces wrongly"]
    provider(tmp_path, text)
    ran = author("certify", "./provider", module=CLI)
    assert ran.code == 1, ran.text
    assert any(says in line for line in ran.out.splitlines()[-20:]), ran.out
    assert "BLOCKED" not in ran.out.partition("nomos verdict")[2]
    assert len(ran.out.splitlines()) < 75


FEW = ("-k", "CFG-SECRET-002 or CFG-VALUE-001 or CFG-INIT-003")


def asked_for(author: Runner, settings: Path, text: str, *args: str) -> tuple[str, Ran]:
    """Return the samples that a run with *text* as its settings tells to paste, and the run."""
    (settings.parent / "data").mkdir()
    settings.write_text(text)
    ran = author("--nomos-provider=registered:config/files", *args)
    assert ran.code == 10, ran.text
    pasted = ran.out.partition(f"Paste into {settings.name} and fill in:")[2].partition("  or, for what")[0]
    return textwrap.dedent(pasted), ran


def test_what_the_run_tells_to_paste_is_taken_as_it_stands(author: Runner, tmp_path: Path) -> None:
    settings = tmp_path / "nomos.toml"
    pasted, _ = asked_for(author, settings, '[config]\ndirectory = "data"\n')
    table = tomllib.loads(settings.read_text() + pasted)
    assert {"slow", "secret_keys", "values", "bad_configs"} <= table["samples"].keys()
    settings.write_text(settings.read_text() + pasted)
    again = author("--nomos-provider=registered:config/files", "--collect-only", "-q")
    assert again.code == 0, again.text


def test_what_the_run_tells_to_paste_fits_into_a_file_that_has_the_tables(author: Runner, tmp_path: Path) -> None:
    settings = tmp_path / "nomos.toml"
    text = '[config]\ndirectory = "data"\n[samples]\nmissing = [["no"]]\n[declined]\nslow = "none"\n'
    pasted, _ = asked_for(author, settings, text, *FEW)
    assert "[samples]\n" not in pasted
    below, _, at_the_end = pasted.partition("# At the end of the file:")
    text = text.replace("[samples]\n", f"[samples]\n{below}\n") + at_the_end
    assert {"missing", "secret_keys", "values", "bad_configs"} <= tomllib.loads(text)["samples"].keys()
    settings.write_text(text)
    again = author("--nomos-provider=registered:config/files", "--collect-only", "-q")
    assert again.code == 0, again.text


def test_what_the_run_tells_to_paste_fits_into_a_pyproject(author: Runner, tmp_path: Path) -> None:
    text = '[tool.nomos.config]\ndirectory = "data"\n[tool.nomos.declined]\nslow = "none"\n'
    pasted, ran = asked_for(author, tmp_path / "pyproject.toml", text, *FEW)
    samples = tomllib.loads(text + pasted)["tool"]["nomos"]["samples"]
    assert {"secret_keys", "values", "bad_configs"} <= samples.keys()
    assert "# Below the line [tool.nomos.declined], which is there:" in ran.out.partition("  or, for what")[2]
    assert "next: fill in pyproject.toml" in ran.out


def test_no_secret_stands_in_the_reason_why_a_check_was_blocked(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "telling.py").write_text(TELLING)
    (tmp_path / "nomos.toml").write_text('[config]\ntoken = "hunter2hunter2"\n[samples]\nsecret_keys = ["token"]\n')
    ran = author("--nomos-provider=python:telling:Telling", "-k", "CFG-INIT-001 or CFG-FETCH-002", "--nomos-report=rep")
    assert ran.code == 1, ran.text
    assert "blocked by clause:CFG-INIT-001" in ran.out
    assert "no such token" in ran.out
    assert "hunter2" not in ran.text
    assert "hunter2" not in (tmp_path / "rep" / "report.json").read_text()


def test_init_that_finds_no_value_says_what_fetch_answers(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    ran = author("init", "registered:config/files", "--config", "directory=./data", module=CLI)
    assert ran.code == 0, ran.text
    assert "Fetch found 0 values" in ran.out
    assert "answers NOT_FOUND" in ran.out


def test_a_first_settings_file_is_taken_as_it_stands_and_with_every_comment_taken_away(
    author: Runner, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "app.json").write_text('{"name": "shop", "port": 80, "none": null}')
    target = "registered:config/files"
    ran = author("init", target, "--config", "directory=./data", module=CLI)
    assert ran.code == 0, ran.text
    assert f"next: pytest-nomos certify {target}" in ran.out
    written = (tmp_path / "nomos.toml").read_text()
    samples = tomllib.loads(written)["samples"]
    assert {"path": ["app", "name"], "value": "shop"} in samples["values"]
    assert samples["bad_configs"] == [{"config": {"directory": 5}, "key": "directory"}]
    assert samples["unavailable"][0]["key"] == "directory"
    ran = author(f"--nomos-provider={target}", "--nomos-tier=testing", "-k", "CFG-FETCH or CFG-VALUE or CFG-INIT-00")
    assert ran.code in {0, 10}, ran.text
    assert "failed" not in ran.tally(), ran.text
    # Whoever fills in takes the marks away; no key or table may then stand there twice.
    bare = re.sub(r"^# (?=[a-z_]+ = |\[)", "", written, flags=re.MULTILINE)
    assert len(tomllib.loads(bare)["declined"]) >= 5


def test_init_without_the_keys_that_init_needs_says_how_to_go_on(author: Runner, tmp_path: Path) -> None:
    ran = author("init", "registered:config/files", module=CLI)
    assert ran.code == 10, ran.text
    assert "INVALID_ARGUMENT" in ran.out
    assert "next: pytest-nomos init registered:config/files --force --config KEY=VALUE" in ran.out
    assert "--force --config KEY=VALUE" in (tmp_path / "nomos.toml").read_text()


def test_init_does_not_overwrite(author: Runner, tmp_path: Path) -> None:
    (tmp_path / "nomos.toml").write_text("# mine\n")
    ran = author("init", "registered:config/files", module=CLI)
    assert ran.code == 4
    assert "--force replaces it" in ran.err
    assert (tmp_path / "nomos.toml").read_text() == "# mine\n"
