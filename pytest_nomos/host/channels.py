"""Channels: the connections to one provider, at most ten of them, reused and closed when idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from pytest_nomos.host.limits import Limits

UnaryCall = Any  # grpc.UnaryUnaryMultiCallable[bytes, bytes]: subscriptable for type checkers only


class PoolClosedError(RuntimeError):
    """The pool was closed: its provider was stopped."""


def channel_options(limits: Limits, address: str = "") -> list[tuple[str, int | str]]:
    """Return the options of every channel to *address*."""
    milliseconds = int(limits.connect_timeout * 1000)
    return [
        # Else channels to one address share one connection and its backoff.
        ("grpc.use_local_subchannel_pool", 1),
        # A retried call would run twice, and would hide a fault.
        ("grpc.enable_retries", 0),
        ("grpc.enable_http_proxy", 0),
        ("grpc.service_config_disable_resolution", 1),
        # With these the first call after a restart succeeds; the default backoff costs 0.6-1.2 s.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 500),
        # In spite of its name this is the time that a connection may take: 100 ms are too few for a busy provider.
        ("grpc.min_reconnect_backoff_ms", milliseconds),
        # Else an error message over 8 KiB shows as INTERNAL "Stream removed".
        ("grpc.max_metadata_size", 1024 * 1024),
        ("grpc.absolute_max_metadata_size", 4 * 1024 * 1024),
        ("grpc.max_receive_message_length", limits.receive),
        ("grpc.max_send_message_length", -1),
        # Go servers answer HTTP/2 pings at our interval with GOAWAY too_many_pings: pings are Health calls.
        ("grpc.keepalive_time_ms", 2**31 - 1),
        # Else it is the socket's path, percent-encoded, and servers in Rust and .NET reset such calls.
        *([("grpc.default_authority", "localhost")] if address.startswith("unix:") else []),
    ]


def dial_name(address: str) -> str:
    """Return what gRPC calls *address* (``127.0.0.1:<port>``, ``host:port`` or ``unix:<path>``)."""
    return f"ipv4:{address}" if address.startswith("127.0.0.1:") else address


@dataclass(frozen=True)
class PoolFigures:
    """How a pool is used.

    Attributes:
        open: connections now.
        busy: those with a call in flight.
        idle: those without.
        opened: connections ever opened.
        reused: calls that found their connection open.
    """

    open: int
    busy: int
    idle: int
    opened: int
    reused: int


@dataclass(eq=False)
class Link:
    """One channel of a pool, with its calls in flight and the callables made on it."""

    channel: grpc.Channel
    busy: int = 0
    used: float = 0.0
    retired: bool = False
    callables: dict[str, UnaryCall] = field(default_factory=dict[str, UnaryCall])

    def unary(self, method: str) -> UnaryCall:
        """Return the callable of a full method name; bytes in, bytes out."""
        made = self.callables.get(method)
        if made is None:
            channel: Any = self.channel
            made = self.callables[method] = channel.unary_unary(method)
        return made


class ChannelPool:
    """The channels to one provider instance. Thread-safe.

    Args:
        address: where the provider listens.
        limits: size, idle time and channel options.
        clock: seconds that only grow.
    """

    def __init__(self, address: str, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.address = address
        self._limits = limits
        self._options = channel_options(limits, address)
        self._clock = clock
        self._most = limits.pool_size
        self._lock = threading.Lock()
        self._links: list[Link] = []
        self._closed = False
        self._opened = 0
        self._reused = 0

    def open(self) -> Link:
        """Return a new channel outside the pool; the caller closes it or gives it to `adopt`."""
        return Link(grpc.insecure_channel(dial_name(self.address), options=self._options))

    def adopt(self, link: Link) -> None:
        """Take a channel that works into the pool."""
        with self._lock:
            link.used = self._clock()
            self._links.append(link)
            self._opened += 1

    def acquire(self) -> Link:
        """Return a channel for one call: an idle one, else a new one, else the one with the fewest calls.

        Raises:
            PoolClosedError: the pool is closed.
        """
        with self._lock:
            if self._closed:
                raise PoolClosedError(f"the connections to {self.address} are closed")
            chosen = None
            for link in self._links:
                if not link.busy:
                    chosen = link
                    break
                if chosen is None or link.busy < chosen.busy:
                    chosen = link
            if chosen is None or (chosen.busy and len(self._links) < self._most):
                chosen = self.open()
                self._links.append(chosen)
                self._opened += 1
            else:
                self._reused += 1
            chosen.busy += 1
            return chosen

    def release(self, link: Link) -> None:
        """Give a channel back after its call."""
        with self._lock:
            link.busy -= 1
            link.used = self._clock()
            close = link.retired and not link.busy
        if close:
            link.channel.close()

    def close_idle(self) -> int:
        """Close the channels that were not used for the idle time; return how many."""
        with self._lock:
            oldest = self._clock() - self._limits.pool_idle
            stale = [link for link in self._links if not link.busy and link.used <= oldest]
            self._links = [link for link in self._links if link not in stale]
        for link in stale:
            link.channel.close()
        return len(stale)

    def renew(self, most: int | None = None) -> None:
        """Let go of all channels: idle ones are closed now, busy ones after their calls.

        Args:
            most: how many there may be from now on, None for the size of the settings.
        """
        with self._lock:
            self._most = most or self._limits.pool_size
            links, self._links = self._links, []
            for link in links:
                link.retired = True
            idle = [link for link in links if not link.busy]
        for link in idle:
            link.channel.close()

    def close(self) -> None:
        """Close all channels; calls in flight are cancelled. Idempotent."""
        with self._lock:
            self._closed = True
            links, self._links = self._links, []
        for link in links:
            link.channel.close()

    def figures(self) -> PoolFigures:
        """Return how the pool is used now."""
        with self._lock:
            busy = sum(link.busy > 0 for link in self._links)
            return PoolFigures(len(self._links), busy, len(self._links) - busy, self._opened, self._reused)
