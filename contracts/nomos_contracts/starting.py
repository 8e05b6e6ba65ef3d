"""How a process of a provider starts, runs and ends, as facts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StartFailure(StrEnum):
    """Each way in which a start can fail; every failed start is exactly one of them."""

    NOT_FOUND = "not found"
    NOT_EXECUTABLE = "not executable"
    SPAWN = "could not be started"
    EXITED = "exited before announcing"
    SILENT = "never announced"
    CLOSED = "closed stdout without announcing"
    UNTERMINATED = "announced without ending the line"
    MALFORMED = "first line is no announcement"
    PORT_RANGE = "announced a port outside 1024-65535"
    NOT_LISTENING = "announced but does not listen"
    NOT_GRPC = "announced a port that does not speak gRPC"
    MUTE = "accepts connections but does not answer"
    DIED = "died after announcing"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Announcement:
    """What the provider said about where it listens.

    Attributes:
        line: the announcing line as bytes, without its newline.
        form: ``PORT``, ``PROVIDER_PORT`` or ``UNIX``.
        address: ``127.0.0.1:<port>`` or ``unix:<absolute path>``.
        port: the port, None for a Unix socket.
        after: seconds from the start of the process to the complete line.
        unheard: what the first attempt to connect met where nobody listened yet, empty where somebody did.
    """

    line: bytes
    form: str
    address: str
    port: int | None
    after: float
    unheard: str = ""


@dataclass(frozen=True)
class StartError:
    """Why a start failed.

    Attributes:
        failure: which of the ways.
        message: one paragraph for the author: what was seen and the likely cause.
        exit_code: exit code where the process exited, None otherwise.
        signal: name of the signal that ended it, None otherwise.
        stdout: what was on stdout, at most its first 4 KiB.
        stderr: the last lines of stderr.
        elapsed: seconds from the start to the failure.
    """

    failure: StartFailure
    message: str
    exit_code: int | None = None
    signal: str | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    elapsed: float = 0.0


@dataclass(frozen=True)
class Exit:
    """How a process ended: an exit code or the name of a signal, and when (seconds on the monotonic clock)."""

    code: int | None
    signal: str | None
    at: float

    @property
    def words(self) -> str:
        """For a sentence: ``exited with code 3`` or ``was ended by SIGSEGV``."""
        return f"was ended by {self.signal}" if self.signal else f"exited with code {self.code}"


@dataclass(frozen=True)
class Usage:
    """What a provider's process group holds.

    Descriptors, threads, children, bytes of RSS, CPU seconds so far, and regular files that are open for writing.
    """

    descriptors: int
    threads: int
    children: int
    rss: int
    cpu: float
    writing: int = 0
