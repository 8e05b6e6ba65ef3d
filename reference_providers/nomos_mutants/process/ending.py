"""Mutants that end wrongly, or leave something behind."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import grpc

from nomos_mutants.mutant import mutant, serve_with
from nomos_mutants.original import Original
from nomos_mutants.variations import patient, serving
from nomos_proto import serve
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_proto.servicer import V1Servicer


class _Deaf(serve._Ending):  # noqa: SLF001 # a mutant changes what is inside
    """An end that signals do not bring about."""

    numbers: tuple[int, ...] = ()

    def __enter__(self) -> Any:
        entered = super().__enter__()
        for number in self.numbers:
            # The wake-up descriptor hears of handled signals only.
            signal.signal(number, signal.SIG_IGN)
        return entered


@mutant("PROC-SIGNAL-001", defect="it ignores SIGTERM", also=("PROC-SIGNAL-003", "PROC-SIGNAL-006"))
def ignores_sigterm(argv: Sequence[str]) -> int:
    """End with Shutdown only."""
    with serving("_Ending", type("Deaf", (_Deaf,), {"numbers": (signal.SIGTERM,)})):
        return serve_with(argv)


class _DeafUntilInit(serve._Ending):  # noqa: SLF001 # as above
    def wait(self, timeout: float | None = None) -> str:
        """Take a signal for nothing as long as there is no configuration."""
        while True:
            reason = super().wait(timeout)
            if reason == "asked" and not _Initialised.initialised and not _Initialised.shut:
                continue
            return reason


class _Initialised(Original):
    initialised = False
    shut = False

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Note that it is there."""
        super().init(alias, config, source_file_path, context=context)
        type(self).initialised = True

    def shutdown(self) -> None:
        """Note that it is gone."""
        type(self).shut = True
        super().shutdown()


@mutant("PROC-SIGNAL-001", "unused", defect="it ignores SIGTERM until it was initialised")
def deaf_until_init(argv: Sequence[str]) -> int:
    """Install the handler in Init."""
    with serving("_Ending", _DeafUntilInit):
        return serve_with(argv, provider=_Initialised())


@mutant("PROC-SIGNAL-002", defect="it ignores SIGINT")
def ignores_sigint(argv: Sequence[str]) -> int:
    """End with SIGTERM only."""
    with serving("_Ending", type("Deaf", (_Deaf,), {"numbers": (signal.SIGINT,)})):
        return serve_with(argv)


class _Busy(Original):
    """Knows the calls that run."""

    calls: ClassVar[set[CallContext]] = set()

    @classmethod
    def runs(cls) -> bool:
        """Whether one runs whose caller is still there."""
        return not all(one.cancelled() for one in tuple(cls.calls))

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Note it."""
        self.calls.add(context)
        try:
            context.wait(0.02)
            return super().fetch(path, context=context)
        finally:
            self.calls.discard(context)


class _EndsWhenIdle(serve._Ending):  # noqa: SLF001 # as above
    def wait(self, timeout: float | None = None) -> str:
        """Take a signal for nothing while a call runs."""
        while True:
            reason = super().wait(timeout)
            if reason == "asked" and _Busy.runs():
                continue
            return reason


@mutant(
    "PROC-SIGNAL-003",
    defect="it forgets a signal that arrives while calls run",
    also=("PROC-SHUTDOWN-002", "PROC-SIGNAL-002", "PROC-SIGNAL-006"),
)
def ends_when_idle(argv: Sequence[str]) -> int:
    """Look for the signal between calls only."""
    with serving("_Ending", _EndsWhenIdle):
        return serve_with(argv, provider=_Busy())


@mutant(
    "PROC-SIGNAL-003",
    "patient",
    defect="after a signal it waits without limit for the calls that run",
    also=("PROC-SIGNAL-002", "PROC-SIGNAL-006"),
)
def waits_for_calls(argv: Sequence[str]) -> int:
    """Stop gracefully, with all the time in the world."""
    with patient():
        return serve_with(argv)


@mutant("PROC-SIGNAL-004", defect="SIGTERM cuts off the calls that run")
def cuts_off(argv: Sequence[str]) -> int:
    """Stop at once."""
    return serve_with(["--grace", "0", *argv])


@mutant("PROC-SIGNAL-005", defect="it exits with code 1 after an orderly end")
def bad_exit_code(argv: Sequence[str]) -> int:
    """Report failure whatever happens."""
    serve_with(argv)
    return 1


@mutant("PROC-SHUTDOWN-001", defect="Shutdown fails with INTERNAL", also=("PROC-SHUTDOWN-004",))
class ShutdownFails(V1Servicer):
    """A service that ends and complains."""

    def Shutdown(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Fail, and end all the same."""
        if context.add_callback(self.on_shutdown) is False:
            self.on_shutdown()
        return self.answer(context, "Shutdown", self._fail)

    @staticmethod
    def _fail(_: CallContext) -> bytes:
        raise ProviderError("nothing to close")


