"""Start a registered provider: ``python -m nomos_reference config/files [options]``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nomos_reference import PROVIDERS

if TYPE_CHECKING:
    from nomos_proto.provider import ConfigService


def _provider(name: str) -> ConfigService:
    if name in PROVIDERS:
        return PROVIDERS[name]()
    # The registry looks at all installed packages, which the four above need not wait for.
    from nomos_reference.serving import served

    return served(name)


def main() -> int:
    """Serve the provider that the first argument names; return 2 where it names none."""
    name, *rest = sys.argv[1:] or [""]
    if not name:
        sys.stderr.write("usage: python -m nomos_reference NAME [--help]\nNAME is for instance config/files\n")
        return 2
    from nomos_proto.errors import ProviderError

    try:
        provider = _provider(name)
    except (LookupError, ProviderError) as error:
        sys.stderr.write(f"nomos_reference: {error}\n")
        return 2
    from nomos_proto.serve import run

    return run(provider, rest)


if __name__ == "__main__":
    sys.exit(main())
