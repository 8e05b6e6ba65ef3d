"""One GET below a base URL, within limits, ended at its deadline whatever the server does."""

from __future__ import annotations

import contextlib
import http.client
import math
import socket
import ssl
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Final

import urllib3.connection
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

from nomos_proto.errors import ProviderError
from nomos_reference.config.base_url import BaseUrl
from nomos_reference.config.limits import Budget

CONNECT_SECONDS: Final = 10.0
MAX_REDIRECTS: Final = 5
RECENT_SECONDS: Final = 2.0
"""For so long an answer proves that the server is there: pings must not use up its queue of connections."""
CHUNK: Final = 64 * 1024

_REDIRECTS = {301, 302, 303, 307, 308}
_BUSY = {408, 425, 429}


class Absent(Exception):  # noqa: N818 # an answer
    """The server has nothing there (404, 410)."""


class HttpClient:
    """Sends GET requests; each has a connection of its own, so that nothing is held between calls."""

    def __init__(self, base: BaseUrl, headers: Mapping[str, str]) -> None:
        """Send *headers* with each request."""
        self.base = base
        # Compressed answers could grow beyond any limit after they were counted.
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "nomos-http", **headers}
        self._answered = -math.inf

    def get(self, segments: Sequence[str], shown: str, budget: Budget, *, pages: bool = True) -> bytes:
        """Return the body at *segments* below the base URL.

        Args:
            segments: well-formed segments.
            shown: what to call the place in messages.
            budget: what may be read, and until when.
            pages: whether an HTML page is an answer; many servers send one for whatever they do not have.

        Raises:
            Absent: the server has nothing there.
            ProviderError: it refuses, fails, leads away, answers too much, or not in time.
        """
        target = self.base.target(segments)
        for _ in range(MAX_REDIRECTS + 1):
            status, headers, body = self._exchange(target, shown, budget)
            if status not in _REDIRECTS:
                if not pages and headers.get("Content-Type", "").lower().startswith("text/html"):
                    status = 404 if status == http.client.OK else status
                return self._judge(status, body, shown)
            following = self.base.follow(target, headers.get("Location", ""))
            if following is None:
                raise ProviderError(f"{shown}: the server redirects out of the base URL", "PERMISSION_DENIED")
            target = following
        raise ProviderError(f"{shown}: the server redirects more than {MAX_REDIRECTS} times", "INVALID_STATE")

    @staticmethod
    def _judge(status: int, body: bytes, shown: str) -> bytes:
        if status == http.client.OK:
            return body
        if status in {404, 410}:
            raise Absent
        if status in {401, 403}:
            raise ProviderError(f"{shown}: the server answers {status}", "PERMISSION_DENIED")
        code = "NETWORK_ERROR" if status >= http.client.INTERNAL_SERVER_ERROR or status in _BUSY else "INVALID_STATE"
        raise ProviderError(f"{shown}: the server answers {status}", code)

    def _exchange(self, target: str, shown: str, budget: Budget) -> tuple[int, Mapping[str, str], bytes]:
        context = budget.context
        context.check()
        left = context.remaining()
        timeout = CONNECT_SECONDS if left is None else min(left, CONNECT_SECONDS)
        connection = self._connection(timeout)
        try:
            connection.connect()
            with self._ended_with_call(connection.sock, budget):
                connection.request("GET", target, headers=self._headers, preload_content=False, decode_content=False)
                with contextlib.closing(connection.getresponse()) as response:
                    self._answered = time.monotonic()
                    body = b"" if response.status != http.client.OK else self._body(response, shown, budget)
                    # Closed by us or by the server: the call tells which.
                    context.check()
                    return response.status, response.headers, body
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            context.check()
            self._answered = -math.inf
            reason = f"{shown}: the server cannot be reached or broke off ({type(error).__name__})"
            raise ProviderError(reason, "NETWORK_ERROR") from error
        finally:
            connection.close()

    def _connection(self, timeout: float) -> urllib3.connection.HTTPConnection:
        if self.base.scheme == "http":
            return urllib3.connection.HTTPConnection(self.base.host, self.base.port, timeout=timeout)
        tls = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
        tls.load_default_certs()
        return urllib3.connection.HTTPSConnection(self.base.host, self.base.port, timeout=timeout, ssl_context=tls)

    @staticmethod
    @contextlib.contextmanager
    def _ended_with_call(sock: socket.socket, budget: Budget) -> Generator[None]:
        """Shut the socket down at the deadline or when the caller leaves: a server that drips never times out."""

        def end() -> None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

        sock.settimeout(None)
        left = budget.context.remaining()
        timer = None if left is None else threading.Timer(left, end)
        if timer is not None:
            timer.daemon = True
            timer.start()
        forget = budget.context.on_cancel(end)
        try:
            yield
        finally:
            forget()
            if timer is not None:
                timer.cancel()
                timer.join()

    @staticmethod
    def _body(response: BaseHTTPResponse, shown: str, budget: Budget) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ProviderError(f"{shown}: the server compresses its answer though asked not to", "INVALID_STATE")
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and len(length) < 19 and int(length) > budget.bytes_left:
            budget.spend_bytes(int(length))
        chunks: list[bytes] = []
        while chunk := response.read1(CHUNK, decode_content=False):
            budget.spend_bytes(len(chunk))
            chunks.append(chunk)
        return b"".join(chunks)

    def reachable(self, seconds: float) -> bool:
        """Return whether the server answered lately, or accepts a connection within *seconds*."""
        if time.monotonic() - self._answered < RECENT_SECONDS:
            return True
        try:
            socket.create_connection((self.base.host, self.base.port), timeout=seconds).close()
        except OSError:
            return False
        self._answered = time.monotonic()
        return True
