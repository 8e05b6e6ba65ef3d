"""RemoteProvider: a provider that ran before we came, as checks see it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Never

from nomos_contracts.provider import Announcement, Exit, StartError, Usage
from nomos_contracts.violation import NotApplicable
from pytest_nomos.host import diagnosis
from pytest_nomos.host.cancellation import Cancel
from pytest_nomos.host.channels import ChannelPool, PoolFigures
from pytest_nomos.host.connecting import Connecting
from pytest_nomos.host.conversation import Conversation
from pytest_nomos.host.diagnosis import StartFailed
from pytest_nomos.host.exchange import Caller
from pytest_nomos.host.launch import Setup
from pytest_nomos.host.limits import Limits
from pytest_nomos.host.metadata import CallMetadata


class AddressError(ValueError):
    """An address that is none; says what one looks like."""


def parse_address(target: str) -> str:
    """Return ``host:port`` or ``unix:<absolute path>`` of a target (``grpc:host:port`` or ``unix:/path``).

    Raises:
        AddressError: it is neither.
    """
    if target.startswith("unix:"):
        if not target.startswith("unix:/"):
            raise AddressError(f"{target!r}: the path of the socket has to be absolute, as in unix:/run/provider.sock")
        return target
    host, colon, port = target.removeprefix("grpc:").rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or len(port) > 5 or not 0 < int(port) <= 65535:
        raise AddressError(f"{target!r} is no address: write grpc:127.0.0.1:50051 or unix:/run/provider.sock")
    return f"{host}:{port}"


class RemoteProvider(Conversation):
    """A provider at an address; a `nomos_contracts.provider.RunningProvider` whose process nobody here can see."""

    def __init__(self, address: str, alias: str, setup: Setup, limits: Limits) -> None:
        super().__init__(alias, setup, limits)
        self._address = parse_address(address)
        self._metadata = CallMetadata(setup.metadata)
        self._pool = ChannelPool(self._address, limits)
        self._client = Caller(self._pool, self._metadata)

    def connect(self, cancel: Cancel | None = None) -> StartError | None:
        """Connect; return why it failed, None where it did not."""
        finding = Connecting(self._pool, None, self._limits, self._metadata).run(cancel)
        return None if finding is None else StartFailed(diagnosis.compose(finding)).error

    def _caller(self) -> Caller:
        return self._client

    def figures(self) -> PoolFigures:
        """Return how the connections are used."""
        return self._pool.figures()

    def stop(self) -> Exit | None:
        """Close the connections; the provider is left as it is."""
        self._pool.close()
        return None

    @property
    def pid(self) -> int:
        """Not applicable."""
        return _no_process()

    @property
    def announcement(self) -> Announcement:
        """Not applicable."""
        return _no_process()

    @property
    def scratch(self) -> Path:
        """Not applicable."""
        return _no_process()

    def stdout(self) -> bytes:
        """Not applicable."""
        return _no_process()

    def stderr(self) -> bytes:
        """Not applicable."""
        return _no_process()

    def stdout_bytes(self) -> int:
        """Not applicable."""
        return _no_process()

    def alive(self) -> bool:
        """Not applicable."""
        return _no_process()

    def signal(self, name: str) -> None:  # noqa: ARG002 # the interface's
        """Not applicable."""
        _no_process()

    def wait(self, timeout: float) -> Exit | None:  # noqa: ARG002 # the interface's
        """Not applicable."""
        return _no_process()

    def usage(self) -> Usage:
        """Not applicable."""
        return _no_process()

    def listeners(self) -> Sequence[tuple[str, int]]:
        """Not applicable."""
        return _no_process()

    def descendants(self) -> Sequence[int]:
        """Not applicable."""
        return _no_process()


def _no_process() -> Never:
    raise NotApplicable("target has no process")
