"""What is written on everything that the provider makes, and what is read back from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from nomos_contracts.codec import to_wire
from nomos_contracts.compute.interface import (
    CreateSnapshotOptions,
    InstanceStatus,
    ProviderInstance,
    ProviderSnapshot,
    SnapshotState,
    SpawnOptions,
)

PROVIDER: Final = "nomos.provider"
OURS: Final = "compute/orbstack"
KIND: Final = "nomos.kind"
INSTANCE: Final = "instance"
SNAPSHOT: Final = "snapshot"
RUN: Final = "nomos.run"
WORKER: Final = "nomos.worker"
CONTROL: Final = "nomos.control-id"
NUMBER: Final = "nomos.instance-id"
SPEC: Final = "nomos.spec"
REGION: Final = "nomos.region"
CREATED: Final = "nomos.created-at"
TAGS: Final = "nomos.tags"
MANIFEST: Final = "nomos.manifest-id"
OPTIONS: Final = "nomos.options"
BOOTSTRAP: Final = "nomos.bootstrap"
SNAPSHOT_NAME: Final = "nomos.snapshot"
DESCRIPTION: Final = "nomos.description"


def fingerprint(options: SpawnOptions) -> str:
    """Return a digest that is equal for equal options; they hold a secret, so they are not kept themselves."""
    plain = json.dumps(to_wire(options), sort_keys=True, default=str)
    return hashlib.sha256(plain.encode()).hexdigest()


def name_of(prefix: str, *parts: object) -> str:
    """Return a name that follows from *parts*: equal for equal ones, and fit for an engine whatever they hold."""
    digest = hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()
    return f"{prefix}-{digest[:24]}"


def scope(run: str, worker: str) -> dict[str, str]:
    """Return the labels by which a provider knows its own."""
    return {PROVIDER: OURS, RUN: run, WORKER: worker}


def instance_labels(
    options: SpawnOptions, within: Mapping[str, str], *, region: str, created: int, bootstrap: str
) -> dict[str, str]:
    """Return the labels of a new instance.

    Args:
        options: what was asked for.
        within: see `scope`.
        region: where it is.
        created: when, in milliseconds since the epoch.
        bootstrap: checksum of its bootstrap script.
    """
    return {
        **within,
        KIND: INSTANCE,
        CONTROL: options.control_id,
        NUMBER: str(options.instance_id),
        SPEC: options.spec,
        REGION: region,
        CREATED: str(created),
        # One label for all: an image hands its labels down to containers, and only what is always set is overridden.
        TAGS: json.dumps(dict(options.tags or {}), sort_keys=True),
        MANIFEST: options.manifest_id or "",
        OPTIONS: fingerprint(options),
        BOOTSTRAP: bootstrap,
    }


def snapshot_labels(
    options: CreateSnapshotOptions, within: Mapping[str, str], *, of: str, created: int
) -> dict[str, str]:
    """Return the labels of a snapshot *of* an instance."""
    return {
        **within,
        KIND: SNAPSHOT,
        SNAPSHOT_NAME: options.name,
        DESCRIPTION: options.description or "",
        CREATED: str(created),
        TAGS: json.dumps(dict(options.tags or {}), sort_keys=True),
        "nomos.snapshot-of": of,
    }


def tags_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the tags among *labels*; what somebody else has written there counts as none."""
    try:
        found: Any = json.loads(labels.get(TAGS, "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] # JSON


def created_at(labels: Mapping[str, str]) -> int:
    """Return when a thing was made, in milliseconds since the epoch; 0 where somebody has changed the label."""
    written = labels.get(CREATED, "")
    return int(written) if written.isdigit() else 0


def instance_of(
    identity: str, status: InstanceStatus, labels: Mapping[str, str], facts: Mapping[str, Any], *, ip: str | None = None
) -> ProviderInstance:
    """Return the instance that *labels* speak of.

    Args:
        identity: its id.
        status: where it is in its life.
        labels: what is written on it.
        facts: what its metadata says beside that.
        ip: its address inside the engine's network.
    """
    return ProviderInstance(
        id=identity,
        status=status,
        spec=labels.get(SPEC, ""),
        created_at=created_at(labels),
        region=labels.get(REGION) or None,
        private_ip=ip,
        metadata={
            **facts,
            "control_id": labels.get(CONTROL, ""),
            "bootstrap_checksum": labels.get(BOOTSTRAP, ""),
            "tags": tags_of(labels),
        },
    )


def snapshot_of(identity: str, labels: Mapping[str, str], size: int | None) -> ProviderSnapshot:
    """Return the snapshot that *labels* speak of; *size* is in bytes."""
    return ProviderSnapshot(
        id=identity,
        name=labels.get(SNAPSHOT_NAME, ""),
        status=SnapshotState.AVAILABLE,
        created_at=created_at(labels),
        description=labels.get(DESCRIPTION) or None,
        size_bytes=size,
    )
