"""Measure what the kit costs: ratios in one run, as a table and as JSON.

Usage: ``python tests/benchmarks [--json FILE] [--only NAME]``; names are startup, calls, runs, memory, interfaces,
pages, proxies, windows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import calls
import interfaces
import memory
import pages
import proxies
import runs
import startup
import targets
import windows
from table import Measurement, render, write


def main() -> int:
    """Measure, print and write; the exit code is 0 whatever the figures say."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("--json", type=Path)
    with tempfile.TemporaryDirectory(prefix="nomos-bench-") as folder:
        scratch = Path(folder)
        built: list[targets.Provider] = []

        def provider() -> targets.Provider:
            if not built:
                built.append(targets.build(scratch))
            return built[0]

        parts: Mapping[str, Callable[[], list[Measurement]]] = {
            "startup": lambda: startup.measure(scratch),
            "calls": lambda: calls.measure(scratch, provider()),
            "memory": lambda: memory.measure(scratch, provider()),
            "interfaces": lambda: interfaces.measure(scratch),
            "pages": lambda: pages.measure(scratch),
            "proxies": lambda: proxies.measure(scratch, provider()),
            "windows": lambda: windows.measure(scratch, provider()),
            "runs": lambda: [runs.against_a_bare_script(scratch, provider()), runs.two_workers(provider())],
        }
        parser.add_argument("--only", choices=tuple(parts), action="append")
        options = parser.parse_args()
        measurements: list[Measurement] = []
        for name in options.only or parts:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            measurements += parts[name]()
    print(render(measurements))
    if options.json is not None:
        write(measurements, options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
