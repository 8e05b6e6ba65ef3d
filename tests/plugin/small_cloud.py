"""Compute providers of an author's own folder, for tests of targets: a good one, and such that differ or break."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from nomos_contracts.compute.interface import BootstrapConfig, BootstrapScript
from nomos_reference.compute.memory import MemoryProvider

SERVED = "NOMOS_LIFELINE_FD" in os.environ
"""Whether this process is a provider that a host started, and not the test run."""


class Good(MemoryProvider):
    """The reference, under another name."""


class Forgetful(MemoryProvider):
    """Over the wire its checksum is another one."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        script = super().generate_bootstrap(cfg)
        return BootstrapScript(script.content, script.format, "0" * 64) if SERVED else script


class Hanging(MemoryProvider):
    """It never comes back from a bootstrap script with an environment."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        if cfg.environment:
            threading.Event().wait()
        return super().generate_bootstrap(cfg)


class Leaving(MemoryProvider):
    """It wants to end the process."""

    async def get(self, provider_id: str, region: str | None = None) -> Any:
        sys.exit(3)


class Raw(MemoryProvider):
    """It lets through what its vendor raises."""

    async def get(self, provider_id: str, region: str | None = None) -> Any:
        return {}[provider_id]


def unmakeable(config: Mapping[str, Any]) -> Good:
    raise RuntimeError("hunter2 is wrong")


def endless(config: Mapping[str, Any]) -> Good:
    threading.Event().wait()
    return Good(config)


def in_pieces(ctx: object, config: Any) -> Good:
    """A factory as the registry has them."""
    return Good(config.custom_fields)
