"""Certification: a run that nothing in the author's repository can bend, and the attestation of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_nomos.settings import find_settings, load_settings
from pytest_nomos.targets.plan import plan_targets

INI = """\
[pytest]
addopts =
python_files =
python_classes =
python_functions =
filterwarnings =
junit_family = xunit2
"""
"""The whole of pytest's configuration in a certification."""

_BENDING = ("PYTEST_", "PYTHONPATH", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONSTARTUP", "HYPOTHESIS_")


@dataclass(frozen=True)
class Certification:
    """What is to be certified and how.

    Attributes:
        target: the target string.
        report_dir: folder of the reports; made where it is not there.
        settings_file: settings file, None for the nearest nomos.toml.
        tier: the tier, None for the settings' own.
        seed: seed of everything random, None to draw one.
        workers: number of worker processes.
        sign_key: Ed25519 private key (PEM), None for no certificate.
    """

    target: str
    report_dir: Path
    settings_file: Path | None = None
    tier: str | None = None
    seed: int | None = None
    workers: int = 1
    sign_key: Path | None = None


@dataclass(frozen=True)
class Certified:
    """What came of it: pytest's exit code with ours in it, the files written, and notes for the person."""

    exit_code: int
    files: Mapping[str, Path]
    notes: tuple[str, ...] = ()


def certify_target(order: Certification) -> Certified:
    """Run the contract of a target in a pytest of its own and write report, JUnit and attestation.

    Raises:
        TargetError: the target string cannot be used.
        SettingsError: the settings cannot be used.
    """
    here = Path.cwd()
    settings_file = order.settings_file or find_settings(here)
    # Before anything is written: a target or settings that cannot be used is one clear error.
    plan_targets((order.target,), load_settings(settings_file), here)
    if order.sign_key is not None:
        from pytest_nomos.attestation.certificate import load_signer

        load_signer(order.sign_key)
    order.report_dir.mkdir(parents=True, exist_ok=True)
    stale = (
        "report.json",
        "summary.md",
        "badge.svg",
        "junit.xml",
        "attestation.json",
        "certificate.json",
        "progress.jsonl",
    )
    for name in stale:
        (order.report_dir / name).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="nomos-certify-") as own:
        ini = Path(own, "pytest.ini")
        ini.write_text(INI, encoding="utf-8")
        command = [
            *(sys.executable, "-P", "-m", "pytest", "-c", str(ini), "--rootdir", str(here), "--noconftest"),
            *("-p", "pytest_nomos.plugin", "-p", "xdist", "-p", "no:cacheprovider", "-ra"),
            f"--nomos-provider={order.target}",
            f"--nomos-report={order.report_dir}",
            f"--junitxml={order.report_dir / 'junit.xml'}",
        ]
        if settings_file is not None:
            command.append(f"--nomos-settings={settings_file}")
        if order.tier is not None:
            command.append(f"--nomos-tier={order.tier}")
        if order.seed is not None:
            command.append(f"--nomos-seed={order.seed}")
        if order.workers > 1:
            command += ["-n", str(order.workers)]
        code = _run(command)
    return _conclude(order, code)


def _run(command: list[str]) -> int:
    env = {name: value for name, value in os.environ.items() if not name.startswith(_BENDING)}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    process = subprocess.Popen(command, env=env)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # Ctrl-C reached pytest as well; it stops its providers and ends by itself.
            continue


def _conclude(order: Certification, code: int) -> Certified:
    from pytest_nomos.attestation.issue import issue

    files = {
        "report": order.report_dir / "report.json",
        "summary": order.report_dir / "summary.md",
        "junit": order.report_dir / "junit.xml",
        "badge": order.report_dir / "badge.svg",
    }
    issued = issue(order.report_dir, order.sign_key) if code in {0, 1, 10} else None
    notes: tuple[str, ...] = ()
    if issued is not None:
        files |= issued.files
        notes = issued.notes
    return Certified(code, {name: path for name, path in files.items() if path.exists()}, notes)
