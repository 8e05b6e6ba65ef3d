"""``python -m nomos_proto MODULE:FACTORY --path FOLDER``: serve a Python provider object as a binary."""

from __future__ import annotations

import sys
from importlib import import_module

from nomos_proto.serve import run

_USAGE = "usage: python -m nomos_proto MODULE:FACTORY --path FOLDER [arguments of the provider]\n"
_FIXED = 3
"""How many arguments are ours: the factory, --path, and the folder from which its module is imported."""


def main() -> None:
    """Make the provider that the first argument names, and become it."""
    words = sys.argv[1:]
    if len(words) < _FIXED or words[1] != "--path" or ":" not in words[0]:
        sys.stderr.write(_USAGE)
        sys.exit(2)
    module, _, factory = words[0].partition(":")
    sys.path.insert(0, words[2])
    try:
        make = getattr(import_module(module), factory)
    except (ImportError, AttributeError) as error:
        sys.stderr.write(f"python:{words[0]}: {error}\n")
        sys.exit(2)
    run(make(), words[_FIXED:])


main()
