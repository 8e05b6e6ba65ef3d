"""Mutants whose answers are wrong: values, Info, Health, messages, secrets."""

from __future__ import annotations

import itertools
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto import messages
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, Health, HealthStatus, Info
from nomos_proto.servicer import V1Servicer
from nomos_proto.structs import encode_struct
from nomos_proto.wire import field

Config = Mapping[str, Any]
logger = logging.getLogger("nomos.mutant")


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return *value* with *change* applied to each scalar in it."""
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [mapped(item, change) for item in value]
    return change(value)


class _Changed(Original):
    """Changes what Fetch answers."""

    def change(self, value: Any) -> Any:
        """Return the changed value."""
        return value

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer the changed value."""
        return self.change(super().fetch(path, context=context))


@mutant("CFG-VALUE-001", defect="numbers are strings")
class NumbersAsText(_Changed):
    """Reads everything as text."""

    def change(self, value: Any) -> Any:
        """Turn numbers into text."""
        return mapped(value, lambda v: str(v) if isinstance(v, int | float) and not isinstance(v, bool) else v)


@mutant("CFG-VALUE-001", "zero", defect="zero is null")
class ZeroIsNull(_Changed):
    """Tests a number for truth."""

    def change(self, value: Any) -> Any:
        """Turn zero into null."""
        return mapped(value, lambda v: None if v == 0 and not isinstance(v, bool | str) else v)


@mutant("CFG-VALUE-001", "empty", defect="an empty list is an empty map")
class EmptyListIsMap(_Changed):
    """Knows one kind of emptiness."""

    def change(self, value: Any) -> Any:
        """Turn empty lists into empty maps, at the top."""
        return {} if value == [] else value


@mutant("CFG-VALUE-001", "large", defect="integers over 2^53 - 1 lose one")
class LosesOne(_Changed):
    """Rounds large numbers."""

    def change(self, value: Any) -> Any:
        """Take one from large numbers."""
        return mapped(value, lambda v: v - 1 if isinstance(v, int | float) and abs(v) >= 2**53 else v)


@mutant("CFG-VALUE-001", "later", defect="from the twentieth answer on strings have no blanks at their ends")
class TrimsLater(_Changed):
    """Has a cache that trims."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = itertools.count(1)

    def change(self, value: Any) -> Any:
        """Trim what comes from the cache."""
        return (
            mapped(value, lambda v: v.strip() if isinstance(v, str) else v) if next(self._calls) > 20 else value
        )  # the size of the cache


class _Fetch(V1Servicer):
    """Changes the bytes of good answers to Fetch."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Return the changed bytes."""
        return answer

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer the changed bytes."""

        def work(call: CallContext) -> bytes:
            value = self.provider.fetch(messages.decode_fetch_request(request), context=call)
            answer = messages.encode_fetch_response(messages.wrap(value), max_bytes=1 << 26)
            return self.change(answer, value)

        return self.limited(context, "Fetch", work)


@mutant("CFG-VALUE-002", defect="null is an answer without a value", also=("CFG-VALUE-004",))
class NullIsNothing(_Fetch):
    """Leaves out what is null."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Answer nothing for null."""
        return b"" if value is None else answer


@mutant("CFG-VALUE-003", defect="a null inside a map is a value without a kind")
class UnsetKinds(_Fetch):
    """Leaves the kind of a null unset."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Take the kind out of each null."""
        # A null is field 1 as a varint of 0 in a Value: two bytes, whose loss shortens the lengths around them. An
        # unknown field of the same length takes their place.
        return answer.replace(b"\x12\x02\x08\x00", b"\x12\x02\x78\x00") if isinstance(value, dict) else answer


@mutant("CFG-VALUE-004", defect="a scalar is wrapped as result", also=("CFG-VALUE-001",))
class WrapsAsResult(_Fetch):
    """Has its own wrapper."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Wrap scalars under another key."""
        if isinstance(value, dict):
            return answer
        return field(1, encode_struct({"result": value}))


@mutant("CFG-VALUE-005", defect="a wildcard answers the list of the names", also=("CFG-VALUE-001",))
class WildcardLists(Original):
    """Lists for a wildcard."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer the names."""
        found = super().fetch(path, context=context)
        return sorted(found) if path and path[-1] == "*" and isinstance(found, dict) else found


@mutant("CFG-VALUE-006", defect="an index beyond the end counts from the start again")
class IndexWraps(Original):
    """Takes the index modulo the length."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Try smaller indexes."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            at = next((i for i, s in enumerate(path) if s.endswith("]") and "[" in s), None)
            if error.code != "NOT_FOUND" or at is None:
                raise
            name = path[at].partition("[")[0]
            try:
                return super().fetch([*path[:at], f"{name}[0]", *path[at + 1 :]], context=context)
            except ProviderError:
                raise error from None


@mutant("CFG-VALUE-007", defect="values are wrapped in twelve maps more", also=("CFG-VALUE-001",))
class NestsDeeply(_Changed):
    """Adds levels."""

    def change(self, value: Any) -> Any:
        """Wrap maps."""
        if isinstance(value, dict) and value:
            for _ in range(12):
                value = {"config": value}
        return value


@mutant("CFG-VALUE-009", defect="maps carry five megabytes of comments", also=("CFG-VALUE-001",))
class Padded(_Fetch):
    """Sends more than a caller takes."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Pad maps."""
        if not isinstance(value, dict) or not value:
            return answer
        return field(1, encode_struct({**value, "comment": "x" * 5_000_000}))


