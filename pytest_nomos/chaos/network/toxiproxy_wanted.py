"""What a Toxiproxy server is asked for: proxies and toxics, in its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from nomos_contracts.fault import (
    Bandwidth,
    Latency,
    NetworkFault,
    Reset,
    Silence,
    Slices,
    SlowClose,
    Truncate,
)
from pytest_nomos.chaos.network.proxy import ProxyError

LISTEN: Final = "127.0.0.1:0"


def attributes_of(fault: NetworkFault) -> tuple[str, dict[str, int]]:
    """Return Toxiproxy's name for a fault, and all of its attributes: it dies of some that are left out.

    Raises:
        ProxyError: Toxiproxy has no such toxic.
    """
    match fault:
        case Latency():
            return "latency", {"latency": fault.ms, "jitter": fault.jitter}
        case Bandwidth():
            return "bandwidth", {"rate": fault.rate}
        case SlowClose():
            return "slow_close", {"delay": fault.ms}
        case Silence():
            return "timeout", {"timeout": fault.ms}
        case Reset():
            return "reset_peer", {"timeout": fault.ms}
        case Slices():
            return "slicer", {
                "average_size": fault.size,
                "size_variation": fault.variation,
                "delay": fault.delay,
            }
        case Truncate():
            return "limit_data", {"bytes": fault.after}
        case _:
            raise ProxyError(f"Toxiproxy has no toxic for {fault.words}")


@dataclass
class Wanted:
    """What a proxy should be; the server is brought to it again after it had to be killed."""

    name: str
    upstream: str
    listen: str = LISTEN
    enabled: bool = True
    toxics: dict[str, NetworkFault] = field(default_factory=dict[str, NetworkFault])
    closed: bool = False

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"/proxies/{self.name}"

    @property
    def body(self) -> dict[str, Any]:
        """What makes it."""
        return {"name": self.name, "listen": self.listen, "upstream": self.upstream, "enabled": self.enabled}


def body_of(toxic: str, fault: NetworkFault) -> dict[str, Any]:
    """Return what makes a toxic.

    Raises:
        ProxyError: Toxiproxy has no such toxic.
    """
    kind, attributes = attributes_of(fault)
    return {
        "name": toxic,
        "type": kind,
        "stream": fault.direction,
        "toxicity": fault.toxicity,
        "attributes": attributes,
    }
