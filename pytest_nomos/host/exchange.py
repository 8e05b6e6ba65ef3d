"""Exchanges: one call over the pool, and what becomes of its answer."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc

from nomos_contracts.provider import Answer
from nomos_proto import messages
from nomos_proto.structs import StructError
from nomos_proto.wire import WireError, read_fields
from pytest_nomos.host.channels import ChannelPool, Link, PoolClosedError
from pytest_nomos.host.metadata import CallMetadata

DETAILS_KEY: Final = "grpc-status-details-bin"
DETAIL_TYPE: Final = b"/nomos.provider.v2.ErrorDetail"
SHOWN_BYTES: Final = 64 * 1024
"""A raw request up to this size appears whole in records."""

Decoder = Callable[[bytes], tuple[Any, Mapping[str, Any] | None]]
"""From the bytes of an answer to (value, map as sent)."""


CHANNEL_CLOSED: Final = frozenset({"Channel closed!", "Stream removed (Channel closed!)"})
"""What grpcio says of a call whose channel was closed under it; a call that was cancelled says something else."""


@dataclass(frozen=True)
class Reply:
    """What came back from one call: status and bytes, nothing interpreted."""

    code: str
    message: str
    response: bytes | None
    elapsed: float
    details: bytes | None = None


def _decode_fetch(data: bytes) -> tuple[Any, Mapping[str, Any] | None]:
    struct = messages.decode_fetch_response(data)
    if struct is None:
        return None, None
    return (struct["value"] if struct.keys() == {"value"} else struct), struct


def _decode_info(data: bytes) -> tuple[Any, None]:
    info = messages.decode_info_response(data)
    return {"alias": info.alias, "version": info.version, "type": info.type}, None


def _decode_health(data: bytes) -> tuple[Any, None]:
    health = messages.decode_health_response(data)
    return {"status": health.name, "message": health.message}, None


def _decode_empty(data: bytes) -> tuple[Any, None]:
    messages.decode_empty(data)
    return None, None


def decode_nothing(data: bytes) -> tuple[Any, None]:  # noqa: ARG001 # a decoder
    """Decode an answer of a method that nobody knows: its bytes stand for themselves."""
    return None, None


DECODERS: Final[Mapping[str, Decoder]] = {
    "Init": _decode_empty,
    "Fetch": _decode_fetch,
    "Info": _decode_info,
    "Health": _decode_health,
    "Shutdown": _decode_empty,
}


def raw_request(data: bytes) -> dict[str, Any]:
    """Return *data* for a record."""
    shown = {"base64": base64.b64encode(data[:SHOWN_BYTES]).decode()}
    return shown if len(data) <= SHOWN_BYTES else {**shown, "bytes": len(data)}


def to_answer(method: str, request: Any, reply: Reply, decode: Decoder, seconds: float) -> Answer:
    """Return *reply* as a check sees it; bytes that cannot be decoded are told in ``decode_error``."""
    value: Any = None
    struct: Mapping[str, Any] | None = None
    decode_error = ""
    if reply.response is not None:
        try:
            value, struct = decode(reply.response)
        except (WireError, StructError, ValueError) as error:
            decode_error = str(error) or type(error).__name__
    return Answer(
        method=method,
        request=request,
        code=reply.code,
        message=reply.message,
        value=value,
        struct=struct,
        response=reply.response,
        elapsed=reply.elapsed,
        details={} if reply.details is None else _error_details(reply.details),
        decode_error=decode_error,
        seconds=seconds,
        trailer=reply.details,
    )


def _parts(data: bytes, number: int) -> list[bytes]:
    """Return what the field *number* of a message holds, in order."""
    return [bytes(value) for at, _, value in read_fields(data) if at == number and not isinstance(value, int)]


def _error_details(packed: bytes) -> dict[str, Any]:
    """Return the ErrorDetail inside a serialized google.rpc.Status; empty where there is none."""
    from google.protobuf.message import DecodeError

    from nomos_proto.v2.provider_pb2 import ErrorDetail
    from nomos_proto.values import UnencodableError, from_value

    try:
        # google.rpc.Status has its details in field 3; an Any has type_url = 1 and value = 2.
        found = [item for item in _parts(packed, 3) if b"".join(_parts(item, 1)).endswith(DETAIL_TYPE)]
        if not found:
            return {}
        detail = ErrorDetail.FromString(b"".join(_parts(found[0], 2)))
        decoded: dict[str, Any] = {
            "code": detail.code,
            "category": detail.category,
            "retryable": detail.retryable,
            "provider": detail.provider,
            "details": {key: from_value(value) for key, value in detail.details.items()},
        }
    except (DecodeError, UnencodableError, ValueError) as error:
        return {"decode_error": str(error)}
    if detail.HasField("retry_after"):
        decoded["retry_after"] = detail.retry_after.ToNanoseconds() / 1e9
    return decoded


def _failed(error: grpc.RpcError, elapsed: float) -> Reply:
    """Return the reply that a failed call stands for; every RpcError of grpcio is a Call as well."""
    details = None
    trailing: Any = error.trailing_metadata()  # pairs, which the stubs do not know
    for name, value in trailing or ():
        if name == DETAILS_KEY:
            details = value
    code, text = error.code().name, str(error.details() or "")
    if code == "CANCELLED" and text in CHANNEL_CLOSED:
        # The host closes the connections of a provider that has ended; nobody cancelled this call.
        code = "UNAVAILABLE"
    return Reply(code, text, None, elapsed, details)


class Pending:
    """A call in flight; a `nomos_contracts.provider.PendingAnswer`."""

    def __init__(self, finish: Callable[[Reply], Answer]) -> None:
        self._finish = finish
        self._future: Any = None
        self._answer: Answer | None = None
        self._done = threading.Event()

    def watch(self, future: Any, began: float, release: Callable[[], None]) -> None:
        """Follow the call that *future* stands for; *release* is called at its end."""
        self._future = future

        def completed(done: Any) -> None:
            elapsed = time.perf_counter() - began
            release()
            if done.code() is grpc.StatusCode.OK:
                self.settle(Reply("OK", "", done.result(), elapsed))
            else:
                self.settle(_failed(done, elapsed))

        future.add_done_callback(completed)

    def settle(self, reply: Reply) -> None:
        """Set the answer."""
        self._answer = self._finish(reply)
        self._done.set()

    def cancel(self) -> None:
        """Cancel the call; nothing where it is over."""
        if self._future is not None:
            self._future.cancel()

    def done(self) -> bool:
        """Whether the answer is there."""
        return self._done.is_set()

    def answer(self, timeout: float | None = None) -> Answer:
        """Wait for the answer.

        Raises:
            TimeoutError: none within *timeout* seconds.
        """
        if not self._done.wait(timeout) or self._answer is None:
            raise TimeoutError(f"no answer within {timeout} s")
        return self._answer


class Caller:
    """Calls methods on whatever the pool is connected to. Thread-safe; never raises for what a provider does."""

    def __init__(self, pool: ChannelPool, metadata: CallMetadata) -> None:
        self.pool = pool
        self.metadata = metadata

    def unary(self, method: str, request: bytes, seconds: float, further: Sequence[tuple[str, str]] = ()) -> Reply:
        """Call *method* (a full name) and wait for its end, at most *seconds*."""
        began = time.perf_counter()
        try:
            link = self.pool.acquire()
        except PoolClosedError as error:
            return Reply("UNAVAILABLE", str(error), None, 0.0)
        try:
            response = link.unary(method)(request, timeout=seconds, metadata=self.metadata.pairs(further))
            return Reply("OK", "", response, time.perf_counter() - began)
        except grpc.RpcError as error:
            return _failed(error, time.perf_counter() - began)
        except ValueError as error:  # the channel was closed by a stop in another thread
            return Reply("UNAVAILABLE", str(error), None, time.perf_counter() - began)
        finally:
            self.pool.release(link)

    def stream(self, method: str, request: bytes, seconds: float) -> Iterator[Reply]:
        """Call *method*, which answers in parts; yield each part, and an error as the last one."""
        began = time.perf_counter()
        try:
            link = self.pool.acquire()
        except PoolClosedError as error:
            yield Reply("UNAVAILABLE", str(error), None, 0.0)
            return
        call: Any = None
        try:
            channel: Any = link.channel
            call = channel.unary_stream(method)(request, timeout=seconds, metadata=self.metadata.pairs())
            for part in call:
                yield Reply("OK", "", part, time.perf_counter() - began)
        except grpc.RpcError as error:
            yield _failed(error, time.perf_counter() - began)
        finally:
            if call is not None:
                call.cancel()
            self.pool.release(link)

    def begin(
        self,
        method: str,
        request: bytes,
        seconds: float,
        finish: Callable[[Reply], Answer],
        *,
        patient: bool = False,
    ) -> Pending:
        """Start calling *method* and return at once; *finish* makes the answer.

        Args:
            method: full name.
            request: as it is sent.
            seconds: after which the caller leaves.
            finish: makes the answer of the reply.
            patient: whether a connection that cannot be made is tried again for as long.
        """
        pending = Pending(finish)
        began = time.perf_counter()
        try:
            link = self.pool.acquire()
        except PoolClosedError as error:
            pending.settle(Reply("UNAVAILABLE", str(error), None, 0.0))
            return pending
        try:
            future = link.unary(method).future(
                request, timeout=seconds, metadata=self.metadata.pairs(), wait_for_ready=patient or None
            )
        except ValueError as error:
            self.pool.release(link)
            pending.settle(Reply("UNAVAILABLE", str(error), None, time.perf_counter() - began))
            return pending
        pending.watch(future, began, lambda: self._release(link))
        return pending

    def _release(self, link: Link) -> None:
        self.pool.release(link)
