"""One proxy of the embedded backend as its loop sees it; everything here runs in the thread of that loop."""

from __future__ import annotations

import asyncio
import errno
import functools
import random
import socket
from typing import Any, Final

from nomos_contracts.fault import NetworkFault
from pytest_nomos.chaos.network.connection import Connection, tune
from pytest_nomos.chaos.network.proxy import ProxyError, Traffic
from pytest_nomos.chaos.network.toxics import STAGES

CONNECT_SECONDS: Final = 5.0
"""For the upstream to accept."""
BACKLOG: Final = 256
ROOM: Final = 256 * 1024
"""Bytes that are read at once where there are no toxics."""
AGAIN: Final = 0.02
"""Seconds until what had no room is tried again: a Unix upstream whose queue is full, accepting without descriptors."""


class InForce:
    """A fault in force on a proxy; rolls for each connection, in the order in which they were accepted."""

    def __init__(self, fault: NetworkFault, seed: str) -> None:
        self.fault = fault
        self.struck = 0
        self._seed = seed
        self._dice = random.Random(seed)  # noqa: S311 # reproducible on purpose

    def strike(self) -> None:
        """Count one."""
        self.struck += 1

    def put_into(self, name: str, connection: Connection) -> None:
        """Strike the connection, if the dice say so."""
        # Rolled for every connection, also where it is certain: what follows in the sequence does not depend on it.
        if self._dice.random() >= self.fault.toxicity:
            return
        flow = connection.flow(self.fault.direction)
        chance = random.Random(f"{self._seed}/{connection.number}")  # noqa: S311 # as above
        flow.insert(name, STAGES[type(self.fault)](flow, self.fault, self.strike, chance))


class Gate:
    """A proxy as its loop sees it.

    Args:
        name: its name.
        address: where it leads, as the socket module wants it.
        family: of sockets, to go with *address*.
        seed: of what it rolls.

    Attributes:
        toxics: what is in force.
        struck: what was added last under each name, in force or not.
        count: how many connections were accepted.
        severed: how many were open when it was disabled.
        live: the connections that are open, by number.
        port: where it listens.
    """

    def __init__(self, name: str, address: tuple[Any, ...] | str, family: int, seed: str) -> None:
        self.name = name
        self.toxics: dict[str, InForce] = {}
        self.struck: dict[str, InForce] = {}
        self.count = self.severed = 0
        self.up = self.down = 0
        self.live: dict[int, Connection] = {}
        self._address, self._family = address, family
        self._seed = seed
        self._loop = asyncio.get_running_loop()
        self._room = memoryview(bytearray(ROOM))
        self._listener: socket.socket | None = None
        self._closed = False
        self._pause: asyncio.Handle | None = None
        # Bound and never listening: nobody else gets the port while the proxy is disabled.
        self._keeper = self._bound(("127.0.0.1", 0))
        self.port: int = self._keeper.getsockname()[1]
        try:
            self.enable()
        except ProxyError:
            self._keeper.close()
            raise

    def _bound(self, address: tuple[str, int]) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.bind(address)
        except OSError as error:
            made.close()
            raise ProxyError(f"proxy {self.name}: port {address[1]} of 127.0.0.1 cannot be had: {error}") from error
        return made

    @property
    def enabled(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    def enable(self) -> None:
        """Listen.

        Raises:
            ProxyError: it is closed, or the machine does not let it.
        """
        if self._closed:
            raise ProxyError(f"proxy {self.name} is closed")
        if self._listener is not None:
            return
        listener = self._bound(("127.0.0.1", self.port))
        try:
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise ProxyError(f"proxy {self.name} cannot listen on 127.0.0.1:{self.port}: {error}") from error
        self._listener = listener
        self._loop.add_reader(listener, self._accept)

    def disable(self) -> None:
        """Stop listening, and close what is open."""
        listener, self._listener = self._listener, None
        if self._pause is not None:
            self._pause.cancel()
        if listener is not None:
            self._loop.remove_reader(listener)
            listener.close()
        self.severed += len(self.live)
        for connection in tuple(self.live.values()):
            connection.close()

    def close(self) -> None:
        """Disable it for ever, and let go of the port."""
        if not self._closed:
            self._closed = True
            self.disable()
            self._keeper.close()
            self.toxics.clear()

    def add(self, name: str, fault: NetworkFault) -> None:
        """Put a fault into force.

        Raises:
            ProxyError: it is closed, or has one of that name.
        """
        if self._closed:
            raise ProxyError(f"proxy {self.name} is closed")
        if name in self.toxics:
            raise ProxyError(f"proxy {self.name} has a toxic {name} already; remove it first")
        toxic = InForce(fault, f"{self._seed}/{self.name}/{name}")
        self.toxics[name] = self.struck[name] = toxic
        for connection in tuple(self.live.values()):
            toxic.put_into(name, connection)

    def remove(self, name: str) -> None:
        """End a fault.

        Raises:
            ProxyError: there is none of that name.
        """
        if self.toxics.pop(name, None) is None:
            raise ProxyError(f"proxy {self.name} has no toxic {name}; it has {', '.join(self.toxics) or 'none'}")
        for connection in tuple(self.live.values()):
            for flow in (connection.up, connection.down):
                flow.take_out(name)

    def reset(self) -> None:
        """End all faults, and listen."""
        for name in tuple(self.toxics):
            self.remove(name)
        self.enable()

    def traffic(self) -> Traffic:
        """Return what was carried."""
        up = self.up + sum(connection.up.count for connection in self.live.values())
        down = self.down + sum(connection.down.count for connection in self.live.values())
        return Traffic(self.count, up, down, self.severed)

    def over(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        if self.live.pop(connection.number, None) is not None:
            self.up += connection.up.count
            self.down += connection.down.count

    def _accept(self) -> None:
        listener = self._listener
        if listener is None:
            return
        try:
            caller, _ = listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                # Whoever waits stays readable: without a pause the loop would do nothing else.
                self._loop.remove_reader(listener)
                self._pause = self._loop.call_later(AGAIN, self._accept_again)
            return
        number, self.count = self.count, self.count + 1
        try:
            upstream = socket.socket(self._family, socket.SOCK_STREAM)
        except OSError:
            caller.close()
            return
        tune(caller)
        tune(upstream)
        connection = Connection(number, caller, upstream, self, self._room)
        self.live[number] = connection
        for name, toxic in self.toxics.items():
            toxic.put_into(name, connection)
        self._connect(connection, upstream, self._loop.time() + CONNECT_SECONDS)

    def _accept_again(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._listener, self._accept)

    def _connect(self, connection: Connection, upstream: socket.socket, deadline: float) -> None:
        if connection.closed:
            return
        loop = self._loop
        result = upstream.connect_ex(self._address)
        if result == 0:
            connection.start()
        elif result == errno.EAGAIN and self._family == socket.AF_UNIX and loop.time() < deadline:
            connection.timer = loop.call_later(AGAIN, self._connect, connection, upstream, deadline)
        elif result in {errno.EINPROGRESS, errno.EINTR}:
            connection.timer = loop.call_at(deadline, functools.partial(connection.close, rst=True))
            loop.add_writer(upstream, self._connected, connection, upstream)
        else:
            connection.close(rst=True)

    def _connected(self, connection: Connection, upstream: socket.socket) -> None:
        self._loop.remove_writer(upstream)
        if upstream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            connection.close(rst=True)
        else:
            connection.start()
