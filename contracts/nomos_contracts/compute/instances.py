"""What is asked of a compute provider and what it hands over: instances, filters and bootstrap scripts.

Times are milliseconds since the epoch. Absent optional fields are None, and absent keys on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class InstanceStatus(StrEnum):
    """Where an instance is in its life."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    ERROR = "error"


class FeatureName(StrEnum):
    """What a bootstrap script can set up beside the agent."""

    TAILSCALE = "tailscale"
    NVIDIA_DRIVER = "nvidia-driver"
    CUDA = "cuda"
    DOCKER = "docker"


class BootstrapFormat(StrEnum):
    """Which program reads a bootstrap script."""

    CLOUD_INIT = "cloud-init"
    SHELL = "shell"
    IGNITION = "ignition"


@dataclass(frozen=True)
class BootstrapFeature:
    """One thing to set up, with its version and settings where they matter."""

    name: FeatureName
    version: str | None = None
    config: Mapping[str, str] | None = None


@dataclass(frozen=True)
class BootstrapConfig:
    """What an instance needs to start the agent.

    Attributes:
        agent_url: where the agent is downloaded from.
        control_plane_url: where the agent reports to.
        registration_token: with what it registers; secret.
        init_script: a shell script of the user's, run after the agent is there.
        init_checksum: lowercase SHA-256 of `init_script`; a script that differs must not run.
        features: what else to set up.
        environment: variables of agent and `init_script`; values are any text, names are those of the shell.
    """

    agent_url: str
    control_plane_url: str
    registration_token: str
    init_script: str | None = None
    init_checksum: str | None = None
    features: tuple[BootstrapFeature, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class BootstrapScript:
    """A script for the first start of an instance.

    Attributes:
        content: the script.
        format: which program reads it.
        checksum: SHA-256 of the UTF-8 bytes of `content` in lowercase hex.
    """

    content: str
    format: BootstrapFormat
    checksum: str


@dataclass(frozen=True)
class NetworkConfig:
    """The network of an instance."""

    subnet_id: str | None = None
    security_group_ids: tuple[str, ...] | None = None
    vpc_id: str | None = None


@dataclass(frozen=True)
class SpawnOptions:
    """What to create.

    Attributes:
        spec: name of the size or type, as the provider knows it.
        control_id: identity of the control plane that asks.
        instance_id: number of the instance within it; together they identify the spawn.
        bootstrap: what it runs first.
        region: where; None for the provider's own choice.
        spot: whether it may be reclaimed.
        max_spot_price: the highest price in dollars an hour.
        init_checksum: lowercase SHA-256 of the user's script.
        tags: labels, by which `list` finds it.
        manifest_id: the manifest it belongs to.
        snapshot_id: the snapshot that its disk starts from.
        volume_id: a persistent volume to attach.
        network_config: the network to put it in.
        disk_size_gb: size of its disk.
    """

    spec: str
    control_id: str
    instance_id: int
    bootstrap: BootstrapConfig
    region: str | None = None
    spot: bool | None = None
    max_spot_price: float | None = None
    init_checksum: str | None = None
    tags: Mapping[str, str] | None = None
    manifest_id: str | None = None
    snapshot_id: str | None = None
    volume_id: str | None = None
    network_config: NetworkConfig | None = None
    disk_size_gb: int | None = None


@dataclass(frozen=True)
class ProviderInstance:
    """One instance, with the fields that every provider has. What one provider has beside them stays inside it.

    Attributes:
        id: the provider's id, not empty.
        status: where it is in its life.
        spec: what was asked for.
        created_at: when, in milliseconds since the epoch.
        is_spot: whether it may be reclaimed.
        region: where it is.
        ip: its public address.
        private_ip: its address inside the provider's network.
        spot_request_id: the spot request that it fulfils.
        metadata: further facts in plain types.
    """

    id: str
    status: InstanceStatus
    spec: str
    created_at: int
    is_spot: bool = False
    region: str | None = None
    ip: str | None = None
    private_ip: str | None = None
    spot_request_id: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ListFilter:
    """Which instances to list; one that is given has to match, and all of them at once.

    Attributes:
        status: any of these.
        spec: exactly this one.
        region: exactly this one.
        tags: all of these, keys and values exactly; an instance may have more.
        limit: at most so many, counted after everything else; below 0 none, or it is refused.
        include_terminated: also those that are terminated, as far as the provider still knows them; without it
            none, whatever `status` asks for.
    """

    status: tuple[InstanceStatus, ...] | None = None
    spec: str | None = None
    region: str | None = None
    tags: Mapping[str, str] | None = None
    limit: int | None = None
    include_terminated: bool | None = None
