"""Proxies that faults of connections are put into: one Protocol, two backends.

Both are held to one test class. They differ where this table says so; of two ways that differ, the embedded proxy has
the one that a network has. What Toxiproxy 2.12.0 does was seen in the tests, or read in its source.

==========================  =====================================  ============================================
what                        embedded proxy                         Toxiproxy 2.12.0
==========================  =====================================  ============================================
half-close                  an end in one direction passes on,     the whole connection is closed; what was on
                            the other direction goes on            its way in the other direction is lost
Unix upstream               works                                  is taken and never works: refused by us
reset, live connection      RST at once if it has carried data,    FIN when it next carries data
                            else once it carries data
silence with a time         closed *ms* after it began             *ms* after the last data: one that goes on
                                                                   sending is never closed
toxicity                    rolled once for each connection and    rolled again on a live connection whenever
                            toxic, from a seed                     the next toxic is added or removed
latency                     an end of data is late as well         an end follows the last data at once
removing a toxic while a    at once                                the API answers 503 after 25 s, and then
stopped reader is full                                             nothing: our server is killed and started
                                                                   anew, another one is reported
black-holed upstream        other connections are not held up,     nothing is accepted until the connection
                            this one is reset after 5 s            attempt is over (about 130 s)
upstream refuses            the caller is reset                    the caller gets FIN, or RST if it has sent
disabled                    the port refuses and stays ours        the port is free for anybody
negative rate, size 0       refused (values of `fault`)            the server dies: refused by us
what is counted             connections, bytes, bites of toxics    nothing
==========================  =====================================  ============================================
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol, Self

from pydantic import ValidationError

from nomos_contracts.fault import FaultError, NetworkFault, Slices, read_fault

UNIX: Final = "unix:"
LONGEST_PATH: Final = 103
"""Bytes of a Unix socket's path that every platform takes."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_TCP: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


class ProxyError(Exception):
    """A proxy cannot be made or changed; the message says which, why, and what to do where that is known."""


@dataclass(frozen=True)
class Traffic:
    """What a proxy has carried since it was made; None where the backend cannot know.

    Attributes:
        connections: how many were accepted.
        up: bytes that came from callers.
        down: bytes that came from the upstream.
        severed: connections that were open when the proxy was disabled.
    """

    connections: int | None = None
    up: int | None = None
    down: int | None = None
    severed: int | None = None


class Proxy(Protocol):
    """A TCP port on 127.0.0.1 in front of one upstream. Every method answers within seconds, or raises. Thread-safe."""

    @property
    def name(self) -> str:
        """Its name among the proxies."""
        ...

    @property
    def address(self) -> str:
        """Where it listens, ``127.0.0.1:port``; the same for its whole life."""
        ...

    @property
    def upstream(self) -> str:
        """Where it leads, ``host:port`` or ``unix:/path``."""
        ...

    @property
    def mechanism(self) -> str:
        """Which backend it belongs to, as `Proxies.name`."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it listens.

        Raises:
            ProxyError: the backend cannot be asked.
        """
        ...

    @property
    def toxics(self) -> Mapping[str, NetworkFault]:
        """The toxics that are in force, by name.

        Raises:
            ProxyError: the backend cannot be asked.
        """
        ...

    @property
    def traffic(self) -> Traffic:
        """What it has carried."""
        ...

    @property
    def undo(self) -> Mapping[str, Any] | None:
        """What another process needs to remove it after this one was killed, None where nothing outlives this one."""
        ...

    def struck(self, toxic: str) -> int | None:
        """Return how often *toxic* struck since it was last added; None where the backend cannot know.

        Counted are pieces of data that were delayed, held, cut or swallowed, and connections that were closed.
        It can be asked after the toxic was removed. 0 for one that was never added.
        """
        ...

    def add(self, toxic: str, fault: NetworkFault) -> None:
        """Put a fault into force, under a name, on the connections that are open too.

        Raises:
            ProxyError: the name is in use or impossible, the fault is impossible, or the backend failed.
        """
        ...

    def remove(self, toxic: str) -> None:
        """End a fault; what it held back is delivered.

        Raises:
            ProxyError: there is no such toxic, or the backend failed.
        """
        ...

    def enable(self) -> None:
        """Listen, at the address of before. Idempotent.

        Raises:
            ProxyError: somebody else took the port, or the backend failed.
        """
        ...

    def disable(self) -> None:
        """Close what is open, and refuse connections. Idempotent.

        Raises:
            ProxyError: the backend failed.
        """
        ...

    def reset(self) -> None:
        """Remove all toxics and listen.

        Raises:
            ProxyError: as `remove` and `enable`.
        """
        ...

    def close(self) -> None:
        """Remove the proxy and close what is open. Idempotent.

        Raises:
            ProxyError: the backend failed.
        """
        ...


