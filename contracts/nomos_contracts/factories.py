"""Factories of provider objects: what they may be called with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from nomos_proto.errors import ProviderError

_KINDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def call_factory(factory: Callable[..., Any], config: Mapping[str, Any]) -> Any:
    """Return what *factory* makes of *config*.

    It may take nothing, the configuration as a map, or (as factories of the registry do) a `FactoryContext` and a
    `ProviderConfig`.

    Raises:
        ProviderError: INVALID_SPEC, it takes something else or the configuration does not fit; or what it raises.
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return factory(config)
    needed = [one for one in parameters if one.kind in _KINDS and one.default is inspect.Parameter.empty]
    taken = [one for one in parameters if one.kind in _KINDS]
    if len(needed) == 2:  # context and configuration
        return _registry_style(factory, config)
    if len(needed) > 1:
        raise ProviderError(
            "a factory takes nothing, a configuration, or a context and a configuration", "INVALID_SPEC"
        )
    return factory(config) if taken else factory()


def _registry_style(factory: Callable[..., Any], config: Mapping[str, Any]) -> Any:
    from nomos_contracts.registry.configuration import ProviderConfig
    from nomos_contracts.registry.interface import FactoryContext

    class Keyless(ProviderConfig):
        requires_api_key = False

    name = str(config.get("provider_name") or getattr(factory, "__name__", "") or "provider")
    return factory(FactoryContext(), Keyless.model_validate({**config, "provider_name": name}))
