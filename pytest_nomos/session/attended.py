"""pytest in a process that ends with its caller: ``python -m pytest_nomos.session.attended CALLER ARGUMENT…``.

Ctrl-C reaches both, as they share a process group; SIGKILL does not, so this one asks the kernel for it.
"""

from __future__ import annotations

import runpy
import sys

from pytest_nomos.session.attachment import attach


def main() -> None:
    """Take the caller's process id from the arguments and become ``python -m pytest`` with the rest of them."""
    attach(int(sys.argv.pop(1)))
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
