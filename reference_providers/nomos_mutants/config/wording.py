"""Mutants that fail with the wrong words, or say what should stay secret."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto import messages
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, Health, HealthStatus
from nomos_proto.servicer import V1Servicer

Config = Mapping[str, Any]


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


@mutant(
    "CFG-ERROR-005",
    defect="a path with a character beyond the basic plane fails with UNKNOWN",
    also=("CFG-VALUE-010",),
)
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


@mutant("CFG-SECRET-001", defect="the configuration is logged when Init fails", also=("CFG-SECRET-002",))
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


@mutant(
    "CFG-SECRET-002",
    "url",
    defect="the message holds the value of a secret key that is no path, with all that is in it",
)
class QuotesMalformed(_Worded):
    """Passes on what a library says of a value that it cannot read."""

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Refuse URLs."""
        given = config.get("directory")
        if isinstance(given, str) and "://" in given:
            raise ProviderError(f"directory: {given!r} is no path", "INVALID_SPEC")
        super().init(alias, config, source_file_path, context=context)


class _Logged(Original):
    """Logs what it answers with."""

    def written(self, value: str) -> str:
        """Return what is logged of a string that was fetched."""
        return value

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Log strings."""
        value = super().fetch(path, context=context)
        if isinstance(value, str):
            sys.stderr.write(f"answering {self.written(value)}\n")
            sys.stderr.flush()
        return value


@mutant("CFG-SECRET-003", "hex", defect="the bytes of each string that is fetched are logged in hex")
class LogsBytes(_Logged):
    """Logs what goes over the wire."""

    def written(self, value: str) -> str:
        """Write it as a field of a message."""
        return f"1a{value.encode().hex()}00"


@mutant("CFG-SECRET-003", "bytes", defect="the bytes of each string that is fetched are logged as a list of numbers")
class LogsNumbers(_Logged):
    """Prints an array."""

    def written(self, value: str) -> str:
        """Write it as some languages show bytes, which have signs."""
        return str([byte - 256 if byte > 127 else byte for byte in value.encode()])  # eight bits


@mutant("CFG-SECRET-003", "letters", defect="the characters of each string that is fetched are logged as a list")
class LogsCharacters(_Logged):
    """Prints an array."""

    def written(self, value: str) -> str:
        """Write it as some languages show characters."""
        return f"[{', '.join(value)}]"


@mutant("CFG-SECRET-003", defect="each string that is fetched is logged")
class LogsValues(_Logged):
    """Logs for debugging."""


@mutant("CFG-SECRET-002", "health", defect="a degraded Health quotes the configuration")
class ExplainsWithAll(Original):
    """Tells whoever looks into it all that there is to know."""

    _given: Config | None = None

    def init(self, alias: str, config: Config, source_file_path: str, *, context: CallContext) -> None:
        """Keep it."""
        super().init(alias, config, source_file_path, context=context)
        self._given = config

    def health(self) -> Health:
        """Quote it."""
        found = super().health()
        degraded = found.status is HealthStatus.DEGRADED
        return Health(found.status, f"{found.message}; {self._given}") if degraded else found
