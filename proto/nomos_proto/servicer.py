"""The RPC methods of both protocol versions around a Python provider object.

Requests and answers are bytes here, so that malformed and deeply nested messages are ours to handle; the same objects
serve a port (`handlers`) and, in memory, grpcio-testing.
"""

from __future__ import annotations

import logging
import math
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar, cast

import grpc

from nomos_proto import messages, wire
from nomos_proto.errors import ProviderError, fit_message, to_status
from nomos_proto.provider import CallContext, ConfigService, HealthStatus, SupportsAnswerLimit
from nomos_proto.structs import StructError

ANSWER_BYTES: Final = 4 * 1024 * 1024
"""What gRPC clients accept unless told otherwise; the `nomos` command line is one of them."""
CALL_SECONDS: Final = 30.0
"""Deadline of a call that came without one."""
MAX_CALLS: Final = 480
"""Calls that may run at once; the threads beyond them are kept for Health, Info and Shutdown."""

V2_SERVICE: Final = "nomos.provider.v2.ProviderService"
V2_UNARY: Final = ("Describe", "Call")

_NEVER = 365 * 24 * 3600.0

logger = logging.getLogger("nomos.provider")

T = TypeVar("T")


def call_context(context: grpc.ServicerContext, seconds: float = CALL_SECONDS) -> CallContext:
    """Return what a provider sees of a call; without a deadline it gets one of *seconds*."""
    remaining = cast("float | None", context.time_remaining())
    if remaining is None or not math.isfinite(remaining) or remaining > _NEVER:
        remaining = seconds
    metadata = {str(key): value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    call = CallContext(remaining, metadata)
    if context.add_callback(call.cancel) is False:
        call.cancel()
    return call


def failure_of(error: Exception, method: str) -> ProviderError:
    """Return the error that the caller gets for *error*; an unforeseen one is INTERNAL and shows no values."""
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, wire.WireError):
        return ProviderError(f"{method}: malformed request: {error}")
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    place = f"{Path(frame[0].filename).name}:{frame[0].lineno}" if frame else "unknown place"
    # The text of the exception stays out: it may hold a value of the configuration.
    logger.error("%s failed inside the provider: %s at %s", method, type(error).__name__, place)
    return ProviderError(f"{method} failed inside the provider ({type(error).__name__}); its log says where")


class Servicer:
    """What both versions share: limits, the number of running calls, and how failures are told."""

    def __init__(
        self,
        provider: ConfigService,
        *,
        on_shutdown: Callable[[], None] = lambda: None,
        call_seconds: float = CALL_SECONDS,
        answer_bytes: int = ANSWER_BYTES,
        max_calls: int = MAX_CALLS,
    ) -> None:
        """Serve *provider*.

        Args:
            provider: the provider object.
            on_shutdown: called once the answer to Shutdown is on its way.
            call_seconds: deadline of calls that came without one.
            answer_bytes: the longest answer of Fetch; a smaller limit of the provider's own wins.
            max_calls: how many calls may run at once, Health, Info and Shutdown apart.
        """
        self.provider = provider
        self.on_shutdown = on_shutdown
        self.call_seconds = call_seconds
        self.answer_bytes = answer_bytes
        self.slots = threading.BoundedSemaphore(max_calls)

    def answer(self, context: grpc.ServicerContext, method: str, work: Callable[[CallContext], T]) -> T:
        """Return what *work* returns; any failure ends the call with a status."""
        call = call_context(context, self.call_seconds)
        try:
            return work(call)
        except Exception as error:  # noqa: BLE001 # no exception may reach the framework: it would answer UNKNOWN
            failure = failure_of(error, method)
        logger.debug("%s answers %s", method, failure.status)
        return self.refuse(context, failure)

    def limited(self, context: grpc.ServicerContext, method: str, work: Callable[[CallContext], T]) -> T:
        """Do as `answer`, within the number of calls that may run at once."""

        def run(call: CallContext) -> T:
            with self.slot():
                return work(call)

        return self.answer(context, method, run)

    def slot(self) -> _Slot:
        """Take the right to run a call, for a ``with`` block."""
        return _Slot(self.slots)

    def refuse(self, context: grpc.ServicerContext, failure: ProviderError) -> NoReturn:
        """End the call: version 1 has a status code and a message."""
        context.abort(grpc.StatusCode[failure.status], fit_message(failure.message))
        raise AssertionError("abort returned")


class _Slot:
    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots = slots

    def __enter__(self) -> None:
        if not self._slots.acquire(blocking=False):
            raise ProviderError("too many calls at once; try again later", "CAPACITY_ERROR")

    def __exit__(self, *_: object) -> None:
        self._slots.release()


