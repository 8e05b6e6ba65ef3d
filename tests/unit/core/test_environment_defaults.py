"""Values from the environment that may be absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_nomos.settings import SettingsError, load_settings, resolve_text

TOML = """
[env]
MUST = { from = "NOMOS_TEST_MUST" }
MAY = { from = "NOMOS_TEST_MAY", default = "" }
"""


def test_a_variable_that_is_absent_gives_its_default_and_without_one_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOMOS_TEST_MUST", "NOMOS_TEST_MAY"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "nomos.toml"
    file.write_text(TOML)
    env = load_settings(file).env
    assert resolve_text(env["MAY"], "env.MAY") == ""
    with pytest.raises(SettingsError, match="NOMOS_TEST_MUST"):
        resolve_text(env["MUST"], "env.MUST")
    monkeypatch.setenv("NOMOS_TEST_MAY", "given")
    assert resolve_text(env["MAY"], "env.MAY") == "given"
