"""A provider object of a function interface as a program: Init makes it, v2 `Call` reaches its methods."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from types import MappingProxyType
from typing import Any, Final

from nomos_contracts.embodiment import Embodiment, create
from nomos_contracts.functions import FunctionInterface, Method
from nomos_proto.description import FunctionInfo, InterfaceInfo, ProviderInfo
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, FunctionSpec, Health, HealthStatus, Info

POLL: Final = 0.05
"""Seconds between looks at whether a caller is still there."""


class ServedInterface:
    """Serves what *make* returns: a `nomos_proto.provider.ConfigService` for ``nomos_proto.serve.run``.

    Nothing is hidden: a method that the object has is listed and called whether its capability is declared or not, so
    that a provider shows the same over the wire as in process.
    """

    def __init__(
        self,
        make: Callable[[Mapping[str, Any]], object],
        interface: FunctionInterface,
        *,
        name: str,
        type: str,  # noqa: A002 # the name that it has in Info
        version: str,
        config_schema: Mapping[str, Any] | None = None,
        capabilities: Iterable[str] | None = None,
    ) -> None:
        """Serve no object yet.

        Args:
            make: takes the configuration of Init and returns the provider object, or an awaitable of it.
            interface: what the object implements.
            name: letters, digits, `.`, `+`, `-`, `_`.
            type: stable type of the provider.
            version: semantic version without a leading v.
            config_schema: JSON Schema of the configuration, None where none is known.
            capabilities: what Describe lists before Init; None lists what ``make.capabilities`` says.
        """
        self._make = make
        self._interface = interface
        self._name = name
        self._info = Info("", version, type)
        self._schema = config_schema
        self._foretold = frozenset(getattr(make, "capabilities", ()) if capabilities is None else capabilities)
        self._lock = threading.Lock()
        self._embodiment: Embodiment | None = None
        self._ended = False

    def init(
        self,
        alias: str,
        config: Mapping[str, Any],
        source_file_path: str,  # noqa: ARG002 # the interface's
        *,
        context: CallContext,
    ) -> None:
        """Make the provider object from *config*; an earlier one is ended once the new one is there.

        Raises:
            ProviderError: INVALID_SPEC without an alias, INVALID_STATE after Shutdown, or what `make` raises.
        """
        if not alias:
            raise ProviderError("alias: must not be empty", "INVALID_SPEC")
        with self._lock:
            if self._ended:
                raise ProviderError("the provider has been shut down", "INVALID_STATE")
        made = Embodiment(create(self._make, config, context.remaining()), self._interface)
        with self._lock:
            previous, self._embodiment = self._embodiment, made
            self._info = Info(alias, self._info.version, self._info.type)
        if previous is not None:
            previous.close()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:  # noqa: ARG002 # the interface's
        """Answer that there is nothing: this provider holds no configuration.

        Raises:
            ProviderError: INVALID_STATE before Init, INVALID_SPEC for an empty path or segment, else NOT_FOUND.
        """
        self._running()
        if not path or not all(path):
            raise ProviderError("path: must have segments, none of them empty", "INVALID_SPEC")
        raise ProviderError(f"{path[0]}: a {self._interface.name} provider holds no configuration", "NOT_FOUND")

    def info(self) -> Info:
        """Return alias, version and type."""
        return self._info

    def health(self) -> Health:
        """Return OK once the provider object is there."""
        if self._embodiment is None:
            return Health(HealthStatus.STARTING, "waiting for Init")
        return Health(HealthStatus.OK)

    def shutdown(self) -> None:
        """End the provider object."""
        with self._lock:
            self._ended = True
            embodiment, self._embodiment = self._embodiment, None
        if embodiment is not None:
            embodiment.close()

    def describe(self) -> ProviderInfo:
        """Return what the provider is; before Init with what is known of it then."""
        embodiment = self._embodiment
        capabilities = self._foretold if embodiment is None else embodiment.capabilities
        order = self._interface.capabilities
        listed = InterfaceInfo(
            self._interface.name,
            self._interface.version,
            tuple(name for name in order if name in capabilities),
            tuple(
                FunctionInfo(name, one.streaming, one.idempotent)
                for name, one in self._interface.methods.items()
                if self._listed(one)
            ),
        )
        return ProviderInfo(self._name, self._info.type, self._info.version, (listed,), self._schema)

    @property
    def error_name(self) -> str:
        """The name that the provider object has in its own errors; where there is none, that of Describe."""
        name = getattr(self._embodiment.provider, "name", None) if self._embodiment is not None else None
        return name if isinstance(name, str) and name else self._name

    def _listed(self, method: Method) -> bool:
        if self._embodiment is not None:
            return method.has_wire_form and self._embodiment.offers(method.name)
        return method.has_wire_form and (not method.capability or method.capability in self._foretold)

    def interfaces(self) -> Mapping[str, Mapping[str, FunctionSpec]]:
        """Return the functions of the interface by name."""
        functions = {
            name: FunctionSpec(
                self._runner(method), method.streaming, method.idempotent, method.required, method.optional
            )
            for name, method in self._interface.methods.items()
            if method.has_wire_form and (self._embodiment is None or self._embodiment.offers(name))
        }
        return MappingProxyType({self._interface.name: MappingProxyType(functions)})

    def _runner(self, method: Method) -> Callable[[Mapping[str, Any], CallContext], Any]:
        def run(args: Mapping[str, Any], context: CallContext) -> Any:
            embodiment = self._running()
            if method.streaming:
                return _parts(embodiment, method, args)
            try:
                arguments = method.bind(args)
            except ProviderError as error:
                error.provider = error.provider or self.error_name
                raise
            future = embodiment.begin(embodiment.find(method.name), arguments)
            forget = context.on_cancel(future.cancel)
            try:
                while not future.done():
                    # Not forever: a provider that hangs must not hold the thread of a caller who has left.
                    _wait(future, context)
                return embodiment.plain(method, future.result())
            finally:
                forget()
                future.cancel()

        return run

    def _running(self) -> Embodiment:
        embodiment = self._embodiment
        if embodiment is None:
            raise ProviderError("the provider has not been initialised", "INVALID_STATE", provider=self._name)
        return embodiment


def _wait(future: Future[Any], context: CallContext) -> None:
    left = context.remaining()
    wait((future,), POLL if left is None else min(POLL, left))
    if not future.done():
        context.check()


def _parts(embodiment: Embodiment, method: Method, args: Mapping[str, Any]) -> Iterator[Any]:
    for part in embodiment.stream(embodiment.find(method.name), method.bind(args)):
        yield embodiment.plain(method, part)
