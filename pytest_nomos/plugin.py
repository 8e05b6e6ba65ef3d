"""The entry point: options, and nothing else until `--nomos-provider` is given.

It is loaded in every pytest run of its environment, so it imports nothing but pytest.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the kit's few options."""
    group = parser.getgroup("nomos", "contracts of providers (pytest-nomos)")
    group.addoption(
        "--nomos-provider",
        action="append",
        default=[],
        metavar="TARGET",
        help="provider to hold against its contract: ./binary, a name in nomos.toml, … (repeatable)",
    )
    group.addoption("--nomos-report", metavar="DIR", help="write report.json and summaries into DIR")
    group.addoption("--nomos-seed", metavar="N", help="seed of everything that is random (default: drawn and shown)")
    group.addoption("--nomos-tier", choices=("testing", "additional", "reference"), help="which set of clauses to run")
    group.addoption(
        "--nomos-shard", metavar="I/N", help="run part I of N of the contract; see `pytest-nomos report merge`"
    )
    group.addoption(
        "--nomos-transport",
        metavar="T",
        help="how to reach providers of function interfaces: inproc, wire or inproc,wire (both must agree)",
    )
    group.addoption(
        "--nomos-chaos", metavar="FAULT", help="try everything under a fault, for instance 'latency(200ms)&pause'"
    )
    group.addoption("--nomos-settings", metavar="FILE", help="settings file instead of the nearest nomos.toml")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the kit if a target was named."""
    if config.getoption("nomos_provider"):
        from pytest_nomos.collection import activate

        activate(config)
