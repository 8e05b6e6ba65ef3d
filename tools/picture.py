"""Make docs/images/run.svg: what a real run prints in a terminal, colours included.

Usage: ``python tools/picture.py [COMMAND...]``; without a command the one that the README shows. The command runs in an
empty temporary folder, in a pseudo-terminal of its own.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

IMAGE = Path(__file__).resolve().parent.parent / "docs" / "images" / "run.svg"
COMMAND = ("pytest", "--nomos-provider=mutant:CFG-VALUE-001/large", "-k", "values or fetch", "--nomos-seed=1")
COLUMNS = 120


def run(command: list[str], folder: str) -> bytes:
    """Run *command* in *folder* in a pseudo-terminal of 120 columns and return everything that it printed."""
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NO_COLOR"))}
    env |= {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says EIO when the last writer has closed the terminal
            part = b""
        if not part:
            break
        printed += part
    os.close(ours)
    process.wait()
    return printed


def main(command: list[str]) -> int:
    """Write the picture; return the exit code."""
    command = command or list(COMMAND)
    with tempfile.TemporaryDirectory() as folder:
        printed = run(command, folder).decode(errors="replace").replace("\r\n", "\n")
        printed = printed.replace(os.path.realpath(folder), "/home/you/empty-folder").replace(
            folder, "/home/you/empty-folder"
        )
    console = Console(record=True, width=COLUMNS, file=StringIO(), color_system="truecolor")
    console.print(Text(f"$ {shlex.join(command)}", style="bold"), soft_wrap=False)
    console.print(Text.from_ansi(printed.rstrip()), soft_wrap=False)
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title="pytest-nomos", unique_id="run")
    # Rich names web fonts; a picture in a README fetches nothing.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    IMAGE.write_text(svg, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
