"""Mutants whose program says the wrong things about itself, or bears no Init that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from nomos_contracts.exposure import ServedInterface
from nomos_contracts.functions import Method
from nomos_mutants.compute.original import Original
from nomos_mutants.functions import function_mutant
from nomos_proto.description import ProviderInfo
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, Health, HealthStatus

WORK: Final = 0.03
"""Seconds that the busy one takes for each list."""


class _Restated(ServedInterface):
    """Describes itself in other words."""

    words: ClassVar[Mapping[str, Any]]

    def describe(self) -> ProviderInfo:
        """Return them."""
        return replace(super().describe(), **self.words)


class _OfAnotherKind(_Restated):
    words: ClassVar = {"type": "compute"}


class _OfAnotherBuild(_Restated):
    words: ClassVar = {"version": "0.0.0"}


class _Spoken(_Restated):
    words: ClassVar = {"name": "the mutant"}


class _Unversioned(_Restated):
    words: ClassVar = {"protocol_versions": ()}


class _Quoted(_Restated):
    words: ClassVar = {"config_schema": '{"type": "object"}'}


class _Tagged(ServedInterface):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"version": f"v{kwargs['version']}"})


class _Unset(ServedInterface):
    def health(self) -> Health:
        """Leave the status out once there is nothing to say."""
        found = super().health()
        return Health(HealthStatus.UNSPECIFIED) if found.status is HealthStatus.OK else found


class _Busy(ServedInterface):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._calls: set[object] = set()

    def _runner(self, method: Method) -> Callable[[Mapping[str, Any], CallContext], Any]:
        run = super()._runner(method)
        if method.name != "list":
            return run

        def noted(args: Mapping[str, Any], context: CallContext) -> Any:
            call = object()
            self._calls.add(call)
            try:
                threading.Event().wait(WORK)
                return run(args, context)
            finally:
                self._calls.discard(call)

        return noted

    def health(self) -> Health:
        """Answer unless lists are made.

        Raises:
            ProviderError: PROVIDER_ERROR, some do.
        """
        if len(self._calls) > 1:
            raise ProviderError("busy", "PROVIDER_ERROR")
        return super().health()


class _Wedged(ServedInterface):
    _failed = False

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Try once.

        Raises:
            ProviderError: INVALID_STATE, an earlier one failed.
        """
        if self._failed:
            raise ProviderError("Init failed before", "INVALID_STATE")
        self._failed = True
        super().init(alias, config, source_file_path, context=context)
        self._failed = False


class _Escaping(ServedInterface):
    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Fail as it comes.

        Raises:
            ProviderError: what was raised, under a code that Init does not have.
        """
        try:
            super().init(alias, config, source_file_path, context=context)
        except ProviderError as error:
            raise ProviderError(error.message, "PROVIDER_ERROR") from error


@function_mutant(
    "compute", "CMP-CALL-005", defect="Describe tells the interface where the type belongs", served=_OfAnotherKind
)
class ConfusesItsType(Original):
    """Takes the one for the other."""


@function_mutant(
    "compute", "CMP-CALL-005", "version", defect="Describe tells another version than Info", served=_OfAnotherBuild
)
class HasTwoVersions(Original):
    """Has its version in two places."""


@function_mutant("compute", "CMP-CALL-005", "v", defect="the version begins with a v", served=_Tagged)
class TellsItsTag(Original):
    """Tells the tag of its release."""


@function_mutant("compute", "CMP-CALL-005", "name", defect="the name holds a blank", served=_Spoken)
class NamesItselfInWords(Original):
    """Has a name for people."""


@function_mutant(
    "compute", "CMP-CALL-005", "protocols", defect="Describe lists no protocol version", served=_Unversioned
)
class LeavesVersionsOut(Original):
    """Fills in half of it."""


@function_mutant("compute", "CMP-CALL-005", "schema", defect="the schema is JSON within a JSON text", served=_Quoted)
class EncodesTwice(Original):
    """Encodes what is encoded."""


@function_mutant("compute", "CMP-CALL-006", defect="Health leaves the status out when all is well", served=_Unset)
class SaysNothing(Original):
    """Has nothing to say."""


@function_mutant("compute", "CMP-CALL-006", "busy", defect="Health fails while lists are made", served=_Busy)
class IsBusy(Original):
    """Has no time."""


@function_mutant("compute", "CMP-CALL-007", defect="after an Init that failed none succeeds", served=_Wedged)
class StaysRefused(Original):
    """Does not tidy up."""


@function_mutant("compute", "CMP-CALL-007", "code", defect="an Init that fails answers INTERNAL", served=_Escaping)
class FailsAsItComes(Original):
    """Catches nothing."""
