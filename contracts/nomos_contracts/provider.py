"""What a check sees of the provider under test: one running process, and the answers that it gives.

The kit's host implements these Protocols over gRPC; a check never meets a channel or a process handle.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from nomos_contracts.starting import Announcement as Announcement
from nomos_contracts.starting import Exit as Exit
from nomos_contracts.starting import StartError as StartError
from nomos_contracts.starting import StartFailure as StartFailure
from nomos_contracts.starting import Usage as Usage

Path_ = Sequence[str]
"""A Fetch path: segments below the alias, outermost first."""


FAULT_CODES = frozenset(
    {
        *("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED", "INTERNAL", "UNKNOWN"),
        *("RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    }
)
"""Codes that say that something is broken, and nothing about what was asked for."""


@dataclass(frozen=True)
class Answer:
    """One exchange; calls never raise for what a provider does.

    Attributes:
        method: ``Init``, ``Fetch``, ``Info``, ``Health``, ``Shutdown``, ``Describe``, ``Call`` or a full method name.
        request: the request as plain JSON types; config values of Init appear here as they were sent.
        code: name of the gRPC status code, ``OK`` for success.
        message: the status message, empty for success.
        value: the decoded answer. Fetch: the JSON value, ``{"value": x}`` unwrapped. Info: mapping with alias, version,
            type. Health: mapping with status (name), message. Init, Shutdown: None.
        struct: Fetch only: the map as it was sent, None where the field was not set.
        response: serialized answer, None where the call failed.
        elapsed: seconds from call to answer.
        details: the decoded ErrorDetail of a v2 error as a mapping, empty where there is none.
        decode_error: why the bytes of an OK answer could not be decoded, empty where they could.
        seconds: the deadline that was sent.
        trailer: the serialized google.rpc.Status of a call over v2 that failed, None where none came.
        ended: when it was there, on the monotonic clock of the run.
    """

    method: str
    request: Any
    code: str
    message: str = ""
    value: Any = None
    struct: Mapping[str, Any] | None = None
    response: bytes | None = None
    elapsed: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    decode_error: str = ""
    seconds: float = 0.0
    trailer: bytes | None = field(default=None, compare=False, repr=False)
    ended: float = field(default_factory=time.monotonic, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the call succeeded and its answer could be decoded."""
        return self.code == "OK" and not self.decode_error

    @property
    def gone(self) -> bool:
        """Whether the answer says that nobody was there to answer."""
        return self.code == "UNAVAILABLE"

    @property
    def summary(self) -> str:
        """The answer in a few words, for ``got``."""
        if self.decode_error:
            return f"an answer that cannot be decoded: {self.decode_error}"
        text = repr(self.value) if self.code == "OK" else repr(self.message)
        return f"{self.code} {text if len(text) <= 300 else text[:300] + '…'} after {self.elapsed:.3f} s"


class PendingAnswer(Protocol):
    """A call in flight."""

    def cancel(self) -> None:
        """Cancel the call; its answer then carries CANCELLED."""
        ...

    def done(self) -> bool:
        """Whether the answer is there."""
        ...

    def answer(self, timeout: float | None = None) -> Answer:
        """Wait for the answer.

        Raises:
            TimeoutError: none within *timeout* seconds.
        """
        ...


