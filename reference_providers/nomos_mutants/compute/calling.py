"""Mutants whose program answers wrongly around the methods: to unknown names, Describe, Fetch and repeated keys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from unittest.mock import patch

import grpc

from nomos_contracts.embodiment import Embodiment
from nomos_contracts.exposure import ServedInterface
from nomos_contracts.functions import Method
from nomos_mutants.compute.original import Original
from nomos_mutants.functions import function_mutant
from nomos_proto.description import ProviderInfo
from nomos_proto.errors import ProviderError
from nomos_proto.once import Once
from nomos_proto.provider import CallContext, FunctionSpec
from nomos_proto.servicer import V2Servicer

RUN = Once.run
"""As it is before a mutant takes its place."""


class _RenamedError(ProviderError):
    """A failure under a code of the provider's own, with a status that is right."""

    def __init__(self, message: str, code: str, status: str) -> None:
        super().__init__(message, code)
        self._status = status

    @property
    def status(self) -> str:
        """Name of the gRPC status code."""
        return self._status


class _Unready(ServedInterface):
    def _running(self) -> Embodiment:
        if self._embodiment is None:
            raise _RenamedError("not ready", "NOT_READY", "FAILED_PRECONDITION")
        return super()._running()


class _Unfit(ServedInterface):
    def _runner(self, method: Method) -> Callable[[Mapping[str, Any], CallContext], Any]:
        run = super()._runner(method)

        def renamed(args: Mapping[str, Any], context: CallContext) -> Any:
            try:
                return run(args, context)
            except ProviderError as error:
                if error.code == "INVALID_SPEC" and len(args) == 1 and isinstance(next(iter(args.values())), list):
                    raise _RenamedError(error.message, "BAD_REQUEST", error.status) from error
                raise

        return renamed


class _Guessing(dict[str, Mapping[str, FunctionSpec]]):
    """Takes the only interface that there is for every name."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the one."""
        return next(iter(self.values()))


class _Anywhere(ServedInterface):
    def interfaces(self) -> Mapping[str, Mapping[str, FunctionSpec]]:
        """Return the functions under any name."""
        return _Guessing(super().interfaces())


class _Attributes(dict[str, FunctionSpec]):
    """Takes what every object has for a function."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return what answers with it."""
        if key in self or not hasattr(object, key):
            return super().get(key, default)
        return FunctionSpec(lambda _args, _context: key, optional=("provider_id",))


class _Nearly(dict[str, FunctionSpec]):
    """Takes a name that is nearly right for the right one."""

    def get(self, key: str, default: Any = None) -> Any:
        """Look without case and spaces."""
        return super().get(key.strip().lower(), default)


class _Arguments(dict[str, FunctionSpec]):
    """Takes the name of a function for an argument."""

    def get(self, key: str, default: Any = None) -> Any:
        """Find it.

        Raises:
            ProviderError: INVALID_SPEC; there is none.
        """
        if key not in self:
            raise ProviderError(f"{key}: no such function", "INVALID_SPEC")
        return self[key]


class _Finding(ServedInterface):
    """Looks functions up in a table of another kind."""

    table: ClassVar[type[dict[str, FunctionSpec]]]

    def interfaces(self) -> Mapping[str, Mapping[str, FunctionSpec]]:
        """Return the functions in such tables."""
        return {name: self.table(functions) for name, functions in super().interfaces().items()}


class _Inheriting(_Finding):
    table = _Attributes


class _Lenient(_Finding):
    table = _Nearly


class _Misnaming(_Finding):
    table = _Arguments


class _Late(ServedInterface):
    def describe(self) -> ProviderInfo:
        """Describe what there is."""
        self._running()
        return super().describe()


class _Modest(ServedInterface):
    def _listed(self, method: Method) -> bool:
        return method.name != "on_heartbeat" and super()._listed(method)


class _Growing(ServedInterface):
    def interfaces(self) -> Mapping[str, Mapping[str, FunctionSpec]]:
        """Count the calls."""
        if self._embodiment is not None:
            self._calls = getattr(self, "_calls", 0) + 1
        return super().interfaces()

    def describe(self) -> ProviderInfo:
        """Describe what was used."""
        found = super().describe()
        used = getattr(self, "_calls", 0) > 8  # any number
        interfaces = tuple(replace(one, version="2") if used else one for one in found.interfaces)
        return replace(found, interfaces=interfaces)


class _Claiming(ServedInterface):
    """Says the same of each function."""

    claim: ClassVar[Mapping[str, Any]]

    def describe(self) -> ProviderInfo:
        """Say it."""
        found = super().describe()
        claims = ((one, tuple(replace(each, **self.claim) for each in one.functions)) for one in found.interfaces)
        return replace(found, interfaces=tuple(replace(one, functions=functions) for one, functions in claims))


class _Streaming(_Claiming):
    claim: ClassVar = {"streaming": True}


class _Boasting(_Claiming):
    claim: ClassVar = {"idempotent": True}


class _Empty(ServedInterface):
    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Return null."""
        self._running()


class _Refusing(ServedInterface):
    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Refuse."""
        self._running()
        raise ProviderError("there is nothing to fetch here", "UNSUPPORTED_OPERATION")


