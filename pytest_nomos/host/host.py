"""ProviderHost: starts providers, one process for each alias, and leaves none behind."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from nomos_contracts.provider import Exit, Start
from pytest_nomos.host import reaper
from pytest_nomos.host.cancellation import AnyOf, Cancel
from pytest_nomos.host.diagnosis import StartFailed
from pytest_nomos.host.external import ExternalProvider, Places
from pytest_nomos.host.launch import Launch, Setup
from pytest_nomos.host.limits import Limits
from pytest_nomos.host.metadata import CallMetadata
from pytest_nomos.host.monitor import Event, EventKind, Events, Monitor
from pytest_nomos.host.process import CANCEL_POLL
from pytest_nomos.host.reaping import ReaperError, Reaping
from pytest_nomos.host.running import HostedProvider
from pytest_nomos.host.supervisor import Supervisor

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
        pings: whether providers are pinged.
        warm: Python modules that are imported once, so that a provider ``python -m`` one of them starts by fork.
        listener: called with each event, in the thread in which it happened; must not raise.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        folder: Path | None = None,
        *,
        logs: Path | None = None,
        pings: bool = True,
        warm: Sequence[str] = (),
        listener: Callable[[Event], None] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        parent = (Path(tempfile.gettempdir()) if folder is None else folder).absolute()
        name = f"nomos-{uuid.uuid4().hex[:12]}"
        # Made, and removed, by the reaper: so they go even when this process is killed at any moment.
        self._folder = parent / name
        short = len(os.fsencode(self._folder)) <= SHORT
        self._sockets = self._folder if short else Path("/tmp", f"{name}-s")  # noqa: S108 # unguessable, mode 0700
        self._logs = logs
        self._reaping = Reaping([self._folder] if short else [self._folder, self._sockets], warm)
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._providers: dict[str, HostedProvider] = {}
        self._reserved: set[str] = set()
        self._count = 0
        self._closing = threading.Event()
        self._hurry = threading.Event()
        self._events = Events(listener)
        self._monitor = Monitor(lambda: self.providers.values(), self.limits, self._events, pings=pings)

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

    def make_folder(self, prefix: str) -> Path:
        """Return a new empty folder that goes with this host, also when this process is killed.

        Raises:
            ReaperError: this machine cannot start processes, or the host is closed.
        """
        if self._closing.is_set():
            raise ReaperError("the host is closed")
        self._reaping.start()
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self._folder))

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened to the providers, oldest first."""
        return self._events.all()

    @property
    def unhealthy(self) -> dict[str, str]:
        """The providers whose latest ping was not answered well, with the reason."""
        return self._monitor.unhealthy

    def start(
        self,
        launch: Launch,
        alias: str,
        setup: Setup | None = None,
        *,
        limits: Limits | None = None,
        restart: bool = False,
        cancel: Cancel | None = None,
    ) -> Start:
        """Start a provider and connect to it; Init is not called. Never raises for what a provider does.

        Args:
            launch: what to execute.
            alias: under which it is known here and in its logs.
            setup: configuration, source file, metadata.
            limits: other limits than the host's.
            restart: start it again when it crashes, as often as the limits allow.
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
            external = self._started(launch, alias, limits, metadata, AnyOf(cancel, self._closing))
            provider = HostedProvider(external, setup, limits, lambda: self._stop(provider, supervisor))
            supervisor = None
            if restart:
                again = AnyOf(_Stopping(provider), self._closing)
                supervisor = Supervisor(
                    provider,
                    lambda: self._started(launch, alias, limits, metadata, again),
                    self._clear,
                    limits,
                    self._events,
                )
            with self._lock:
                self._providers[alias] = provider
        except StartFailed as failure:
            return Start(None, failure.error)
        finally:
            with self._lock:
                self._reserved.discard(alias)
        if supervisor is not None:
            supervisor.watch()
        self._monitor.start()
        return Start(provider, None)

    def _started(
        self, launch: Launch, alias: str, limits: Limits, metadata: CallMetadata, cancel: Cancel
    ) -> ExternalProvider:
        """Start one process in folders of its own.

        Raises:
            StartFailed: why not; nothing is left of it.
        """
        if self._closing.is_set():
            raise ReaperError("the host is closed")
        self._reaping.start()
        with self._lock:
            self._count += 1
            number = self._count
        name = f"{number}-{re.sub(r'[^A-Za-z0-9._+-]', '_', alias)[:40]}"
        base = self._folder / name
        places = Places(
            base / "scratch", base if self._logs is None else self._logs / name, self._sockets / f"s{number}"
        )
        external = ExternalProvider(alias, launch, places, limits, self._reaping, metadata)
        try:
            try:
                places.scratch.mkdir(parents=True)
                places.logs.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ReaperError(f"no folder for provider {alias!r} can be made: {error}") from error
            external.start(cancel)
        except BaseException:
            self._clear(external)
            raise
        return external

    def _clear(self, external: ExternalProvider) -> None:
        reaper.remove(str(external.places.scratch.parent))
        external.places.socket.unlink(missing_ok=True)

    def _stop(self, provider: HostedProvider, supervisor: Supervisor | None) -> Exit | None:
        with self._lock:
            first = self._providers.get(provider.name) is provider and not provider.stopping
            provider.stopping = True
        try:
            if supervisor is not None:
                supervisor.join()
            provider.external.ask_shutdown()
            return provider.external.shutdown(self._hurry)
        finally:
            provider.external.kill()
            self._clear(provider.external)
            self._monitor.forget(provider.name)
            with self._lock:
                if self._providers.get(provider.name) is provider:
                    del self._providers[provider.name]
            if first and provider.external.killed:
                message = f"provider {provider.name!r} did not end in its grace after SIGTERM and was killed"
                self._events.add(provider.name, EventKind.KILLED, message)

    def close(self) -> None:
        """Stop every provider in the orderly way, all at once, and remove the temporary folder. Idempotent.

        An interrupt (KeyboardInterrupt) cuts the graces short: everything is killed at once, then it goes on its way.
        """
        if os.getpid() != self._owner or self._closing.is_set():
            return  # a fork of this process owns none of it
        self._closing.set()
        try:
            self._monitor.stop()
            self._stop_all()
        finally:
            self._reaping.close()

    def _stop_all(self) -> None:
        threads: list[threading.Thread] = []
        try:
            # A start that is under way sees that the host is closing, and either fails or appears among the providers.
            while self._reserved or self._providers:
                threads = [
                    threading.Thread(target=provider.stop, name=f"nomos-stop-{alias}")
                    for alias, provider in self.providers.items()
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                if self._reserved:
                    time.sleep(CANCEL_POLL)
        except BaseException:
            self._hurry.set()
            for provider in self.providers.values():
                if provider.external.channel is not None:
                    provider.external.channel.close()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            raise


class _Stopping:
    """Set once a provider is being stopped."""

    def __init__(self, provider: HostedProvider) -> None:
        self._provider = provider

    def is_set(self) -> bool:
        """Whether to give up."""
        return self._provider.stopping
