"""Providers that run already: reached, never started or stopped."""

from __future__ import annotations

from nomos_contracts.provider import Start
from pytest_nomos.host.launch import Setup
from pytest_nomos.host.limits import Limits


def connect(address: str, alias: str, setup: Setup, limits: Limits) -> Start:
    """Connect to *address* (``host:port`` or ``unix:/path``)."""
    raise NotImplementedError(f"{address} {alias} {setup} {limits}")
