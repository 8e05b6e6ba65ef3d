"""Conversation: the calls that a check makes, the same for a provider that we started and for one that ran before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from nomos_contracts.provider import Answer
from nomos_proto import messages
from nomos_proto.schema import check_config
from pytest_nomos.host.exchange import (
    DECODERS,
    Caller,
    Decoder,
    Pending,
    Reply,
    decode_nothing,
    raw_request,
    to_answer,
)
from pytest_nomos.host.launch import Setup
from pytest_nomos.host.limits import Limits

V1: Final = f"/{messages.SERVICE}/"
V2: Final = "/nomos.provider.v2.ProviderService/"
REMEMBERED: Final = 64
"""Exchanges that are kept for reports."""
REMEMBERED_BYTES: Final = 256 * 1024
"""Larger answers are kept without their value: 64 of them would fill the memory."""


REFUSED: Final = frozenset({"INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED"})
"""Codes after which it is known that an Init has changed nothing; others may come of a connection that broke."""


class Conversation:
    """Calls one provider and remembers the latest exchanges. Thread-safe.

    Attributes:
        maybe_initialised: whether an Init has succeeded, or it is not known of one that it has not.
    """

    def __init__(self, alias: str, setup: Setup, limits: Limits) -> None:
        self._alias = setup.alias or alias
        self._setup = setup
        self._limits = limits
        self._answers: deque[Answer] = deque(maxlen=REMEMBERED)
        self._good_init: bytes | None = None
        self.maybe_initialised = False

    def _caller(self) -> Caller | Reply:
        """Return what calls the provider, or the reply that stands for its absence."""
        raise NotImplementedError

    @property
    def alias(self) -> str:
        """The alias that Init uses unless told otherwise."""
        return self._alias

    @property
    def good_config(self) -> Mapping[str, Any]:
        """The Init configuration from the settings."""
        return self._setup.config

    @property
    def answers(self) -> Sequence[Answer]:
        """The latest exchanges, oldest first."""
        return tuple(self._answers)

    def _seconds(self, timeout: float | None, limit: float | None = None) -> float:
        own = self._limits.call if limit is None else limit
        return own if timeout is None else min(timeout, self._limits.call)

    def _exchange(
        self,
        name: str,
        method: str,
        shown: Any,
        request: bytes,
        seconds: float,
        *,
        decode: Decoder = decode_nothing,
        further: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        caller = self._caller()
        reply = caller if isinstance(caller, Reply) else caller.unary(method, request, seconds, further)
        answer = to_answer(name, shown, reply, decode, seconds)
        self._remember(answer)
        return answer

    def _remember(self, answer: Answer) -> None:
        if answer.method == "Init" and answer.code not in REFUSED:
            self.maybe_initialised = True
        size = len(answer.response or b"")
        if size > REMEMBERED_BYTES:
            value = f"({size} bytes)"
            answer = replace(answer, response=None, struct=None, value=value)
        self._answers.append(answer)

    def _v1(self, name: str, shown: Any, request: bytes, seconds: float) -> Answer:
        return self._exchange(name, V1 + name, shown, request, seconds, decode=DECODERS[name])

    def init(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        alias: str | None = None,
        source_file_path: str | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Call Init; without arguments with the good config, alias and source file of the settings.

        Raises:
            StructError: *config* holds what cannot be sent.
        """
        sent = self._setup.config if config is None else config
        name = self._alias if alias is None else alias
        source = self._setup.source_file_path if source_file_path is None else source_file_path
        shown = {"alias": name, "config": dict(sent), "source_file_path": source}
        request = messages.encode_init_request(name, sent, source)
        answer = self._v1("Init", shown, request, self._seconds(timeout))
        if answer.ok:
            self._good_init = request
        return answer

    def initialise(self, *, timeout: float | None = None) -> Answer:
        """Validate the good config against the schema of the settings or of the provider, then call Init with it.

        Raises:
            ConfigError: the config does not fit the schema; the provider's Init was not called.
        """
        schema: Any = self._setup.schema
        if schema is None:
            described = self.describe(timeout=timeout)
            # Most providers speak version 1 only and answer UNIMPLEMENTED: nothing to validate against.
            schema = described.value.get("config_schema") if described.ok else None
        if schema:
            check_config(self._setup.config, schema)
        return self.init(timeout=timeout)

    def fetch(self, path: Sequence[str], *, timeout: float | None = None) -> Answer:
        """Call Fetch."""
        shown = {"path": list(path)}
        return self._v1("Fetch", shown, messages.encode_fetch_request(path), self._seconds(timeout))

    def info(self, *, timeout: float | None = None) -> Answer:
        """Call Info."""
        return self._v1("Info", {}, b"", self._seconds(timeout))

    def health(self, *, timeout: float | None = None) -> Answer:
        """Call Health."""
        return self._v1("Health", {}, b"", self._seconds(timeout))

    def shutdown(self, *, timeout: float | None = None) -> Answer:
        """Call the Shutdown RPC; the process is not waited for."""
        return self._v1("Shutdown", {}, b"", self._seconds(timeout, self._limits.shutdown_rpc))

    def start_fetch(self, path: Sequence[str], *, timeout: float | None = None, patient: bool = False) -> Pending:
        """Begin a Fetch and return at once; see `nomos_contracts.provider.RunningProvider`."""
        seconds = self._seconds(timeout)
        shown = {"path": list(path)}

        def finish(reply: Reply) -> Answer:
            answer = to_answer("Fetch", shown, reply, DECODERS["Fetch"], seconds)
            self._remember(answer)
            return answer

        return self._begin(V1 + "Fetch", messages.encode_fetch_request(path), seconds, finish, patient=patient)

    def _begin(
        self,
        method: str,
        request: bytes,
        seconds: float,
        finish: Callable[[Reply], Answer],
        *,
        patient: bool = False,
    ) -> Pending:
        caller = self._caller()
        if isinstance(caller, Reply):
            pending = Pending(finish)
            pending.settle(caller)
            return pending
        return caller.begin(method, request, seconds, finish, patient=patient)

    def raw(
        self,
        method: str,
        request: bytes,
        *,
        timeout: float | None = None,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Send *request* as it is to *method* (``/package.Service/Method``, or the bare name of a v1 method)."""
        full = method if method.startswith("/") else V1 + method
        name = full.removeprefix(V1)
        decode = DECODERS.get(name, decode_nothing)
        return self._exchange(
            name, full, raw_request(request), request, self._seconds(timeout), decode=decode, further=metadata
        )

    def call(
        self,
        function: str,
        args: Mapping[str, Any],
        *,
        interface: str = "",
        idempotency_key: str = "",
        timeout: float | None = None,
    ) -> Answer:
        """Call a function over v2 `Call`.

        Raises:
            ProviderError: an argument has no place in a Value (INVALID_ARGUMENT).
        """
        request, shown = _call_request(function, args, interface, idempotency_key)
        return self._exchange("Call", V2 + "Call", shown, request, self._seconds(timeout), decode=_decode_call)

    def start_call(
        self,
        function: str,
        args: Mapping[str, Any],
        *,
        interface: str = "",
        idempotency_key: str = "",
        timeout: float | None = None,
    ) -> Pending:
        """Begin a v2 `Call` and return at once.

        Raises:
            ProviderError: an argument has no place in a Value (INVALID_ARGUMENT).
        """
        request, shown = _call_request(function, args, interface, idempotency_key)
        seconds = self._seconds(timeout)

        def finish(reply: Reply) -> Answer:
            answer = to_answer("Call", shown, reply, _decode_call, seconds)
            self._remember(answer)
            return answer

        return self._begin(V2 + "Call", request, seconds, finish)

    def stream(
        self, function: str, args: Mapping[str, Any], *, interface: str = "", timeout: float | None = None
    ) -> Iterator[Answer]:
        """Call a function over v2 `CallStream`; yield one answer for each part, as soon as it is there.

        A call that fails yields its error as the last answer. The deadline holds for the whole stream, and leaving the
        iteration early cancels the call.

        Raises:
            ProviderError: an argument has no place in a Value (INVALID_ARGUMENT).
        """
        request, shown = _call_request(function, args, interface)
        seconds = self._seconds(timeout)
        caller = self._caller()
        replies = (caller,) if isinstance(caller, Reply) else caller.stream(V2 + "CallStream", request, seconds)
        for reply in replies:
            answer = to_answer("CallStream", shown, reply, _decode_call, seconds)
            self._remember(answer)
            yield answer

    def describe(self, *, timeout: float | None = None) -> Answer:
        """Call v2 `Describe`; UNIMPLEMENTED from a provider that speaks v1 only."""
        from nomos_proto.v2 import provider_pb2

        def decode(data: bytes) -> tuple[Any, None]:
            response = _parse(provider_pb2.DescribeResponse, data)
            interfaces = [
                {
                    "name": interface.name,
                    "version": interface.version,
                    "capabilities": list(interface.capabilities),
                    "functions": [
                        {"name": item.name, "streaming": item.streaming, "idempotent": item.idempotent}
                        for item in interface.functions
                    ],
                }
                for interface in response.interfaces
            ]
            return {
                "protocol_versions": list(response.protocol_versions),
                "name": response.name,
                "type": response.type,
                "version": response.version,
                "interfaces": interfaces,
                "config_schema": response.config_schema,
            }, None

        return self._exchange("Describe", V2 + "Describe", {}, b"", self._seconds(timeout), decode=decode)

    def reconnect(self, most: int | None = None) -> None:
        """Drop all connections; the next call opens new ones, at most *most* until this is called again."""
        caller = self._caller()
        if isinstance(caller, Caller):
            caller.pool.renew(most)


def _call_request(
    function: str, args: Mapping[str, Any], interface: str, key: str = ""
) -> tuple[bytes, dict[str, Any]]:
    """Return a CallRequest and how it appears in records."""
    from nomos_proto.v2 import provider_pb2
    from nomos_proto.values import to_value

    request = provider_pb2.CallRequest(interface=interface, function=function, idempotency_key=key)
    for name, value in args.items():
        request.args[name].CopyFrom(to_value(value))
    shown = {"interface": interface, "function": function, "args": dict(args)}
    return request.SerializeToString(), shown | ({"idempotency_key": key} if key else {})


def _decode_call(data: bytes) -> tuple[Any, None]:
    from nomos_proto.v2 import provider_pb2
    from nomos_proto.values import UnencodableError, from_value

    response = _parse(provider_pb2.CallResponse, data)
    try:
        return from_value(response.result) if response.HasField("result") else None, None
    except UnencodableError as error:
        raise ValueError(f"CallResponse.result: {error.message}") from error


def _parse(kind: Any, data: bytes) -> Any:
    """Return *data* as a message of the generated class *kind*.

    Raises:
        ValueError: it is none.
    """
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise ValueError(f"no {kind.__name__}: {error}") from error
