"""The registry in Python: `MemoryRegistry` makes one, `default_registry` returns the one that imports share."""

from __future__ import annotations

from nomos_reference.registry.default import create, default_registry, names, problems
from nomos_reference.registry.entry_points import GROUP, Problem
from nomos_reference.registry.memory import MemoryRegistry

__all__ = ["GROUP", "MemoryRegistry", "Problem", "create", "default_registry", "names", "problems"]
