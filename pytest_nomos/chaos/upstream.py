"""The upstream of a provider: found in its configuration, with a proxy before it that the provider is told instead."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from nomos_contracts.violation import Blocked, NotApplicable
from nomos_proto.kinds import is_list, is_map
from pytest_nomos.chaos.network.proxy import Proxies, Proxy, ProxyError, read_upstream
from pytest_nomos.chaos.network.striking import Striking
from pytest_nomos.chaos.network.tap import Tap

ACCEPT_SECONDS: Final = 2.0
"""For something that is on this machine to accept a connection."""
_NONE: Final = "no upstream is known: name it under [chaos] upstream"
_HOST_PORT: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """Where an upstream is, and where the configuration says so.

    Attributes:
        address: ``host:port``.
        keys: the places in the configuration that name it, each as keys and positions.
    """

    address: str
    keys: tuple[Key, ...]

    @property
    def shown(self) -> str:
        """The first of the keys, as text; what stands there may be secret."""
        return ".".join(str(part) for part in self.keys[0])

    def moved(self, config: Mapping[str, Any], address: str) -> dict[str, Any]:
        """Return *config* with *address* in the place of the upstream's own."""
        changed: dict[str, Any] = _replaced(config, dict.fromkeys(self.keys, address), ())
        return changed


def find_upstream(config: Mapping[str, Any], named: str) -> Place:
    """Return the upstream of a provider with the configuration *config*.

    Args:
        config: the good configuration as it is sent.
        named: path of the value that names it, with dots; empty: it is looked for.

    Raises:
        NotApplicable: there is none, or none that a proxy can stand before.
        Blocked: what was named is none, or is not there.
    """
    return _named(config, named) if named else _found(config)


def _found(config: Mapping[str, Any]) -> Place:
    found: dict[str, list[Key]] = {}
    secured = ""
    for key, text in _texts(config, ()):
        url = _url(text)
        if url is None or not _is_local(url.hostname or ""):
            continue
        if url.scheme == "https":
            secured = secured or ".".join(str(part) for part in key)
            continue
        found.setdefault(_address(url), []).append(key)
    open_ones = {address: keys for address, keys in found.items() if _accepts(address)}
    if len(open_ones) > 1:
        shown = ", ".join(".".join(str(part) for part in keys[0]) for keys in open_ones.values())
        raise NotApplicable(
            f"the configuration names more than one upstream ({shown}): name one under [chaos] upstream"
        )
    for address, keys in open_ones.items():
        return Place(address, tuple(keys))
    raise NotApplicable(_secured(secured) if secured else _NONE)


def _named(config: Mapping[str, Any], named: str) -> Place:
    where = f"chaos.upstream = {named!r}"
    value: Any = config
    key: list[str | int] = []
    for part in named.split("."):
        if is_map(value) and part in value:
            key.append(part)
            value = value[part]
        elif is_list(value) and part.isdecimal() and int(part) < len(value):
            key.append(int(part))
            value = value[int(part)]
        else:
            raise Blocked("author", f"{where}: the configuration has no {part!r} there")
    if not isinstance(value, str):
        raise Blocked("author", f"{where}: this value is no text; name one like http://127.0.0.1:8080/ or host:port")
    url = _url(value)
    if url is not None and url.scheme == "https":
        raise NotApplicable(_secured(named))
    address = value if _HOST_PORT.fullmatch(value) else _address(url) if url is not None else ""
    try:
        read_upstream(address)
    except ProxyError:
        raise Blocked("author", f"{where}: this value is neither http://host:port/ nor host:port") from None
    if not _accepts(address):
        raise Blocked("environment", f"{where}: nobody accepts connections at the port that this value names")
    return Place(address, (tuple(key),))


def _secured(key: str) -> str:
    return f"the upstream of {key} speaks TLS: a proxy before it has no certificate; give an http:// URL to test it"


def _texts(value: Any, at: Key) -> Iterator[tuple[Key, str]]:
    if isinstance(value, str):
        yield at, value
    elif is_map(value):
        for name, item in value.items():
            yield from _texts(item, (*at, name))
    elif is_list(value):
        for number, item in enumerate(value):
            yield from _texts(item, (*at, number))


def _url(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    return url if url.scheme in {"http", "https"} and url.hostname else None


def _address(url: SplitResult) -> str:
    host = url.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{url.port or 80}"


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _accepts(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ACCEPT_SECONDS).close()
    except OSError:
        return False
    return True


def _replaced(value: Any, places: Mapping[Key, str], at: Key) -> Any:
    if at in places:
        url = _url(value)
        if url is None:
            return places[at]
        user, mark, _ = url.netloc.rpartition("@")
        return url._replace(netloc=f"{user}{mark}{places[at]}").geturl()
    if is_map(value):
        return {name: _replaced(item, places, (*at, name)) for name, item in value.items()}
    if is_list(value):
        return [_replaced(item, places, (*at, number)) for number, item in enumerate(value)]
    return value


class UpstreamSide:
    """The way from a provider to its upstream: proxy, tap, upstream; a `nomos_contracts.chaos.Upstream`.

    Args:
        place: the upstream.
        proxy: what network faults strike.
        tap: what is behind it.
    """

    def __init__(self, place: Place, proxy: Proxy, tap: Tap) -> None:
        self.place = place
        self.striking = Striking(proxy)
        self._proxy = proxy
        self._tap = tap

    @classmethod
    @contextmanager
    def before(cls, place: Place, proxies: Proxies, name: str) -> Generator[UpstreamSide]:
        """Stand before the upstream at *place* for the time of a ``with``.

        Raises:
            Blocked: there is no proxy to be had.
        """
        try:
            with Tap(place.address) as tap:
                proxy = proxies.create(name, tap.address)
                try:
                    yield cls(place, proxy, tap)
                finally:
                    proxy.close()
        except ProxyError as error:
            raise Blocked("environment", str(error)) from error

    @property
    def used(self) -> bool:
        """Whether the provider connected to it."""
        return self._tap.connections > 0

    def config(self, good: Mapping[str, Any]) -> dict[str, Any]:
        """Return the good configuration with the proxy in the place of the upstream."""
        return self.place.moved(good, self._proxy.address)

    def carried(self, text: bytes) -> bool:
        """Whether *text* came from it as it stands."""
        return self._tap.carried(text)

    def change(self, old: bytes, new: bytes) -> None:
        """From now on it answers *new* where it answered *old*."""
        self._tap.change(old, new)

    def cuts(self) -> Sequence[int]:
        """Return after how many bytes an answer of it would be cut where its reader can tell."""
        return self._tap.cuts()
