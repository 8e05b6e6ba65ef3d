"""Serve a Python provider object as a provider binary."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn, Self, cast
from urllib.parse import quote

import grpc

from nomos_proto import announcement
from nomos_proto.provider import ConfigService
from nomos_proto.servicer import V1Servicer, V2Servicer, handlers
from nomos_proto.socket_file import SocketFile, SocketFileError
from nomos_proto.workers import Workers

GRACE: Final = 4.0
"""Seconds that calls in flight have after SIGTERM; hosts kill after five."""
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
RECEIVE_BYTES: Final = 64 * 1024 * 1024
"""The longest request; anything longer is RESOURCE_EXHAUSTED by gRPC itself."""

_USAGE = """usage: {program} [--log-level LEVEL] [--grace SECONDS]

A Nomos provider. It prints where it listens on its first line of stdout and serves until SIGTERM, SIGINT or Shutdown.

  --log-level LEVEL  how much to log to stderr: debug, info, warning (the default), error, critical
  --grace SECONDS    how long calls in flight may go on at the end (default {grace:g})

environment:
  NOMOS_LISTEN=unix:/path  listen on a Unix socket instead of a port
  NOMOS_LIFELINE_FD=N      end when the inherited pipe N ends
"""

logger = logging.getLogger("nomos.provider")


class _UsageError(ValueError):
    pass


class _DeafError(Exception):
    """Nobody takes calls any more."""


@dataclass(frozen=True)
class _Options:
    log_level: str = "warning"
    grace: float = GRACE
    help: bool = False


def _parse(arguments: Sequence[str]) -> _Options:
    # By hand: argparse costs 10 ms of each start.
    found: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        if word in {"-h", "--help"}:
            return _Options(help=True)
        name, equals, value = word.partition("=")
        if name not in {"--log-level", "--grace"}:
            raise _UsageError(f"unknown argument {word!r}")
        if not equals:
            value = next(words, "")
        found[name] = value
    level = found.get("--log-level", "warning").lower()
    if level not in LEVELS:
        raise _UsageError(f"--log-level takes one of {', '.join(LEVELS)}")
    try:
        grace = float(found.get("--grace", GRACE))
    except ValueError:
        grace = -1.0
    if not 0 <= grace < 3600:
        raise _UsageError("--grace takes seconds")
    return _Options(level, grace)


class _Ending:
    """The reasons for which a process ends, as one thing to wait for: signals, Shutdown, the lifeline.

    Everything arrives through one pipe. An Event would not do: a signal handler that sets it while the same thread
    waits on it can lock up.
    """

    def __init__(self, lifeline: int | None) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._lifeline = lifeline
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._ignore)
            self._previous_wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous:
            signal.set_wakeup_fd(self._previous_wakeup)
            for number, handler in self._previous.items():
                signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal returned
        os.close(self._read)
        os.close(self._write)

    @staticmethod
    def _ignore(_number: int, _frame: FrameType | None) -> None:
        """Do nothing: the wake-up descriptor has told the main loop."""

    def request(self) -> None:
        """Ask for the end from any thread."""
        with contextlib.suppress(OSError):
            os.write(self._write, b"\0")

    def wait(self, timeout: float | None = None) -> str:
        """Return ``"lifeline"``, ``"asked"`` or, after *timeout* seconds, an empty string."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        if self._lifeline is not None:
            poll.register(self._lifeline, select.POLLIN)
        while True:
            ready = dict(poll.poll(None if timeout is None else timeout * 1000))
            if self._read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._read, 4096)
                return "asked"
            if self._lifeline is not None and self._lifeline in ready:
                if not ready[self._lifeline] & select.POLLNVAL and self._lifeline_speaks():
                    continue
                return "lifeline"
            return ""

    def _lifeline_speaks(self) -> bool:
        try:
            return os.read(self._lifeline or 0, 4096) != b""
        except OSError:
            return False


def _lifeline(environ: Mapping[str, str]) -> int | None:
    text = environ.get(announcement.LIFELINE, "")
    if not text:
        return None
    try:
        descriptor = int(text)
        os.set_inheritable(descriptor, False)
    except (ValueError, OSError, OverflowError):
        raise _UsageError(f"{announcement.LIFELINE} is not the number of an open descriptor") from None
    return descriptor


def _socket_path(environ: Mapping[str, str]) -> str | None:
    listen = environ.get(announcement.LISTEN, "")
    if not listen:
        return None
    if not listen.startswith(announcement.UNIX_SCHEME):
        raise _UsageError(f"{announcement.LISTEN} takes unix:<absolute path>")
    return listen.removeprefix(announcement.UNIX_SCHEME)


@contextlib.contextmanager
def _stdout_for_us() -> Generator[int]:
    """Yield a descriptor for stdout; what anyone else prints meanwhile goes to stderr."""
    sys.stdout.flush()
    ours = os.dup(1)
    previous = sys.stdout
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        yield ours
    finally:
        sys.stdout = previous
        os.dup2(ours, 1)
        os.close(ours)


