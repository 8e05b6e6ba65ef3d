"""What a check sees of a provider with a function interface: the same in this process and over the wire.

Calls never raise for what a provider does; they answer with what a caller over gRPC would see.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from typing import Any, Final, Literal

from nomos_contracts.codec import ShapeError, from_wire
from nomos_contracts.embodiment import END_SECONDS, EXCEPTION, Embodiment
from nomos_contracts.functions import FunctionInterface, Method
from nomos_contracts.provider import Answer, PendingAnswer, RunningProvider
from nomos_contracts.watcher import Watcher
from nomos_proto.errors import ProviderError, from_status
from nomos_proto.kinds import is_map, is_sequence

CALL_SECONDS: Final = 30.0
"""Deadline of a call that names none and has no limit from the settings."""
REMEMBERED: Final = 64
"""Exchanges that a face keeps for reports."""

_OURS: Final = ("DEADLINE_EXCEEDED", "CANCELLED")
_DETAILS: Final = ("code", "category", "retryable", "provider", "details", "retry_after")


def failure_details(error: ProviderError) -> dict[str, Any]:
    """Return what an `Answer` tells of *error*, the same keys over both transports."""
    return {name: getattr(error, name) for name in _DETAILS} | {"details": dict(error.details)}


def _told(answer: Answer) -> Answer:
    """Return a failed *answer* in the one form that both faces have."""
    details = answer.details
    inner = details.get("details")
    if details.get("code") == "PROVIDER_INTERNAL" and is_map(inner) and EXCEPTION in inner:
        # An exception that is no ProviderError: how gRPC calls what nobody has mapped.
        return replace(answer, code="UNKNOWN", details={EXCEPTION: inner[EXCEPTION]})
    if not details and answer.code in _OURS:
        # Whose clock ran out first is chance: the caller's leaves no details, the provider's does.
        return replace(answer, details=failure_details(from_status(answer.code, answer.message)))
    if details and "decode_error" not in details:
        return replace(answer, details={name: details.get(name) for name in _DETAILS})
    return answer


def _decoded(answer: Answer, method: Method | None) -> Answer:
    """Return a good *answer* with its value as the interface has it, or with the reason why it does not fit."""
    if answer.code != "OK" or answer.decode_error or method is None or not method.has_wire_form:
        return answer
    try:
        if method.streaming:
            parts: Sequence[Any] = answer.value if is_sequence(answer.value) else ()
            value: Any = tuple(from_wire(method.returns, part, f"[{at}]") for at, part in enumerate(parts))
        else:
            value = from_wire(method.returns, answer.value)
    except ShapeError as error:
        return replace(answer, decode_error=f"{method.name} answered what does not fit its type: {error.message}")
    return replace(answer, value=value)


class _Face:
    """What both faces share: the interface, and the latest exchanges.

    Attributes:
        watcher: is told of every call, None for nobody.
    """

    watcher: Watcher | None = None

    def __init__(self, interface: FunctionInterface, seconds: float) -> None:
        self._interface = interface
        self._seconds = seconds
        self._answers: deque[Answer] = deque(maxlen=REMEMBERED)

    @property
    def interface(self) -> str:
        """Name of the interface."""
        return self._interface.name

    @property
    def answers(self) -> Sequence[Answer]:
        """The latest exchanges, oldest first."""
        return tuple(self._answers)

    def _deadline(self, timeout: float | None) -> float:
        return self._seconds if timeout is None else min(timeout, self._seconds)

    def _plain(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the plain form of arguments, about to be sent; a method that the interface does not have takes any.

        Raises:
            ShapeError: an argument cannot be sent: a mistake of the caller.
        """
        method = self._interface.methods.get(name) or Method(name, {}, Any)
        sent = method.plain(arguments)
        if self.watcher is not None:
            self.watcher.begins(name, sent)
        return sent

    def _remember(self, answer: Answer) -> Answer:
        self._answers.append(answer)
        if self.watcher is not None:
            self.watcher.ended(answer)
        return answer


