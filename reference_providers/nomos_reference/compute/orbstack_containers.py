"""Containers of a Docker engine as instances."""

from __future__ import annotations

import io
import re
import tarfile
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from nomos_contracts.compute.interface import InstanceStatus, ProviderError
from nomos_proto.kinds import is_map
from nomos_reference.compute.orbstack_backend import (
    FOLDER,
    BootstrapOutcome,
    Found,
    NameTakenError,
    Wish,
    read_outcome,
    runner,
)
from nomos_reference.compute.orbstack_engine import EngineFacts, connect
from nomos_reference.compute.orbstack_faults import MISSING_IMAGE, from_engine, mapped
from nomos_reference.compute.orbstack_settings import NAME, OrbstackSettings

CONTAINER_ID: Final = re.compile(r"[0-9a-f]{64}")
IMAGE_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")

STATUS: Final[Mapping[str, InstanceStatus]] = MappingProxyType(
    {
        "created": InstanceStatus.PENDING,
        "restarting": InstanceStatus.STARTING,
        "running": InstanceStatus.RUNNING,
        "paused": InstanceStatus.STOPPED,
        "exited": InstanceStatus.STOPPED,
        "removing": InstanceStatus.TERMINATING,
        "dead": InstanceStatus.ERROR,
    }
)
"""Where an instance is in its life, by the state of its container."""

ENTRY: Final = runner('"$1"') + "trap 'exit 0' TERM\nwhile :; do sleep 3600 & wait $!; done\n"
"""First process of a container: the bootstrap once, then nothing until it is asked to go."""

LOG_BYTES: Final = 16 * 1024
"""How much of a bootstrap's log is kept."""


