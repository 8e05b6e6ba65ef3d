"""The clauses about upstreams and slow readers, as an author runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nomos_reference.upstream import Upstream

UPSTREAM = {f"CFG-CHAOS-{number:03}" for number in range(13, 18)}
READERS = {"CFG-CHAOS-018", "CFG-CHAOS-019"}

READS_AT_INIT = '''
"""Reads its document once, at Init, and needs its server no more; the name of its key says nothing of a URL."""
import json, urllib.request
from nomos_proto.errors import ProviderError
from nomos_proto.provider import Health, HealthStatus, Info
from nomos_proto.serve import serve


class Once:
    document = None

    def init(self, alias, config, source_file_path, *, context):
        where = f"http://{config['server']}/settings/app"
        self.document = json.loads(urllib.request.urlopen(where, timeout=5).read())

    def fetch(self, path, *, context):
        if self.document is None:
            raise ProviderError("call Init", "INVALID_STATE")
        if list(path) != ["name"]:
            raise ProviderError("nothing there", "NOT_FOUND")
        return self.document["name"]

    def info(self):
        return Info("once", "1.0.0", "once")

    def health(self):
        return Health(HealthStatus.OK)

    def shutdown(self):
        self.document = None


raise SystemExit(serve(Once()))
'''


def run(folder: Path, *args: str, **env: str) -> dict[str, dict[str, Any]]:
    """Run pytest in a folder; return what it found, by clause."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--nomos-tier=additional", "--nomos-report=rep", *args],
        cwd=folder,
        env=clean | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    report = folder / "rep" / "report.json"
    assert report.exists(), done.stdout + done.stderr
    (target,) = json.loads(report.read_text())["targets"]
    return {result["id"]: result for result in target["clauses"] if result["id"] in UPSTREAM | READERS}


def outcomes(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {clause: result["outcome"] for clause, result in found.items()}


def bars(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        bar
        for result in found.values()
        for check in result["checks"]
        for timeline in check["observed"].get("timeline", ())
        for bar in timeline["faults"]
    ]


@pytest.mark.parametrize("backend", ["embedded", "toxiproxy"])
def test_the_http_provider_keeps_every_clause_with_either_proxy(
    tmp_path: Path, component: Callable[[str], str], backend: str
) -> None:
    env = {"NOMOS_TOXIPROXY": component("toxiproxy") if backend == "toxiproxy" else ""}
    found = run(tmp_path, "--nomos-provider=registered:config/http", "-k", "Upstream or SlowReader", **env)
    assert outcomes(found) == dict.fromkeys(UPSTREAM | READERS, "passed")
    mechanisms = {bar["mechanism"] for bar in bars(found)}
    assert any(name.startswith(backend) for name in mechanisms), mechanisms
    assert all(bar["bit"] for bar in bars(found))


def test_a_provider_of_files_has_no_upstream_and_that_is_said(tmp_path: Path) -> None:
    found = run(tmp_path, "--nomos-provider=registered:config/files", "-k", "Upstream")
    assert {outcomes(found)[clause] for clause in UPSTREAM} == {"not_applicable"}
    reasons = {check["reason"] for clause in UPSTREAM for check in found[clause]["checks"]}
    assert reasons == {"no upstream is known: name it under [chaos] upstream"}


def test_one_that_reads_everything_at_init_is_right_and_its_upstream_is_what_the_author_named(tmp_path: Path) -> None:
    (tmp_path / "once.py").write_text(READS_AT_INIT)
    with Upstream() as upstream:
        (tmp_path / "nomos.toml").write_text(
            'profile = "standard"\n'
            f'[config]\nserver = "{upstream.url.removeprefix("http://")}"\n'
            '[chaos]\nupstream = "server"\n'
            '[[samples.values]]\npath = ["name"]\nvalue = "shop"\n'
            f'[targets.once]\ncommand = ["{sys.executable}", "{tmp_path / "once.py"}"]\n'
        )
        found = run(tmp_path, "--nomos-provider=once", "-k", "Upstream")
    assert {clause: outcomes(found)[clause] for clause in UPSTREAM} == dict.fromkeys(UPSTREAM, "passed"), found
    assert "every Fetch was answered rightly without the upstream" in str(bars(found))


def test_an_upstream_that_is_named_and_not_there_blocks(tmp_path: Path) -> None:
    (tmp_path / "nomos.toml").write_text(
        f'[config]\ndirectory = "{tmp_path}"\n[chaos]\nupstream = "server"\n[targets.files]\n'
        f'command = ["{sys.executable}", "-m", "nomos_reference", "config/files"]\n'
    )
    found = run(tmp_path, "--nomos-provider=files", "-k", "Upstream and refuses or Upstream and gone")
    assert outcomes(found)["CFG-CHAOS-013"] == "blocked"
    assert found["CFG-CHAOS-013"]["blocked_by"] == ["author"]
    (check,) = found["CFG-CHAOS-013"]["checks"]
    assert check["reason"] == "chaos.upstream = 'server': the configuration has no 'server' there"
