"""Drift: what others do to the instances of a provider behind its back, where a target offers a way to do it.

A target offers it as `drift` of its registration: an object that goes to the vendor past the provider, with other
credentials or another client. Whatever it makes carries the marks of the provider's own instances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from nomos_contracts.fault import Changed, Deleted, DriftFault, Duplicated, HalfCreated

TOptions_contra = TypeVar("TOptions_contra", contravariant=True)


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Drifted:
    """What was done.

    Attributes:
        instance: id of what was struck, or made.
        attribute: name of the generic field that is another one, where one is.
        undo: takes it back as far as it can be: what was made goes, what was changed is as before. Called once in the
            end, also where the provider has cleaned up meanwhile; raises where something is left.
    """

    instance: str
    attribute: str = ""
    undo: Callable[[], None] = field(default=_nothing, repr=False, compare=False)


class Drift(Protocol[TOptions_contra]):
    """Goes to the vendor past the provider. Methods block; whatever they raise blocks the check that asked."""

    def delete(self, instance: str, /) -> Drifted:
        """Take an instance away; when this returns, the vendor has it no more."""
        ...

    def change(self, instance: str, /) -> Drifted:
        """Change an attribute of an instance that stands in a generic field, and name that field."""
        ...

    def duplicate(self, instance: str, /) -> Drifted:
        """Make a second instance with all marks of the first one, and return its id."""
        ...

    def half_create(self, options: TOptions_contra, /) -> Drifted:
        """Leave what a spawn of *options* leaves that is killed once the vendor has created the instance.

        Nothing that the provider does after that has been done: no record, no start, no further mark.
        """
        ...


def drifted(drift: Drift[TOptions_contra], fault: DriftFault, options: TOptions_contra | None) -> Drifted:
    """Have *drift* do *fault*; a half-created instance is one of *options*."""
    match fault:
        case Deleted():
            return drift.delete(fault.instance)
        case Changed():
            return drift.change(fault.instance)
        case Duplicated():
            return drift.duplicate(fault.instance)
        case HalfCreated() if options is not None:
            return drift.half_create(options)
        case _:
            raise ValueError(f"{fault.words} cannot be done without options")
