"""Mutants of function interfaces: factories of provider objects, for this process and as binaries."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nomos_mutants.mutant import Mutant

if TYPE_CHECKING:
    from nomos_contracts.exposure import ServedInterface

Make = Callable[[Mapping[str, Any]], object]
"""Makes a provider object of its configuration."""


def _nothing(config: Mapping[str, Any]) -> object:
    raise NotImplementedError


@dataclass(frozen=True)
class FunctionMutant(Mutant):
    """One defect of a provider object.

    Attributes:
        interface: the interface that it implements.
        make: makes it of its configuration.
        outside: whether the defect is in the program around the object, so that there is nothing to hold in process.
    """

    interface: str = ""
    make: Make = _nothing
    outside: bool = False


def function_mutant(
    interface: str,
    clause: str,
    variant: str = "",
    *,
    defect: str,
    also: Iterable[str] = (),
    served: type[ServedInterface] | None = None,
) -> Callable[[Any], Any]:
    """Declare a mutant: above a class or function that takes the configuration and returns a provider object.

    Args:
        interface: the interface that it implements.
        clause: the clause that it is made for.
        variant: tells mutants of one clause apart.
        defect: what is wrong, in one sentence.
        also: further clauses that the defect breaks by its nature.
        served: what serves the object, where the defect is there.
    """

    def declare(subject: Any) -> Any:
        make: Make = getattr(subject, "mutated", subject)
        made = FunctionMutant(
            clause,
            variant,
            defect,
            frozenset({clause, *also}),
            lambda argv: _serve(interface, make, argv, served),
            interface=interface,
            make=make,
            outside=served is not None,
        )
        subject.__nomos_mutants__ = (*getattr(subject, "__dict__", {}).get("__nomos_mutants__", ()), made)
        return subject

    return declare


def _serve(name: str, make: Make, argv: Sequence[str], served: type[ServedInterface] | None) -> int:
    """Become the provider; an interface of live objects cannot be served."""
    from nomos_contracts.exposure import ServedInterface
    from nomos_contracts.functions import function_interface
    from nomos_proto.serve import serve

    interface = function_interface(name)
    if not interface.has_wire_form:
        sys.stderr.write(f"nomos_mutants: {name} is an interface of live objects; there is no binary of it\n")
        return 2
    return serve((served or ServedInterface)(make, interface, name="mutant", type="mutant", version="0.1.0"), argv)
