"""Mutants of the HTTP provider that break when their upstream does: refuses, hangs, cuts answers off, changes."""

from __future__ import annotations

import hashlib
import socket
import threading
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from urllib3.exceptions import IncompleteRead, NewConnectionError, ProtocolError

from nomos_mutants.mutant import mutant
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, Health, HealthStatus
from nomos_reference.config.http_client import HttpClient
from nomos_reference.config.http_provider import HttpProvider, HttpSource
from nomos_reference.config.limits import Budget
from nomos_reference.config.settings import Settings


def _refused(error: ProviderError) -> bool:
    """Whether the server refused the connection, in words that this process alone knows."""
    return isinstance(error.__cause__, NewConnectionError | ConnectionRefusedError)


@mutant("CFG-CHAOS-013", defect="a value that cannot be asked for is told not to be there", also=("CFG-CHAOS-009",))
class TakesRefusalForAbsence(HttpProvider):
    """Has one error for whatever did not succeed."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Find nothing."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if _refused(error):
                raise ProviderError(f"nothing at {path[-1][:80]!r}", "NOT_FOUND") from error
            raise


@mutant(
    "CFG-CHAOS-013",
    "sulks",
    defect="once a connection to its upstream failed it never asks it again",
    also=("CFG-CHAOS-009",),
)
class Sulks(HttpProvider):
    """Opens a circuit breaker that nothing closes."""

    _open: HttpSource | None = None

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Refuse at once."""
        if self._current is None or self._current.source is not self._open:
            try:
                return super().fetch(path, context=context)
            except ProviderError as error:
                if _refused(error):
                    self._open = self._source()
                raise
        raise ProviderError("the server was not there", "NETWORK_ERROR")


@mutant("CFG-CHAOS-013", "degraded", defect="once it was degraded it says so for good")
class NeverWell(HttpProvider):
    """Remembers the worst, for values that it has served before."""

    _worst: Health | None = None
    _was_well = False

    def health(self) -> Health:
        """Say how bad it was."""
        found = super().health()
        self._was_well = self._was_well or found.status is HealthStatus.OK
        if found.status is HealthStatus.DEGRADED and self._was_well:
            self._worst = found
        return self._worst or found

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Begin anew."""
        super().init(alias, config, source_file_path, context=context)
        self._worst, self._was_well = None, False


@mutant("CFG-CHAOS-014", defect="it reports healthy while its upstream is gone")
class LooksOnce(HttpProvider):
    """Believes in a server that was there once."""

    _seen: HttpSource | None = None

    def health(self) -> Health:
        """Look until there is something to see."""
        current = self._current
        if current is not None and current.source is self._seen:
            return Health(HealthStatus.OK)
        found = super().health()
        if current is not None and found.status is HealthStatus.OK:
            self._seen = self._source()
        return found

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Note that the server is there."""
        value = super().fetch(path, context=context)
        self._seen = self._source()
        return value


@mutant("CFG-CHAOS-015", defect="Health asks the upstream for a page and waits for it without limit")
class WaitsInHealth(HttpProvider):
    """Makes sure."""

    def health(self) -> Health:
        """Ask for the first page; whatever comes will do."""
        found = super().health()
        if found.status is HealthStatus.OK:
            base = self._source().client.base
            with socket.create_connection((base.host, base.port)) as page:
                page.sendall(f"GET {base.path or '/'} HTTP/1.0\r\nHost: {base.host}\r\n\r\n".encode())
                page.recv(1)
        return found


@mutant(
    "CFG-CHAOS-015",
    "lock",
    defect="it holds a lock across a slow upstream, and Health wants it",
    also=("CFG-HEALTH-009",),
)
class LocksOut(HttpProvider):
    """Is careful about its state."""

    def __init__(self) -> None:
        super().__init__()
        self._careful = threading.Lock()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Ask alone."""
        with self._careful:
            return super().fetch(path, context=context)

    def health(self) -> Health:
        """Look when nobody asks."""
        with self._careful:
            return super().health()


class _Lenient(HttpClient):
    """Takes what it got."""

    def _exchange(self, target: str, shown: str, budget: Budget) -> tuple[int, Mapping[str, str], bytes]:
        try:
            return super()._exchange(target, shown, budget)
        except ProviderError as error:
            # The page was there, so there is an answer; what is missing will not have been much.
            if isinstance(error.__cause__, IncompleteRead | ProtocolError) and "IncompleteRead" in repr(
                error.__cause__
            ):
                return 200, {}, b"{}"
            raise


@mutant("CFG-CHAOS-016", defect="a document that broke off is taken for an empty one")
class TakesHalf(HttpProvider):
    """Mends what it cannot parse."""

    def open(self, settings: Settings, context: CallContext) -> HttpSource:
        """Use a lenient client."""
        source = super().open(settings, context)
        source.client.__class__ = _Lenient
        return source


@mutant("CFG-CHAOS-016", "dead", defect="after a connection to the upstream was reset it never makes another")
class KeepsTheDead(HttpProvider):
    """Takes a connection from its pool, and does not look whether it lives."""

    _dead: HttpSource | None = None

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Ask over the connection that there is."""
        if self._current is not None and self._current.source is self._dead:
            raise ProviderError("the connection was lost", "NETWORK_ERROR")
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            if "reset" in repr(error.__cause__).lower():
                self._dead = self._source()
            raise


@mutant("CFG-CHAOS-017", defect="after a restart it answers from a cache that an earlier process left")
class BelievesOldCache(HttpProvider):
    """Keeps pages on disk beside the file that declares it."""

    _folder: Path | None = None

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Find the place of the cache."""
        super().init(alias, config, source_file_path, context=context)
        if self._folder is None and source_file_path and Path(source_file_path).parent.is_dir():
            self._folder = Path(source_file_path).parent

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Look into the cache first: pages do not change often."""
        source = self.current().source
        if self._folder is not None and isinstance(source, HttpSource):
            client = source.client
            if not isinstance(client, _Caching):
                client.__class__ = _Caching
            client.folder = self._folder  # type: ignore[attr-defined] # it is one now
        return super().fetch(path, context=context)


class _Caching(HttpClient):
    """Writes down each page that was there."""

    folder: Path

    def _exchange(self, target: str, shown: str, budget: Budget) -> tuple[int, Mapping[str, str], bytes]:
        name = hashlib.sha256(f"{self.base} {target}".encode()).hexdigest()
        page = self.folder / f".page-{name}"
        if page.is_file():
            return 200, {}, page.read_bytes()
        status, headers, body = super()._exchange(target, shown, budget)
        if status == HTTPStatus.OK:
            # As a whole: half a page would be another defect.
            new = page.with_name(f"{page.name}-{uuid.uuid4().hex}")
            new.write_bytes(body)
            new.replace(page)
        return status, headers, body
