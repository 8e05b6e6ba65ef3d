"""The built-in providers are certified as they come: their data, and for one a web server, come with the kit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nomos_contracts.clause import Profile
from nomos_reference import PROVIDERS
from nomos_reference.upstream import Upstream
from plugin.conftest import Runner
from pytest_nomos.settings import load_settings
from pytest_nomos.targets.plan import plan_targets
from pytest_nomos.targets.surroundings import Surroundings

CONFIG = [name for name in PROVIDERS if name.startswith("config/")]


@pytest.mark.parametrize("name", CONFIG)
def test_it_is_certified_at_the_highest_tier_in_both_profiles(author: Runner, tmp_path: Path, name: str) -> None:
    ran = author("certify", f"registered:{name}", "--tier", "reference", "-n", "2", module="pytest_nomos.cli")
    assert ran.code == 0, ran.text
    report = ran.report("nomos-report")
    verdicts = report["targets"][0]["verdicts"]
    assert {profile: found["ruling"] for profile, found in verdicts.items()} == {"standard": "kept", "cli": "kept"}
    statement = json.loads((tmp_path / "nomos-report" / "attestation.json").read_text())
    assert statement["subject"][0]["digest"]["sha256"]
    left = author("report", "verify", "nomos-report", module="pytest_nomos.cli")
    assert left.code == 0, left.text


def test_all_stands_for_each_of_them(author: Runner) -> None:
    clauses = "CFG-FETCH-001 or CFG-DEADLINE-001 or CFG-HEALTH-008 or CMP-GET-001 or REG-LIST-001"
    ran = author("--nomos-provider=all", "-k", clauses, "-v")
    assert ran.code == 0, ran.text
    assert len(CONFIG) == 4
    for name in CONFIG:
        assert f"[registered-{name.replace('/', '-')}]" in ran.out


def test_their_data_and_server_go_with_them(tmp_path: Path) -> None:
    with Surroundings() as surroundings:
        (plan,) = plan_targets(["registered:config/http"], load_settings(None), tmp_path, surroundings)
        url = plan.good_config(Profile.STANDARD)["base_url"]
        folder = plan.folder
        assert url.startswith("http://127.0.0.1:")
        assert (folder / "http.toml").is_file()
    assert not folder.exists()
    with Upstream() as other:
        assert other.url != url
