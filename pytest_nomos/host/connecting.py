"""Connecting: at most three attempts to reach what was announced, and what is there when it is no provider."""

from __future__ import annotations

import socket
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import grpc
import psutil

from nomos_contracts.provider import StartFailure
from nomos_proto.messages import SERVICE
from pytest_nomos.host.cancellation import Cancel
from pytest_nomos.host.channels import ChannelPool
from pytest_nomos.host.diagnosis import Finding
from pytest_nomos.host.limits import Limits
from pytest_nomos.host.metadata import CallMetadata
from pytest_nomos.host.process import CANCEL_POLL, ProviderProcess

PROBE_SECONDS: Final = 0.3
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_FRAME_HEADER: Final = 9
_SETTINGS: Final = 4
_NOBODY: Final = ("Connection refused", "No such file or directory")
"""What the system says where nobody listens."""
_LOCAL: Final = ("failed to connect to all addresses", "Stream removed", "Socket closed", "Connection reset", "GOAWAY")
"""How a message begins or reads that gRPC itself wrote because there was no connection, or no longer one."""


def listening_ports() -> frozenset[int]:
    """Return the TCP ports on which this machine listens now; empty where the system does not tell."""
    ports: set[int] = set()
    for name in ("tcp", "tcp6"):
        with suppress(OSError, ValueError, IndexError):
            for line in Path("/proc/net", name).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == "0A":
                    ports.add(int(words[1].rpartition(":")[2], 16))
    return frozenset(ports)


class Connecting:
    """The attempts to connect to one provider.

    Args:
        pool: takes the channel that works.
        process: the provider's process; None where it is not ours.
        limits: attempts, timeout, pauses.
        metadata: goes with each attempt.
        taken: ports on which something listened before the provider was started.

    Attributes:
        attempts: how many there were.
        unheard: what the first one met where nobody listened yet, empty where somebody did.
    """

    def __init__(
        self,
        pool: ChannelPool,
        process: ProviderProcess | None,
        limits: Limits,
        metadata: CallMetadata,
        taken: frozenset[int] = frozenset(),
    ) -> None:
        self._pool = pool
        self._process = process
        self._limits = limits
        self._metadata = metadata
        self._taken = taken
        self.attempts = 0
        self.unheard = ""

    def run(self, cancel: Cancel | None = None) -> Finding | None:
        """Try to connect; None once it is done.

        A connection counts as soon as any gRPC status comes back: what it says is for a clause to judge.
        """
        deadline = time.monotonic() + self._limits.connect
        cause = ""
        if finding := self._foreign_port():
            return finding
        for attempt in range(1, self._limits.connect_attempts + 1):
            self.attempts = attempt
            left = min(self._limits.connect_timeout, deadline - time.monotonic())
            if left <= 0:
                break
            problem = self._attempt(left)
            if problem is None:
                return None
            cause = problem
            if attempt == 1 and any(words in problem for words in _NOBODY):
                self.unheard = problem
            if self._ended(0.05):
                break
            if attempt < self._limits.connect_attempts and not self._pause(attempt, deadline, cancel):
                break
        if cancel is not None and cancel.is_set():
            return Finding(StartFailure.CANCELLED, "while connecting")
        if self._ended(0.05):
            return Finding(StartFailure.DIED, f"{self._pool.address} was announced, then the process ended")
        return self._explain(cause)

    def _attempt(self, seconds: float) -> str | None:
        """Make one attempt; None if it succeeded, else gRPC's words for why not."""
        link = self._pool.open()
        try:
            link.unary(f"/{SERVICE}/Health")(b"", timeout=seconds, metadata=self._metadata.pairs())
        except grpc.RpcError as error:
            code, details = error.code(), str(error.details() or "")
            local = code is grpc.StatusCode.UNAVAILABLE and any(words in details for words in _LOCAL)
            if local or code is grpc.StatusCode.DEADLINE_EXCEEDED or "Failed to create channel" in details:
                link.channel.close()
                return details
        except BaseException:
            link.channel.close()
            raise
        self._pool.adopt(link)
        return None

    def _pause(self, attempt: int, deadline: float, cancel: Cancel | None) -> bool:
        """Wait before the next attempt; False if there is no point in one."""
        until = min(time.monotonic() + attempt * self._limits.connect_backoff, deadline)
        if self._process is not None:
            process = self._process
            ended = process.wait_until(lambda: process.exit is not None, until, cancel)
            return not ended and not (cancel is not None and cancel.is_set())
        while (left := until - time.monotonic()) > 0:
            if cancel is not None and cancel.is_set():
                return False
            time.sleep(min(left, CANCEL_POLL))
        return True

    def _ended(self, seconds: float) -> bool:
        """Whether the process has ended; a lost connection may be noticed before the end of the process."""
        return self._process is not None and self._process.wait(seconds) is not None

    @property
    def _port(self) -> int | None:
        return None if self._pool.address.startswith("unix:") else int(self._pool.address.rpartition(":")[2])

    def _foreign_port(self) -> Finding | None:
        """Return the finding that the announced port was somebody else's before the provider was started."""
        port = self._port
        if self._process is None or port is None or port not in self._taken:
            return None
        if any(number == port for _, number in self._process.listeners()):
            return None
        seen = f"port {port} was announced, and {_holder(port)} was listening on it before the provider was started"
        return Finding(
            StartFailure.NOT_LISTENING, seen, "the port was taken, and the provider announced it all the same"
        )

    def _explain(self, cause: str) -> Finding:
        failed = f"failed to connect after {self.attempts} attempts: {cause}"
        failure, seen, why = _look(self._pool.address)
        if failure is StartFailure.NOT_LISTENING and self._process is not None and self._port is not None:
            others = [f"{address}:{port}" for address, port in self._process.listeners()]
            if others:
                seen += f"; the provider listens on {', '.join(others)}"
                why = "it announces another port, or another address, than the one it listens on; 127.0.0.1 is dialled"
        return Finding(failure, f"{seen} ({failed})", why)


