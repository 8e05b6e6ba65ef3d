"""``python -m nomos_mocks config``: serve a mock as a binary; its Init configuration holds values and scripts."""

from __future__ import annotations

import sys


def main() -> int:
    """Serve the mock that the first argument names; return 2 where it names none."""
    name, *rest = sys.argv[1:] or [""]
    from nomos_proto.serve import run

    match name:
        case "config":
            from nomos_mocks.config import MockConfig

            return run(MockConfig(), rest)
        case "compute":
            from nomos_contracts.compute.interface import CAPABILITIES, INTERFACE
            from nomos_contracts.exposure import ServedInterface
            from nomos_mocks.compute import MockCompute

            served = ServedInterface(
                lambda config: MockCompute(config).registration(),
                INTERFACE,
                name="mock",
                type="mock",
                version="0.1.0",
                capabilities=CAPABILITIES,
            )
            return run(served, rest)
        case "registry":
            sys.stderr.write("nomos_mocks: a registry lives in one process and cannot be served\n")
        case _:
            sys.stderr.write("usage: python -m nomos_mocks config|compute [--help]\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
