"""Registrations of compute providers of every kind, for what has to run on each of them unchanged."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from components import ROOT
from nomos_contracts.compute.interface import ProviderRegistration
from nomos_reference.registry import MemoryRegistry, create, default_registry
from nomos_reference.registry.builtin import register_built_in

EXAMPLE = ROOT / "examples" / "compute-in-python" / "attic.py"


def load_example() -> ModuleType:
    """Return the module of the example, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("attic", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for what their annotations mean
    spec.loader.exec_module(module)
    return module


def registration_of(name: str, config: Mapping[str, Any]) -> ProviderRegistration[Any]:
    """Make a provider by its registered name; ``compute/attic`` is the example, in a registry of its own."""
    registry = default_registry()
    if name == "compute/attic":
        registry = MemoryRegistry()
        register_built_in(registry)
        registry.register_provider("compute", "attic", load_example().new_attic)
    made: ProviderRegistration[Any] = create(name, config, registry=registry)
    return made