class _Keyless(ServedInterface):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        patch.object(Once, "run", self.run).start()

    def run(self, key: Hashable, request: bytes, work: Callable[[], bytes], context: CallContext) -> bytes:
        """Work each time."""
        return work()


class _Hasty(_Keyless):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answers: dict[Hashable, bytes] = {}

    def run(self, key: Hashable, request: bytes, work: Callable[[], bytes], context: CallContext) -> bytes:
        """Look, work, remember."""
        if key not in self._answers:
            threading.Event().wait(0.1)  # as a vendor takes its time
            self._answers[key] = work()
        return self._answers[key]


class _Particular(_Keyless):
    """Takes the arguments for a part of the key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept = Once()

    def run(self, key: Hashable, request: bytes, work: Callable[[], bytes], context: CallContext) -> bytes:
        """Look for both."""
        return RUN(self._kept, (key, request), request, work, context)


class _Folding(_Particular):
    """Takes keys that are nearly the same for one."""

    def run(self, key: Hashable, request: bytes, work: Callable[[], bytes], context: CallContext) -> bytes:
        """Look without case."""
        return RUN(self._kept, str(key).lower(), b"", work, context)


class _Closing(ServedInterface):
    """Answers CallStream with nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        patch.object(V2Servicer, "CallStream", self.stream).start()

    def stream(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """End at once."""
        return iter(())


class _Endless(_Closing):
    def stream(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Wait for the caller to leave."""
        while context.is_active():
            threading.Event().wait(0.05)
        return iter(())


@function_mutant(
    "compute", "CMP-SHAPE-003", "code", defect="a list in the place of a record has a code of its own", served=_Unfit
)
class NamesItself(Original):
    """Has words of its own for what it cannot read."""


@function_mutant("compute", "CMP-SHAPE-004", "code", defect="a call before Init has a code of its own", served=_Unready)
class IsNotReady(Original):
    """Has words of its own for having no configuration."""


@function_mutant("compute", "CMP-CALL-001", defect="every name of an interface stands for compute", served=_Anywhere)
class AnswersAnywhere(Original):
    """Does not look at the interface."""


@function_mutant(
    "compute", "CMP-CALL-001", "inherited", defect="what every object has is taken for a function", served=_Inheriting
)
class CallsAttributes(Original):
    """Looks functions up on an object."""


@function_mutant("compute", "CMP-CALL-001", "case", defect="names of functions match without case", served=_Lenient)
class NearlyTheName(Original):
    """Is kind to callers."""


@function_mutant(
    "compute", "CMP-CALL-001", "code", defect="a function that is not there is an invalid argument", served=_Misnaming
)
class BlamesTheName(Original):
    """Takes the function for an argument."""


@function_mutant("compute", "CMP-CALL-002", defect="Describe fails before Init", served=_Late)
class DescribesLate(Original):
    """Asks its object what it is."""


@function_mutant(
    "compute",
    "CMP-CALL-002",
    "unlisted",
    defect="Describe lists no on_heartbeat",
    also=("CMP-HOOK-001",),
    served=_Modest,
)
class ForgetsToList(Original):
    """Has two lists."""


@function_mutant(
    "compute", "CMP-CALL-002", "changing", defect="Describe says another version once it is used", served=_Growing
)
class DescribesAnew(Original):
    """Changes its mind."""


@function_mutant(
    "compute", "CMP-CALL-002", "streaming", defect="Describe says of each function that it streams", served=_Streaming
)
class SaysItStreams(Original):
    """Confuses what may wait with what streams."""


@function_mutant("compute", "CMP-CALL-003", defect="Fetch answers null", served=_Empty)
class AnswersNull(Original):
    """Takes nothing for a value."""


@function_mutant(
    "compute", "CMP-CALL-003", "code", defect="Fetch is an operation that is not supported", served=_Refusing
)
class RefusesToFetch(Original):
    """Has its own idea of nothing."""


@function_mutant("compute", "CMP-CALL-004", defect="idempotency keys are ignored", served=_Keyless)
class IgnoresKeys(Original):
    """Works each time."""


@function_mutant(
    "compute", "CMP-CALL-004", "once", defect="calls with one key that come at once are several", served=_Hasty
)
class RemembersLate(Original):
    """Remembers an answer once it is there."""


@function_mutant(
    "compute", "CMP-CALL-004", "arguments", defect="a key holds for calls with equal arguments only", served=_Particular
)
class KeysWithArguments(Original):
    """Hashes the whole request."""


@function_mutant("compute", "CMP-CALL-004", "case", defect="the case of keys does not count", served=_Folding)
class FoldsKeys(Original):
    """Keeps keys where case does not count."""


@function_mutant("compute", "CMP-CALL-008", defect="CallStream ends well, and answers nothing", served=_Closing)
class StreamsNothing(Original):
    """Left the method that was generated as it is."""


@function_mutant("compute", "CMP-CALL-008", "endless", defect="CallStream never ends", served=_Endless)
class StreamsForEver(Original):
    """Waits for parts that do not come."""


@function_mutant(
    "compute", "CMP-CALL-009", defect="Describe says of each function that it is idempotent", served=_Boasting
)
class CallsAllIdempotent(Original):
    """Fills in what sounds best."""
