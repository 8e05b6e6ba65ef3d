"""Samples of the compute interface."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nomos_contracts.compute.interface import ERROR_CODES

Method = Literal["spawn", "list", "get", "terminate", "on_startup"]


class Provocation(BaseModel):
    """How to make a provider fail in one way: what to change in its configuration, and what to call then."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: dict[str, Any] = Field(default_factory=dict)
    method: Method = "spawn"
    spec: str | None = None
    region: str | None = None
    snapshot_id: str | None = None
    spot: bool | None = None
    calls: int = Field(default=8, ge=1, le=1000)
    """At most so many calls; the failure comes at one of them."""

    @property
    def changes(self) -> dict[str, Any]:
        """What is asked for otherwise than usual."""
        given = {"spec": self.spec, "region": self.region, "snapshot_id": self.snapshot_id, "spot": self.spot}
        return {key: value for key, value in given.items() if value is not None}


class CodedProvocation(Provocation):
    """The same, with the code that comes of it."""

    code: str = Field(pattern="^(" + "|".join(ERROR_CODES) + ")$")


class Network(BaseModel):
    """A network that instances can be put in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subnet_id: str | None = None
    security_group_ids: tuple[str, ...] | None = None
    vpc_id: str | None = None


class Upstream(BaseModel):
    """Where the vendor is reached, and how the provider is told to reach it elsewhere: through a proxy that fails.

    Give the address, or the name under which a health check tells it, for a provider that finds it by itself. The
    changes of the configuration hold ``{address}`` where host and port of the proxy belong, and time limits well below
    ``limits.call``, so that the provider gives up before its callers do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = ""
    told: str = ""
    config: dict[str, Any] = Field(min_length=1)


class ComputeSamples(BaseModel):
    """What the author tells about a compute provider; see each field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spec: str = Field(
        default="",
        description="A spec that can be spawned, the cheapest one.",
        json_schema_extra={"declinable": False, "lines": '[samples]\nspec = "small"'},
    )
    other_spec: str = Field(
        default="",
        description="A second spec that can be spawned.",
        json_schema_extra={"declinable": True, "lines": '[samples]\nother_spec = "medium"'},
    )
    regions: tuple[str, ...] = Field(
        default=(),
        description="Regions in which `spec` can be spawned; two of them where there are two.",
        json_schema_extra={"declinable": True, "lines": '[samples]\nregions = ["east", "west"]'},
    )
    gpu_spec: str = Field(
        default="",
        description="A spec with a GPU.",
        json_schema_extra={"declinable": True, "lines": '[samples]\ngpu_spec = "gpu-1"'},
    )
    volume: str = Field(
        default="",
        description="Id of a persistent volume that can be attached.",
        json_schema_extra={"declinable": True, "lines": '[samples]\nvolume = "vol-1"'},
    )
    network: Network | None = Field(
        default=None,
        description="A network that instances can be put in.",
        json_schema_extra={"declinable": True, "lines": '[samples.network]\nsubnet_id = "subnet-1"'},
    )
    page: int = Field(
        default=0,
        ge=0,
        description="How many instances the vendor lists on one page; one more than so many are spawned.",
        json_schema_extra={"declinable": True, "lines": "[samples]\npage = 10"},
    )
    slow_spawn: dict[str, Any] = Field(
        default_factory=dict,
        description="Changes of the configuration under which `spawn` answers later than a fifth of a second.",
        json_schema_extra={"declinable": True, "lines": "[samples.slow_spawn]\nlatency = 0.25"},
    )
    capacity: Provocation | None = Field(
        default=None,
        description="How to get CAPACITY_ERROR: the vendor has no machine left.",
        json_schema_extra={"declinable": True, "lines": "[samples.capacity]\nconfig = { capacity = 0 }"},
    )
    auth: Provocation | None = Field(
        default=None,
        description="How to get AUTH_ERROR: credentials that are wrong or expired.",
        json_schema_extra={"declinable": True, "lines": '[samples.auth]\nconfig = { token = "wrong" }'},
    )
    rate_limit: Provocation | None = Field(
        default=None,
        description="How to get RATE_LIMIT_ERROR: too many calls.",
        json_schema_extra={"declinable": True, "lines": "[samples.rate_limit]\nconfig = { rate_limit = 1 }"},
    )
    quota: Provocation | None = Field(
        default=None,
        description="How to get QUOTA_EXCEEDED: the account may not have more.",
        json_schema_extra={"declinable": True, "lines": "[samples.quota]\nconfig = { quota = 1 }"},
    )
    interrupted: Provocation | None = Field(
        default=None,
        description="How to get SPOT_INTERRUPTED: the vendor takes a spot instance back.",
        json_schema_extra={
            "declinable": True,
            "lines": "[samples.interrupted]\nspot = true\nconfig = { reclaim_after = 0 }",
        },
    )
    provoke: tuple[CodedProvocation, ...] = Field(
        default=(),
        description="How to get further codes of the taxonomy.",
        json_schema_extra={
            "declinable": True,
            "lines": '[[samples.provoke]]\ncode = "NETWORK_ERROR"\nconfig = { endpoint = "http://127.0.0.1:9" }',
        },
    )
    upstream: Upstream | None = Field(
        default=None,
        description="Where the vendor is reached, and how the provider is told to reach it through a proxy.",
        json_schema_extra={
            "declinable": True,
            "lines": '[samples.upstream]\naddress = "127.0.0.1:8080"\n'
            'config = { endpoint = "http://{address}", timeout = 1 }',
        },
    )
    lagging: dict[str, Any] = Field(
        default_factory=dict,
        description="Changes of the configuration under which `get` and `list` show late what `spawn` has made.",
        json_schema_extra={"declinable": True, "lines": "[samples.lagging]\nlag = 8"},
    )
    unhealthy: dict[str, Any] = Field(
        default_factory=dict,
        description="Changes of the configuration under which a health check fails.",
        json_schema_extra={"declinable": True, "lines": "[samples.unhealthy]\nhealthy = false"},
    )
    unstartable: dict[str, Any] = Field(
        default_factory=dict,
        description="Changes of the configuration under which `on_startup` fails.",
        json_schema_extra={"declinable": True, "lines": "[samples.unstartable]\nstartable = false"},
    )
