"""Drift of the OrbStack provider: straight to the engine, with a client of its own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nomos_contracts.compute.interface import SpawnOptions
from nomos_contracts.drift import Drifted
from nomos_reference.compute.orbstack_containers import Containers, status_of
from nomos_reference.compute.orbstack_engine import connect
from nomos_reference.compute.orbstack_faults import mapped

if TYPE_CHECKING:
    from nomos_reference.compute.orbstack import OrbstackProvider

IDLE: Final = ("/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done")


class ContainerDrift:
    """Changes containers that are instances of *provider*; whatever it makes carries the labels of its run."""

    def __init__(self, provider: OrbstackProvider) -> None:
        self._provider = provider

    @contextmanager
    def _engine(self, doing: str) -> Generator[Any]:
        settings = self._provider.settings
        client, _ = connect(settings.engine, settings.timeout)
        try:
            with mapped(doing):
                yield client
        finally:
            client.close()

    def delete(self, instance: str, /) -> Drifted:
        """Kill and remove a container."""
        self._remove(instance)
        return Drifted(instance)

    def change(self, instance: str, /) -> Drifted:
        """Pause a container: labels cannot be changed, and what it does is an attribute too."""
        with self._engine("pause") as client:
            client.pause(instance)
        return Drifted(instance, "status", partial(self._unpause, instance))

    def duplicate(self, instance: str, /) -> Drifted:
        """Start a second container with the same labels; an engine has each name once."""
        with self._engine("duplicate") as client:
            one = client.inspect_container(instance)
            made = client.create_container(
                one["Config"]["Image"],
                entrypoint=list(IDLE),
                name=f"{str(one['Name']).lstrip('/')}-twin",
                labels=dict(one["Config"]["Labels"]),
                host_config=client.create_host_config(network_mode=self._provider.settings.network),
            )
            identity = str(made["Id"])
            try:
                client.start(identity)
            except Exception:
                client.remove_container(identity, force=True)
                raise
        return Drifted(identity, undo=partial(self._remove, identity))

    def half_create(self, options: SpawnOptions, /) -> Drifted:
        """Create the container of a spawn, and neither put its script in nor start it."""
        other = Containers(self._provider.settings)
        try:
            made = other.create(self._provider.wish(options))
        finally:
            other.close()
        return Drifted(made, undo=partial(self._remove, made))

    def _remove(self, identity: str) -> None:
        other = Containers(self._provider.settings)
        try:
            other.remove(identity)
        finally:
            other.close()

    def _unpause(self, identity: str) -> None:
        with self._engine("unpause") as client:
            try:
                client.unpause(identity)
            except Exception as error:
                # Gone, or not paused any more: the provider may have mended it.
                if status_of(error) not in {404, 409, 500}:
                    raise
