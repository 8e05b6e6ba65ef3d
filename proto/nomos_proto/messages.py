"""The messages of version 1 as dataclasses, and their bytes.

Written by hand from the field table: the server and the kit's host both speak bytes, so that a deeply nested Struct
and a malformed message are ours to handle. The tests compare it with the generated code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from nomos_proto import wire
from nomos_proto.kinds import is_map
from nomos_proto.structs import StructError, decode_struct, encode_struct

SERVICE = "nomos.provider.v1.ProviderService"
METHODS = ("Init", "Fetch", "Info", "Health", "Shutdown")
STATUS_NAMES = ("STATUS_UNSPECIFIED", "STATUS_OK", "STATUS_DEGRADED", "STATUS_STARTING")
"""Names of the values of HealthResponse.Status, in the order of their numbers."""


@dataclass(frozen=True)
class InitRequest:
    """Init: `config` is None where the field was not set."""

    alias: str = ""
    config: Mapping[str, Any] | None = None
    source_file_path: str = ""


@dataclass(frozen=True)
class InfoResponse:
    """Info."""

    alias: str = ""
    version: str = ""
    type: str = ""


@dataclass(frozen=True)
class HealthResponse:
    """Health: `status` is the number, which may be one that this version does not know."""

    status: int = 0
    message: str = ""

    @property
    def name(self) -> str:
        """Name of the status, its number for an unknown one."""
        return STATUS_NAMES[self.status] if 0 <= self.status < len(STATUS_NAMES) else str(self.status)


def _texts(data: wire.Buffer) -> dict[int, list[memoryview]]:
    found: dict[int, list[memoryview]] = {}
    for number, kind, payload in wire.read_fields(data):
        if kind == wire.BYTES:
            found.setdefault(number, []).append(cast("memoryview", payload))
    return found


def _text(found: Mapping[int, Sequence[memoryview]], number: int) -> str:
    parts = [wire.from_utf8(part) for part in found.get(number, ())]
    return parts[-1] if parts else ""


def _message(found: Mapping[int, Sequence[memoryview]], number: int) -> bytes | None:
    return b"".join(found[number]) if number in found else None


def encode_init_request(alias: str, config: Mapping[str, Any] | None, source_file_path: str = "") -> bytes:
    """Return the bytes of an InitRequest; None leaves `config` out.

    Raises:
        StructError: the configuration has no place in a Struct.
        WireError: a text has no place in UTF-8.
    """
    struct = b"" if config is None else wire.field(2, encode_struct(config))
    return wire.text_field(1, alias) + struct + wire.text_field(3, source_file_path)


def decode_init_request(data: wire.Buffer) -> InitRequest:
    """Read an InitRequest.

    Raises:
        WireError: no protobuf message, or text that is not UTF-8.
        StructError: the configuration is broken; its path begins below `config`.
    """
    found = _texts(data)
    struct = _message(found, 2)
    return InitRequest(_text(found, 1), None if struct is None else decode_struct(struct), _text(found, 3))


def encode_fetch_request(path: Sequence[str]) -> bytes:
    """Return the bytes of a FetchRequest.

    Raises:
        WireError: a segment has no place in UTF-8.
    """
    return b"".join(wire.field(1, wire.to_utf8(segment)) for segment in path)


def decode_fetch_request(data: wire.Buffer) -> tuple[str, ...]:
    """Read the path of a FetchRequest.

    Raises:
        WireError: no protobuf message, or a segment that is not UTF-8.
    """
    return tuple(wire.from_utf8(part) for part in _texts(data).get(1, ()))


def wrap(value: Any) -> Mapping[str, Any]:
    """Return *value* as Fetch sends it: a map as it is, anything else as exactly ``{"value": x}``."""
    return value if is_map(value) else {"value": value}


def encode_fetch_response(struct: Mapping[str, Any] | None, *, max_bytes: int | None = None) -> bytes:
    """Return the bytes of a FetchResponse; None leaves `value` out.

    Args:
        struct: the map, already wrapped.
        max_bytes: how long the whole message may be; None sets no limit.

    Raises:
        StructError: the value has no place in a Struct, or a limit is exceeded.
    """
    if struct is None:
        return b""
    message = wire.field(1, encode_struct(struct, max_bytes=max_bytes))
    if max_bytes is not None and len(message) > max_bytes:
        raise StructError(f"longer than {max_bytes} bytes", too_large=True)
    return message


def decode_fetch_response(data: wire.Buffer) -> dict[str, Any] | None:
    """Read a FetchResponse; None where `value` is not set.

    Raises:
        WireError: no protobuf message.
        StructError: the value is broken.
    """
    struct = _message(_texts(data), 1)
    return None if struct is None else decode_struct(struct)


def encode_info_response(info: InfoResponse) -> bytes:
    """Return the bytes of an InfoResponse."""
    return wire.text_field(1, info.alias) + wire.text_field(2, info.version) + wire.text_field(3, info.type)


def decode_info_response(data: wire.Buffer) -> InfoResponse:
    """Read an InfoResponse.

    Raises:
        WireError: no protobuf message, or text that is not UTF-8.
    """
    found = _texts(data)
    return InfoResponse(_text(found, 1), _text(found, 2), _text(found, 3))


def encode_health_response(health: HealthResponse) -> bytes:
    """Return the bytes of a HealthResponse."""
    status = b"\x08" + wire.write_varint(health.status & 0xFFFFFFFFFFFFFFFF) if health.status else b""
    return status + wire.text_field(2, health.message)


def decode_health_response(data: wire.Buffer) -> HealthResponse:
    """Read a HealthResponse.

    Raises:
        WireError: no protobuf message, or text that is not UTF-8.
    """
    status = 0
    for number, kind, value in wire.read_fields(data):
        if number == 1 and kind == wire.VARINT:
            # An enum is an int32: its low 32 bits count, with their sign.
            status = (cast("int", value) + 2**31) % 2**32 - 2**31
    return HealthResponse(status, _text(_texts(data), 2))


def decode_empty(data: wire.Buffer) -> None:
    """Check that *data* is a message whose fields, if any, are unknown ones.

    Raises:
        WireError: no protobuf message.
    """
    for _ in wire.read_fields(data):
        pass
