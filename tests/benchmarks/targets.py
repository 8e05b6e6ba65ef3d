"""The providers that are measured against: the Go example where there is Go, else the bundled file provider."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GO = ROOT / "examples" / "provider-in-go"
FILES = "registered:config/files"
"""The target string of the bundled file provider."""


@dataclass(frozen=True)
class Provider:
    """A provider ready to be measured.

    Attributes:
        name: for the table.
        folder: where its nomos.toml lies; None for the settings that come with a registered one.
        spec: the target string, from that folder.
        command: what starts it.
        config: a good configuration.
        path: a path that Fetch answers.
    """

    name: str
    folder: Path
    spec: str
    command: tuple[str, ...]
    config: dict[str, str]
    path: tuple[str, ...]


def build(scratch: Path) -> Provider:
    """Return the provider to measure, built in *scratch* where it has to be."""
    go = shutil.which("go")
    if go is None:
        return files(scratch)
    folder = scratch / "go"
    folder.mkdir()
    binary = folder / "provider"
    subprocess.run([go, "build", "-o", str(binary), "."], cwd=GO, check=True)
    for name in ("settings", "other", "empty"):
        ignore = shutil.ignore_patterns("report.json")
        shutil.copytree(GO / name, folder / name, symlinks=True, ignore=ignore)
    shutil.copy(GO / "nomos.toml", folder)
    os.mkfifo(folder / "settings" / "slow" / "report.json")
    config = {"directory": str(folder / "settings")}
    return Provider("Go example", folder, "./provider", (str(binary),), config, ("app", "name"))


def files(scratch: Path) -> Provider:
    """Return the bundled file provider."""
    folder = scratch / "files"
    folder.mkdir()
    config = {"directory": str(ROOT / "examples" / "settings")}
    command = (sys.executable, "-m", "nomos_reference", "config/files")
    return Provider("file provider", folder, FILES, command, config, ("app", "name"))


def clean_environment() -> dict[str, str]:
    """Return the environment without what bends pytest."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NOMOS_", "COV"))}
    return {**env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def contract(provider: Provider, *arguments: str) -> list[str]:
    """Return the command that runs the contract on *provider* in its folder."""
    return [
        *(sys.executable, "-P", "-m", "pytest", "-c", os.devnull, "--rootdir", str(provider.folder), "--noconftest"),
        *("-p", "pytest_nomos.plugin", "-p", "xdist", "-p", "no:cacheprovider", "-q", "--nomos-seed=1"),
        *arguments,
    ]
