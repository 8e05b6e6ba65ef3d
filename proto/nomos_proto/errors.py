"""The one error of providers, and the one table that places it in every vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, cast

from nomos_proto import wire

MESSAGE_BYTES: Final = 4096
"""The longest status message that is sent: percent-encoding may triple it, and callers refuse metadata over 16 KiB."""


_DETAIL_URL: Final = "type.googleapis.com/nomos.provider.v2.ErrorDetail"


@dataclass(frozen=True)
class ErrorRow:
    """One code of the taxonomy.

    Attributes:
        code: the taxonomy code.
        status: name of the gRPC status code.
        category: what kind of failure it is.
        retryable: whether the same call may succeed later.
        agent: error type of agent providers.
        registry: error of the provider registry; empty where a registry never meets it.
    """

    code: str
    status: str
    category: str
    retryable: bool
    agent: str
    registry: str = ""


TABLE: Final = (
    ErrorRow("CAPACITY_ERROR", "RESOURCE_EXHAUSTED", "capacity", True, "provider_unavailable"),
    ErrorRow("AUTH_ERROR", "UNAUTHENTICATED", "auth", False, "authentication"),
    ErrorRow("RATE_LIMIT_ERROR", "RESOURCE_EXHAUSTED", "rate_limit", True, "rate_limit"),
    ErrorRow("SPOT_INTERRUPTED", "ABORTED", "capacity", True, "provider_unavailable"),
    ErrorRow("QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", "capacity", False, "quota_exceeded"),
    ErrorRow("INVALID_SPEC", "INVALID_ARGUMENT", "validation", False, "invalid_request", "ErrInvalidConfig"),
    ErrorRow("NOT_FOUND", "NOT_FOUND", "not_found", False, "model_not_found", "ErrProviderNotFound"),
    ErrorRow("REGION_UNAVAILABLE", "UNAVAILABLE", "capacity", True, "provider_unavailable"),
    ErrorRow("NETWORK_ERROR", "UNAVAILABLE", "network", True, "network", "ErrRegistryAccessFailed"),
    ErrorRow("TIMEOUT_ERROR", "DEADLINE_EXCEEDED", "timeout", True, "timeout"),
    ErrorRow("ALREADY_EXISTS", "ALREADY_EXISTS", "conflict", False, "invalid_request", "ErrProviderExists"),
    ErrorRow("INVALID_STATE", "FAILED_PRECONDITION", "conflict", False, "configuration", "ErrRegistrationFailed"),
    ErrorRow("PROVIDER_INTERNAL", "INTERNAL", "internal", False, "unknown", "ErrProviderCreationFailed"),
    ErrorRow("UNSUPPORTED_OPERATION", "UNIMPLEMENTED", "validation", False, "invalid_request", "ErrInvalidFactory"),
    # What the wire distinguishes and the public taxonomy does not.
    ErrorRow("PERMISSION_DENIED", "PERMISSION_DENIED", "auth", False, "authorization"),
    ErrorRow("LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "validation", False, "invalid_request"),
    ErrorRow("CANCELLED", "CANCELLED", "timeout", True, "timeout"),
)
"""Where two rows share a status, `_BY_STATUS` says which one a bare status means."""

_BY_CODE: Final = MappingProxyType({row.code: row for row in TABLE})

_BY_STATUS: Final = MappingProxyType(
    {
        "CANCELLED": "CANCELLED",
        "UNKNOWN": "PROVIDER_INTERNAL",
        "INVALID_ARGUMENT": "INVALID_SPEC",
        "DEADLINE_EXCEEDED": "TIMEOUT_ERROR",
        "NOT_FOUND": "NOT_FOUND",
        "ALREADY_EXISTS": "ALREADY_EXISTS",
        "PERMISSION_DENIED": "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED": "LIMIT_EXCEEDED",
        "FAILED_PRECONDITION": "INVALID_STATE",
        "ABORTED": "SPOT_INTERRUPTED",
        "OUT_OF_RANGE": "INVALID_SPEC",
        "UNIMPLEMENTED": "UNSUPPORTED_OPERATION",
        "INTERNAL": "PROVIDER_INTERNAL",
        "UNAVAILABLE": "NETWORK_ERROR",
        "DATA_LOSS": "PROVIDER_INTERNAL",
        "UNAUTHENTICATED": "AUTH_ERROR",
    }
)

STATUS_NUMBERS: Final = MappingProxyType(
    {
        "OK": 0,
        "CANCELLED": 1,
        "UNKNOWN": 2,
        "INVALID_ARGUMENT": 3,
        "DEADLINE_EXCEEDED": 4,
        "NOT_FOUND": 5,
        "ALREADY_EXISTS": 6,
        "PERMISSION_DENIED": 7,
        "RESOURCE_EXHAUSTED": 8,
        "FAILED_PRECONDITION": 9,
        "ABORTED": 10,
        "OUT_OF_RANGE": 11,
        "UNIMPLEMENTED": 12,
        "INTERNAL": 13,
        "UNAVAILABLE": 14,
        "DATA_LOSS": 15,
        "UNAUTHENTICATED": 16,
    }
)
"""gRPC status codes by name."""


def row_of(code: str) -> ErrorRow:
    """Return the row of a taxonomy code; an unknown one is kept and counts as internal."""
    return _BY_CODE.get(code) or ErrorRow(code, "INTERNAL", "internal", False, "unknown")


def row_of_status(status: str) -> ErrorRow:
    """Return the row that a bare gRPC status stands for; an unknown name counts as internal."""
    return _BY_CODE[_BY_STATUS.get(status, "PROVIDER_INTERNAL")]


class ProviderError(Exception):
    """Why a provider could not do what it was asked for.

    Attributes:
        message: for a person; names the key or the path segment, never a value of the configuration.
        code: code of the taxonomy (see `TABLE`), or another one, which counts as internal.
        category: what kind of failure it is; follows from the code unless given.
        retryable: whether the same call may succeed later; follows from the code unless given.
        provider: name of the provider, empty where unknown.
        details: further facts, of the types that a v2 Value can hold.
        retry_after: seconds to wait before another try, None where unknown.
    """

    def __init__(
        self,
        message: str,
        code: str = "PROVIDER_INTERNAL",
        category: str | None = None,
        retryable: bool | None = None,  # the order of the fields is that of the taxonomy
        provider: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        row = row_of(code)
        self.message = message
        self.code = code
        self.category = row.category if category is None else category
        self.retryable = row.retryable if retryable is None else retryable
        self.provider = provider
        self.details: Mapping[str, Any] = dict(details or {})
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.message, self.code, self.category, self.retryable)
        return (type(self), (*fields, self.provider, self.details, self.retry_after))

    @property
    def status(self) -> str:
        """Name of the gRPC status code."""
        return row_of(self.code).status

    @property
    def agent_type(self) -> str:
        """Error type of agent providers."""
        return row_of(self.code).agent

    @property
    def registry_error(self) -> str:
        """Error of the provider registry, empty where it has none."""
        return row_of(self.code).registry


def fit_message(message: str, limit: int = MESSAGE_BYTES) -> str:
    """Return *message* cut in the middle to at most *limit* bytes of UTF-8, in characters that UTF-8 has."""
    encoded = message.encode("utf-8", "backslashreplace")
    if len(encoded) <= limit:
        return encoded.decode()
    half = (limit - 5) // 2
    return f"{encoded[:half].decode(errors='ignore')} … {encoded[-half:].decode(errors='ignore')}"


def to_status(error: ProviderError) -> tuple[str, str, bytes]:
    """Return (name of the status code, message, serialized google.rpc.Status with our ErrorDetail).

    Version 1 sends the first two alone. Details that no Value can hold are left out.
    """
    from nomos_proto.v2 import provider_pb2
    from nomos_proto.values import UnencodableError, to_value

    message = fit_message(error.message)
    detail = provider_pb2.ErrorDetail(
        code=fit_message(error.code, 200),
        category=fit_message(error.category, 200),
        retryable=error.retryable,
        provider=fit_message(error.provider, 200),
    )
    for key, value in error.details.items():
        try:
            converted = to_value(value)
        except UnencodableError:
            continue
        # All of it travels in one header of at most 8 KiB, together with the message.
        if detail.ByteSize() + converted.ByteSize() + len(key) < MESSAGE_BYTES // 2:
            detail.details[key].CopyFrom(converted)
    if error.retry_after is not None:
        detail.retry_after.FromNanoseconds(round(error.retry_after * 1e9))
    # google.rpc.Status { code = 1, message = 2, details = 3 }, google.protobuf.Any { type_url = 1, value = 2 }.
    packed = wire.text_field(1, _DETAIL_URL) + wire.field(2, detail.SerializeToString())
    number = b"\x08" + wire.write_varint(STATUS_NUMBERS[error.status])
    return error.status, message, number + wire.text_field(2, fit_message(message, 1024)) + wire.field(3, packed)


def _texts(message: bytes, number: int) -> list[bytes]:
    fields = wire.read_fields(message)
    return [bytes(cast("memoryview", part)) for at, kind, part in fields if (at, kind) == (number, wire.BYTES)]


def read_status(data: bytes) -> tuple[int, str]:
    """Return number and message of a serialized google.rpc.Status; what is absent is 0, or empty.

    Raises:
        WireError: it is none.
    """
    number, message = 0, ""
    for at, kind, value in wire.read_fields(data):
        if at == 1 and kind == wire.VARINT and isinstance(value, int):
            number = value
        elif at == 2 and kind == wire.BYTES and not isinstance(value, int):
            message = bytes(value).decode(errors="replace")
    return number, message


def from_status(status: str, message: str, details: bytes | None = None) -> ProviderError:
    """Return the error that a failed call stands for.

    Args:
        status: name of the gRPC status code.
        message: the status message.
        details: the trailing metadata `grpc-status-details-bin`; None or broken ones leave the table to decide.
    """
    plain = ProviderError(message, row_of_status(status).code)
    if not details:
        return plain
    from google.protobuf.message import DecodeError

    from nomos_proto.v2 import provider_pb2
    from nomos_proto.values import UnencodableError, from_value

    try:
        for packed in _texts(details, 3):
            if _texts(packed, 1)[-1:] != [_DETAIL_URL.encode()]:
                continue
            detail = provider_pb2.ErrorDetail.FromString(b"".join(_texts(packed, 2)))
            if detail.code:
                return ProviderError(
                    message,
                    detail.code,
                    detail.category or None,
                    detail.retryable,
                    detail.provider,
                    {key: from_value(value) for key, value in detail.details.items()},
                    detail.retry_after.ToNanoseconds() / 1e9 if detail.HasField("retry_after") else None,
                )
    except (DecodeError, UnencodableError, ValueError):
        return plain
    return plain
