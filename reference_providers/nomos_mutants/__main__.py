"""``python -m nomos_mutants NAME``: become a mutant."""

from __future__ import annotations

import contextlib
import os
import sys

from nomos_mutants.mutant import ORIGINAL, MutantError, find, serve_with


def main() -> None:
    """Become the mutant that the first argument names."""
    if len(sys.argv) < 2:  # program and name
        sys.stderr.write("usage: python -m nomos_mutants CLAUSE[/VARIANT]\n")
        sys.exit(2)
    try:
        # A mutant whose defect is in its file runs the original.
        run = serve_with if sys.argv[1] == ORIGINAL else find(sys.argv[1]).run
    except MutantError as error:
        sys.stderr.write(f"nomos_mutants: {error}\n")
        sys.exit(2)
    code = run(sys.argv[2:])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # As a correct provider ends: without waiting for threads of calls that hang.
    os._exit(code)


main()