def _new_server() -> grpc.Server:
    return grpc.server(
        cast("ThreadPoolExecutor", Workers(keep=1)),  # any Executor will do: gRPC calls nothing but submit
        options=[
            ("grpc.so_reuseport", 0),  # or two servers share one port silently
            ("grpc.max_receive_message_length", RECEIVE_BYTES),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", 64 * 1024),
            ("grpc.absolute_max_metadata_size", 128 * 1024),
        ],
    )


def _listen(server: grpc.Server, path: str | None) -> bytes:
    """Bind and return the announcement.

    Raises:
        OSError: nothing could be bound.
    """
    try:
        if path is None:
            port = server.add_insecure_port("127.0.0.1:0")
            if port:
                return announcement.announce_port(port)
        elif server.add_insecure_port(f"unix:{quote(path)}"):
            Path(path).chmod(0o600)
            return announcement.announce_unix(path)
    except RuntimeError as error:
        raise OSError("cannot listen") from error
    raise OSError("cannot listen")


def serve(
    provider: ConfigService, argv: Sequence[str] | None = None, *, environ: Mapping[str, str] | None = None
) -> int:
    """Serve *provider* until SIGTERM, SIGINT, the Shutdown RPC or the end of the lifeline.

    Args:
        provider: the provider object; it may also have functions and describe itself.
        argv: command line without the program; None takes that of the process.
        environ: environment; None takes that of the process.

    Returns:
        The exit code: 0 after an orderly end, 1 where nothing could be listened on or calls could not be taken any
        more, 2 for a wrong command line.
    """
    started = Path(sys.argv[0])
    program = started.parent.name if started.stem == "__main__" else started.name
    try:
        options = _parse(sys.argv[1:] if argv is None else argv)
        if options.help:
            sys.stdout.write(_USAGE.format(program=program, grace=GRACE))
            return 0
        environ = os.environ if environ is None else environ
        path, lifeline = _socket_path(environ), _lifeline(environ)
    except _UsageError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return 2
    logging.basicConfig(
        stream=sys.stderr, level=options.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        with (
            contextlib.nullcontext() if path is None else SocketFile(path),
            _stdout_for_us() as stdout,
            _Ending(lifeline) as ending,
        ):
            _run(provider, path, options.grace, stdout, ending)
    except (SocketFileError, OSError, _DeafError) as error:
        sys.stderr.write(f"{program}: {error}\n")
        return 1
    return 0


@contextlib.contextmanager
def _deafness(server: grpc.Server, ending: _Ending) -> Generator[threading.Event]:
    """Start *server*; yield what is set where its thread ends by an error, such as want of memory."""
    before, deaf, told = set(threading.enumerate()), threading.Event(), threading.excepthook
    server.start()
    serving = set(threading.enumerate()) - before

    def tell(args: threading.ExceptHookArgs) -> None:
        if args.thread in serving:
            deaf.set()
            ending.request()
        told(args)

    threading.excepthook = tell
    try:
        yield deaf
    finally:
        threading.excepthook = told


def _run(provider: ConfigService, path: str | None, grace: float, stdout: int, ending: _Ending) -> None:
    server = _new_server()
    server.add_generic_rpc_handlers(
        handlers(V1Servicer(provider, on_shutdown=ending.request), V2Servicer(provider, on_shutdown=ending.request))
    )
    line = _listen(server, path)
    with _deafness(server, ending) as deaf:
        os.write(stdout, line)
        reason = ending.wait()
        logger.info("ending: %s", reason)
        # Nobody waits for an answer when the host is gone.
        stopped = None if deaf.is_set() else server.stop(0 if reason == "lifeline" else grace)
        while stopped is not None and not stopped.is_set() and not deaf.is_set():
            # A signal after Shutdown is the usual order of a host, and no reason to cut off calls.
            if ending.wait(0.02) == "lifeline":
                server.stop(0)
    if deaf.is_set():
        # A process that has ended is replaced, and a mute one keeps its callers waiting.
        raise _DeafError("the thread that takes calls has ended, as above; so does this process")
    _shut_down(provider)


def _shut_down(provider: ConfigService) -> None:
    def work() -> None:
        try:
            provider.shutdown()
        except Exception as error:  # noqa: BLE001 # the end of the process does not depend on it
            logger.error("Shutdown failed inside the provider: %s", type(error).__name__)  # noqa: TRY400 # its text may hold a secret

    # In a thread of its own, since a clean-up that hangs must not keep the process.
    thread = threading.Thread(target=work, name="nomos-shutdown", daemon=True)
    thread.start()
    thread.join(0.5)


def run(provider: ConfigService, argv: Sequence[str] | None = None) -> NoReturn:
    """Serve *provider* and end the process at once, without waiting for threads of calls that hang."""
    code = serve(provider, argv)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
