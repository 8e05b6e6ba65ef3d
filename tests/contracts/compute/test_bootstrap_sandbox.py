"""How bootstrap scripts are read and run: what a program would refuse is refused, nothing gets out of the sandbox."""

from __future__ import annotations

import hashlib
import json
import os
import time
from base64 import b64encode
from pathlib import Path

import psutil
import pytest

from components import COMPONENTS
from nomos_contracts.compute import sandbox
from nomos_contracts.compute.attacks import delimiters_of
from nomos_contracts.compute.interface import BootstrapFormat, BootstrapScript
from nomos_contracts.compute.sandbox import NoSandboxError, execute, namespaces
from nomos_contracts.compute.scripts import Plan, ScriptError, parse, plain_text

needs_namespaces = pytest.mark.skipif(not namespaces(), reason=COMPONENTS["namespaces"].reason)


def script(content: str, form: str = "shell") -> BootstrapScript:
    return BootstrapScript(content, BootstrapFormat(form), hashlib.sha256(content.encode()).hexdigest())


def shell(text: str) -> Plan:
    return parse(script(f"#!/bin/sh\n{text}"))


@pytest.mark.parametrize(
    ("form", "content", "why"),
    [
        ("shell", "echo hello\n", "begins with #!"),
        ("shell", "#!/bin/sh\nif true\n", "sh -n"),
        ("shell", "#!/bin/sh\necho '\0'\n", "NUL"),
        ("cloud-init", "runcmd: []\n", "#cloud-config"),
        ("cloud-init", "#cloud-config\nrun_cmd: []\n", "run_cmd"),
        ("cloud-init", "#cloud-config\n- a\n", "is a map"),
        ("cloud-init", "#cloud-config\na: [\n", "no YAML"),
        ("cloud-init", "#cloud-config\nruncmd: [5]\n", "string or a list"),
        ("cloud-init", "#cloud-config\nruncmd: ['if true']\n", "sh -n"),
        ("cloud-init", "#cloud-config\nwrite_files: [{path: relative}]\n", "absolute path"),
        ("cloud-init", "#cloud-config\nwrite_files: [{path: /a, permissions: 0644}]\n", "octal digits in quotes"),
        ("cloud-init", "#cloud-config\nwrite_files: [{path: /a, encoding: rot13}]\n", "no encoding"),
        ("ignition", "{", "no JSON"),
        ("ignition", '{"ignition": {}}', "ignition.version"),
        ("ignition", '{"ignition": {"version": "3.3.0"}, "storages": {}}', "storages"),
        ("ignition", '{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "a"}]}}', "absolute path"),
    ],
)
def test_what_its_program_refuses_is_refused_with_the_reason(form: str, content: str, why: str) -> None:
    with pytest.raises(ScriptError, match=why.replace("#", r"\#").replace(".", r"\.")):
        parse(script(content, form))


def test_files_and_commands_are_read_from_each_format() -> None:
    coded = b64encode(b"echo a and more of it\n").decode()
    cloud = (
        f"#cloud-config\nwrite_files: [{{path: /opt/a, encoding: b64, content: {coded}}}]\nruncmd: [[sh, /opt/a], b]\n"
    )
    assert parse(script(cloud, "cloud-init")) == Plan(
        {"/opt/a": b"echo a and more of it\n"}, (("sh", "/opt/a"), ("sh", "-c", "b"))
    )
    unit = {"name": "a.service", "contents": "[Service]\nExecStart=/bin/sh /opt/a 'b c'\n"}
    stored = [{"path": "/opt/a", "contents": {"source": f"data:;base64,{coded}"}}]
    document = {"ignition": {"version": "3.3.0"}, "storage": {"files": stored}, "systemd": {"units": [unit]}}
    read = parse(script(json.dumps(document), "ignition"))
    assert read == Plan({"/opt/a": b"echo a and more of it\n"}, (("/bin/sh", "/opt/a", "b c"),))
    assert "echo a" in plain_text(cloud)


def test_words_that_end_heredocs_are_found_inside_base64_too() -> None:
    inside = b64encode(b"cat <<'FIRST'\nx\nFIRST\ncat <<-SECOND\nSECOND\n").decode()
    assert delimiters_of(f'#!/bin/sh\ncat > a <<"THIRD"\nTHIRD\necho {inside}\n') == ("THIRD", "FIRST", "SECOND")


def test_a_script_runs_and_its_calls_of_machine_commands_are_noted(tmp_path: Path) -> None:
    done = execute(
        [shell("apt-get install -y x\ncurl -o agent -- http://a\nchmod +x agent\n./agent && exit 3")], tmp_path
    )
    assert done.code == 3
    assert done.calls == ("apt-get install -y x", "curl -o agent -- http://a")


@needs_namespaces
def test_each_script_runs_also_when_the_one_before_it_failed(tmp_path: Path) -> None:
    done = execute([shell("exit 7"), shell(f"echo here > {tmp_path}/second")], tmp_path)
    assert done.code == 7
    assert (tmp_path / "second").read_text() == "here\n"


@needs_namespaces
def test_what_a_script_writes_elsewhere_is_gone_afterwards(tmp_path: Path) -> None:
    name = f"nomos-{os.getpid()}"
    text = "".join(f"echo x > {folder}/{name} && cat {folder}/{name}\n" for folder in ("/etc", "/opt", "/root", "/tmp"))
    done = execute([shell(f"{text}echo x > /usr/bin/{name} || echo refused")], tmp_path)
    assert done.output.split().count("x") == 4
    assert "refused" in done.output
    assert not any((Path(folder) / name).exists() for folder in ("/etc", "/opt", "/root", "/tmp", "/usr/bin"))


@needs_namespaces
def test_no_process_outlives_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"nomos-left-{os.getpid()}"
    execute([shell(f"while true; do : {mark}; tail -f /dev/null; done > {tmp_path}/log 2>&1 &\nexit 0")], tmp_path)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        left = [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or ())]
        if not left:
            break
        time.sleep(0.02)
    assert left == []


def test_without_namespaces_a_script_that_writes_elsewhere_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "namespaces", lambda: ())
    with pytest.raises(NoSandboxError, match="unshare"):
        execute([shell("echo x > /opt/nomos-nothing")], tmp_path)
    (tmp_path / "own").mkdir()
    done = execute([shell(f"cd ./ && echo x > {tmp_path}/own/y")], tmp_path / "own", allow=str(tmp_path))
    assert done.code == 0
    assert (tmp_path / "own" / "y").read_text() == "x\n"
