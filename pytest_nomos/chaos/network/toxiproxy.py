"""Proxies in a real Toxiproxy server: one that was named, or one that is started here."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from nomos_contracts.fault import NetworkFault
from pytest_nomos.chaos.network.proxy import ProxyError, Traffic, check_fault, check_name, read_upstream
from pytest_nomos.chaos.network.toxiproxy_api import HangingError, ToxiproxyApi
from pytest_nomos.chaos.network.toxiproxy_server import ToxiproxyServer
from pytest_nomos.chaos.network.toxiproxy_wanted import Wanted, body_of
from pytest_nomos.sweep.owner import Life, Owner

HERE: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""A server elsewhere could not reach what listens on 127.0.0.1."""
RETAKE_SECONDS: Final = 2.0
"""For the port of a disabled proxy to become free again, which others may have for a moment."""
_API: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")

T = TypeVar("T")


class ToxiproxyProxy:
    """One proxy; see `pytest_nomos.chaos.network.proxy.Proxy`."""

    def __init__(self, proxies: ToxiproxyProxies, name: str, upstream: str, wanted: Wanted) -> None:
        self._proxies = proxies
        self._name, self._upstream = name, upstream
        self._wanted = wanted

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._wanted.listen

    @property
    def upstream(self) -> str:
        """Where it leads."""
        return self._upstream

    @property
    def mechanism(self) -> str:
        """The server and its version."""
        return self._proxies.name

    @property
    def undo(self) -> Mapping[str, Any] | None:
        """How to remove it from a server that outlives this process."""
        return self._proxies.undo(self._wanted.name)

    @property
    def enabled(self) -> bool:
        """Whether it listens, as the server says.

        Raises:
            ProxyError: the server does not answer.
        """
        return bool(self._proxies.ask("GET", self._wanted.path)["enabled"])

    @property
    def toxics(self) -> Mapping[str, NetworkFault]:
        """What is in force, as the server says.

        Raises:
            ProxyError: the server does not answer, or has a toxic that was not put there from here.
        """
        there = {str(each["name"]) for each in self._proxies.ask("GET", f"{self._wanted.path}/toxics")}
        if strange := there - self._wanted.toxics.keys():
            raise ProxyError(f"proxy {self._name}: somebody else added {', '.join(sorted(strange))}")
        return {name: fault for name, fault in tuple(self._wanted.toxics.items()) if name in there}

    @property
    def traffic(self) -> Traffic:
        """Nothing: the server counts the bytes of connections that are over, and nothing else."""
        return Traffic()

    def struck(self, toxic: str) -> int | None:  # noqa: ARG002 # the server does not say
        """Return None: the server does not say."""
        return None

    def add(self, toxic: str, fault: NetworkFault) -> None:
        """Put a fault into force.

        Raises:
            ProxyError: name or fault are impossible, or the server refuses.
        """
        check_name("toxic", toxic)
        self._proxies.add(self._open(), toxic, check_fault(toxic, fault))

    def remove(self, toxic: str) -> None:
        """End a fault; a server of ours that hangs over it is replaced, and open connections with it.

        Raises:
            ProxyError: there is no such toxic, or the server fails.
        """
        wanted = self._open()
        if toxic not in wanted.toxics:
            raise ProxyError(f"proxy {self._name} has no toxic {toxic}; it has {', '.join(wanted.toxics) or 'none'}")
        self._proxies.remove(wanted, toxic)

    def enable(self) -> None:
        """Listen.

        Raises:
            ProxyError: somebody else has the port, or the server fails.
        """
        self._proxies.switch(self._open(), on=True)

    def disable(self) -> None:
        """Refuse connections.

        Raises:
            ProxyError: the server fails.
        """
        self._proxies.switch(self._open(), on=False)

    def reset(self) -> None:
        """Remove all toxics and listen.

        Raises:
            ProxyError: the server fails.
        """
        wanted = self._open()
        for toxic in tuple(wanted.toxics):
            self._proxies.remove(wanted, toxic)
        self._proxies.switch(wanted, on=True)

    def close(self) -> None:
        """Remove the proxy.

        Raises:
            ProxyError: the server fails.
        """
        self._proxies.delete(self._wanted)

    def _open(self) -> Wanted:
        if self._wanted.closed:
            raise ProxyError(f"proxy {self._name} is closed")
        return self._wanted