@mutant("CFG-VALUE-008", defect="maps carry eleven megabytes of comments", also=("CFG-VALUE-001", "CFG-VALUE-009"))
class PaddedMore(_Fetch):
    """Sends far more than a caller takes."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Pad one map."""
        if not isinstance(value, dict) or "ciphers" not in value:
            return answer
        return field(1, encode_struct({**value, "comment": "x" * 11_000_000}))


@mutant("CFG-VALUE-010", defect="characters beyond the basic plane are question marks", also=("CFG-VALUE-001",))
class BasicPlane(_Changed):
    """Counts characters in 16 bits."""

    def change(self, value: Any) -> Any:
        """Replace what does not fit."""
        return mapped(value, lambda v: "".join(c if c < "\U00010000" else "?" for c in v) if isinstance(v, str) else v)


class _Informed(Original):
    """Changes Info."""

    def changed(self, info: Info) -> Info:
        """Return the changed Info."""
        return info

    def info(self) -> Info:
        """Answer the changed Info."""
        return self.changed(super().info())


@mutant("CFG-INFO-001", defect="Info before Init is FAILED_PRECONDITION", also=("CFG-INFO-004",))
class InfoWantsInit(_Informed):
    """Knows itself after Init."""

    def changed(self, info: Info) -> Info:
        """Refuse without a configuration."""
        if not info.alias and not self._closed:
            raise ProviderError("call Init first", "INVALID_STATE")
        return info


@mutant("CFG-INFO-002", defect="the version begins with a v", also=("CFG-INFO-003",))
class VersionWithV(_Informed):
    """Reports its tag."""

    def changed(self, info: Info) -> Info:
        """Put a v before it."""
        return Info(info.alias, f"v{info.version}", info.type)


@mutant("CFG-INFO-003", defect="the version is that of an older build")
class OldVersion(_Informed):
    """Forgot to count up."""

    def changed(self, info: Info) -> Info:
        """Answer an older version."""
        return Info(info.alias, "0.0.9", info.type)


@mutant("CFG-INFO-004", defect="the type is the name of the folder after Init")
class TypeChanges(_Informed):
    """Takes its type from the configuration."""

    def changed(self, info: Info) -> Info:
        """Answer another type after Init."""
        return Info(info.alias, info.version, "files-ready" if info.alias else info.type)


@mutant("CFG-INFO-004", "process", defect="the type holds the process id")
class TypePerProcess(_Informed):
    """Is another one each time."""

    def changed(self, info: Info) -> Info:
        """Add the process id."""
        return Info(info.alias, info.version, f"files-{os.getpid()}")


@mutant("CFG-INFO-006", defect="the alias is always empty")
class NoAlias(_Informed):
    """Forgets its alias."""

    def changed(self, info: Info) -> Info:
        """Answer none."""
        return Info("", info.version, info.type)


class _Well(Original):
    """Changes Health."""

    def changed(self, health: Health) -> Health:
        """Return the changed Health."""
        return health

    def health(self) -> Health:
        """Answer the changed Health."""
        return self.changed(super().health())

    @property
    def ready(self) -> bool:
        """Whether there is a configuration."""
        return self._current is not None


@mutant("CFG-HEALTH-001", defect="Health before Init fails")
class HealthWantsInit(_Well):
    """Is well or not there."""

    def changed(self, health: Health) -> Health:
        """Refuse without a configuration."""
        if not self.ready and not self._closed:
            raise ProviderError("call Init first", "INVALID_STATE")
        return health


@mutant("CFG-HEALTH-002", defect="a provider that is well says STATUS_STARTING", also=("CFG-HEALTH-005",))
class StartsForEver(_Well):
    """Never counts itself as ready."""

    def changed(self, health: Health) -> Health:
        """Say STARTING."""
        return Health(HealthStatus.STARTING, "warming up; wait") if self.ready else health


