"""What the wheel and the sdist hold, and what installing the wheel gives."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest

import pytest_nomos
from components import ROOT

PACKAGES = {
    "nomos_contracts",
    "nomos_mocks",
    "nomos_mutants",
    "nomos_proto",
    "nomos_reference",
    "pytest_nomos",
}


def build(kind: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def names(wheel: zipfile.ZipFile) -> list[PurePosixPath]:
    return [PurePosixPath(name) for name in wheel.namelist()]


def test_the_wheel_holds_exactly_six_packages(names: list[PurePosixPath]) -> None:
    top = {name.parts[0] for name in names}
    (info,) = {name for name in top if name.endswith(".dist-info")}
    assert top - {info} == PACKAGES


def test_every_package_is_typed(names: list[PurePosixPath]) -> None:
    assert {name.parts[0] for name in names if name.name == "py.typed"} == PACKAGES


def test_the_wheel_holds_the_data_that_the_kit_reads(names: list[PurePosixPath]) -> None:
    held = {str(name) for name in names}
    wanted = {
        "nomos_contracts/config/clauses.toml",
        "nomos_contracts/process/clauses.toml",
        "nomos_contracts/registry/clauses.toml",
        "nomos_contracts/editions/2026-12.toml",
        "nomos_proto/provider.binpb",
        "nomos_reference/conformance/files.toml",
        "nomos_reference/conformance/mock.toml",
        "pytest_nomos/report/schema.json",
    }
    assert wanted <= held
    assert any(name.startswith("nomos_contracts/vectors/") and name.endswith(".json") for name in held)


def test_every_file_of_the_packages_is_in_the_wheel(names: list[PurePosixPath]) -> None:
    held = {str(name) for name in names}
    for folder in (".", "contracts", "mocks", "reference_providers", "proto"):
        for package in PACKAGES:
            for file in (ROOT / folder / package).rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    assert file.relative_to(ROOT / folder).as_posix() in held


def test_no_test_and_no_bytecode_is_in_the_wheel(names: list[PurePosixPath]) -> None:
    strangers = [
        name
        for name in names
        if name.suffix in {".pyc", ".pyo"}
        or name.name.startswith(("test_", "conftest"))
        or {"tests", "examples", "docs"} & set(name.parts)
    ]
    assert strangers == []


def test_the_wheel_names_its_entry_points(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    text = wheel.read(name).decode()
    assert "[console_scripts]\npytest-nomos = pytest_nomos.cli:main" in text
    assert "[pytest11]\nnomos = pytest_nomos.plugin" in text
    points = configparser.ConfigParser()
    points.read_string(text)
    assert sorted(points["nomos.providers"]) == ["compute/mock", "config/mock", "registry/mock"]


def test_the_sdist_builds_a_wheel_with_the_same_content(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    (out := tmp_path / "sdist").mkdir()
    with tarfile.open(build("sdist", out)) as archive:
        if hasattr(tarfile, "data_filter"):  # Debian 12's Python does not have it
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(tmp_path)
    (source,) = tmp_path.glob("pytest_nomos-*")
    (again := tmp_path / "again").mkdir()
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(again)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    (built,) = again.iterdir()
    assert sorted(zipfile.ZipFile(built).namelist()) == sorted(wheel.namelist())


def test_the_version_stands_in_one_place_for_users() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == pytest_nomos.__version__ == metadata.version("pytest-nomos")
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_what_is_tested_is_what_was_installed(package: str) -> None:
    """CI sets NOMOS_WHEEL: then no module may come from the checkout."""
    code = f"import {package}; print({package}.__file__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found).is_file()
    if os.environ.get("NOMOS_WHEEL"):
        assert "site-packages" in Path(found).resolve().relative_to(Path(sys.prefix).resolve()).parts
        here = sys.modules.get(package)
        assert here is None or here.__file__ == found
