"""A real HTTP server whose answers, and whose faults, a test chooses."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(body: str | bytes = "", status: int = 200, **headers: str) -> Answer:
    """Return what answers *body* at once."""
    data = body.encode() if isinstance(body, str) else body

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return send


@dataclass
class Upstream:
    """Answers by request target; what is not there is 404."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def silent(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer nothing until the client leaves."""
        with contextlib.suppress(OSError):
            handler.connection.recv(1)
        self.left.set()

    def dripping(self, where: str) -> Answer:
        """Return what sends one byte of head or body every 20 ms, for ever."""

        def send(handler: BaseHTTPRequestHandler) -> None:
            if where == "body":
                handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"')
            else:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            with contextlib.suppress(OSError):
                while not self.released.wait(0.02):
                    handler.wfile.write(b"x")
            self.left.set()

        return send

    def endless(self, handler: BaseHTTPRequestHandler) -> None:
        """Send a body without end and without length."""
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not self.released.is_set():
                handler.wfile.write(b" " * 65536)
        self.left.set()


@contextlib.contextmanager
def serving() -> Generator[Upstream]:
    """Yield a server that runs until the block ends."""
    upstream = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            upstream.requests.append(self.path)
            upstream.headers.append({name.lower(): value for name, value in self.headers.items()})
            upstream.answers.get(self.path, answer("nothing here", 404))(self)
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # name of the overridden method
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    upstream.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield upstream
    finally:
        upstream.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def raw(reply: bytes) -> Generator[int]:
    """Yield the port of a server that sends *reply* to whoever connects, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.recv(65536)
                        client.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
