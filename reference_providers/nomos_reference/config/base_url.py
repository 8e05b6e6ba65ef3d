"""A base URL, and the requests that stay below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from nomos_reference.config.settings import invalid
from nomos_reference.config.walk import fault

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class BaseUrl:
    """Scheme, host, port and path (without a slash at its end) of a base URL."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str, key: str) -> BaseUrl:
        """Read the URL of the setting *key*.

        Raises:
            ProviderError: INVALID_SPEC naming the key for anything but http(s)://host[:port][/path].
        """
        if not text.isascii() or any(ord(character) <= 32 or ord(character) == 127 for character in text):
            raise invalid(key, "holds a character that no URL may have")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise invalid(key, "is no URL") from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise invalid(key, "must begin with http:// or https:// and a host")
        if "@" in parts.netloc:
            raise invalid(key, "must not hold a user or password; name a variable in `headers`")
        if parts.query or parts.fragment or text.endswith(("?", "#")):
            raise invalid(key, "must not have a query or fragment")
        path = parts.path.rstrip("/")
        if any(fault(segment) is not None for segment in path.split("/")[1:]):
            raise invalid(key, "must not have empty or dot segments")
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path)

    def target(self, segments: Sequence[str]) -> str:
        """Return the request target for well-formed *segments* below the URL."""
        return self.path + "".join(f"/{quote(segment, safe='')}" for segment in segments) or "/"

    def follow(self, target: str, location: str) -> str | None:
        """Return the request target of a redirect from *target*, None where it leaves the base URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if not location.isascii() or any(ord(character) <= 32 for character in location) or "\\" in location:
            return None
        try:
            parts = urlsplit(urljoin(f"{self.scheme}://{host}:{self.port}{target}", location))
            inside = self._inside(parts, urlsplit(location).path)
        except ValueError:
            return None
        if not inside:
            return None
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _inside(self, parts: SplitResult, written: str) -> bool:
        if (parts.scheme, parts.hostname) != (self.scheme, self.host) or "@" in parts.netloc:
            return False
        if (parts.port or _PORTS[self.scheme]) != self.port:
            return False
        # Encoded dots and separators may be decoded by the server after we have looked at the path.
        dotted = any(unquote(unquote(segment)) in {".", ".."} for segment in written.split("/"))
        separated = any(mark in unquote(unquote(segment)) for segment in parts.path.split("/") for mark in "/\\")
        below = parts.path == self.path or parts.path.startswith(f"{self.path}/")
        return below and not dotted and not separated