def _holder(port: int) -> str:
    """Return who listens on a port, as far as the system tells."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "another process"


def _look(address: str) -> tuple[StartFailure, str, str]:
    """Find out without gRPC what is at an address: (failure, what was seen, likely cause)."""
    try:
        with _dial(address) as connection:
            connection.sendall(_PREFACE)
            data = connection.recv(64)
    except TimeoutError:
        return (
            StartFailure.MUTE,
            f"{address} accepts connections and says nothing",
            "its server is not started or hangs",
        )
    except FileNotFoundError:
        return StartFailure.NOT_LISTENING, f"there is no socket at {address}", "it announces before it listens"
    except ConnectionRefusedError:
        why = "it announces before it listens, or announces another port than the one it listens on"
        return StartFailure.NOT_LISTENING, f"nobody listens on {address}", why
    except ConnectionResetError:
        return StartFailure.NOT_GRPC, f"{address} closes connections at once", "what listens there is no gRPC server"
    except OSError as error:
        return StartFailure.NOT_LISTENING, f"{address} cannot be reached: {error.strerror or error}", ""
    return _judge(address, data)


def _dial(address: str) -> socket.socket:
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            raise FileNotFoundError(path)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PROBE_SECONDS)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS)


def _judge(address: str, data: bytes) -> tuple[StartFailure, str, str]:
    if not data:
        return StartFailure.NOT_GRPC, f"{address} closes connections at once", "what listens there is no gRPC server"
    if data.startswith(b"HTTP/1"):
        first = data.splitlines()[0].decode("latin-1")
        seen = f"{address} speaks HTTP/1 ({first!r})"
        return StartFailure.NOT_GRPC, seen, "a web server listens there; gRPC needs HTTP/2 without TLS"
    if data[:2] == b"\x15\x03":
        return StartFailure.NOT_GRPC, f"{address} speaks TLS", "provider connections are plaintext; switch TLS off"
    if len(data) >= _FRAME_HEADER and data[3] == _SETTINGS:
        return (
            StartFailure.MUTE,
            f"{address} speaks HTTP/2 and does not answer calls",
            "its server hangs, or its workers are busy",
        )
    return (
        StartFailure.NOT_GRPC,
        f"{address} does not speak HTTP/2, it sends {data[:40]!r}",
        "no gRPC server listens there",
    )