@mutant("CFG-HEALTH-003", defect="after a Fetch that failed the status is STATUS_UNSPECIFIED", also=())
class Unspecified(_Well):
    """Loses its status."""

    _lost = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Lose the status on failure."""
        try:
            return super().fetch(path, context=context)
        except ProviderError:
            self._lost = self.ready
            raise

    def changed(self, health: Health) -> Health:
        """Say UNSPECIFIED once."""
        lost, self._lost = self._lost, False
        return Health(HealthStatus.UNSPECIFIED, "no status") if lost else health


@mutant("CFG-HEALTH-004", defect="before Init the status is STATUS_UNSPECIFIED")
class UnspecifiedAtFirst(_Well):
    """Has no status at first."""

    def changed(self, health: Health) -> Health:
        """Say UNSPECIFIED before Init."""
        return health if self.ready or self._closed else Health(HealthStatus.UNSPECIFIED, "call Init")


@mutant("CFG-HEALTH-005", defect="it says STATUS_OK while its overlay is gone")
class AlwaysOk(_Well):
    """Looks at nothing."""

    def changed(self, health: Health) -> Health:
        """Say OK."""
        return Health(HealthStatus.OK) if self.ready else health


@mutant("CFG-HEALTH-007", defect="every fifteenth ping fails")
class MissesPings(_Well):
    """Is busy now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._pings = itertools.count(1)

    def changed(self, health: Health) -> Health:
        """Fail now and then."""
        if next(self._pings) % 15 == 0:
            raise ProviderError("busy")
        return health


@mutant("CFG-HEALTH-008", defect="a status that is not OK has no message")
class Speechless(_Well):
    """Says nothing."""

    def changed(self, health: Health) -> Health:
        """Leave the message out."""
        return Health(health.status)


class _Worded(Original):
    """Changes what errors say."""

    def reworded(self, error: ProviderError, method: str, given: Any) -> ProviderError:
        """Return the changed error."""
        return error

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Fail with other words."""
        try:
            super().init(alias, config, source_file_path, context=context)
        except ProviderError as error:
            raise self.reworded(error, "Init", config) from None

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Fail with other words."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            raise self.reworded(error, "Fetch", path) from None


@mutant("CFG-ERROR-001", defect="errors of Fetch have no message", also=())
class NoMessage(_Worded):
    """Says nothing."""

    def reworded(self, error: ProviderError, method: str, given: Any) -> ProviderError:
        """Leave the message out."""
        return ProviderError("", error.code) if method == "Fetch" else error


@mutant("CFG-ERROR-002", defect="a missing key is not named")
class MissingKeyUnnamed(_Worded):
    """Says that something is missing."""

    def reworded(self, error: ProviderError, method: str, given: Any) -> ProviderError:
        """Leave the key out."""
        if method == "Init" and "directory" not in given:
            return ProviderError("a required key is missing", error.code)
        return error


@mutant("CFG-ERROR-003", defect="the key of a wrong value is not named")
class WrongKeyUnnamed(_Worded):
    """Says that something is wrong."""

    def reworded(self, error: ProviderError, method: str, given: Any) -> ProviderError:
        """Leave the key out."""
        if method == "Init" and "directory" in given:
            return ProviderError("invalid configuration", error.code)
        return error


@mutant("CFG-ERROR-004", defect="what was not found is not named")
class NotFoundUnnamed(_Worded):
    """Says that nothing is there."""

    def reworded(self, error: ProviderError, method: str, given: Any) -> ProviderError:
        """Leave the path out."""
        return ProviderError("not found", error.code) if error.code == "NOT_FOUND" else error


@mutant("CFG-ERROR-005", defect="a path with a character beyond the basic plane fails with UNKNOWN")
class UnknownError(V1Servicer):
    """Lets one exception escape."""

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Raise through the framework."""
        path = (
            messages.decode_fetch_request(request) if request[:1] == b"\x0a" and len(request) < 4096 else ()
        )  # as above
        if any(c > "\uffff" for segment in path for c in segment):
            context.abort(grpc.StatusCode.UNKNOWN, "exception in Fetch")
        return super().Fetch(request, context)


@mutant("CFG-ERROR-006", defect="messages repeat the whole path")
class LongMessages(V1Servicer):
    """Repeats what it was asked."""

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer long segments with all of themselves."""
        if 5_000 < len(request) < 2_000_000 and self.provider.info().alias:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the path is too long: " + "x" * 12_000)
        return super().Fetch(request, context)


@mutant("CFG-SECRET-001", defect="the configuration is logged when Init fails")
class LogsConfig(_Worded):
    """Logs for the one who has to look into it."""

    def reworded(self, error: ProviderError, method: str, given: Any) -> ProviderError:
        """Log what was given."""
        if method == "Init":
            sys.stderr.write(f"Init failed with {dict(given)}\n")
            sys.stderr.flush()
        return error


@mutant("CFG-SECRET-002", defect="the message holds the folder that cannot be used", also=())
class ShowsSecret(_Worded):
    """Says which value was wrong."""

    def reworded(self, error: ProviderError, method: str, given: Any) -> ProviderError:
        """Add the value of the key at fault."""
        if method == "Init" and given.get("directory"):
            return ProviderError(f"{error.message}: {given['directory']}", error.code)
        return error


@mutant("CFG-SECRET-003", defect="each string that is fetched is logged")
class LogsValues(_Changed):
    """Logs for debugging."""

    def change(self, value: Any) -> Any:
        """Log strings."""
        if isinstance(value, str):
            sys.stderr.write(f"answering {value}\n")
            sys.stderr.flush()
        return value
