"""Start a reference provider: ``python -m nomos_reference config/files [options]``."""

from __future__ import annotations

import sys

from nomos_reference import PROVIDERS


def main() -> int:
    """Serve the provider that the first argument names; return 2 where it names none."""
    name, *rest = sys.argv[1:] or [""]
    if name not in PROVIDERS:
        sys.stderr.write(
            f"nomos_reference: {name!r} is no provider; name one of {', '.join(PROVIDERS)}\n"
            if name
            else f"usage: python -m nomos_reference NAME [--help]\nNAME is one of {', '.join(PROVIDERS)}\n"
        )
        return 2
    from nomos_proto.serve import run

    return run(PROVIDERS[name](), rest)


if __name__ == "__main__":
    sys.exit(main())