class V1Servicer(Servicer):
    """`nomos.provider.v1.ProviderService`."""

    def Init(self, request: bytes, context: grpc.ServicerContext) -> bytes:  # noqa: N802 # name of the RPC
        """Give the provider its configuration."""

        def work(call: CallContext) -> bytes:
            try:
                asked = messages.decode_init_request(request)
            except StructError as error:
                where = f"config.{error.where}" if error.path else "config"
                raise ProviderError(f"{where}: {error.reason}", "INVALID_SPEC") from error
            self.provider.init(asked.alias, asked.config or {}, asked.source_file_path, context=call)
            return b""

        return self.limited(context, "Init", work)

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:  # noqa: N802 # name of the RPC
        """Answer with the value at a path."""

        def work(call: CallContext) -> bytes:
            value = self.provider.fetch(messages.decode_fetch_request(request), context=call)
            limit = self.answer_bytes
            if isinstance(self.provider, SupportsAnswerLimit):
                limit = min(limit, self.provider.answer_bytes)
            try:
                return messages.encode_fetch_response(messages.wrap(value), max_bytes=limit)
            except StructError as error:
                if error.too_large:
                    reason = f"the answer is {error.reason}; ask for a part of it"
                    raise ProviderError(reason, "LIMIT_EXCEEDED") from error
                raise ProviderError(f"the source holds what JSON cannot: {error}", "INVALID_STATE") from error

        return self.limited(context, "Fetch", work)

    def Info(self, request: bytes, context: grpc.ServicerContext) -> bytes:  # noqa: N802 # name of the RPC
        """Answer with alias, version and type."""

        def work(_: CallContext) -> bytes:
            messages.decode_empty(request)
            info = self.provider.info()
            return messages.encode_info_response(messages.InfoResponse(info.alias, info.version, info.type))

        return self.answer(context, "Info", work)

    def Health(self, request: bytes, context: grpc.ServicerContext) -> bytes:  # noqa: N802 # name of the RPC
        """Answer with how the provider is."""

        def work(_: CallContext) -> bytes:
            messages.decode_empty(request)
            health = self.provider.health()
            number = list(HealthStatus).index(health.status)
            return messages.encode_health_response(messages.HealthResponse(number, fit_message(health.message)))

        return self.answer(context, "Health", work)

    def Shutdown(self, request: bytes, context: grpc.ServicerContext) -> bytes:  # noqa: N802 # name of the RPC
        """Clean up, answer, and have the process end even when cleaning up failed."""

        def work(_: CallContext) -> bytes:
            messages.decode_empty(request)
            if context.add_callback(self.on_shutdown) is False:
                self.on_shutdown()
            self.provider.shutdown()
            return b""

        return self.answer(context, "Shutdown", work)


class V2Servicer(Servicer):
    """`nomos.provider.v2.ProviderService`; what it needs of protobuf is imported with the first call."""

    def __init__(self, provider: ConfigService, **options: Any) -> None:
        """Serve *provider*; options as `Servicer`."""
        super().__init__(provider, **options)
        from nomos_proto.once import Once

        self._once = Once()

    def Describe(self, request: bytes, context: grpc.ServicerContext) -> bytes:  # noqa: N802 # name of the RPC
        """Answer with what the provider is."""

        def work(_: CallContext) -> bytes:
            from nomos_proto.calls import describe
            from nomos_proto.description import to_message

            messages.decode_empty(request)
            return to_message(describe(self.provider)).SerializeToString()

        return self.answer(context, "Describe", work)

    def Call(self, request: bytes, context: grpc.ServicerContext) -> bytes:  # noqa: N802 # name of the RPC
        """Run a function."""

        def work(call: CallContext) -> bytes:
            from nomos_proto.calls import call_once, read_request

            return call_once(self.provider, read_request(request), call, self._once)

        return self.limited(context, "Call", work)

    def CallStream(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:  # noqa: N802 # name of the RPC
        """Run a function that answers in parts."""
        call = call_context(context, self.call_seconds)
        failure: ProviderError | None = None
        try:
            from nomos_proto.calls import read_request, stream

            with self.slot():
                for part in stream(self.provider, read_request(request), call):
                    call.check()
                    yield part
        except Exception as error:  # noqa: BLE001 # no exception may reach the framework: it would answer UNKNOWN
            failure = failure_of(error, "CallStream")
        if failure is not None:
            self.refuse(context, failure)

    def refuse(self, context: grpc.ServicerContext, failure: ProviderError) -> NoReturn:
        """End the call with a google.rpc.Status that holds our ErrorDetail."""
        code, message, details = to_status(failure)
        context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(grpc.StatusCode[code], message)
        raise AssertionError("abort returned")


def handlers(v1: V1Servicer | None, v2: V2Servicer | None) -> tuple[grpc.GenericRpcHandler, ...]:
    """Return the handlers for `grpc.Server.add_generic_rpc_handlers`; a version that is None is not served."""
    found: list[grpc.GenericRpcHandler] = []
    if v1 is not None:
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(getattr(v1, name)) for name in messages.METHODS
        }
        found.append(grpc.method_handlers_generic_handler(messages.SERVICE, methods))
    if v2 is not None:
        methods = {name: grpc.unary_unary_rpc_method_handler(getattr(v2, name)) for name in V2_UNARY}
        methods["CallStream"] = grpc.unary_stream_rpc_method_handler(v2.CallStream)
        found.append(grpc.method_handlers_generic_handler(V2_SERVICE, methods))
    return tuple(found)
