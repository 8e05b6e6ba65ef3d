"""What all configuration providers share: one configuration at a time, replaced as a whole or not at all."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from nomos_proto.description import ProviderInfo
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, Health, HealthStatus, Info
from nomos_reference import VERSION
from nomos_reference.config.limits import SCHEMA, Limits
from nomos_reference.config.settings import Settings
from nomos_reference.config.walk import check_path


class Source(Protocol):
    """Where values come from under one configuration; holds no descriptor between calls."""

    @property
    def limits(self) -> Limits:
        """Its limits."""
        ...

    def fetch(self, path: Sequence[str], context: CallContext) -> Any:
        """Return the value at a well-formed path.

        Raises:
            ProviderError: there is none, or it cannot be read.
        """
        ...

    def health(self) -> Health:
        """Return whether values can be had, within a second."""
        ...


@dataclass(frozen=True)
class Current:
    """What the last good Init made."""

    alias: str
    source: Source


class ConfigProvider(ABC):
    """A configuration provider; subclasses say what a configuration is and where its values are."""

    type: ClassVar[str]
    properties: ClassVar[Mapping[str, Any]]
    """JSON Schema of the keys of the configuration, limits apart."""
    required: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self._current: Current | None = None
        self._closed = False
        self._lock = threading.Lock()

    @abstractmethod
    def open(self, settings: Settings, context: CallContext) -> Source:
        """Return the source that a configuration describes.

        Raises:
            ProviderError: INVALID_SPEC or INVALID_STATE naming the key.
        """

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Replace the configuration; on failure the one before stays.

        A second Init with nothing but an alias keeps the configuration too: for a folder of sources, the `nomos`
        command line initialises each process once more that way.
        """
        if not alias:
            raise ProviderError("alias: must not be empty", "INVALID_SPEC")
        settings = Settings(config, source_file_path)
        current = self._current
        if settings.empty and not source_file_path and current is not None:
            source = current.source
        else:
            source = self.open(settings, context)
        context.check()
        with self._lock:
            self._current = Current(alias, source)
            self._closed = False

    def current(self) -> Current:
        """Return what the last good Init made.

        Raises:
            ProviderError: INVALID_STATE before Init and after Shutdown.
        """
        current = self._current
        if current is None:
            what = "the provider was shut down" if self._closed else "the provider has no configuration yet"
            raise ProviderError(f"{what}; call Init first", "INVALID_STATE")
        return current

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Return the value at *path*."""
        source = self.current().source
        context.check()
        check_path(path)
        return source.fetch(path, context)

    def info(self) -> Info:
        """Return alias, version and type."""
        current = self._current
        return Info("" if current is None else current.alias, VERSION, self.type)

    def health(self) -> Health:
        """Return how the provider is."""
        current = self._current
        if current is not None:
            return current.source.health()
        if self._closed:
            return Health(HealthStatus.DEGRADED, "the provider was shut down; start it again or call Init")
        return Health(HealthStatus.STARTING, "the provider waits for its configuration; call Init")

    def shutdown(self) -> None:
        """Forget the configuration."""
        with self._lock:
            self._current = None
            self._closed = True

    @property
    def answer_bytes(self) -> int:
        """The longest answer in bytes."""
        current = self._current
        return (Limits() if current is None else current.source.limits).answer_bytes

    def describe(self) -> ProviderInfo:
        """Return what the provider is; its functions are added by the server."""
        schema: dict[str, Any] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {**self.properties, **SCHEMA, "alias": {}, "type": {}, "version": {}},
            "required": list(self.required),
            "additionalProperties": False,
        }
        return ProviderInfo(self.type, self.type, VERSION, config_schema=schema)
