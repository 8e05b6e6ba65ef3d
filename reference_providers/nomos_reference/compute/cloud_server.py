"""A server of memory clouds: what is behind a memory provider that is told to reach its vendor over a connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Any, Final, Self

from nomos_reference.compute.cloud import MemoryCloud, VendorError
from nomos_reference.compute.cloud_lines import LONGEST, from_line, to_line
from nomos_reference.compute.settings import MemorySettings

CALLS: Final = frozenset(
    {
        *("sign_of_life", "create", "terminate", "find", "peek", "page", "vanish", "resize", "copy"),
        *("snapshot", "snapshots", "snapshot_of", "snapshot_named", "delete_snapshot", "price", "wish", "cancel"),
    }
)
"""What may be asked for."""
QUEUE: Final = 256


class _Account:
    """One cloud, asked by one caller at a time."""

    def __init__(self, settings: MemorySettings) -> None:
        self._lock = threading.Lock()
        self._cloud = MemoryCloud(settings)

    def answer(self, call: str, arguments: list[Any]) -> dict[str, Any]:
        with self._lock:
            answer: dict[str, Any] = {"value": None}
            try:
                found = getattr(self._cloud, call)(*arguments)
                answer["value"] = list(found) if call == "snapshots" else found
            except VendorError as error:
                answer["error"] = {"code": error.code, "message": str(error), "retry_after": error.retry_after}
            return {**answer, "now": self._cloud.now, "start": self._cloud.clock.start}


class CloudServer:
    """Serves clouds on a port of this machine, in this process, one for each account; used in a ``with``.

    Its threads end with the process; `close` ends them before.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=QUEUE)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, name="nomos-cloud", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                if self._closed:
                    return
                threading.Event().wait(0.05)  # no descriptor for it
                continue
            threading.Thread(target=self._serve, args=(caller,), name="nomos-cloud-call", daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError, ValueError), caller.makefile("rb") as lines:
            with self._lock:
                if self._closed:
                    return
                self._live.add(caller)
            try:
                while line := lines.readline(LONGEST):
                    caller.sendall(to_line(self._answer(from_line(line))))
            finally:
                with self._lock:
                    self._live.discard(caller)

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        if question.get("call") not in CALLS:
            raise ValueError("there is no such call")
        with self._lock:
            account = self._accounts.get(question["account"])
            if account is None:
                settings = MemorySettings.model_validate(question["settings"])
                account = self._accounts[question["account"]] = _Account(settings)
        return account.answer(question["call"], question["arguments"])

    def close(self) -> None:
        """Stop serving; what is asked meanwhile is broken off. Idempotent."""
        with self._lock:
            self._closed = True
            live = tuple(self._live)
        for end in (self._listener, *live):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
