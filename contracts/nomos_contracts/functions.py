"""Function interfaces: interfaces of methods, read off the type hints of their Protocol classes."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from nomos_contracts.codec import ShapeError, from_wire, to_wire
from nomos_contracts.hints import Hint
from nomos_contracts.jsonform import from_json
from nomos_contracts.schemas import has_wire_form
from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_map

_NO_METHODS = {"Protocol", "Generic", "object"}


@dataclass(frozen=True)
class Parameter:
    """One argument of a method: its name, the hint of its value, whether the method can do without it."""

    name: str
    hint: Hint
    required: bool = True


@dataclass(frozen=True)
class Method:
    """One method of an interface.

    Attributes:
        name: in snake_case; the function's name on the wire.
        parameters: by name, in their order.
        returns: hint of what it answers; of each part where it is streaming.
        capability: the capability that offers it, empty for a core method.
        idempotent: whether a second call with equal arguments has no second effect.
        streaming: whether it answers in parts.
    """

    name: str
    parameters: Mapping[str, Parameter]
    returns: Hint
    capability: str = ""
    idempotent: bool = False
    streaming: bool = False

    @cached_property
    def has_wire_form(self) -> bool:
        """Whether it can be called over the wire: no argument or answer is a callable or another live object."""
        return all(has_wire_form(one.hint) for one in self.parameters.values()) and has_wire_form(self.returns)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the arguments that it cannot do without."""
        return tuple(one.name for one in self.parameters.values() if one.required)

    @property
    def optional(self) -> tuple[str, ...]:
        """Names of the arguments that it can do without."""
        return tuple(one.name for one in self.parameters.values() if not one.required)

    def bind(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call from their plain form.

        Raises:
            ProviderError: INVALID_SPEC; one is missing, unknown or of another shape.
        """
        for name in self.required:
            if name not in args:
                raise ProviderError(f"missing required argument: {name}", "INVALID_SPEC")
        for name in args:
            if name not in self.parameters:
                raise ProviderError(f"unknown argument: {name}", "INVALID_SPEC")
        return {name: from_wire(self.parameters[name].hint, value, name) for name, value in args.items()}

    def from_json(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the plain form of arguments that were read from JSON (see `nomos_contracts.jsonform`).

        Raises:
            ShapeError: a text that stands for bytes or a point in time is none.
        """
        hints = {name: one.hint for name, one in self.parameters.items()}
        return {name: from_json(hints.get(name, Any), value, name) for name, value in arguments.items()}

    def plain(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the plain form of arguments; None for one that may be left out is an absent key.

        Raises:
            ShapeError: an argument cannot be sent.
        """
        found: dict[str, Any] = {}
        for name, value in arguments.items():
            known = self.parameters.get(name)
            if value is None and known is not None and not known.required:
                continue
            try:
                found[name] = to_wire(value, Any if known is None else known.hint)
            except ShapeError as error:
                raise ShapeError(f"{name}.{error.where}" if error.where else name, error.reason) from error
        return found


@dataclass(frozen=True)
class FunctionInterface:
    """An interface of methods.

    Attributes:
        name: for instance ``compute``.
        version: its version, a whole number as text.
        methods: by name; core methods first, then those of each capability.
        capabilities: every capability that a provider may declare, in their order.
    """

    name: str
    version: str
    methods: Mapping[str, Method]
    capabilities: tuple[str, ...] = field(default=())

    @property
    def has_wire_form(self) -> bool:
        """Whether providers of it can be programs: their core methods can be called over the wire."""
        return all(one.has_wire_form for one in self.of(""))

    def of(self, capability: str) -> tuple[Method, ...]:
        """Return the methods that *capability* offers; an empty one stands for the core methods."""
        return tuple(one for one in self.methods.values() if one.capability == capability)

    def declared(self, provider: object) -> frozenset[str]:
        """Return what *provider* declares in its attribute `capabilities`: a set of names, or a map of flags.

        Raises:
            ProviderError: INVALID_SPEC; it is neither, or names a capability that the interface does not have.
        """
        written: Any = getattr(provider, "capabilities", ())
        if callable(written):
            written = written()
        if is_map(written):
            names = frozenset(name for name, flag in written.items() if flag)
            known: frozenset[str] = frozenset(written)
        elif isinstance(written, str | bytes) or not isinstance(written, Iterable):
            raise ProviderError("capabilities: must be a set of names or a map of flags", "INVALID_SPEC")
        else:
            names = known = frozenset(str(name) for name in written)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] # of an author
        if unknown := sorted(known - set(self.capabilities)):
            raise ProviderError(
                f"capabilities: {self.name} has no capability {', '.join(unknown)}; "
                f"there are {', '.join(self.capabilities)}",
                "INVALID_SPEC",
            )
        return names


class UnknownInterfaceError(LookupError):
    """There is no function interface of that name."""


def interface_of(
    name: str,
    protocol: type,
    *,
    version: str = "1",
    supports: Mapping[str, type] = MappingProxyType({}),
    capabilities: Iterable[str] = (),
    idempotent: Iterable[str] = (),
) -> FunctionInterface:
    """Read an interface off its Protocol classes.

    Args:
        name: name of the interface.
        protocol: the class with the core methods.
        version: version of the interface.
        supports: for each capability that offers methods, the class that has them.
        capabilities: every capability; those of *supports* come first where they are not named.
        idempotent: names of the methods whose repeated call has no second effect.

    Raises:
        TypeError: two classes have a method of the same name, or *idempotent* names none.
    """
    methods: dict[str, Method] = {}
    safe = frozenset(idempotent)
    for capability, source in (("", protocol), *supports.items()):
        for method in _methods(source, capability, safe):
            if method.name in methods:
                raise TypeError(f"{name}: two protocols have the method {method.name}")
            methods[method.name] = method
    if unknown := safe - methods.keys():
        raise TypeError(f"{name}: there is no method {', '.join(sorted(unknown))}")
    names = tuple(dict.fromkeys((*capabilities, *supports)))
    return FunctionInterface(name, version, MappingProxyType(methods), names)


def _methods(source: type, capability: str, idempotent: frozenset[str]) -> Iterator[Method]:
    seen: set[str] = set()
    for kind in source.__mro__:
        if kind.__name__ in _NO_METHODS:
            continue
        for name, found in vars(kind).items():
            if name.startswith("_") or name in seen or not inspect.isfunction(found):
                continue
            seen.add(name)
            yield _method(name, found, capability, idempotent=name in idempotent)


def _method(name: str, function: Any, capability: str, *, idempotent: bool) -> Method:
    hints = get_type_hints(function)
    parameters = {
        key: Parameter(key, hints.get(key, Any), one.default is inspect.Parameter.empty)
        for key, one in list(inspect.signature(function).parameters.items())[1:]
    }
    returns: Any = hints.get("return", Any)
    streaming = get_origin(returns) in (AsyncIterator, Iterator)
    if streaming:
        returns = get_args(returns)[0]
    return Method(name, MappingProxyType(parameters), returns, capability, idempotent, streaming)


def function_interface(name: str) -> FunctionInterface:
    """Return the function interface *name*: `INTERFACE` of the module ``nomos_contracts.<name>.interface``.

    Raises:
        UnknownInterfaceError: there is none.
    """
    module = f"nomos_contracts.{name}.interface"
    try:
        found = getattr(import_module(module), "INTERFACE", None) if name.isidentifier() else None
    except ModuleNotFoundError as error:
        if error.name not in {module, module.rpartition(".")[0]}:
            raise
        found = None
    if not isinstance(found, FunctionInterface):
        raise UnknownInterfaceError(f"there is no function interface {name!r}")
    return found
