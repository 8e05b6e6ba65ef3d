"""What a whole run costs: against a bare script that does the same, and with two workers against one process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from table import Measurement
from targets import Provider, clean_environment, contract

HERE = Path(__file__).resolve().parent
ROUNDS = 5


def _run(command: list[str], folder: Path, env: dict[str, str]) -> tuple[float, str]:
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - began
    if done.returncode not in {0, 10}:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return elapsed, done.stdout


def against_a_bare_script(scratch: Path, provider: Provider) -> Measurement:
    """Compare the tier `testing` with a script that makes the same starts and calls."""
    env = clean_environment()
    command = contract(provider, f"--nomos-provider={provider.spec}", "--nomos-tier=testing")
    trace = scratch / "trace.json"
    traced = [*command[:-2], "-p", "tracing", *command[-2:]]
    _run(traced, provider.folder, {**env, "PYTHONPATH": str(HERE), "NOMOS_TRACE": str(trace)})
    bare = [sys.executable, "-P", str(HERE / "bare.py"), str(trace)]
    rounds: list[tuple[float, float]] = []
    said = ""
    for _ in range(ROUNDS):
        kit, _printed = _run(command, provider.folder, env)
        script, said = _run(bare, scratch, env)
        rounds.append((kit, script))
    counts = json.loads(said)
    ratio = statistics.median(kit / script for kit, script in rounds)
    kit, script = (statistics.median(side) for side in zip(*rounds, strict=True))
    detail = f"{kit:.2f} s / {script:.2f} s, {counts['start']} starts, {counts['call']} calls, {provider.name}"
    return Measurement("tier testing / bare script", ratio, 1.25, detail=detail)


def two_workers(provider: Provider) -> Measurement:
    """Compare one process with two workers, on the whole contract for four targets."""
    env = clean_environment()
    lines = [f'[targets.t{number}]\ntarget = "{provider.spec}"\n' for number in range(4)]
    if provider.spec.startswith("registered:"):
        specs = [f"--nomos-provider={provider.spec}"] * 4
    else:
        specs = [f"--nomos-provider=t{number}" for number in range(4)]
        settings = provider.folder / "nomos.toml"
        text = settings.read_text(encoding="utf-8")
        if "[targets.t0]" not in text:
            settings.write_text(text + "\n" + "\n".join(lines), encoding="utf-8")
    command = contract(provider, "--nomos-tier=reference", *specs)
    rounds = [
        (_run(command, provider.folder, env)[0], _run([*command, "-n", "2"], provider.folder, env)[0]) for _ in range(3)
    ]
    ratio = statistics.median(one / two for one, two in rounds)
    one, two = (statistics.median(side) for side in zip(*rounds, strict=True))
    detail = f"{one:.1f} s / {two:.1f} s, tier reference, four targets, {provider.name}"
    return Measurement("one process / -n 2", ratio, 1.7, at_least=True, detail=detail)