class InProcessFace(_Face):
    """A provider object in this process.

    A method that hangs costs its caller the deadline and nothing more; `stuck` then says that this face should not be
    used further. An object that ends the process (``os._exit``, a segmentation fault) ends it for everyone: for such
    a provider there is the other transport.

    Attributes:
        subject: the provider object.
        name: what to call it.
    """

    transport: Literal["inproc", "wire"] = "inproc"

    def __init__(
        self, subject: object, interface: FunctionInterface, *, name: str = "", seconds: float = CALL_SECONDS
    ) -> None:
        """Show *subject*.

        Args:
            subject: the provider object.
            interface: what it implements.
            name: what to call it; the name of its class where none is given.
            seconds: deadline of each call.

        Raises:
            ProviderError: INVALID_SPEC; it declares a capability that the interface does not have.
        """
        super().__init__(interface, seconds)
        self.subject = subject
        self.name = name or type(subject).__name__
        self._embodiment = Embodiment(subject, interface)

    @property
    def capabilities(self) -> frozenset[str]:
        """What the provider declares."""
        return self._embodiment.capabilities

    @property
    def stuck(self) -> bool:
        """Whether a call that was given up still runs."""
        return self._embodiment.stuck

    def offers(self, method: str) -> bool:
        """Whether the object has *method*, declared or not."""
        return self._embodiment.offers(method)

    def invoke(self, method: str, /, *, timeout: float | None = None, **arguments: Any) -> Answer:
        """Call *method* and wait for its answer, at most *timeout* seconds; the limit of the settings wins.

        Raises:
            ShapeError: an argument cannot be sent: a mistake of the caller.
        """
        return self._begin(method, arguments, timeout).answer()

    def start(self, method: str, /, *, timeout: float | None = None, **arguments: Any) -> PendingAnswer:
        """Begin to call *method* and return at once.

        Raises:
            ShapeError: an argument cannot be sent: a mistake of the caller.
        """
        return self._begin(method, arguments, timeout)

    def _begin(self, name: str, arguments: Mapping[str, Any], timeout: float | None) -> _PendingCall:
        known = self._interface.methods.get(name)
        live = known is not None and not known.has_wire_form
        sent = dict(arguments) if live else self._plain(name, arguments)
        blank = Answer(
            method=name,
            request={"args": {key: repr(value)[:80] for key, value in sent.items()} if live else sent},
            code="OK",
            seconds=self._deadline(timeout),
        )
        future: Future[Any] = Future()
        method: Method | None = None
        try:
            method = self._embodiment.find(name)
            future = self._embodiment.begin(method, sent if live else method.bind(sent))
        except ProviderError as error:
            future.set_exception(error)
        return _PendingCall(blank, future, lambda answer: self._finish(answer, method))

    def _finish(self, answer: Answer, method: Method | None) -> Answer:
        if method is not None and method.has_wire_form and answer.code == "OK":
            try:
                if method.streaming:
                    value: Any = [self._embodiment.plain(method, part) for part in answer.value]
                else:
                    value = self._embodiment.plain(method, answer.value)
            except ProviderError as error:
                answer = _failed(answer, error)
            else:
                answer = _decoded(replace(answer, value=value), method)
        return self._remember(_told(answer))

    def close(self, timeout: float = END_SECONDS) -> None:
        """End the provider and everything that runs for it, waiting at most *timeout* seconds for each. Idempotent."""
        self._embodiment.close(timeout)


def _failed(answer: Answer, error: ProviderError) -> Answer:
    return replace(answer, code=error.status, message=error.message, value=None, details=failure_details(error))


class _PendingCall:
    """A call in flight; a `nomos_contracts.provider.PendingAnswer`."""

    def __init__(self, blank: Answer, future: Future[Any], finish: Callable[[Answer], Answer]) -> None:
        self._began = time.monotonic()
        self._blank = blank
        self._future = future
        self._finish = finish
        self._answer: Answer | None = None

    def cancel(self) -> None:
        """Cancel the call; its answer then carries CANCELLED."""
        self._future.cancel()

    def done(self) -> bool:
        """Whether the answer is there."""
        return self._answer is not None or self._future.done()

    def answer(self, timeout: float | None = None) -> Answer:
        """Wait for the answer.

        Raises:
            TimeoutError: none within *timeout* seconds.
        """
        if self._answer is not None:
            return self._answer
        left = max(0.0, self._began + self._blank.seconds - time.monotonic())
        if timeout is not None and timeout < left:
            try:
                self._future.exception(timeout)
            except FutureTimeoutError:
                raise TimeoutError(f"no answer within {timeout} s") from None
            except CancelledError:
                pass
        self._answer = self._finish(self._outcome(left))
        return self._answer

    def _outcome(self, left: float) -> Answer:
        try:
            value = self._future.result(left)
        except ProviderError as error:
            found = _failed(self._blank, error)
        except CancelledError:
            found = replace(self._blank, code="CANCELLED", message="the caller has left")
        except FutureTimeoutError:
            self._future.cancel()
            reason = f"no answer within {self._blank.seconds:g} s"
            found = replace(self._blank, code="DEADLINE_EXCEEDED", message=reason)
        else:
            found = replace(self._blank, value=value)
        return replace(found, elapsed=time.monotonic() - self._began)


