"""The HTTP API of a Toxiproxy server, with time limits.

It is spoken through urllib3 and not through toxiproxy-python 0.1.1, whose host and port are globals of a class (one
server for each process), and whose methods take no time limit, cannot PATCH, and read an error 500 as a proxy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import urllib3

from pytest_nomos.chaos.network.proxy import ProxyError

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0
"""A healthy server answers in a thousandth of a second; one whose rollback hangs would take 25 s, or for ever."""


class HangingError(ProxyError):
    """The server was reached, or should have been, and did not answer."""


class ToxiproxyApi:
    """One server; thread-safe.

    Args:
        address: host and port of the API.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False, maxsize=4)

    def close(self) -> None:
        """Close what is open to the server."""
        self._pool.clear()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send one request; return the answer's JSON, None where it has none.

        Raises:
            HangingError: no answer in time, or none at all.
            ProxyError: the server refused, or what answers is no Toxiproxy.
        """
        where = f"Toxiproxy at {self.address}: {method} {path}"
        try:
            # A connection that lay idle is not used again: the server closes it after a minute, also in mid-request.
            answer = self._pool.request(
                method,
                f"http://{self.address}{path}",
                body=None if body is None else json.dumps(body),
                headers={"Content-Type": "application/json", "User-Agent": "pytest-nomos", "Connection": "close"},
            )
        except urllib3.exceptions.HTTPError as error:
            raise HangingError(f"{where}: no answer: {error}") from error
        if answer.status == 503:
            raise HangingError(f"{where}: 503, the server is stuck")
        try:
            content: Any = json.loads(answer.data) if answer.data else None
        except ValueError as error:
            text = answer.data[:100].decode("utf-8", "replace")
            raise ProxyError(f"{where}: {answer.status} {text!r}: what answers there is no Toxiproxy") from error
        if answer.status >= 300:
            reason = content.get("error") if isinstance(content, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # JSON
            raise ProxyError(f"{where}: {answer.status} {reason or content}")
        return content

    def version(self) -> str:
        """Return the server's version, ``git`` where it was built without one.

        Raises:
            ProxyError: it does not answer, or is no Toxiproxy.
        """
        answer = self.ask("GET", "/version")
        try:
            return str(answer["version"])
        except (TypeError, KeyError):
            raise ProxyError(
                f"Toxiproxy at {self.address}: /version answered {answer!r}: this is no Toxiproxy 2"
            ) from None
