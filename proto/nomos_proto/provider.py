"""What a Python object has to look like to be served as a provider."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from nomos_proto.description import ProviderInfo
from nomos_proto.errors import ProviderError


class HealthStatus(StrEnum):
    """How a provider is; the values are the names of the wire."""

    UNSPECIFIED = "STATUS_UNSPECIFIED"
    OK = "STATUS_OK"
    DEGRADED = "STATUS_DEGRADED"
    STARTING = "STATUS_STARTING"


@dataclass(frozen=True)
class Health:
    """How a provider is, and what a person can do about it (empty when all is well)."""

    status: HealthStatus
    message: str = ""


@dataclass(frozen=True)
class Info:
    """Alias of the last good Init (empty before it), semantic version, and stable type of a provider."""

    alias: str
    version: str
    type: str


class CallContext:
    """One call as its callee sees it: how much time is left, whether the caller is still there, and its metadata.

    Threads may share it.
    """

    def __init__(self, timeout: float | None = None, metadata: Mapping[str, str] | None = None) -> None:
        """Begin a call.

        Args:
            timeout: seconds until its deadline; None sets none.
            metadata: metadata of the call, keys in lower case.
        """
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self.metadata: Mapping[str, str] = dict(metadata or {})

    def remaining(self) -> float | None:
        """Return seconds until the deadline, at least 0; None where there is none."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def cancelled(self) -> bool:
        """Whether the caller has left."""
        return self._ended.is_set()

    def check(self) -> None:
        """Return if there is still time and a caller.

        Raises:
            ProviderError: TIMEOUT_ERROR after the deadline, CANCELLED when the caller has left.
        """
        if self.remaining() == 0.0:
            raise ProviderError("the deadline of the call has passed", "TIMEOUT_ERROR")
        if self.cancelled():
            raise ProviderError("the caller has left", "CANCELLED")

    def wait(self, seconds: float) -> None:
        """Sleep for *seconds*, or until the deadline or the caller's leave.

        Raises:
            ProviderError: as `check`.
        """
        left = self.remaining()
        self._ended.wait(seconds if left is None else min(seconds, left))
        self.check()

    def on_cancel(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Have *callback* run when the caller leaves, at once if it has; return a function that takes it back."""
        with self._lock:
            if not self._ended.is_set():
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    def _forget(self, callback: Callable[[], object]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def cancel(self) -> None:
        """Tell the callee that the caller has left; further times do nothing."""
        with self._lock:
            self._ended.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class ConfigService(Protocol):
    """The configuration interface; failures are `ProviderError`, and methods may run in many threads at once."""

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Take the configuration; an absent one arrives as an empty map."""
        ...

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Return the JSON value at *path*; the server wraps what is no map."""
        ...

    def info(self) -> Info:
        """Return alias, version and type; works at any time."""
        ...

    def health(self) -> Health:
        """Return how it is; works at any time."""
        ...

    def shutdown(self) -> None:
        """Release everything; further times do nothing."""
        ...


@dataclass(frozen=True)
class FunctionSpec:
    """One function of version 2.

    Attributes:
        run: takes arguments by name and the call; returns the value, or an iterator of values when streaming.
        streaming: whether it answers through CallStream.
        idempotent: whether a second call with equal arguments has no second effect.
        required: names of the arguments that it cannot do without.
        optional: names of the arguments that it can do without; others are refused.
    """

    run: Callable[[Mapping[str, Any], CallContext], Any]
    streaming: bool = False
    idempotent: bool = True
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = field(default=())


@runtime_checkable
class SupportsFunctions(Protocol):
    """A provider with functions of its own."""

    def functions(self) -> Mapping[str, FunctionSpec]:
        """Return the functions by name."""
        ...


@runtime_checkable
class SupportsErrorName(Protocol):
    """A provider whose errors have a name that Describe does not give."""

    @property
    def error_name(self) -> str:
        """The name of the provider in its errors."""
        ...


@runtime_checkable
class SupportsInterfaces(Protocol):
    """A provider with interfaces of methods beside its own functions."""

    def interfaces(self) -> Mapping[str, Mapping[str, FunctionSpec]]:
        """Return the functions by name, for each interface by its name."""
        ...


@runtime_checkable
class SupportsDescribe(Protocol):
    """A provider that describes itself."""

    def describe(self) -> ProviderInfo:
        """Return what it is; the same for its whole life."""
        ...


@runtime_checkable
class SupportsAnswerLimit(Protocol):
    """A provider whose answers have a limit of their own."""

    @property
    def answer_bytes(self) -> int:
        """The longest answer of Fetch in bytes."""
        ...
