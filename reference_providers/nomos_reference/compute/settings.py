"""The configuration of the memory provider: every behaviour of a real cloud, each switched by one key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nomos_contracts.compute.interface import CAPABILITIES, ProviderError


class MemorySettings(BaseModel):
    """Times are seconds of the simulated clock unless a field says otherwise.

    Attributes:
        capabilities: the flags that are declared; what is not declared is refused.
        specs: price of an hour in dollars by spec.
        gpu_specs: those among them that have a GPU.
        regions: where instances can be; the first one is the default.
        networks: ids of subnets.
        volumes: ids of persistent volumes.
        bootstrap: format of bootstrap scripts.
        tick: by how much each call moves the clock.
        boot_delay: from spawn to running.
        stop_delay: from terminate to terminated.
        snapshot_delay: until a snapshot is available.
        spot_delay: until a spot request is fulfilled.
        lag: until a read shows what was written.
        forget_after: until a terminated instance is forgotten.
        page: instances on one page of the vendor's list.
        capacity: machines of one region, None without end.
        quota: instances that the account may have, None without end.
        rate_limit: calls within one second, None without end.
        reclaim_after: age at which spot instances are taken back, None for never.
        token: credential; any but `valid` and `expired` is wrong.
        unavailable_regions: regions that are down.
        outage: what every call to the vendor fails with.
        latency: real seconds between what `spawn` does and its answer.
        cloud: host and port of a `CloudServer`; empty: the cloud is in the provider's own memory.
        cloud_timeout: real seconds that such a server has for an answer.
        healthy: whether health checks find the vendor in order.
        startable: whether `on_startup` succeeds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    capabilities: tuple[str, ...] = CAPABILITIES
    specs: dict[str, float] = Field(default={"small": 0.05, "medium": 0.1, "large": 0.4, "gpu-1": 2.5}, min_length=1)
    gpu_specs: tuple[str, ...] = ("gpu-1",)
    regions: tuple[str, ...] = Field(default=("east", "west"), min_length=1)
    networks: tuple[str, ...] = ("subnet-1",)
    volumes: tuple[str, ...] = ("vol-1",)
    bootstrap: Literal["shell", "cloud-init", "ignition"] = "shell"
    tick: float = Field(default=1.0, ge=0)
    boot_delay: float = Field(default=3.0, ge=0)
    stop_delay: float = Field(default=2.0, ge=0)
    snapshot_delay: float = Field(default=3.0, ge=0)
    spot_delay: float = Field(default=2.0, ge=0)
    lag: float = Field(default=0.0, ge=0)
    forget_after: float = Field(default=3600.0, ge=0)
    page: int = Field(default=5, ge=1)
    capacity: int | None = Field(default=None, ge=0)
    quota: int | None = Field(default=None, ge=0)
    rate_limit: int | None = Field(default=None, ge=1)
    reclaim_after: float | None = Field(default=None, ge=0)
    token: str = "valid"  # noqa: S105 # a word of the simulation
    unavailable_regions: tuple[str, ...] = ()
    outage: Literal["", "network", "timeout", "internal", "maintenance"] = ""
    latency: float = Field(default=0.0, ge=0, le=60)
    cloud: str = Field(default="", pattern=r"^([A-Za-z0-9.-]+:[0-9]{1,5})?$")
    cloud_timeout: float = Field(default=5.0, gt=0, le=60)
    healthy: bool = True
    startable: bool = True

    @field_validator("capabilities")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(names) - set(CAPABILITIES))
        if unknown:
            raise ValueError(f"unknown capability {unknown[0]}; there are {', '.join(CAPABILITIES)}")
        return names


def read_settings(config: Mapping[str, Any]) -> MemorySettings:
    """Read the configuration of the memory provider.

    Raises:
        ProviderError: INVALID_SPEC, names the key at fault and never its value.
    """
    try:
        return MemorySettings.model_validate(dict(config))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ProviderError(f"{key}: {first['msg']}", "INVALID_SPEC", provider="memory") from None
