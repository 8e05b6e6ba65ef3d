"""Making a registration: everything that can be wrong with one is found before anything is kept."""

from __future__ import annotations

import inspect
import re
from typing import Final

from nomos_contracts.registry.configuration import ProviderConfig
from nomos_contracts.registry.errors import ErrInvalidFactory, ErrRegistrationFailed
from nomos_contracts.registry.interface import ProviderFactory, ProviderInfo, Registration
from nomos_proto.schema import ConfigError, check_schema

_NAME: Final = re.compile(r"[A-Za-z0-9.+_-]{1,64}")


def check_name(package: str, provider_name: str, *, of: object) -> None:
    """Return if *of*, the name of a package or a provider, can be used in targets and ids.

    Raises:
        ErrRegistrationFailed: it cannot.
    """
    if not isinstance(of, str) or not _NAME.fullmatch(of):
        reason = f"the name {of!r} must be 1 to 64 letters, digits and . + - _"
        raise ErrRegistrationFailed(package, provider_name, reason)


def check_factory(package: str, provider_name: str, factory: object) -> None:
    """Return if *factory* can be called with a context and a configuration.

    Raises:
        ErrInvalidFactory: it cannot, or would answer with a coroutine.
    """
    reason = ""
    if not callable(factory):
        reason = f"the factory is of type {type(factory).__name__}, which cannot be called"
    elif inspect.iscoroutinefunction(factory) or inspect.iscoroutinefunction(getattr(factory, "__call__", None)):  # noqa: B004 # an object with an async __call__
        reason = "the factory is a coroutine function; it must return a provider that is ready for use"
    else:
        try:
            inspect.signature(factory).bind(None, None)
        except TypeError as error:
            reason = f"the factory cannot be called with a context and a configuration ({error})"
        except ValueError:
            return  # something written in C that does not tell
    if reason:
        raise ErrInvalidFactory(package, provider_name, reason)


def make_registration(
    package: str,
    provider_name: str,
    factory: ProviderFactory,
    info: ProviderInfo | None,
    config_class: type[ProviderConfig],
) -> Registration:
    """Return the registration of a provider.

    Raises:
        ErrInvalidFactory: the factory cannot be called with a context and a configuration.
        ErrRegistrationFailed: name or info cannot be used.
    """
    check_name(package, provider_name, of=provider_name)
    check_factory(package, provider_name, factory)
    if info is not None:
        _check_info(package, provider_name, info)
    return Registration(package, provider_name, factory, config_class, info)


def _check_info(package: str, provider_name: str, info: ProviderInfo) -> None:
    if info.name != provider_name:
        raise ErrRegistrationFailed(package, provider_name, f"the info is that of a provider {info.name!r}")
    if not info.config_schema:
        return
    try:
        check_schema(info.config_schema)
    except ConfigError as error:
        raise ErrRegistrationFailed(package, provider_name, str(error)) from error