class WireFace(_Face):
    """A provider behind v2 `Call`.

    Attributes:
        running: the running provider, initialised by whoever started it.
        name: what it calls itself in Describe.
        capabilities: what it declares in Describe.
        functions: the functions that Describe lists.
    """

    transport: Literal["inproc", "wire"] = "wire"

    def __init__(
        self,
        running: RunningProvider,
        interface: FunctionInterface,
        *,
        seconds: float = CALL_SECONDS,
        on_close: Callable[[], object] = lambda: None,
    ) -> None:
        """Show *running*; asks Describe once.

        Args:
            running: the running provider.
            interface: what it implements.
            seconds: deadline of each call.
            on_close: called by `close`.
        """
        super().__init__(interface, seconds)
        self.running = running
        self._on_close = on_close
        described = running.describe()
        listed: Mapping[str, Any] = described.value if described.ok and is_map(described.value) else {}
        self.described = described
        self.name = str(listed.get("name", ""))
        found = interface_in(listed, interface.name)
        self.functions = frozenset(str(one["name"]) for one in found.get("functions", ()))
        self.capabilities = frozenset(str(one) for one in found.get("capabilities", ()))

    @property
    def stuck(self) -> bool:
        """Whether the provider is of no further use: its process ended. A hanging call there has a deadline."""
        return False

    def offers(self, method: str) -> bool:
        """Whether Describe lists *method*."""
        return method in self.functions

    def invoke(self, method: str, /, *, timeout: float | None = None, **arguments: Any) -> Answer:
        """Call *method* and wait for its answer, at most *timeout* seconds; the limit of the settings wins.

        Raises:
            ShapeError: an argument cannot be sent: a mistake of the caller.
        """
        sent = self._plain(method, arguments)
        seconds = self._deadline(timeout)
        known = self._interface.methods.get(method)
        if known is not None and known.streaming:
            parts = list(self.running.stream(method, sent, interface=self.interface, timeout=seconds))
            return self._finish(_joined(parts), method, sent)
        return self._finish(self.running.call(method, sent, interface=self.interface, timeout=seconds), method, sent)

    def start(self, method: str, /, *, timeout: float | None = None, **arguments: Any) -> PendingAnswer:
        """Begin to call *method* and return at once.

        Raises:
            ShapeError: an argument cannot be sent: a mistake of the caller.
        """
        sent = self._plain(method, arguments)
        seconds = self._deadline(timeout)
        pending = self.running.start_call(method, sent, interface=self.interface, timeout=seconds)
        return _PendingWire(pending, lambda answer: self._finish(answer, method, sent))

    def _finish(self, answer: Answer, method: str, sent: Mapping[str, Any]) -> Answer:
        told = _told(_decoded(answer, self._interface.methods.get(method)))
        return self._remember(replace(told, method=method, request={"args": dict(sent)}))

    def close(self) -> None:
        """Let go of the provider."""
        self._on_close()


def _joined(parts: Iterable[Answer]) -> Answer:
    """Return the parts of a stream as one answer: its value is the list of theirs, its failure that of the last."""
    answers = list(parts)
    if not answers:
        return Answer("CallStream", {}, "OK", value=[])
    last = answers[-1]
    if last.code != "OK":
        return last
    broken = next((one.decode_error for one in answers if one.decode_error), "")
    return replace(last, value=[one.value for one in answers], decode_error=broken)


class _PendingWire:
    """A call in flight; a `nomos_contracts.provider.PendingAnswer`."""

    def __init__(self, pending: PendingAnswer, finish: Callable[[Answer], Answer]) -> None:
        self._pending = pending
        self._finish = finish
        self._answer: Answer | None = None

    def cancel(self) -> None:
        """Cancel the call; its answer then carries CANCELLED."""
        self._pending.cancel()

    def done(self) -> bool:
        """Whether the answer is there."""
        return self._pending.done()

    def answer(self, timeout: float | None = None) -> Answer:
        """Wait for the answer.

        Raises:
            TimeoutError: none within *timeout* seconds.
        """
        if self._answer is None:
            self._answer = self._finish(self._pending.answer(timeout))
        return self._answer


def interface_in(described: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what Describe says of the interface *name*, an empty map where it says nothing."""
    for one in described.get("interfaces", ()):
        if is_map(one) and one.get("name") == name:
            return one
    return {}