class ToxiproxyProxies:
    """Proxies in one server.

    Their names in the server say which process made them: those of processes that have ended are removed.

    Args:
        named: host and port of a server's API, or the path of a binary (or its name on PATH), which is started.

    Raises:
        ProxyError: it does not answer, or cannot be started.
    """

    def __init__(self, named: str) -> None:
        self._lock = threading.RLock()
        self._wanted: dict[str, Wanted] = {}
        self._owner = Owner.of_process()
        self._tag = f"{self._owner}.{id(self):x}"
        self._closed = False
        found = _API.fullmatch(named)
        self._server = None if found else ToxiproxyServer(named)
        if found and found["host"] not in HERE:
            raise ProxyError(f"Toxiproxy at {named}: it has to run on this machine, as 127.0.0.1 or localhost")
        self._api = ToxiproxyApi(named) if self._server is None else self._server.start()
        try:
            self._name = f"toxiproxy {self._api.version()}"
            if self._server is None:
                self._remove_abandoned()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """What the server says it is, for instance ``toxiproxy 2.12.0``."""
        return self._name

    @property
    def api(self) -> str:
        """Host and port of the server's API."""
        return self._api.address

    @property
    def pid(self) -> int | None:
        """Process id of a server of ours, None for another one."""
        return self._server.pid if self._server is not None else None

    @property
    def foreign(self) -> str:
        """See `pytest_nomos.chaos.network.proxy.Proxies`."""
        return "" if self._server is not None else self.api

    @property
    def respawns(self) -> int:
        """How often a server of ours hung and was replaced; each time, all connections were lost."""
        return max(0, self._server.starts - 1) if self._server is not None else 0

    def undo(self, name: str) -> Mapping[str, Any] | None:
        """Return how to remove a proxy of that name in the server; None where the server ends with this process."""
        return {"kind": "toxiproxy", "api": self.foreign, "proxy": name} if self.foreign else None

    def create(self, name: str, upstream: str) -> ToxiproxyProxy:
        """Make a proxy; see `pytest_nomos.chaos.network.proxy.Proxies`.

        Raises:
            ProxyError: name or upstream are impossible, or the server fails.
        """
        place = read_upstream(upstream)
        if place.path:
            raise ProxyError(f"upstream {upstream!r}: Toxiproxy knows TCP only; the embedded proxy has Unix sockets")
        check_name("proxy", name)
        with self._lock:
            self._check_open()
            if name in self._wanted:
                raise ProxyError(f"there is a proxy {name} already")
            wanted = Wanted(f"{self._tag}.{name}", upstream)
            self._with_respawn(lambda: self._create(wanted))
            self._wanted[name] = wanted
        return ToxiproxyProxy(self, name, upstream, wanted)

    def _create(self, wanted: Wanted) -> None:
        wanted.listen = str(self._api.ask("POST", "/proxies", wanted.body)["listen"])

    def _add(self, wanted: Wanted, toxic: str, fault: NetworkFault) -> None:
        self._api.ask("POST", f"{wanted.path}/toxics", body_of(toxic, fault))

    def ask(self, method: str, path: str) -> Any:
        """Ask the server.

        Raises:
            ProxyError: it does not answer, or refuses.
        """
        with self._lock:
            return self._with_respawn(lambda: self._api.ask(method, path))

    def add(self, wanted: Wanted, toxic: str, fault: NetworkFault) -> None:
        """Add a toxic.

        Raises:
            ProxyError: the server does not answer, or refuses.
        """
        with self._lock:
            if toxic in wanted.toxics:
                raise ProxyError(f"proxy {wanted.name} has a toxic {toxic} already; remove it first")
            self._with_respawn(lambda: self._add(wanted, toxic, fault))
            wanted.toxics[toxic] = fault

    def remove(self, wanted: Wanted, toxic: str) -> None:
        """Remove a toxic.

        Raises:
            ProxyError: the server does not answer, or refuses.
        """
        with self._lock:
            self._check_open()
            fault = wanted.toxics.pop(toxic)
            try:
                self._api.ask("DELETE", f"{wanted.path}/toxics/{toxic}")
            except HangingError as error:
                # Without the toxic the server is as it should be: nothing is asked of it again.
                self._respawn(error)
            except ProxyError:
                wanted.toxics[toxic] = fault
                raise

    def switch(self, wanted: Wanted, *, on: bool) -> None:
        """Enable or disable.

        Raises:
            ProxyError: the server does not answer, or somebody else has the port.
        """
        with self._lock:
            self._check_open()
            before, wanted.enabled = wanted.enabled, on
            try:
                self._retaking(lambda: self._api.ask("PATCH", wanted.path, {"enabled": on}), wanted)
            except HangingError as error:
                self._respawn(error)
            except ProxyError:
                wanted.enabled = before
                raise

    def delete(self, wanted: Wanted) -> None:
        """Remove a proxy. Idempotent.

        Raises:
            ProxyError: the server does not answer.
        """
        with self._lock:
            if wanted.closed:
                return
            wanted.closed = True
            for name, each in tuple(self._wanted.items()):
                if each is wanted:
                    del self._wanted[name]
            try:
                self._api.ask("DELETE", wanted.path)
            except HangingError as error:
                self._respawn(error)

    def _retaking(self, call: Callable[[], T], wanted: Wanted) -> T:
        deadline = time.monotonic() + RETAKE_SECONDS
        while True:
            try:
                return call()
            except HangingError:
                raise
            except ProxyError as error:
                if "address already in use" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    raise ProxyError(f"{wanted.listen} was taken while the proxy was disabled: {error}") from error
            time.sleep(0.05)

    def _check_open(self) -> None:
        if self._closed:
            raise ProxyError("the proxies are closed")

    def _with_respawn(self, call: Callable[[], T]) -> T:
        self._check_open()
        try:
            return call()
        except HangingError as error:
            self._respawn(error)
        return call()

    def _respawn(self, error: HangingError) -> None:
        """Replace a server of ours that hangs.

        Raises:
            ProxyError: it is not ours, or a new one does not come up.
        """
        if self._server is None:
            raise ProxyError(f"{error}; it is not ours: start it anew to be rid of what is in force") from error
        self._api.close()
        self._api = self._server.start()
        for wanted in self._wanted.values():
            self._retaking(lambda each=wanted: self._create(each), wanted)  # type: ignore[misc] # mypy: lambda defaults
            for toxic, fault in wanted.toxics.items():
                self._add(wanted, toxic, fault)

    def _remove_abandoned(self) -> None:
        for name in cast("dict[str, Any]", self._api.ask("GET", "/proxies")):
            owner = Owner.read(name.partition(".")[0])
            if owner is not None and owner.life is Life.ENDED:
                with contextlib.suppress(ProxyError):
                    self._api.ask("DELETE", f"/proxies/{name}")

    def close(self) -> None:
        """Remove all proxies; end a server of ours. Idempotent.

        Raises:
            ProxyError: proxies are left in a server that is not ours.
        """
        with self._lock:
            wanted, self._wanted = tuple(self._wanted.values()), {}
            if self._closed or os.getpid() != self._owner.pid:
                return
            self._closed = True
            for each in wanted:
                each.closed = True
            left = self._delete_all(wanted) if self._server is None else []
            self._api.close()
            if self._server is not None:
                self._server.close()
            if left:
                raise ProxyError(f"Toxiproxy at {self.api}: these proxies are left: {', '.join(left)}")

    def _delete_all(self, wanted: Sequence[Wanted]) -> list[str]:
        """Return what is left: a server that hangs once is not waited for again."""
        for number, each in enumerate(wanted):
            try:
                self._api.ask("DELETE", each.path)
            except HangingError as error:
                return [f"{other.name} ({error})" for other in wanted[number:]]
            except ProxyError as error:
                if "404" not in str(error):
                    return [f"{other.name} ({error})" for other in wanted[number:]]
        return []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
