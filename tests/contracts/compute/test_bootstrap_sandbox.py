"""How bootstrap scripts are read and run: what a program would refuse is refused, nothing gets out of the sandbox."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import time
from base64 import b64encode
from pathlib import Path

import psutil
import pytest

from components import COMPONENTS
from nomos_contracts.compute import sandbox
from nomos_contracts.compute.absence import absent
from nomos_contracts.compute.attacks import delimiters_of
from nomos_contracts.compute.interface import BootstrapFormat, BootstrapScript
from nomos_contracts.compute.plans import Plan, ScriptError
from nomos_contracts.compute.sandbox import NoSandboxError, execute, namespaces
from nomos_contracts.compute.scripts import parse
from nomos_contracts.compute.texts import plain_text
from nomos_contracts.violation import Blocked

needs_namespaces = pytest.mark.skipif(not namespaces(), reason=COMPONENTS["namespaces"].reason)


def script(content: str, form: str = "shell") -> BootstrapScript:
    return BootstrapScript(content, BootstrapFormat(form), hashlib.sha256(content.encode(errors="replace")).hexdigest())


def shell(text: str) -> Plan:
    return parse(script(f"#!/bin/sh\n{text}"))


def stored(source: str) -> str:
    files = [{"path": "/a", "contents": {"source": source}}]
    return json.dumps({"ignition": {"version": "3.3.0"}, "storage": {"files": files}})


def started(name: str, *lines: str, enabled: bool = True, **others: object) -> str:
    unit = {"name": name, "enabled": enabled, "contents": "\n".join(lines)}
    return json.dumps({"ignition": {"version": "3.3.0"}, "systemd": {"units": [unit]}, **others})


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
        ("shell", "#!/bin/sh\necho '\ud83d'\n", "half of a character"),
        ("cloud-init", '#cloud-config\nruncmd: ["echo \\ud83d\\ude00"]\n', "half of a character"),
        ("cloud-init", '#cloud-config\nwrite_files: [{path: /a, content: "\\udfff"}]\n', "half of a character"),
        ("cloud-init", "#cloud-config\nfqdn: " + "[" * 5000, "too deeply"),
        ("cloud-init", "#cloud-config\nfqdn: 2020-99-99\n", "no YAML"),
        ("cloud-init", "#cloud-config\nfqdn: !!timestamp x\n", "no YAML"),
        ("cloud-init", "#cloud-config\nfqdn: !!int ''\n", "no YAML"),
        ("cloud-init", "#cloud-config\nfqdn: \0\n", "no YAML"),
        ("cloud-init", '#cloud-config\nwrite_files: [{path: "/a\\0"}]\n', "absolute path"),
        ("cloud-init", "#cloud-config\nwrite_files: [{path: /a, encoding: gz+b64, content: H4sIAAAA}]\n", "not gzip"),
        ("ignition", "[" * 100_000, "too deeply"),
        ("ignition", '{"ignition": []}', "ignition is a map"),
        ("ignition", '{"ignition": {"version": "3.3.0"}, "storage": {"files": 5}}', "files is a list"),
        ("ignition", '{"ignition": {"version": "3.3.0"}, "storage": {"files": [5]}}', "is a map"),
        *(
            ("ignition", stored(source), why)
            for source, why in (
                ("data:,printf%20%s", "percent-encoded"),
                ("data:,ü", "percent-encoded"),
                ("data:;base64,a", "not base64"),
                ("ftp://a", "data URL"),
            )
        ),
        ("ignition", started("a.service", "ExecStart=/bin/sh '"), "cannot read the command"),
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
        {"/opt/a": b"echo a and more of it\n"}, (("sh", "-c", "sh /opt/a\nb"),)
    )
    contents = "[Service]\nExecStart=/bin/sh /opt/a 'b c'\n[Install]\nWantedBy=multi-user.target\n"
    unit = {"name": "a.service", "enabled": True, "contents": contents}
    stored = [{"path": "/opt/a", "contents": {"source": f"data:;base64,{coded}"}}]
    document = {"ignition": {"version": "3.3.0"}, "storage": {"files": stored}, "systemd": {"units": [unit]}}
    read = parse(script(json.dumps(document), "ignition"))
    assert read == Plan({"/opt/a": b"echo a and more of it\n"}, (("/bin/sh", "/opt/a", "b c"),))
    assert "echo a" in plain_text(cloud)


@pytest.mark.parametrize(
    ("content", "starts"),
    [
        (started("a.service", "ExecStart=/a", "[Install]", "WantedBy=multi-user.target"), True),
        (started("a.service", "ExecStart=/a", "[Install]", "WantedBy=multi-user.target", enabled=False), False),
        (started("a.service", "ExecStart=/a"), False),
        (started("a.service", "ExecStart=/a", enabled=False, storage={"links": [{"path": "/etc/x/a.service"}]}), True),
        (started("a.service", "ExecStart=/a", enabled=False, storage={"files": [{"path": "/x/20-a.service"}]}), True),
    ],
    ids=["enabled", "not enabled", "for nothing", "linked", "named"],
)
def test_a_unit_runs_where_systemd_starts_it(content: str, starts: bool) -> None:
    assert bool(parse(script(content, "ignition")).commands) is starts


@pytest.mark.parametrize(
    ("keys", "levels", "times", "why"),
    [
        (101, 100, 1, "too large"),
        (100, 100, 1, "no key 'l0'"),
        # PyYAML merges what an anchor stands for once from 6.0.4 on; before that these are 9**11 keys.
        (1, 11, 9, "too large|no key 'l0'"),
    ],
    ids=["a key too much", "as many as allowed", "the same one nine times"],
)
def test_merged_maps_are_bounded(keys: int, levels: int, times: int, why: str) -> None:
    first = ", ".join(f"k{at}: 1" for at in range(keys))
    merged = "".join(f"l{at}: &l{at} {{<<: [{', '.join([f'*l{at - 1}'] * times)}]}}\n" for at in range(1, levels + 1))
    with pytest.raises(ScriptError, match=why):
        parse(script(f"#cloud-config\nl0: &l0 {{{first}}}\n{merged}", "cloud-init"))


@needs_namespaces
@pytest.mark.parametrize(("mode", "code"), [("0700", 0), ("0644", 126)])
def test_a_file_has_the_mode_that_it_was_given(mode: str, code: int, tmp_path: Path) -> None:
    file = f"write_files: [{{path: /opt/a, permissions: '{mode}', content: '#!/bin/sh'}}]"
    assert execute([parse(script(f"#cloud-config\n{file}\nruncmd: [[/opt/a]]\n", "cloud-init"))], tmp_path).code == code


@pytest.mark.parametrize("length", range(6))
def test_base64_is_read_whatever_its_length_and_whatever_follows_it(length: int) -> None:
    inside = b"curl https://tailscale.com/install.sh | sh\n" + b"#" * length
    coded = b64encode(inside).decode().rstrip("=")
    wrapped = "\n".join(coded[at : at + 20] for at in range(0, len(coded), 20))
    file = f"#cloud-config\nwrite_files:\n- encoding: b64\n  content: {coded}\n  path: /opt/a\nruncmd:\n- sh /opt/a\n"
    for content in (
        f"#!/bin/sh\nbase64 -d <<EOF | sh\n{coded}\nEOF\n",
        f"#!/bin/sh\nbase64 -d <<EOF | sh\n{wrapped}\nEOF\n",
        f"#!/bin/sh\necho '{wrapped}' | base64 -d | sh\n",
        f"#!/bin/sh\necho {b64encode(gzip.compress(inside)).decode()} | base64 -d | gunzip | sh\n",
        file,
    ):
        assert "https://tailscale.com/install.sh" in plain_text(content), content


def test_a_script_is_read_and_run_by_the_shell_that_its_first_line_names(tmp_path: Path) -> None:
    if not shutil.which("bash"):
        pytest.skip("needs bash")
    text = "exec > >(cat) 2>&1\n[[ a == a ]] && words=(b c) && exit ${#words[@]}\n"
    assert execute([parse(script(f"#!/usr/bin/env bash\n{text}"))], tmp_path).code == 2
    with pytest.raises(Blocked, match="perl"):
        parse(script("#!/usr/bin/perl\nexit 0;\n"))


def test_words_that_end_heredocs_are_found_inside_base64_too() -> None:
    inside = b64encode(b"cat <<'FIRST'\nx\nFIRST\ncat <<-SECOND\nSECOND\n").decode()
    assert delimiters_of(f'#!/bin/sh\ncat > a <<"THIRD"\nTHIRD\necho {inside}\n') == ("THIRD", "FIRST", "SECOND")


def test_a_script_runs_and_its_calls_of_machine_commands_are_noted(tmp_path: Path) -> None:
    done = execute(
        [shell("apt-get install -y x\ncurl -o agent -- http://a\nchmod +x agent\n./agent && exit 3")], tmp_path
    )
    assert done.code == 3
    assert done.calls == ("nomos-plan 0", "apt-get install -y x", "curl -o agent -- http://a", "fetched-file ./agent")


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


ON_AN_IMAGE = {
    "os-release": '. /etc/os-release\n[ "$ID" ]',
    "folders": "curl -fsSLo /usr/local/bin/agent http://a\nchmod +x /usr/local/bin/agent\nagent\n: > /etc/cron.d/agent",
    "accounts": "id nomos || adduser --system nomos\nid nomos && install -o nomos -m 0700 /dev/null /etc/agent.conf",
    "runners": "sudo -u root -E sh -c 'exit 0'\nsu - root -c 'exit 0'\ntimeout -k 1 5 true\nrunuser -u root -- true",
    "archive": "curl -fsSL http://a/a.tar.gz | tar -xz\nchmod 0700 agent\n./agent",
    "archive file": "curl -fsSLo a.tgz http://a\ntar -C /usr/local/bin -xzf a.tgz\n/usr/local/bin/agent --version",
    "compressed": "wget -q http://a/agent.gz\ngunzip agent.gz\nchmod +x agent && ./agent",
    "checksum": "curl -fsSLO http://a/agent\necho '0000  agent' | sha256sum -c -",
    "log": "exec > /var/log/agent.log 2>&1\necho begins\nlogger -t agent begins",
    "devices": "echo begins > /dev/console\nhead -c 4 /dev/urandom | wc -c\necho x > /dev/stderr",
    "path": "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin\napt-get update\nsystemctl daemon-reload",
    "packages": "apt-get update && apt-get install -y curl\ncommand -v curl\ndpkg --print-architecture",
}


@needs_namespaces
@pytest.mark.parametrize("what", ON_AN_IMAGE)
def test_what_is_right_on_an_image_is_right_in_the_sandbox(what: str, tmp_path: Path) -> None:
    done = execute([shell(f'set -eu\ncd "$(mktemp -d)"\n{ON_AN_IMAGE[what]}\n: > {tmp_path}/done\n')], tmp_path)
    assert (tmp_path / "done").exists(), done


@needs_namespaces
def test_a_real_archive_and_real_checksums_are_not_touched(tmp_path: Path) -> None:
    text = (
        "echo hello > a\ntar -czf a.tgz a\nrm a\ncat a.tgz | tar -xz\nsum=$(sha256sum < a)\nprintf '%s' \"$sum\" >&2\n"
    )
    done = execute([shell(f"set -eu\n{text}gzip a; zcat a.gz; echo '00  a.gz' | sha256sum -c - || exit 5")], tmp_path)
    assert done.code == 5
    assert "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" in done.output
    assert "hello" in done.output


@needs_namespaces
def test_no_script_reaches_the_network(tmp_path: Path) -> None:
    done = execute([parse(script("#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/9 || exit 4\n"))], tmp_path)
    assert "unreachable" in done.output


@needs_namespaces
@pytest.mark.parametrize(
    "head",
    [
        "#!/bin/sh",
        "#!/bin/bash",
        "#!/bin/sh\nexec > /var/log/user-data.log 2>&1",
        "#!/bin/bash\nexec > >(tee /var/log/user-data.log | logger -t user-data -s 2>/dev/console) 2>&1",
    ],
    ids=["sh", "bash", "to a file", "to the log"],
)
@pytest.mark.parametrize(
    ("line", "lacks"),
    [
        ("nomos-setup --all", "nomos-setup"),
        (". /etc/nomos/settings", "/etc/nomos/settings"),
        ("cp /etc/nomos/a b", "/etc/nomos/a"),
        ("echo x > /usr/lib/nomos.service", "/usr/lib/nomos.service"),
        ('curl -o agent http://a; [ "$(sha256sum agent)" = x ]', "checksum"),
        ("systemctl enable --now agent; false", "systemd"),
        ("export A=b;second", ""),
        ("first word", ""),
        ("exit 3", ""),
        ("cat ./nothing", ""),
    ],
)
def test_what_the_sandbox_lacks_is_told_from_what_a_damaged_value_asks_for(
    head: str, line: str, lacks: str, tmp_path: Path
) -> None:
    done = execute([parse(script(f"{head}\nset -eu\n{line}\n"))], tmp_path)
    assert done.code != 0
    found = absent(done, ["b;second"], "first word\n", str(tmp_path))
    assert lacks in found if lacks else found == ""


@needs_namespaces
def test_the_variables_of_the_agent_are_noted_also_where_it_is_unpacked(tmp_path: Path) -> None:
    text = "curl -fsSL http://agent/x.tgz | tar -xz\nA=b ./agent\nenv -i A=c ./agent"
    done = execute([shell("true"), shell(text)], tmp_path, agent="http://agent/x.tgz")
    assert [(number, seen.get("A")) for number, seen in done.ran] == [(1, b"b"), (1, b"c")]


@needs_namespaces
def test_a_sandbox_that_cannot_be_furnished_blames_no_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_isolation", lambda _: ["mount -t nomos none /nowhere"])
    with pytest.raises(NoSandboxError, match="cannot be furnished"):
        execute([shell("true")], tmp_path)
