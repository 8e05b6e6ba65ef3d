"""The one description of a provider, and its form on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from nomos_proto.v2 import provider_pb2


@dataclass(frozen=True)
class FunctionInfo:
    """One function: its name, whether it answers in parts, whether a repeated call has no second effect."""

    name: str
    streaming: bool = False
    idempotent: bool = False


@dataclass(frozen=True)
class InterfaceInfo:
    """One interface; an empty name stands for the provider's own functions."""

    name: str
    version: str = ""
    capabilities: tuple[str, ...] = ()
    functions: tuple[FunctionInfo, ...] = ()


@dataclass(frozen=True)
class ProviderInfo:
    """What a provider is.

    Attributes:
        name: letters, digits, `.`, `+`, `-`, `_`.
        type: kind of provider, equal to `type` of Info.
        version: semantic version without a leading v.
        interfaces: what it implements.
        config_schema: JSON Schema of the Init configuration, None where none is known.
        protocol_versions: protocol versions on its port.
    """

    name: str
    type: str
    version: str
    interfaces: tuple[InterfaceInfo, ...] = ()
    config_schema: Mapping[str, Any] | None = None
    protocol_versions: tuple[str, ...] = ("v1", "v2")

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Every capability of every interface, sorted."""
        return tuple(sorted({name for interface in self.interfaces for name in interface.capabilities}))


def to_message(info: ProviderInfo) -> provider_pb2.DescribeResponse:
    """Return the answer of Describe."""
    from nomos_proto.v2 import provider_pb2

    return provider_pb2.DescribeResponse(
        protocol_versions=info.protocol_versions,
        name=info.name,
        type=info.type,
        version=info.version,
        interfaces=[
            provider_pb2.Interface(
                name=interface.name,
                version=interface.version,
                capabilities=interface.capabilities,
                functions=[
                    provider_pb2.Function(name=one.name, streaming=one.streaming, idempotent=one.idempotent)
                    for one in interface.functions
                ],
            )
            for interface in info.interfaces
        ],
        config_schema="" if info.config_schema is None else json.dumps(info.config_schema, sort_keys=True),
    )


def from_message(message: provider_pb2.DescribeResponse) -> ProviderInfo:
    """Return what an answer of Describe says.

    Raises:
        ValueError: the schema is no JSON object.
    """
    schema: Any = None
    if message.config_schema:
        try:
            schema = json.loads(message.config_schema)
        except (ValueError, RecursionError) as error:
            raise ValueError("config_schema of Describe is not JSON") from error
        if not isinstance(schema, dict):
            raise ValueError("config_schema of Describe is no JSON object")
    return ProviderInfo(
        message.name,
        message.type,
        message.version,
        tuple(
            InterfaceInfo(
                interface.name,
                interface.version,
                tuple(interface.capabilities),
                tuple(FunctionInfo(one.name, one.streaming, one.idempotent) for one in interface.functions),
            )
            for interface in message.interfaces
        ),
        cast("Mapping[str, Any] | None", schema),
        tuple(message.protocol_versions),
    )