def status_of(error: BaseException | None) -> int | None:
    """Return the HTTP status of an engine's answer, None for an error that is none."""
    found = getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) else None


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a tar archive of *files* by absolute path, for their owner only."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Containers:
    """The engine is looked for at the first call, and again after one that failed."""

    def __init__(self, settings: OrbstackSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._facts: EngineFacts | None = None

    def _engine(self) -> tuple[Any, EngineFacts]:
        with self._lock:
            if self._client is None or self._facts is None:
                self._client, self._facts = connect(self._settings.engine, self._settings.timeout)
            return self._client, self._facts

    @property
    def _api(self) -> Any:
        return self._engine()[0]

    @property
    def known_facts(self) -> EngineFacts | None:
        """Which engine it is, None before the first call."""
        return self._facts

    def facts(self) -> Mapping[str, Any]:
        """Return which engine it is; asks it for a sign of life."""
        client, facts = self._engine()
        with mapped("ping"):
            client.ping()
        return {"engine": facts.words, "url": facts.url, "found_by": facts.found_by, "product": facts.product}

    def need_image(self) -> None:
        """Return if the image is on the engine.

        Raises:
            ProviderError: it is not (INVALID_SPEC), or no engine answers.
        """
        with mapped(f"the image {self._settings.image}"):
            self._api.inspect_image(self._settings.image)

    def create(self, wish: Wish) -> str:
        """Make a container; see `Backend`."""
        api, facts = self._engine()
        if wish.spec.memory_mb * 2**20 > facts.memory > 0 or wish.spec.cpus > facts.cpus > 0:
            raise ProviderError(
                f"the engine has {facts.cpus} processors and {facts.memory >> 20} MiB: less than the spec wants",
                "CAPACITY_ERROR",
                provider=NAME,
            )
        image = wish.snapshot or self._settings.image
        try:
            made = api.create_container(
                image,
                entrypoint=["/bin/sh", "-c", ENTRY, "nomos"],
                command=[f"{FOLDER}/{wish.name}"],
                name=wish.name,
                labels=dict(wish.labels),
                user="0",
                host_config=api.create_host_config(
                    network_mode=self._settings.network,
                    mem_limit=wish.spec.memory_mb * 2**20,
                    memswap_limit=wish.spec.memory_mb * 2**20,
                    pids_limit=wish.spec.pids,
                    nano_cpus=round(wish.spec.cpus * 1e9),
                ),
            )
        except Exception as error:  # as in `mapped`, but for two answers
            if status_of(error) == 409:
                raise NameTakenError(wish.name) from error
            if wish.snapshot and status_of(error) == 404 and MISSING_IMAGE.search(str(error)):
                raise ProviderError("snapshot_id: there is no such snapshot", "NOT_FOUND", provider=NAME) from error
            raise from_engine(error, f"create {wish.name} from {image}") from error
        return str(made["Id"])

    def start(self, identity: str, wish: Wish) -> None:
        """Put the bootstrap script in and start the container."""
        folder = f"{FOLDER}/{wish.name}"
        with mapped(f"start {wish.name}"):
            self._api.put_archive(identity, "/", archive({f"{folder}/script": wish.script.content.encode()}))
            self._api.start(identity)

    def _inspect(self, wanted: str) -> Mapping[str, Any] | None:
        with mapped("inspect"):
            try:
                found: Mapping[str, Any] = self._api.inspect_container(wanted)
            except Exception as error:
                if status_of(error) == 404:
                    return None
                raise
        return found

    def find(self, identity: str) -> Found | None:
        """Return the container of exactly this id: the engine would take a name or the beginning of an id as well."""
        if not CONTAINER_ID.fullmatch(identity):
            return None
        return self._found(self._inspect(identity))

    def named(self, name: str) -> Found | None:
        """Return the container of exactly this name."""
        found = self._found(self._inspect(name))
        return found if found is not None and found.name == name else None

    def _found(self, told: Mapping[str, Any] | None) -> Found | None:
        if told is None:
            return None
        return Found(
            id=str(told["Id"]),
            name=str(told["Name"]).lstrip("/"),
            labels=dict(_part(_part(told, "Config"), "Labels")),
            status=STATUS.get(told["State"]["Status"], InstanceStatus.ERROR),
            ip=_address(told),
        )

    def all(self, labels: Mapping[str, str]) -> Sequence[Found]:
        """Return all containers that carry *labels*, oldest first."""
        with mapped("list"):
            told = self._api.containers(
                all=True, filters={"label": [f"{key}={value}" for key, value in labels.items()]}
            )
        found = [
            Found(
                id=str(one["Id"]),
                name=str((one.get("Names") or ["/"])[0]).lstrip("/"),
                labels=dict(one.get("Labels") or {}),
                status=STATUS.get(one["State"], InstanceStatus.ERROR),
                ip=_address(one),
            )
            for one in told
        ]
        # An engine takes an empty value for "any"; ours is exact.
        return [one for one in reversed(found) if all(one.labels.get(key) == value for key, value in labels.items())]

    def remove(self, identity: str) -> None:
        """Kill and remove a container; see `Backend`."""
        with mapped("remove"):
            try:
                self._api.remove_container(identity, force=True, v=True)
            except Exception as error:
                # Gone, or somebody else is removing it right now: both end as was asked.
                if status_of(error) == 404 or (status_of(error) == 409 and "in progress" in str(error)):
                    return
                raise

    def bootstrap_outcome(self, found: Found) -> BootstrapOutcome | None:
        """Read what the container wrote; works for one that has ended, too."""
        outcome = self._read(found.id, f"{FOLDER}/{found.name}/outcome")
        if outcome is None:
            return None
        log = self._read(found.id, f"{FOLDER}/{found.name}/log") or b""
        return read_outcome(outcome.decode(errors="replace"), log[-LOG_BYTES:].decode(errors="replace"))

    def _read(self, identity: str, path: str) -> bytes | None:
        with mapped(f"read {path}"):
            try:
                parts, _ = self._api.get_archive(identity, path)
                content = b"".join(parts)
            except Exception as error:
                if status_of(error) == 404:
                    return None
                raise
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                member = tar.extractfile(tar.getmembers()[0])
                return member.read() if member else None

    def commit(self, found: Found, name: str, labels: Mapping[str, str]) -> str:
        """Make an image of a container."""
        with mapped(f"snapshot of {found.name}"):
            made = self._api.commit(found.id, repository=name, tag="snapshot", conf={"Labels": dict(labels)})
        return str(made["Id"])

    def snapshots(self, labels: Mapping[str, str]) -> Sequence[Found]:
        """Return all images that carry *labels*."""
        with mapped("list images"):
            told = self._api.images(filters={"label": [f"{key}={value}" for key, value in labels.items()]})
        found = [
            Found(
                id=str(one["Id"]),
                name=str((one.get("RepoTags") or [""])[0]).partition(":")[0],
                labels=dict(one.get("Labels") or {}),
                size=int(one.get("Size") or 0),
            )
            for one in told
        ]
        return [one for one in found if all(one.labels.get(key) == value for key, value in labels.items())]

    def remove_snapshot(self, identity: str) -> None:
        """Delete an image and its name; the layers below stay with whoever else has them."""
        with mapped("delete snapshot"):
            try:
                # Forced past the names that others gave it; an image that something runs on is refused all the same.
                self._api.remove_image(identity, force=True)
            except Exception as error:
                if status_of(error) != 404:
                    raise

    def close(self) -> None:
        """Close the connections to the engine."""
        with self._lock:
            client, self._client, self._facts = self._client, None, None
        if client is not None:
            client.close()


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of an engine's answer; an absent one is null there."""
    found: Any = told.get(name)
    return found if is_map(found) else {}


def _address(told: Mapping[str, Any]) -> str | None:
    networks = _part(_part(told, "NetworkSettings"), "Networks")
    return next((str(found) for name in networks if (found := _part(networks, name).get("IPAddress"))), None)
