"""Certification: a run that nothing in the author's repository can bend, and the attestation of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_nomos.report.folder import clear_folder
from pytest_nomos.session.shard import Shard
from pytest_nomos.settings import find_settings, load_settings
from pytest_nomos.targets.plan import plan_targets
from pytest_nomos.targets.surroundings import Surroundings
from pytest_nomos.targets.ways import parse_transports

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

JUNIT = "junit.xml"
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
        shard: ``2/5`` for a part of the contract, None for the whole; a part gets no attestation.
        sign_key: Ed25519 private key (PEM), None for no certificate.
        transport: ``inproc``, ``wire`` or ``inproc,wire``, None for the way in which the target is reached by itself.
    """

    target: str
    report_dir: Path
    settings_file: Path | None = None
    tier: str | None = None
    seed: int | None = None
    workers: int = 1
    shard: str | None = None
    sign_key: Path | None = None
    transport: str | None = None


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
        ShardError: the shard is none.
        ReportError: the report folder cannot be written to.
    """
    here = Path.cwd()
    settings_file = order.settings_file or find_settings(here)
    with Surroundings() as surroundings:
        # Before anything is written: a target, shard or settings that cannot be used is one clear error.
        transports = parse_transports(order.transport) if order.transport else ()
        plan_targets((order.target,), load_settings(settings_file), here, surroundings, transports=transports)
        if order.shard is not None:
            Shard.parse(order.shard)
        if order.sign_key is not None:
            from pytest_nomos.attestation.certificate import load_signer

            load_signer(order.sign_key)
        clear_folder(order.report_dir)
        (order.report_dir / JUNIT).unlink(missing_ok=True)
        own = surroundings.folders.make("certify")
        (own / "pytest.ini").write_text(INI, encoding="utf-8")
        code = _run(_command(order, settings_file, own, here))
    return _conclude(order, code)


def _command(order: Certification, settings_file: Path | None, own: Path, here: Path) -> list[str]:
    command = [
        *(sys.executable, "-P", "-m", "pytest_nomos.session.attended", str(os.getpid())),
        *("-c", str(own / "pytest.ini"), "--rootdir", str(here), "--noconftest"),
        # pytest-xdist makes it, and pytest would keep it.
        f"--basetemp={own / 'pytest'}",
        *("-p", "pytest_nomos.plugin", "-p", "xdist", "-p", "no:cacheprovider", "-ra"),
        f"--nomos-provider={order.target}",
        f"--nomos-report={order.report_dir}",
        f"--junitxml={order.report_dir / JUNIT}",
    ]
    if settings_file is not None:
        command.append(f"--nomos-settings={settings_file}")
    if order.tier is not None:
        command.append(f"--nomos-tier={order.tier}")
    if order.seed is not None:
        command.append(f"--nomos-seed={order.seed}")
    if order.transport is not None:
        command.append(f"--nomos-transport={order.transport}")
    if order.shard is not None:
        command.append(f"--nomos-shard={order.shard}")
    if order.workers > 1:
        command += ["-n", str(order.workers)]
    return command


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
        "junit": order.report_dir / JUNIT,
        "badge": order.report_dir / "badge.svg",
        "page": order.report_dir / "index.html",
    }
    issued = issue(order.report_dir, order.sign_key) if code in {0, 1, 10} else None
    notes: tuple[str, ...] = ()
    if issued is not None:
        files |= issued.files
        notes = issued.notes
    return Certified(code, {name: path for name, path in files.items() if path.exists()}, notes)
