#!/usr/bin/env python3
"""A stand-in for the `orb` command: machines are folders below ORB_STATE, and every argument is checked.

What it is called with is written to ``ORB_STATE/calls``. ``ORB_STATE/fail`` holds what the next call fails with.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

STATE = Path(os.environ["ORB_STATE"])
MACHINES = STATE / "machines"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def fail(message: str) -> int:
    print(f"orb: {message}", file=sys.stderr)
    return 1


def make(name: str, source: Path | None = None) -> int:
    if not NAME.fullmatch(name):
        return fail(f"invalid machine name: {name}")
    if (MACHINES / name).exists():
        return fail(f"machine already exists: {name}")
    if source is None:
        (MACHINES / name / "home").mkdir(parents=True)
    else:
        shutil.copytree(source, MACHINES / name)
    (MACHINES / name / "state").write_text("running")
    return 0


def execute(name: str, words: list[str]) -> int:
    if not (MACHINES / name).exists():
        return fail(f"machine not found: {name}")
    home = MACHINES / name / "home"
    programs = STATE / "bin"
    programs.mkdir(exist_ok=True)
    sudo = programs / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$1" = -n ] || exit 1\nshift\nexec "$@"\n')
    sudo.chmod(0o755)
    variables = {"HOME": str(home), "TMPDIR": str(home), "PATH": f"{programs}:{os.environ['PATH']}"}
    return subprocess.run(words, cwd=home, env=variables, check=False).returncode


def main(words: list[str]) -> int:
    MACHINES.mkdir(parents=True, exist_ok=True)
    with (STATE / "calls").open("a") as calls:
        calls.write(json.dumps(words) + "\n")
    planned = STATE / "fail"
    if planned.exists():
        text = planned.read_text()
        planned.unlink()
        return fail(text)
    match words:
        case ["create", ("debian" | "ubuntu:noble"), name]:
            return make(name)
        case ["create", distro, _]:
            return fail(f"unknown distro: {distro}")
        case ["clone", source, name]:
            if not (MACHINES / source).exists():
                return fail(f"machine not found: {source}")
            return make(name, MACHINES / source)
        case ["list", "--format", "json"]:
            listed = [
                {"name": path.name, "state": (path / "state").read_text(), "image": {"distro": "debian"}}
                for path in sorted(MACHINES.iterdir())
            ]
            print(json.dumps(listed))
            return 0
        case ["delete", "-f", name]:
            if not (MACHINES / name).exists():
                return fail(f"machine not found: {name}")
            shutil.rmtree(MACHINES / name)
            return 0
        case ["-m", name, *command] if command:
            return execute(name, command)
        case _:
            return fail(f"unknown command: {words}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
