"""Run a command with every Python process of this environment measured, those of providers and of the reaper included.

Usage: ``python tools/measure.py COMMAND…`` in the folder with pyproject.toml, then ``coverage combine``.

A provider's environment holds nothing of its host's, so that coverage cannot be asked for there. Here the interpreter
asks for it itself, by a hook among its site packages that does nothing once this process is gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

HOOK = "a0_nomos_measured.pth"
"""Sorts before coverage's own hook, which starts nothing in a process that is measured already."""
PROGRAM = """
import os
if not os.environ.get("COVERAGE_PROCESS_CONFIG") and os.path.exists("/proc/{pid}"):
    import coverage
    asked = {{"COVERAGE_PROCESS_START": {config!r}, "COVERAGE_FILE": {data!r}}}
    os.environ.update(asked)
    coverage.process_startup(slug="pth")
    for name in (*asked, "COVERAGE_PROCESS_CONFIG"):  # what a provider passes on is judged
        os.environ.pop(name, None)
"""


def main(command: list[str]) -> int:
    """Run *command*, and return its exit code."""
    if not command:
        sys.exit("usage: python tools/measure.py COMMAND…")
    here = Path.cwd()
    program = PROGRAM.format(pid=os.getpid(), config=str(here / "pyproject.toml"), data=str(here / ".coverage"))
    hook = Path(sysconfig.get_path("purelib")) / HOOK
    hook.write_text(f"import sys; exec({program!r}, {{}})\n", encoding="utf-8")
    try:
        return subprocess.run(command, check=False).returncode
    finally:
        hook.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