class RunningProvider(Protocol):
    """One started provider. Timeouts are seconds; None takes the limit from the settings."""

    @property
    def alias(self) -> str:
        """The alias that Init uses unless told otherwise."""
        ...

    @property
    def pid(self) -> int:
        """Process id of the provider itself."""
        ...

    @property
    def announcement(self) -> Announcement:
        """What it announced."""
        ...

    @property
    def scratch(self) -> Path:
        """Its working folder, empty at the start, removed at the end."""
        ...

    @property
    def good_config(self) -> Mapping[str, Any]:
        """The Init configuration from the settings, for the profile claimed."""
        ...

    @property
    def answers(self) -> Sequence[Answer]:
        """The latest exchanges with this process, oldest first."""
        ...

    def init(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        alias: str | None = None,
        source_file_path: str | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Call Init; without arguments with the good config, alias and source file of the settings."""
        ...

    def fetch(self, path: Path_, *, timeout: float | None = None) -> Answer:
        """Call Fetch."""
        ...

    def info(self, *, timeout: float | None = None) -> Answer:
        """Call Info."""
        ...

    def health(self, *, timeout: float | None = None) -> Answer:
        """Call Health."""
        ...

    def shutdown(self, *, timeout: float | None = None) -> Answer:
        """Call the Shutdown RPC; the process is not waited for."""
        ...

    def start_fetch(self, path: Path_, *, timeout: float | None = None, patient: bool = False) -> PendingAnswer:
        """Begin a Fetch and return at once.

        Args:
            path: what to fetch.
            timeout: seconds after which the caller leaves, None for the usual limit.
            patient: whether a connection that cannot be made is tried again for as long, instead of once.
        """
        ...

    def raw(
        self,
        method: str,
        request: bytes,
        *,
        timeout: float | None = None,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Send *request* as it is to *method* (``/package.Service/Method``, or the bare name of a v1 method).

        The answer's ``value`` is None unless the method is one of v1's; ``response`` holds the bytes.
        """
        ...

    def call(
        self,
        function: str,
        args: Mapping[str, Any],
        *,
        interface: str = "",
        idempotency_key: str = "",
        timeout: float | None = None,
    ) -> Answer:
        """Call a function over v2 `Call`; calls with the same *idempotency_key*, unless it is empty, are one call."""
        ...

    def start_call(
        self,
        function: str,
        args: Mapping[str, Any],
        *,
        interface: str = "",
        idempotency_key: str = "",
        timeout: float | None = None,
    ) -> PendingAnswer:
        """Begin a v2 `Call` and return at once."""
        ...

    def stream(
        self, function: str, args: Mapping[str, Any], *, interface: str = "", timeout: float | None = None
    ) -> Iterator[Answer]:
        """Call a function over v2 `CallStream`; one answer for each part, a failure as the last one."""
        ...

    def describe(self, *, timeout: float | None = None) -> Answer:
        """Call v2 `Describe`; UNIMPLEMENTED from a provider that speaks v1 only."""
        ...

    def reconnect(self, most: int | None = None) -> None:
        """Drop all connections; the next call opens new ones, at most *most* until this is called again.

        Args:
            most: 1 has all calls share one connection; None takes the limit from the settings.
        """
        ...

    def stdout(self) -> bytes:
        """Everything that was written to stdout so far (at most its first MiB)."""
        ...

    def stderr(self) -> bytes:
        """Everything that was written to stderr so far (at most its last MiB)."""
        ...

    def stdout_bytes(self) -> int:
        """How many bytes were written to stdout so far."""
        ...

    def alive(self) -> bool:
        """Whether the process runs."""
        ...

    def signal(self, name: str) -> None:
        """Send a signal (``"SIGTERM"``) to the provider's own process, not to its group."""
        ...

    def wait(self, timeout: float) -> Exit | None:
        """Wait for the end of the process; None if it still runs after *timeout* seconds."""
        ...

    def usage(self) -> Usage:
        """Measure the process and its descendants."""
        ...

    def listeners(self) -> Sequence[tuple[str, int]]:
        """TCP addresses on which the process group listens, as (address, port)."""
        ...

    def descendants(self) -> Sequence[int]:
        """Pids of the processes in its group besides itself, also after its end."""
        ...

    def stop(self) -> Exit | None:
        """End the process in the orderly way (Shutdown RPC, SIGTERM, SIGKILL) and reap it."""
        ...


class InterfaceProvider(Protocol):
    """A provider with a function interface, in this process or behind the wire; calls never raise for what it does."""

    @property
    def interface(self) -> str:
        """Name of the interface, for instance ``compute``."""
        ...

    @property
    def transport(self) -> Literal["inproc", "wire"]:
        """Whether it is an object in this process or a program behind v2 `Call`."""
        ...

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that it declares."""
        ...

    @property
    def answers(self) -> Sequence[Answer]:
        """The latest exchanges, oldest first."""
        ...

    def offers(self, method: str) -> bool:
        """Whether it has *method*, declared or not: as an attribute, or in the list of Describe."""
        ...

    def invoke(self, method: str, /, *, timeout: float | None = None, **arguments: Any) -> Answer:
        """Call *method* with the interface's own values.

        The answer's ``method`` is the name, ``request`` is ``{"args": plain values}``, and ``value`` is what the
        interface says; ``decode_error`` where the result has another shape. ``details`` of a failure has code,
        category, retryable, provider, details and retry_after; after an exception that is no ProviderError the code is
        UNKNOWN and ``details`` is ``{"exception": "module.Class"}``.

        Args:
            method: name of the method; one that the provider does not have answers UNIMPLEMENTED.
            timeout: seconds, None for the limit of the settings; a shorter limit wins.
            arguments: by name.

        Raises:
            ShapeError: an argument cannot be sent: a mistake of the caller.
        """
        ...

    def start(self, method: str, /, *, timeout: float | None = None, **arguments: Any) -> PendingAnswer:
        """Begin to call *method*, as `invoke`, and return at once."""
        ...

    def close(self) -> None:
        """Let go of it: an object is ended, a process of its own stopped. Idempotent."""
        ...


@dataclass(frozen=True)
class Start:
    """The result of starting a provider: it runs, or why it does not.

    Attributes:
        provider: the running provider, None where the start failed.
        error: why it failed, None where it runs.
    """

    provider: RunningProvider | None
    error: StartError | None


class Starter(Protocol):
    """Starts further processes of the target; all of them are stopped after the check."""

    def __call__(
        self, *, init: bool = False, unix: bool = False, args: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> Start:
        """Start one process.

        Args:
            init: also call Init with the good config.
            unix: ask for a Unix socket.
            args: further arguments for the provider.
            env: further environment variables.

        Raises:
            Blocked: *init* was asked for and Init failed (by the clause about a good Init).
        """
        ...


@dataclass(frozen=True)
class TargetFacts:
    """What is known of the target without starting it.

    Attributes:
        name: its name in ids.
        command: program and arguments, empty where the target has none.
        file: the file whose SHA-256 is the subject, None where there is none.
        profile: the profile that it claims.
        limits: limits by name in seconds or counts, from the settings (``announce``, ``grace``, ``call`` …).
        fault_codes: status codes that a call may end with while a fault is in force.
    """

    name: str
    command: tuple[str, ...]
    file: Path | None
    profile: str
    limits: Mapping[str, float]
    fault_codes: frozenset[str] = FAULT_CODES
