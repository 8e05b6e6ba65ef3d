"""The web server that the HTTP provider is held against: real HTTP on a port of this machine, in this process."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote

SETTINGS: Final = "/settings"
OTHER: Final = "/other"
FORBIDDEN: Final = f"{SETTINGS}/vault"
MALFORMED: Final = f"{SETTINGS}/broken"
SLOW: Final = f"{SETTINGS}/slow"
QUEUE: Final = 256
"""Connections that wait to be accepted; the default of 5 makes a client that comes sixth wait for a second."""


def pages() -> Mapping[str, Any]:
    """Return the documents by the path of their page: those of the shipped document, and those of the other one."""
    shipped = resources.files("nomos_reference").joinpath("conformance")
    document: Any = json.loads(shipped.joinpath("document.json").read_text(encoding="utf-8"))
    other: Any = json.loads(shipped.joinpath("other.json").read_text(encoding="utf-8"))
    return {
        f"{SETTINGS}/app": document["app"],
        f"{SETTINGS}/database/main": document["database"]["main"],
        f"{SETTINGS}/features/flags": document["features"]["flags"],
        f"{OTHER}/app": other["app"],
    }


class Upstream:
    """Serves `pages`, one page that is no JSON, one that it refuses and one that it does not answer.

    Its threads end with the process; `close` ends them before.
    """

    def __init__(self) -> None:
        bodies = {path: json.dumps(page, ensure_ascii=False).encode() for path, page in pages().items()}
        closing = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(self.path).rstrip("/")
                if path == SLOW:
                    self._wait()
                elif path == MALFORMED:
                    self._send(HTTPStatus.OK, b'{"key": ')
                elif path == FORBIDDEN:
                    self._send(HTTPStatus.FORBIDDEN)
                elif path in bodies:
                    self._send(HTTPStatus.OK, bodies[path])
                else:
                    self._send(HTTPStatus.NOT_FOUND)

            def _send(self, status: HTTPStatus, body: bytes = b"") -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _wait(self) -> None:
                """Answer nothing until the client leaves or the server is closed."""
                self.connection.settimeout(0.2)
                while not closing.is_set():
                    with contextlib.suppress(TimeoutError):
                        if not self.connection.recv(1):
                            return

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # name of the overridden method
                """Log nothing: the terminal is the run's."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = QUEUE

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing of a client that left in the middle."""

        self._closing = closing
        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="nomos-upstream", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving; requests that wait are broken off."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
