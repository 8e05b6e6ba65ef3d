"""The host: starts provider processes, talks to them, and leaves none behind."""

from __future__ import annotations

from nomos_proto.schema import ConfigError
from pytest_nomos.host.diagnosis import StartFailed
from pytest_nomos.host.host import AliasTakenError, ProviderHost
from pytest_nomos.host.launch import Launch, Setup
from pytest_nomos.host.limits import Limits
from pytest_nomos.host.metadata import MetadataError
from pytest_nomos.host.monitor import Event, EventKind
from pytest_nomos.host.reaping import ReaperError
from pytest_nomos.host.remote import AddressError, RemoteProvider
from pytest_nomos.host.running import HostedProvider

__all__ = [
    "AddressError",
    "AliasTakenError",
    "ConfigError",
    "Event",
    "EventKind",
    "HostedProvider",
    "Launch",
    "Limits",
    "MetadataError",
    "ProviderHost",
    "ReaperError",
    "RemoteProvider",
    "Setup",
    "StartFailed",
]
