"""Mocks: one for each interface, correct and in memory, that record their calls and fail as they are told.

``from nomos_mocks import MockConfig`` in a test, or ``pytest_plugins = ["nomos_mocks.fixtures"]`` for fixtures.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nomos_mocks.mock import Call, Mock, MockError

if TYPE_CHECKING:
    from nomos_mocks.compute import MockCompute
    from nomos_mocks.config import MockConfig
    from nomos_mocks.registry import MockRegistry

__all__ = ["Call", "Mock", "MockCompute", "MockConfig", "MockError", "MockRegistry"]


def __getattr__(name: str) -> Any:
    # Imported when it is wanted: a test of one interface need not wait for the others.
    if name.startswith("Mock") and name in __all__:
        return getattr(import_module(f"nomos_mocks.{name.removeprefix('Mock').lower()}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
