"""What a registry says of a provider, and what the provider says of itself: one from the other."""

from __future__ import annotations

from collections import defaultdict

from nomos_contracts.registry.interface import ProviderInfo
from nomos_proto.description import FunctionInfo, InterfaceInfo
from nomos_proto.description import ProviderInfo as Description


def from_description(found: Description, *, documentation: str = "") -> ProviderInfo:
    """Return what a registry says of a provider that describes itself as *found*.

    Versions, and which functions stream or are idempotent, have no place there.
    """
    features = [f"{one.name}.{function.name}" for one in found.interfaces for function in one.functions]
    schema = found.config_schema or {}
    return ProviderInfo(found.name, found.type, found.capabilities, schema, tuple(features), documentation)


def to_description(info: ProviderInfo, interface: str, *, version: str = "0.0.0") -> Description:
    """Return how a provider would describe itself of which a registry says *info*.

    Args:
        info: what the registry says.
        interface: the interface that has its capabilities, and the functions that name no other.
        version: version of the provider, which a registry does not know.
    """
    functions: defaultdict[str, list[FunctionInfo]] = defaultdict(list)
    for feature in info.supported_features:
        of, dot, name = feature.rpartition(".")
        functions[of if dot else interface].append(FunctionInfo(name))
    if info.capabilities or not functions:
        functions.setdefault(interface, [])
    return Description(
        info.name,
        info.type,
        version,
        tuple(
            InterfaceInfo(name, "", info.capabilities if name == interface else (), tuple(listed))
            for name, listed in sorted(functions.items())
        ),
        info.config_schema or None,
    )
