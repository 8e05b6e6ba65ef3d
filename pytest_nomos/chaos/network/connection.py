"""One connection through the embedded proxy: two sockets, and a flow in each direction.

Sockets are used through `loop.add_reader` and not through asyncio's transports: those can neither reset a connection
nor pass on the end of one direction as soon as its data are out, and a call through them takes longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import Final, Protocol

from pytest_nomos.chaos.network.toxics import End, Item, Stage

PIECE: Final = 16 * 1024
"""Bytes that are read at once where toxics handle them."""
DRAINED: Final = 64
"""Reads of what nobody wants any more, before a socket is closed: closing with unread data resets the connection."""
_LINGER: Final = struct.pack("ii", 1, 0)


class Owner(Protocol):
    """The proxy that a connection goes through."""

    def over(self, connection: Connection) -> None:
        """Forget the connection; its sockets are closed."""
        ...


def tune(end: socket.socket) -> None:
    """Have the socket not wait, neither for data nor for more of them to send."""
    end.setblocking(False)
    if end.family != socket.AF_UNIX:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Flow:
    """One direction: reads the source, leads what comes through the stages, writes to the sink.

    Attributes:
        count: bytes read.
        stages: the toxics that strike it, in the order in which they were added, by name.
        room: where what was read stands until it is sent.
        ended: nothing more is read.
        over: the end was handed to the sink, or the sink is gone.
    """

    def __init__(self, connection: Connection, source: socket.socket, sink: socket.socket, room: memoryview) -> None:
        self.loop: asyncio.AbstractEventLoop = connection.loop
        self.count = 0
        self.stages: dict[str, Stage] = {}
        self.ended = self.over = False
        self._connection = connection
        self._source, self._sink = source, sink
        self.room = room
        self._first: Stage | None = None
        self._out: deque[bytes] = deque()
        self._ending: End | None = None
        self._reading = False

    @property
    def carried(self) -> bool:
        """Whether data came."""
        return self.count > 0

    def reset(self) -> None:
        """Reset the connection."""
        self._connection.close(rst=True)

    def settle(self) -> None:
        """Read as long as there is room for what comes."""
        if self._connection.closed:
            return
        wanted = not (self.ended or self._out) and all(stage.held < stage.full for stage in self.stages.values())
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self.loop.add_reader(self._source, self._readable)
            else:
                self.loop.remove_reader(self._source)

    def _readable(self) -> None:
        first = self._first
        room = self.room if first is None else self.room[:PIECE]
        try:
            size = self._source.recv_into(room)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._finish(End.BREAK)
            return
        if not size:
            self._finish(End.CLOSE)
            return
        self.count += size
        if first is not None:
            first.put(bytes(room[:size]))
            self.settle()
            return
        # The usual way: nothing waits, as reading stops as soon as something does.
        try:
            sent = self._sink.send(room[:size])
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._lost()
            return
        if sent != size:
            self._out.append(bytes(room[sent:size]))
            self.loop.add_writer(self._sink, self._writable)
            self.settle()

    def _finish(self, end: End) -> None:
        self.ended = True
        self.settle()
        if self._first is None:
            self.deliver(end)
        else:
            self._first.put(end)

    def deliver(self, item: Item) -> None:
        """Give the sink what came through all stages."""
        if self._connection.closed or self.over or self._ending is not None:
            return
        if isinstance(item, End):
            self._ending = item
            if not self._out:
                self._end()
            return
        if not self._out:
            try:
                sent = self._sink.send(item)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self._lost()
                return
            if sent == len(item):
                return
            item = item[sent:]
            self.loop.add_writer(self._sink, self._writable)
        self._out.append(item)
        self.settle()

    def _writable(self) -> None:
        try:
            while self._out:
                sent = self._sink.send(self._out[0])
                if sent != len(self._out[0]):
                    self._out[0] = self._out[0][sent:]
                    return
                self._out.popleft()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lost()
            return
        self.loop.remove_writer(self._sink)
        if self._ending is not None:
            self._end()
        else:
            self.settle()

    def _end(self) -> None:
        self.over = True
        if self._ending is End.CLOSE:
            with contextlib.suppress(OSError):
                self._sink.shutdown(socket.SHUT_WR)
            self._connection.flow_over()
        else:
            self._connection.close(rst=self._ending is End.BREAK)

    def _lost(self) -> None:
        """The sink is gone; what it had sent before still is on its way, and the source learns of it after that."""
        self.ended = self.over = True
        self.drop()
        self.loop.remove_writer(self._sink)
        self.settle()
        self._connection.broken = True
        self._connection.flow_over()

    def insert(self, toxic: str, stage: Stage) -> None:
        """Put a stage behind the last one."""
        if self.over:
            return
        previous = next(reversed(self.stages.values()), None)
        stage.onward = self.deliver
        self.stages[toxic] = stage
        if previous is None:
            self._first = stage
        else:
            previous.onward = stage.put
        if self._connection.connected:
            stage.begin()

    def take_out(self, toxic: str) -> None:
        """Take a stage out; what it held goes on."""
        stage = self.stages.pop(toxic, None)
        if stage is None:
            return
        before: Stage | None = None
        for other in self.stages.values():
            if other.onward == stage.put:
                before = other
        if before is None:
            self._first = next(iter(self.stages.values()), None)
        else:
            before.onward = stage.onward
        stage.leave()
        stage.drop()
        self.settle()

    def drop(self) -> None:
        """Forget all that waits."""
        for stage in self.stages.values():
            stage.drop()
        self.stages.clear()
        self._first = None
        self._out.clear()


class Connection:
    """A caller and the upstream, connected.

    Attributes:
        number: how many were accepted before it.
        down: the flow from the upstream.
        up: the flow to it.
        broken: one end is gone without having said so.
    """

    def __init__(
        self, number: int, caller: socket.socket, upstream: socket.socket, owner: Owner, room: memoryview
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.number = number
        self.broken = False
        self.closed = False
        self.connected = False
        self.timer: asyncio.Handle | None = None
        self._owner = owner
        self._sockets = (caller, upstream)
        self.up = Flow(self, caller, upstream, room)
        self.down = Flow(self, upstream, caller, room)

    def flow(self, direction: str) -> Flow:
        """Return the flow in that direction."""
        return self.up if direction == "upstream" else self.down

    def start(self) -> None:
        """Carry data; the upstream is connected."""
        self.connected = True
        if self.timer is not None:
            self.timer.cancel()
        for flow in (self.up, self.down):
            for stage in tuple(flow.stages.values()):
                stage.begin()
            flow.settle()

    def flow_over(self) -> None:
        """Close when neither direction has anything left to carry."""
        if not self.closed and self.up.over and self.down.over:
            self.close(rst=self.broken)

    def close(self, *, rst: bool = False) -> None:
        """Close both sockets, with FIN or RST, and forget what waits. Idempotent."""
        if self.closed:
            return
        self.closed = True
        if self.timer is not None:
            self.timer.cancel()
        for flow in (self.up, self.down):
            flow.drop()
        for end in self._sockets:
            self.loop.remove_reader(end)
            self.loop.remove_writer(end)
            with contextlib.suppress(OSError):
                if rst:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
                else:
                    self._drain(end)
            end.close()
        self._owner.over(self)

    def _drain(self, end: socket.socket) -> None:
        room = self.up.room
        for _ in range(DRAINED):
            if not end.recv_into(room):
                return
