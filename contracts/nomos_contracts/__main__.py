"""``python -m nomos_contracts INTERFACE MODULE:FACTORY --path FOLDER``: serve a provider object as a binary."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from nomos_contracts.exposure import ServedInterface
from nomos_contracts.factories import call_factory
from nomos_contracts.functions import UnknownInterfaceError, function_interface
from nomos_proto.serve import run

_USAGE = "usage: python -m nomos_contracts INTERFACE MODULE:FACTORY --path FOLDER [arguments of the provider]\n"
_FIXED = 4
"""How many arguments are ours: the interface, the factory, --path, and the folder from which its module is imported."""


def main() -> None:
    """Become the provider that the factory makes with each Init."""
    words = sys.argv[1:]
    if len(words) < _FIXED or words[2] != "--path" or ":" not in words[1]:
        sys.stderr.write(_USAGE)
        sys.exit(2)
    module, _, factory = words[1].partition(":")
    sys.path.insert(0, words[3])
    try:
        interface = function_interface(words[0])
        found: Any = import_module(module)
        for part in factory.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, UnknownInterfaceError) as error:
        sys.stderr.write(f"python:{words[1]}: {error}\n")
        sys.exit(2)
    name = factory.replace("_", "-").replace(".", "-")
    served = ServedInterface(
        lambda config: call_factory(found, config), interface, name=name, type=module.partition(".")[0], version="0.0.0"
    )
    run(served, words[_FIXED:])


main()
