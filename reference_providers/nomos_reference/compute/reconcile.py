"""Reconciliation: what is recorded against what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from nomos_contracts.compute.interface import InstanceStatus, ProviderInstance

GONE = frozenset({InstanceStatus.TERMINATING, InstanceStatus.TERMINATED})
COMPARED = frozenset(field.name for field in fields(ProviderInstance)) - {"id"}


@dataclass(frozen=True)
class Drift:
    """Ids of instances that are recorded and not there, there and not recorded, and different from the record."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def plain(self) -> dict[str, list[str]]:
        """In the form of a task's result."""
        return {"missing": list(self.missing), "extra": list(self.extra), "changed": list(self.changed)}


def reconcile(expected: Iterable[Mapping[str, Any]], actual: Iterable[ProviderInstance]) -> Drift:
    """Compare records (``id`` and any further generic fields) with the instances that are there."""
    there = {one.id: one for one in actual if one.status not in GONE}
    records = {str(record["id"]): record for record in expected}
    changed = [
        key
        for key, record in records.items()
        if key in there
        and any(getattr(there[key], name) != record[name] for name in COMPARED if record.get(name) is not None)
    ]
    return Drift(
        missing=tuple(sorted(records.keys() - there.keys())),
        extra=tuple(sorted(there.keys() - records.keys())),
        changed=tuple(sorted(changed)),
    )