class Proxies(Protocol):
    """A backend, used in a ``with``; at its end all its proxies are gone."""

    @property
    def name(self) -> str:
        """What it is, for instance ``embedded proxy`` or ``toxiproxy 2.12.0``."""
        ...

    @property
    def foreign(self) -> str:
        """Host and port of the API of a server that outlives this process, empty where none does."""
        ...

    def create(self, name: str, upstream: str) -> Proxy:
        """Make a proxy in front of *upstream*, which need not be there yet.

        Args:
            name: unique among the proxies of this backend object.
            upstream: ``host:port`` or ``unix:/path``.

        Raises:
            ProxyError: name or upstream are impossible, or the backend failed.
        """
        ...

    def close(self) -> None:
        """Remove all proxies and let go of the backend. Idempotent.

        Raises:
            ProxyError: something is left; the message says what.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True)
class Upstream:
    """Where a proxy leads.

    Attributes:
        host: name or number, without brackets; empty for a Unix socket.
        port: TCP port.
        path: of a Unix socket.
    """

    host: str = ""
    port: int = 0
    path: str = ""


def read_upstream(text: str) -> Upstream:
    """Return what *text* names, ``host:port`` or ``unix:/path``.

    Raises:
        ProxyError: it names nothing.
    """
    if text.startswith(UNIX):
        path = text.removeprefix(UNIX)
        path = path.removeprefix("//") if path.startswith("///") else path
        if not path.startswith("/") or "\0" in path:
            raise ProxyError(f"upstream {text!r}: write an absolute path, as in unix:/run/provider.sock")
        if len(os.fsencode(path)) > LONGEST_PATH:
            raise ProxyError(f"upstream {text!r}: a socket's path has at most {LONGEST_PATH} bytes")
        return Upstream(path=path)
    found = _TCP.fullmatch(text)
    if found is None or not 0 < int(found["port"]) <= 65535:
        raise ProxyError(f"upstream {text!r}: write host:port with a port of 1 to 65535, or unix:/path")
    return Upstream(host=found["host"].strip("[]"), port=int(found["port"]))


def check_name(what: str, name: str) -> str:
    """Return *name* if a proxy or toxic can have it; it becomes part of a URL.

    Raises:
        ProxyError: none can.
    """
    if not _NAME.fullmatch(name):
        raise ProxyError(f"{what} {name!r}: a name is 1 to 100 of A-Z a-z 0-9 _ . - and begins with one of A-Z a-z 0-9")
    return name


def check_fault(toxic: str, fault: object) -> NetworkFault:
    """Return *fault* if a toxic can do it.

    A value that went round the model (``model_construct``) is looked at too: a real Toxiproxy dies of some.

    Raises:
        ProxyError: none can.
    """
    if not isinstance(fault, NetworkFault):
        raise ProxyError(f"toxic {toxic}: {fault!r} is no fault of a connection")
    try:
        same = read_fault(fault.model_dump(warnings=False))
    except (FaultError, ValidationError) as error:
        raise ProxyError(f"toxic {toxic}: {error}") from None
    if not isinstance(same, NetworkFault):
        raise ProxyError(f"toxic {toxic}: {same.words} is no fault of a connection")
    if isinstance(same, Slices) and same.variation >= same.size:
        raise ProxyError(f"toxic {toxic}: {same.words}: variation has to be less than size")
    return same
