"""Providers of the default registry as programs, those of other packages included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from nomos_contracts.exposure import ServedInterface
from nomos_contracts.functions import UnknownInterfaceError, function_interface
from nomos_reference import VERSION
from nomos_reference.registry import create, default_registry, names

if TYPE_CHECKING:
    from nomos_proto.provider import ConfigService


def served(name: str) -> ConfigService:
    """Return the registered provider *name* as what can be served: made by its Init where it has a function interface.

    Raises:
        LookupError: there is none of that name, or its interface has no form on the wire.
        ProviderError: the registry cannot make or describe it.
    """
    if name not in names():
        raise LookupError(f"{name!r} is no provider; name one of {', '.join(names())}")
    package, _, provider = name.partition("/")
    if package == "config":
        return cast("ConfigService", create(name, {}))
    interface = function_interface(package)
    if not interface.has_wire_form:
        raise UnknownInterfaceError(f"a {package} lives in one process and cannot be served")
    info = default_registry().get_provider_info(package, provider)

    def make(config: Mapping[str, Any]) -> object:
        return create(name, config)

    return ServedInterface(
        make,
        interface,
        name=provider,
        type=info.type or provider,
        version=VERSION,
        config_schema=info.config_schema or None,
        capabilities=info.capabilities,
    )
