"""Whether the kit's own resident memory grows with the number of checks."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from table import Measurement
from targets import Provider, clean_environment, contract

HERE = Path(__file__).resolve().parent
CHECKS = 1000
WARM = 250


def _samples(command: list[str], folder: Path, file: Path) -> list[int]:
    env = {**clean_environment(), "PYTHONPATH": str(HERE), "NOMOS_MEMORY": str(file)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1, 10}:
        raise RuntimeError(f"ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    samples: list[int] = json.loads(file.read_text(encoding="utf-8"))
    return samples


def _slope(samples: list[int]) -> float:
    """Return the growth in KiB a check, by least squares, after the first that warm everything up."""
    warm = samples[WARM:]
    return statistics.linear_regression(range(len(warm)), warm).slope / 1024


def measure(scratch: Path, provider: Provider) -> list[Measurement]:
    """Run 1,000 checks in one process, and as many empty tests in a pytest without the kit."""
    probe = contract(provider, "--collect-only", f"--nomos-provider={provider.spec}", "--nomos-tier=testing")
    listed = subprocess.run(
        probe, cwd=provider.folder, env=clean_environment(), capture_output=True, text=True, check=True
    )
    each = sum("::" in line for line in listed.stdout.splitlines())
    specs = [f"--nomos-provider={provider.spec}"] * -(-CHECKS // each)
    command = contract(provider, "--nomos-tier=testing", "-p", "sampling", *specs)
    ours = _samples(command, provider.folder, scratch / "memory.json")
    plain = scratch / "plain"
    plain.mkdir()
    test = "import pytest\n\n@pytest.mark.parametrize('n', range(1000))\ndef test_it(n):\n    pass\n"
    (plain / "test_plain.py").write_text(test, encoding="utf-8")
    bare = [sys.executable, "-P", "-m", "pytest", "-c", "/dev/null", "--rootdir", str(plain), "-q"]
    bare += ["-p", "no:cacheprovider", "-p", "sampling", "test_plain.py"]
    theirs = _samples(bare, plain, scratch / "plain.json")
    slope, own = _slope(ours), _slope(theirs)
    grown = (ours[-1] - ours[WARM]) / 1024 / 1024
    detail = (
        f"{len(ours)} checks on {len(specs)} x {provider.name}: {grown:+.1f} MiB after check {WARM}, "
        f"at the end {ours[-1] / 1024 / 1024:.0f} MiB; pytest alone {own:.2f} KiB a test"
    )
    return [Measurement("memory of the kit, growth a check", slope - own, 1.0, unit="KiB", detail=detail)]
