"""`pytest-nomos init`: what it finds out about a provider that nobody knows, and what it writes."""

import tomllib
from pathlib import Path

import pytest

from pytest_nomos.session.discovery import discover, draft, to_toml
from pytest_nomos.settings import load_settings


def data(folder: Path) -> Path:
    (folder / "data").mkdir()
    (folder / "data" / "app.json").write_text('{"name": "shop", "none": null, "deep": {"n": 1}}')
    return folder / "data"


def test_a_working_config_gives_samples_that_load(tmp_path: Path) -> None:
    found = discover("registered:config/files", {"directory": str(data(tmp_path))}, tmp_path, tmp_path / "nomos.toml")
    assert found.init_code == "OK"
    assert found.required == ["directory"]
    text = draft(found)
    (tmp_path / "nomos.toml").write_text(text)
    samples = load_settings(tmp_path / "nomos.toml").typed_samples().model_dump()
    values = {tuple(v["path"]): v["value"] for v in samples["values"]}
    assert values[("app", "name")] == "shop"
    assert values[("app", "none")] is None
    assert samples["version"] == "0.1.0"


def test_without_a_config_the_refusal_is_written_down(tmp_path: Path) -> None:
    found = discover("registered:config/files", {}, tmp_path, tmp_path / "nomos.toml")
    assert found.init_code == "INVALID_ARGUMENT"
    text = draft(found)
    assert "directory" in text
    assert "--config KEY=VALUE" in text
    tomllib.loads(text)


def test_a_provider_that_does_not_start_is_explained(tmp_path: Path) -> None:
    script = tmp_path / "p"
    script.write_text("#!/bin/sh\necho no >&2\nexit 7\n")
    script.chmod(0o755)
    found = discover("./p", {}, tmp_path, tmp_path / "nomos.toml")
    assert "code 7" in found.failure


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        'quote " and \\ back',
        "tab\tnew\nline",
        "\x7f\x00",
        "grüße ☕ 𝄞",
        True,
        5,
        -2.5,
        1e300,
        [1, "x", [True]],
        {"a": 1, "b c": {"ü": []}},
    ],
)
def test_values_survive_toml(value: object) -> None:
    assert tomllib.loads(f"v = {to_toml(value)}")["v"] == value


def test_null_is_refused() -> None:
    with pytest.raises(ValueError, match="NoneType"):
        to_toml(None)
