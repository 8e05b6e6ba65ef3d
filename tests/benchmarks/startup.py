"""What the installed and unused plugin costs a pytest run, in instructions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

from table import Measurement
from targets import ROOT

NEEDED = ("pytest", "pluggy", "iniconfig", "packaging", "Pygments")
NAME = "unused plugin / -p no:nomos, instructions"
BESIDE = "installed and unused / not installed, instructions"


def _environment(folder: Path, wheel: Path | None) -> Path:
    """Make an environment with pytest and, where it is given, the wheel; return its interpreter. No network."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    for name in NEEDED:
        for file in metadata.distribution(name).files or ():
            source = Path(str(file.locate()))
            if ".." not in file.parts and source.is_file():
                target = site / Path(*file.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
    if wheel is not None:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    return folder / "bin" / "python"


def _instructions(valgrind: str, python: Path, folder: Path, *arguments: str) -> int:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}
    run = [str(python), "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    # Bytecode is written by a first run, as it is on every machine after the first start.
    subprocess.run(run, cwd=folder, env=env, check=True, capture_output=True)
    command = [valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", *run]
    done = subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if found is None:
        raise RuntimeError(f"valgrind counted nothing:\n{done.stderr}")
    return int(found[1].replace(",", ""))


def measure(scratch: Path) -> list[Measurement]:
    """Compare the same run with the plugin, without it, and where it is not installed."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        why = "valgrind is absent; apt-get install valgrind"
        return [Measurement(NAME, None, 1.01, detail=why), Measurement(BESIDE, None, 1.01, detail=why)]
    built = scratch / "wheel"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    with_plugin = _environment(scratch / "with", wheel)
    without = _environment(scratch / "without", None)
    folder = scratch / "empty-run"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
    unused = _instructions(valgrind, with_plugin, folder)
    refused = _instructions(valgrind, with_plugin, folder, "-p", "no:nomos")
    absent = _instructions(valgrind, without, folder)
    with zipfile.ZipFile(wheel) as archive:
        files = len(archive.namelist())
    return [
        Measurement(NAME, unused / refused, 1.01, detail=f"{unused / 1e6:.1f} M / {refused / 1e6:.1f} M"),
        Measurement(
            BESIDE, unused / absent, None, detail=f"{unused / 1e6:.1f} M / {absent / 1e6:.1f} M, {files} files"
        ),
    ]