@mutant(
    "PROC-SHUTDOWN-001",
    "used",
    defect="Shutdown hangs once something was fetched",
    also=("CFG-SCHED-001", "PROC-SURFACE-003"),
)
class ShutdownHangs(Original):
    """A provider that waits for a connection that it holds itself."""

    _used = False

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Note that it was used."""
        self._used = True
        return super().fetch(path, context=context)

    def shutdown(self) -> None:
        """Wait for what never comes."""
        if self._used:
            time.sleep(30)
        super().shutdown()


@mutant("PROC-SHUTDOWN-001", "mute", defect="it exits before it answers Shutdown", also=("PROC-SHUTDOWN-004",))
class ShutdownExits(V1Servicer):
    """A service that takes the shortest way."""

    def Shutdown(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Clean up and exit inside the handler."""
        self.provider.shutdown()
        listen = os.environ.get("NOMOS_LISTEN", "").removeprefix("unix:")
        for path in (listen, f"{listen}.lock"):
            Path(path or "/nonexistent").unlink(missing_ok=True)
        os._exit(0)


@mutant("PROC-SHUTDOWN-002", defect="it answers Shutdown and runs on")
class RunsOn(V1Servicer):
    """A service that cleans up and stays."""

    def Shutdown(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Clean up only."""

        def work(_: CallContext) -> bytes:
            self.provider.shutdown()
            return b""

        return self.answer(context, "Shutdown", work)


@mutant("PROC-SHUTDOWN-003", defect="a second Shutdown is refused")
class ShutdownOnce(V1Servicer):
    """A service that ends half a second after Shutdown and refuses a second one meanwhile."""

    _asked = False

    def Shutdown(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Refuse from the second on."""

        def work(_: CallContext) -> bytes:
            if self._asked:
                raise ProviderError("already shut down", "INVALID_STATE")
            self._asked = True
            threading.Timer(0.5, self.on_shutdown).start()
            self.provider.shutdown()
            return b""

        return self.answer(context, "Shutdown", work)


@mutant("PROC-SHUTDOWN-004", defect="Shutdown before Init is refused")
class ShutdownWantsInit(V1Servicer):
    """A service that has nothing to shut down before Init."""

    def Shutdown(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Refuse without a configuration, and end all the same."""
        if not self.provider.info().alias:
            if context.add_callback(self.on_shutdown) is False:
                self.on_shutdown()
            return self.answer(context, "Shutdown", self._fail)
        return super().Shutdown(request, context)

    @staticmethod
    def _fail(_: CallContext) -> bytes:
        raise ProviderError("call Init first", "INVALID_STATE")


@mutant("PROC-SHUTDOWN-008", defect="before Init it answers nobody but its first caller")
class KnowsOneCaller(V1Servicer):
    """A service that runs on when its caller has left, and serves nobody any more."""

    _caller = ""

    def Health(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Refuse a second caller, unless there is a configuration or he came before."""
        self._caller = self._caller or context.peer()
        if context.peer() != self._caller and not self.provider.info().alias:
            context.abort(grpc.StatusCode.UNAVAILABLE, "my caller has left")
        return super().Health(request, context)


@mutant(
    "PROC-SHUTDOWN-005",
    defect="it serves on from its configuration for a second after Shutdown",
    also=("PROC-SHUTDOWN-002",),
)
class ServesOn(V1Servicer):
    """A service that ends late and forgets nothing."""

    def Shutdown(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer, and end a second later."""

        def work(_: CallContext) -> bytes:
            threading.Timer(1.0, self.on_shutdown).start()
            return b""

        return self.answer(context, "Shutdown", work)


@mutant("PROC-OUTPUT-001", defect="each unknown path is printed on stdout")
def prints_misses(argv: Sequence[str]) -> int:
    """Serve a provider that was debugged."""
    return serve_with(argv, provider=_Printing(os.dup(1)))


class _Printing(Original):
    def __init__(self, stdout: int) -> None:
        super().__init__()
        self._stdout = stdout

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Print what was not found."""
        try:
            return super().fetch(path, context=context)
        except ProviderError:
            os.write(self._stdout, b"not found\n")
            raise


@mutant("PROC-OUTPUT-001", "farewell", defect="it says goodbye on stdout when it ends")
def says_goodbye(argv: Sequence[str]) -> int:
    """Print at the end."""
    stdout = os.dup(1)
    code = serve_with(argv)
    os.write(stdout, b"bye\n")
    return code


@mutant("PROC-CLEANUP-001", defect="a temporary file is left behind")
class LeavesFile(Original):
    """A provider with a cache on disk."""

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Write the cache."""
        super().init(alias, config, source_file_path, context=context)
        Path(tempfile.gettempdir(), f"files-cache-{os.getpid()}").write_text("{}", encoding="utf-8")


@mutant("PROC-CLEANUP-001", "child", defect="a child process outlives it")
class LeavesChild(Original):
    """A provider with a helper process."""

    _child: subprocess.Popen[bytes] | None = None

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Start the helper."""
        super().init(alias, config, source_file_path, context=context)
        if self._child is None:
            self._child = subprocess.Popen(["sleep", "60"], start_new_session=True)  # noqa: S607 # from PATH


@mutant("PROC-CLEANUP-001", "socket", defect="the file of its Unix socket stays")
def leaves_socket(argv: Sequence[str]) -> int:
    """End without removing the socket's file."""
    from nomos_proto.socket_file import SocketFile

    listen = os.environ.get("NOMOS_LISTEN", "").removeprefix("unix:")
    code = serve_with(argv)
    if listen:
        with SocketFile(listen + ".again"):
            Path(listen).touch()
    return code


@mutant("PROC-LEAK-001", defect="each failing Fetch leaves a descriptor open")
class LeaksDescriptors(Original):
    """A provider that forgets to close."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Open something and never close it."""
        try:
            return super().fetch(path, context=context)
        except ProviderError:
            os.open("/dev/null", os.O_RDONLY)
            raise


@mutant("PROC-LEAK-002", defect="each unknown path is remembered with a page of notes")
class LeaksMemory(Original):
    """A provider with a cache of misses that has no bound."""

    def __init__(self) -> None:
        super().__init__()
        self._misses: dict[tuple[str, ...], bytearray] = {}

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Remember every miss."""
        try:
            return super().fetch(path, context=context)
        except ProviderError:
            self._misses[tuple(path)] = bytearray(os.urandom(256 * 1024))
            raise


@mutant("PROC-LEAK-003", defect="each call makes the next one slower")
class Slows(Original):
    """A provider that walks a list which only grows."""

    _calls = 0

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Take a little longer each time."""
        self._calls += 1
        time.sleep(self._calls * 0.00005)
        return super().fetch(path, context=context)


@mutant("PROC-LEAK-004", defect="for each caller who has left a slow Fetch a descriptor stays open")
class KeepsSource(Original):
    """Closes its source when it has read it, and not when nobody waits for it any more."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Open something that stays open if the caller leaves."""
        if path and path[0] == "slow":
            context.on_cancel(lambda: os.open(os.devnull, os.O_RDONLY))
        return super().fetch(path, context=context)
