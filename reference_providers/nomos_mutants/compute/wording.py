"""Mutants that word failures or logs wrongly: an empty status around the detail, too long a message, secrets."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

from nomos_contracts.compute.interface import BootstrapConfig, BootstrapScript, ProviderError
from nomos_contracts.exposure import ServedInterface
from nomos_contracts.functions import Method
from nomos_mutants.compute.failing import again
from nomos_mutants.compute.original import Original, mutant
from nomos_mutants.functions import function_mutant
from nomos_proto import wire
from nomos_proto.errors import to_status
from nomos_proto.provider import CallContext

Sent = tuple[str, str, bytes]
"""What travels of a failure: name of the status code, message, google.rpc.Status."""


class _Worded(ServedInterface):
    """Sends failures in another form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        patch("nomos_proto.servicer.to_status", lambda error: self.sent(*to_status(error))).start()

    def sent(self, status: str, message: str, details: bytes) -> Sent:
        """Return the other form."""
        raise NotImplementedError


def _without(status: bytes, number: int) -> bytes:
    """Return a serialized google.rpc.Status without one of its fields."""
    kept = [(at, value) for at, _, value in wire.read_fields(status) if at != number]
    coded = (
        b"\x08" + wire.write_varint(value) if isinstance(value, int) else wire.field(at, bytes(value))
        for at, value in kept
    )
    return b"".join(coded)


class _Numberless(_Worded):
    def sent(self, status: str, message: str, details: bytes) -> Sent:
        """Leave the number out."""
        return status, message, _without(details, 1)


class _Wordless(_Worded):
    def sent(self, status: str, message: str, details: bytes) -> Sent:
        """Leave the message out."""
        return status, message, _without(details, 2)


class _Wordy(_Worded):
    def sent(self, status: str, message: str, details: bytes) -> Sent:
        """Say all that there is to say."""
        return status, f"{message} (usage: {'spawn --spec SPEC ' * 500})", details


class _Logging(ServedInterface):
    """Logs the arguments of a spawn."""

    def _runner(self, method: Method) -> Callable[[Mapping[str, Any], CallContext], Any]:
        run = super()._runner(method)

        def logged(args: Mapping[str, Any], context: CallContext) -> Any:
            if method.name == "spawn":
                sys.stderr.write(f"spawn {self.written(json.dumps(args, default=str))}\n")
                sys.stderr.flush()
            return run(args, context)

        return logged

    def written(self, text: str) -> str:
        """Return how *text* stands in the log."""
        return text


class _Encoding(_Logging):
    def written(self, text: str) -> str:
        """Encode it."""
        return base64.b64encode(text.encode()).decode()


@function_mutant(
    "compute", "CMP-ERROR-007", defect="the google.rpc.Status of a failure has the code 0", served=_Numberless
)
class FillsInTheDetail(Original):
    """Has the code in the header already."""


@function_mutant(
    "compute", "CMP-ERROR-007", "message", defect="the google.rpc.Status of a failure has no message", served=_Wordless
)
class HasSaidIt(Original):
    """Has the message in the header already."""


@function_mutant("compute", "CMP-ERROR-007", "long", defect="messages are longer than 8 KiB", served=_Wordy)
class SaysAll(Original):
    """Appends how it is used."""


@mutant("CMP-ERROR-008", defect="a script whose checksum is wrong is quoted")
class QuotesScript(Original):
    """Shows what the checksum was made of."""

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        """Quote its beginning."""
        try:
            return super().generate_bootstrap(cfg)
        except ProviderError as error:
            if not error.message.startswith("init_checksum"):
                raise
            raise again(
                error, message=f"{error.message}, which begins with {(cfg.init_script or '')[:40]!r}"
            ) from error


@function_mutant("compute", "CMP-ERROR-009", defect="the arguments of a spawn are logged", served=_Logging)
class LogsArguments(Original):
    """Logs for the one who has to look into it."""


@function_mutant(
    "compute", "CMP-ERROR-009", "encoded", defect="the arguments of a spawn are logged in base64", served=_Encoding
)
class LogsEncoded(Original):
    """Keeps a log to one line."""
