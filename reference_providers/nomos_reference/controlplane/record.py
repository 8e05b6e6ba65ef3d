"""The record: what a control plane knows of the instances that it asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nomos_contracts.compute.interface import InstanceStatus, ProviderInstance, SpawnOptions, project_instance

GONE = frozenset({InstanceStatus.TERMINATING, InstanceStatus.TERMINATED})
EXPECTED = ("spec", "region", "is_spot")
"""Fields that never change: those by which drift is seen."""


@dataclass
class Entry:
    """One spawn.

    Attributes:
        options: what was asked for, written down before it is asked: a lost answer can be asked for again.
        instance: what came of it, as it was last seen, generic fields alone; None while nothing is known.
        wanted: whether it should be there.
    """

    options: SpawnOptions
    instance: ProviderInstance | None = None
    wanted: bool = True

    def see(self, instance: ProviderInstance) -> ProviderInstance:
        """Write down what was seen, projected: nothing of one provider alone gets into the record."""
        self.instance = project_instance(instance)
        return self.instance

    def expected(self) -> Mapping[str, Any]:
        """Return what reconciliation expects of it."""
        if self.instance is None:
            raise ValueError("nothing is known of this spawn yet")
        given = {name: getattr(self.instance, name) for name in ("id", *EXPECTED)}
        return {name: value for name, value in given.items() if value is not None}


def is_generic(instance: ProviderInstance) -> bool:
    """Whether *instance* has generic fields alone."""
    return {field.name for field in fields(instance)} == {field.name for field in fields(ProviderInstance)}
