"""Mocks as pytest fixtures: ``pytest_plugins = ["nomos_mocks.fixtures"]`` in the conftest of an application."""

from __future__ import annotations

import pytest

from nomos_mocks.compute import MockCompute
from nomos_mocks.config import MockConfig
from nomos_mocks.registry import MockRegistry


@pytest.fixture
def mock_config() -> MockConfig:
    """A configuration provider that waits for its values: ``mock_config.hold({...})``."""
    return MockConfig()


@pytest.fixture
def mock_compute() -> MockCompute:
    """A compute provider with every capability, and nothing in its cloud."""
    return MockCompute()


@pytest.fixture
def mock_registry() -> MockRegistry:
    """A registry with the packages ``config`` and ``compute``, and nothing in them."""
    return MockRegistry("config", "compute")
