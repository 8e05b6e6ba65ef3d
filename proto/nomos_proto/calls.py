"""Functions of version 2: found by name, given their arguments, run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from google.protobuf.message import DecodeError

from nomos_proto.description import FunctionInfo, InterfaceInfo, ProviderInfo
from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_texts
from nomos_proto.once import Once
from nomos_proto.provider import (
    CallContext,
    ConfigService,
    FunctionSpec,
    SupportsDescribe,
    SupportsErrorName,
    SupportsFunctions,
    SupportsInterfaces,
)
from nomos_proto.v2 import provider_pb2
from nomos_proto.values import from_args, to_value
from nomos_proto.wire import WireError

CONFIG: Final = "config"
"""Name of the configuration interface."""


def read_request(data: bytes) -> provider_pb2.CallRequest:
    """Read a CallRequest.

    Raises:
        WireError: no such message.
    """
    try:
        return provider_pb2.CallRequest.FromString(data)
    except DecodeError as error:
        raise WireError("no CallRequest") from error


def _config_functions(provider: ConfigService) -> Mapping[str, FunctionSpec]:
    def fetch(args: Mapping[str, Any], context: CallContext) -> Any:
        path = args["path"]
        if not is_texts(path):
            raise ProviderError("path: must be a list of strings", "INVALID_SPEC")
        return provider.fetch(path, context=context)

    def init(args: Mapping[str, Any], context: CallContext) -> None:
        for name, kind in (("alias", str), ("config", dict), ("source_file_path", str)):
            if name in args and not isinstance(args[name], kind):
                raise ProviderError(f"{name}: must be {'a map' if kind is dict else 'a string'}", "INVALID_SPEC")
        provider.init(args["alias"], args.get("config", {}), args.get("source_file_path", ""), context=context)

    return {
        "init": FunctionSpec(init, required=("alias",), optional=("config", "source_file_path")),
        "fetch": FunctionSpec(fetch, required=("path",)),
        "info": FunctionSpec(lambda _args, _context: asdict(provider.info())),
        "health": FunctionSpec(
            lambda _args, _context: {"status": str(provider.health().status), "message": provider.health().message}
        ),
    }


def functions_of(provider: ConfigService, interface: str) -> Mapping[str, FunctionSpec]:
    """Return the functions of an interface by name; an empty one stands for the provider's own.

    Raises:
        ProviderError: UNSUPPORTED_OPERATION for an interface that the provider does not have.
    """
    if interface and isinstance(provider, SupportsInterfaces):
        functions = provider.interfaces().get(interface)
        if functions is not None:
            return functions
    if interface == CONFIG:
        return _config_functions(provider)
    if interface:
        raise ProviderError(f'interface "{interface}" not supported', "UNSUPPORTED_OPERATION")
    return provider.functions() if isinstance(provider, SupportsFunctions) else {}


def describe(provider: ConfigService) -> ProviderInfo:
    """Return what the provider is, its functions included."""
    if isinstance(provider, SupportsDescribe):
        info = provider.describe()
    else:
        known = provider.info()
        # A type may have any characters, a name may not.
        info = ProviderInfo(re.sub(r"[^A-Za-z0-9.+_-]", "-", known.type), known.type, known.version)
    interfaces = list(info.interfaces)
    further = set(provider.interfaces() if isinstance(provider, SupportsInterfaces) else ()) - {CONFIG}
    for name, version in (("", ""), (CONFIG, "1"), *((name, "1") for name in sorted(further))):
        functions = functions_of(provider, name)
        if functions and all(interface.name != name for interface in interfaces):
            listed = tuple(FunctionInfo(key, one.streaming, one.idempotent) for key, one in sorted(functions.items()))
            interfaces.append(InterfaceInfo(name, version, (), listed))
    return replace(info, interfaces=tuple(interfaces))


def _find(
    provider: ConfigService, request: provider_pb2.CallRequest, *, streaming: bool
) -> Callable[[CallContext], Any]:
    spec = functions_of(provider, request.interface).get(request.function)
    if spec is None:
        raise ProviderError(f'function "{request.function}" not supported', "UNSUPPORTED_OPERATION")
    if spec.streaming is not streaming:
        other = "CallStream" if spec.streaming else "Call"
        reason = f'function "{request.function}" answers through {other}'
        raise ProviderError(reason, "UNSUPPORTED_OPERATION")
    args = from_args(request.args)
    for name in spec.required:
        if name not in args:
            raise ProviderError(f"missing required argument: {name}", "INVALID_SPEC")
    for name in args:
        if name not in spec.required and name not in spec.optional:
            raise ProviderError(f"unknown argument: {name}", "INVALID_SPEC")
    return lambda context: spec.run(args, context)


def _find_named(
    provider: ConfigService, request: provider_pb2.CallRequest, *, streaming: bool
) -> Callable[[CallContext], Any]:
    """Find the function; what is refused here is refused under the name that the provider's own errors have."""
    try:
        return _find(provider, request, streaming=streaming)
    except ProviderError as error:
        if isinstance(provider, SupportsErrorName):
            error.provider = error.provider or provider.error_name
        raise


def call_once(provider: ConfigService, request: provider_pb2.CallRequest, context: CallContext, once: Once) -> bytes:
    """Run a function and return the bytes of its CallResponse; equal idempotency keys are one call.

    Raises:
        ProviderError: no such function, wrong arguments, or what the function raises.
    """
    run = _find_named(provider, request, streaming=False)

    def work() -> bytes:
        return _response(run(context))

    if not request.idempotency_key:
        return work()
    key = (request.interface, request.function, request.idempotency_key)
    return once.run(key, request.SerializeToString(deterministic=True), work, context)


def stream(provider: ConfigService, request: provider_pb2.CallRequest, context: CallContext) -> Iterator[bytes]:
    """Run a function that answers in parts and yield the bytes of each CallResponse.

    Raises:
        ProviderError: as `call_once`.
    """
    for part in _find_named(provider, request, streaming=True)(context):
        yield _response(part)


def _response(value: Any) -> bytes:
    return provider_pb2.CallResponse(result=to_value(value)).SerializeToString()
