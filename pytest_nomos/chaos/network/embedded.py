"""The embedded proxy: all proxies of one object in one thread of this process, with a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar

from nomos_contracts.fault import NetworkFault
from pytest_nomos.chaos.network.gate import Gate
from pytest_nomos.chaos.network.proxy import ProxyError, Traffic, Upstream, check_fault, check_name, read_upstream

NAME: Final = "embedded proxy"
ANSWER_SECONDS: Final = 5.0
"""The loop does nothing that takes long; more than this means that the machine is stuck."""

P = ParamSpec("P")
T = TypeVar("T")


class EmbeddedProxy:
    """One proxy; see `pytest_nomos.chaos.network.proxy.Proxy`."""

    def __init__(self, proxies: EmbeddedProxies, gate: Gate, upstream: str) -> None:
        self._proxies = proxies
        self._gate = gate
        self._upstream = upstream
        self._address = f"127.0.0.1:{gate.port}"

    @property
    def name(self) -> str:
        """Its name."""
        return self._gate.name

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._address

    @property
    def upstream(self) -> str:
        """Where it leads."""
        return self._upstream

    @property
    def mechanism(self) -> str:
        """``embedded proxy``."""
        return NAME

    @property
    def undo(self) -> Mapping[str, Any] | None:
        """None: it is gone with this process."""
        return None

    @property
    def enabled(self) -> bool:
        """Whether it listens."""
        return self._gate.enabled

    @property
    def toxics(self) -> Mapping[str, NetworkFault]:
        """What is in force."""
        return {name: toxic.fault for name, toxic in tuple(self._gate.toxics.items())}

    @property
    def traffic(self) -> Traffic:
        """What it has carried."""
        return self._proxies.run(self._gate.traffic) if self._proxies.alive else self._gate.traffic()

    def struck(self, toxic: str) -> int | None:
        """Return how often *toxic* struck since it was last added."""
        found = self._gate.struck.get(toxic)
        return found.struck if found is not None else 0

    def add(self, toxic: str, fault: NetworkFault) -> None:
        """Put a fault into force.

        Raises:
            ProxyError: name or fault are impossible, or the proxy is closed.
        """
        self._proxies.run(self._gate.add, check_name("toxic", toxic), check_fault(toxic, fault))

    def remove(self, toxic: str) -> None:
        """End a fault.

        Raises:
            ProxyError: there is no such toxic.
        """
        self._proxies.run(self._gate.remove, toxic)

    def enable(self) -> None:
        """Listen.

        Raises:
            ProxyError: the proxy is closed, or this machine has no descriptors left.
        """
        self._proxies.run(self._gate.enable)

    def disable(self) -> None:
        """Refuse connections, and close those that are open."""
        self._proxies.run(self._gate.disable)

    def reset(self) -> None:
        """Remove all toxics and listen."""
        self._proxies.run(self._gate.reset)

    def close(self) -> None:
        """Remove the proxy."""
        self._proxies.forget(self._gate)


class EmbeddedProxies:
    """Proxies in this process; a thread runs from the first `create` to `close`.

    Args:
        seed: of toxicity, jitter and variation.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._gates: dict[str, Gate] = {}
        self._owner = os.getpid()
        self._closed = False

    @property
    def name(self) -> str:
        """``embedded proxy``."""
        return NAME

    @property
    def foreign(self) -> str:
        """Empty: they end with this process."""
        return ""

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._loop is not None

    def create(self, name: str, upstream: str) -> EmbeddedProxy:
        """Make a proxy; see `pytest_nomos.chaos.network.proxy.Proxies`.

        A host's name is looked up once, here.

        Raises:
            ProxyError: name or upstream are impossible, or the proxies are closed.
        """
        place = read_upstream(upstream)
        family, address = _address(place, upstream)
        check_name("proxy", name)
        with self._lock:
            if self._closed:
                raise ProxyError("the proxies are closed")
            if name in self._gates:
                raise ProxyError(f"there is a proxy {name} already")
            self._start()
            gate = self.run(Gate, name, address, family, str(self._seed))
            self._gates[name] = gate
        return EmbeddedProxy(self, gate, upstream)

    def _start(self) -> None:
        if self._loop is None:
            self._loop = asyncio.SelectorEventLoop()
            self._thread = threading.Thread(target=self._serve, args=(self._loop,), name="nomos-proxies", daemon=True)
            self._thread.start()

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_forever()
        finally:
            loop.close()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the thread of the loop.

        Raises:
            ProxyError: the loop is closed, or does not come to it in time.
        """
        loop = self._loop
        answer: Future[T] = Future()

        def call() -> None:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(function(*args, **kwargs))
                except Exception as error:  # noqa: BLE001 # raised where it was asked for
                    answer.set_exception(error)

        try:
            if loop is None:
                raise ProxyError("the proxies are closed")
            loop.call_soon_threadsafe(call)
        except RuntimeError as error:
            raise ProxyError("the proxies are closed") from error
        try:
            return answer.result(ANSWER_SECONDS)
        except TimeoutError:
            answer.cancel()
            raise ProxyError(f"the embedded proxy did not answer within {ANSWER_SECONDS:g} s") from None

    def forget(self, gate: Gate) -> None:
        """Close one proxy. Idempotent."""
        with self._lock:
            if self._gates.get(gate.name) is gate:
                self.run(gate.close)
                del self._gates[gate.name]

    def close(self) -> None:
        """Close all proxies and end the thread. Idempotent.

        Raises:
            ProxyError: the thread does not end.
        """
        with self._lock:
            self._closed = True
            loop, thread, gates = self._loop, self._thread, tuple(self._gates.values())
            if loop is None or thread is None or os.getpid() != self._owner:
                return

            def end() -> None:
                for gate in gates:
                    gate.close()
                loop.stop()

            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(end)
            thread.join(ANSWER_SECONDS)
            if thread.is_alive():
                raise ProxyError(f"the thread of the embedded proxy did not end within {ANSWER_SECONDS:g} s")
            self._loop = self._thread = None
            self._gates.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _address(place: Upstream, text: str) -> tuple[int, tuple[Any, ...] | str]:
    if place.path:
        return socket.AF_UNIX, place.path
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ProxyError(f"upstream {text!r}: {place.host} is not known: {error}") from error
    # Providers listen on 127.0.0.1, also where localhost is ::1 first.
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, address
