"""Mutants that end wrongly, or speak where they should not, once an Init was refused or a caller has left."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from nomos_mutants.mutant import mutant, serve_with
from nomos_mutants.original import Original
from nomos_mutants.variations import serving
from nomos_proto import serve
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_proto.servicer import V1Servicer


class _Refusing(Original):
    """Notes whether the last Init was refused."""

    refused = False
    shut = False

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Note what became of it."""
        try:
            super().init(alias, config, source_file_path, context=context)
        except ProviderError:
            type(self).refused = True
            raise
        type(self).refused = False

    def shutdown(self) -> None:
        """Note that it is gone."""
        type(self).shut = True
        super().shutdown()


class _DeafWhenRefused(serve._Ending):  # noqa: SLF001 # a mutant changes what is inside
    def wait(self, timeout: float | None = None) -> str:
        """Take a signal for nothing as long as a better configuration is due."""
        while True:
            reason = super().wait(timeout)
            if reason == "asked" and _Refusing.refused and not _Refusing.shut:
                continue
            return reason


@mutant(
    "PROC-SIGNAL-001",
    "refused",
    defect="it ignores signals after an Init that it refused",
    also=("PROC-SIGNAL-002",),
)
def deaf_when_refused(argv: Sequence[str]) -> int:
    """Wait for a good Init, and for nothing else."""
    with serving("_Ending", _DeafWhenRefused):
        return serve_with(argv, provider=_Refusing())


class _RunsOnWhenRefused(V1Servicer):
    """A service that waits for a good Init once it has refused one."""

    def Shutdown(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer, and end only if the last Init was a good one."""
        if _Refusing.refused:
            return self.answer(context, "Shutdown", lambda _: b"")
        return super().Shutdown(request, context)


@mutant("PROC-SHUTDOWN-002", "refused", defect="after an Init that it refused Shutdown is answered and it runs on")
def runs_on_when_refused(argv: Sequence[str]) -> int:
    """Serve a provider that tells its service what it refused."""
    with serving("V1Servicer", _RunsOnWhenRefused):
        return serve_with(argv, provider=_Refusing())


@mutant("PROC-CLEANUP-001", "interrupted", defect="after SIGINT the file of its Unix socket stays")
def exits_on_sigint(argv: Sequence[str]) -> int:
    """Exit inside the handler."""

    class Ending(serve._Ending):  # noqa: SLF001 # as above
        def __enter__(self) -> Any:
            entered = super().__enter__()
            signal.signal(signal.SIGINT, lambda *_: os._exit(0))
            return entered

    with serving("_Ending", Ending):
        return serve_with(argv)


class _PrintsLeaving(Original):
    """Tells whoever reads stdout that a caller did not wait."""

    def __init__(self, stdout: int) -> None:
        super().__init__()
        self._stdout = stdout

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Print once the caller of a slow path has left."""
        if path and path[0] == "slow":
            context.on_cancel(lambda: os.write(self._stdout, b"caller gone\n"))
        return super().fetch(path, context=context)


@mutant("PROC-OUTPUT-001", "left", defect="each caller who leaves a slow Fetch is told of on stdout")
def prints_leaving(argv: Sequence[str]) -> int:
    """Serve a provider that was debugged."""
    return serve_with(argv, provider=_PrintsLeaving(os.dup(1)))
