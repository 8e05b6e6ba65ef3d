"""ProviderHost: starts providers, one process for each alias, and leaves none behind."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from nomos_contracts.provider import Exit, Start
from pytest_nomos.host.diagnosis import StartFailed
from pytest_nomos.host.external import ExternalProvider, Places
from pytest_nomos.host.launch import Launch, Setup
from pytest_nomos.host.limits import Limits
from pytest_nomos.host.metadata import CallMetadata
from pytest_nomos.host.reaping import Reaping
from pytest_nomos.host.running import HostedProvider

SHORT: Final = 60
"""Bytes of a folder's path below which sockets in it fit into an address, with room for our own names."""


class AliasTakenError(ValueError):
    """A provider with this alias runs already in this host."""


class ProviderHost:
    """Starts and ends providers. Two hosts share nothing. Thread-safe; used as a context manager.

    Args:
        limits: every bound.
        folder: where the temporary folder is made; None for the system's own place.
        logs: folder in which log files are kept; None: they go with the temporary folder.
    """

    def __init__(self, limits: Limits | None = None, folder: Path | None = None, *, logs: Path | None = None) -> None:
        self.limits = limits or Limits()
        parent = (Path(tempfile.gettempdir()) if folder is None else folder).absolute()
        name = f"nomos-{uuid.uuid4().hex[:12]}"
        # Made, and removed, by the reaper: so they go even when this process is killed at any moment.
        self._folder = parent / name
        short = len(os.fsencode(self._folder)) <= SHORT
        self._sockets = self._folder if short else Path("/tmp", f"{name}-s")  # noqa: S108 # unguessable, mode 0700
        self._logs = logs
        self._reaping = Reaping([self._folder] if short else [self._folder, self._sockets])
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._providers: dict[str, HostedProvider] = {}
        self._reserved: set[str] = set()
        self._count = 0
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def providers(self) -> Mapping[str, HostedProvider]:
        """The running providers by alias."""
        with self._lock:
            return dict(self._providers)

    def start(
        self,
        launch: Launch,
        alias: str,
        setup: Setup | None = None,
        *,
        limits: Limits | None = None,
        cancel: threading.Event | None = None,
    ) -> Start:
        """Start a provider and connect to it; Init is not called. Never raises for what a provider does.

        Args:
            launch: what to execute.
            alias: under which it is known here and in its logs.
            setup: configuration, source file, metadata.
            limits: other limits than the host's.
            cancel: gives the start up once it is set; the start then fails as ``CANCELLED``.

        Raises:
            AliasTakenError: a provider with this alias runs.
            MetadataError: the metadata of *setup* cannot be sent.
            ReaperError: this machine cannot start processes, or the host is closed.
        """
        setup = setup or Setup()
        limits = limits or self.limits
        metadata = CallMetadata(setup.metadata)
        with self._lock:
            if alias in self._providers or alias in self._reserved:
                raise AliasTakenError(f"a provider with alias {alias!r} runs already; stop it first")
            self._reserved.add(alias)
        try:
            external = self._external(launch, alias, limits, metadata)
            try:
                external.start(cancel)
            except StartFailed as failure:
                self._clear(external)
                return Start(None, failure.error)
            except BaseException:
                self._clear(external)
                raise
            provider = HostedProvider(external, setup, limits, lambda: self._stop(alias, provider))
            with self._lock:
                self._providers[alias] = provider
            return Start(provider, None)
        finally:
            with self._lock:
                self._reserved.discard(alias)

    def _external(self, launch: Launch, alias: str, limits: Limits, metadata: CallMetadata) -> ExternalProvider:
        self._reaping.start()
        with self._lock:
            self._count += 1
            number = self._count
        name = f"{number}-{re.sub(r'[^A-Za-z0-9._+-]', '_', alias)[:40]}"
        base = self._folder / name
        places = Places(base / "scratch", base if self._logs is None else self._logs / name, self._sockets / f"s{number}")
        places.scratch.mkdir(parents=True)
        places.logs.mkdir(parents=True, exist_ok=True)
        return ExternalProvider(alias, launch, places, limits, self._reaping, metadata)

    def _clear(self, external: ExternalProvider) -> None:
        shutil.rmtree(external.places.scratch.parent, ignore_errors=True)
        external.places.socket.unlink(missing_ok=True)

    def _stop(self, alias: str, provider: HostedProvider) -> Exit | None:
        external = provider.external
        try:
            external.ask_shutdown()
            return external.shutdown()
        finally:
            external.kill()
            self._clear(external)
            with self._lock:
                if self._providers.get(alias) is provider:
                    del self._providers[alias]

    def close(self) -> None:
        """Stop every provider in the orderly way, all at once, and remove the temporary folder. Idempotent."""
        if os.getpid() != self._owner:
            return  # a fork of this process owns none of it
        with self._lock:
            if self._closed:
                return
            self._closed = True
            providers = list(self._providers.values())
        try:
            _all_at_once([provider.stop for provider in providers])
        finally:
            self._reaping.close()


def _all_at_once(tasks: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=task, name="nomos-stop") for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
