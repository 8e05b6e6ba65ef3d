"""Mutants that start wrongly."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence

from nomos_mutants.mutant import ORIGINAL, mutant, program, serve_with
from nomos_mutants.original import Original
from nomos_mutants.variations import announcing, fixed_port, free_port, listening
from nomos_proto.provider import CallContext


@mutant("PROC-START-001", defect="the file is not executable")
@program(mode=0o644)
def not_executable() -> bytes:
    """A shell script without the executable bit."""
    return b"#!/bin/sh\nexec true\n"


@mutant("PROC-START-001", "interpreter", defect="the interpreter in the first line is not there")
@program(mode=0o755)
def no_interpreter() -> bytes:
    """A script for an interpreter that nobody has."""
    return b"#!/opt/nobody/has/this/interpreter\n"


@mutant("PROC-START-002", defect="it exits before it announces")
def exits(argv: Sequence[str]) -> int:
    """Complain and exit."""
    sys.stderr.write("missing argument: --config\n")
    return 3


@mutant("PROC-START-002", "stdin", defect="it ends with its stdin, which is /dev/null from the start")
def reads_stdin(argv: Sequence[str]) -> int:
    """Serve while stdin is open."""
    sys.stdin.read()
    return 0


@mutant("PROC-START-002", "arguments", defect="it wants an argument")
def wants_argument(argv: Sequence[str]) -> int:
    """Serve only when it is told to."""
    return serve_with(argv[1:]) if argv[:1] == ["serve"] else 64


@mutant("PROC-START-003", defect="it announces a port on which nobody listens")
def listens_nowhere(argv: Sequence[str]) -> int:
    """Announce the port before binding it, and bind another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    os.write(1, b"PORT=%d\n" % port)
    threading.Event().wait()
    return 0


@mutant("PROC-START-003", "early", defect="it announces its port some tenths of a second before it listens there")
def announces_early(argv: Sequence[str]) -> int:
    """Announce a free port, and bind it afterwards."""
    if os.environ.get("NOMOS_LISTEN"):
        return serve_with(argv)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    os.write(1, b"PORT=%d\nPROVIDER_PORT=%d\n" % (port, port))
    threading.Event().wait(0.3)
    with fixed_port(port), announcing(lambda _: b""):
        return serve_with(argv)


@mutant("PROC-START-004", defect="it speaks HTTP/1.1 on the announced port")
def speaks_http(argv: Sequence[str]) -> int:
    """Answer every connection as a web server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        os.write(1, b"PORT=%d\n" % server.getsockname()[1])
        while True:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@mutant("PROC-START-005", defect="it accepts connections and never answers")
def accepts_and_is_mute(argv: Sequence[str]) -> int:
    """Keep every connection open and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        os.write(1, b"PORT=%d\n" % server.getsockname()[1])
        kept = []
        while True:
            kept.append(server.accept())


@mutant("PROC-START-005", "late", defect="it announces three seconds before it serves")
def serves_late(argv: Sequence[str]) -> int:
    """Announce the port and warm up afterwards."""
    return serve_with(argv, provider=_Late())


class _Late(Original):
    def __init__(self) -> None:
        super().__init__()
        self._ready = time.monotonic() + 3.0

    def health(self):  # type: ignore[no-untyped-def] # the type of the base
        time.sleep(max(0.0, self._ready - time.monotonic()))
        return super().health()


@mutant("PROC-START-006", defect="it always takes the same port")
def same_port(argv: Sequence[str]) -> int:
    """Bind a port that was agreed on."""
    with fixed_port(24_683):
        return serve_with(argv)


@mutant("PROC-START-007", defect="everybody may write the file")
@program(mode=0o777)
def writable_by_all() -> bytes:
    """A correct provider in a file with mode 0777."""
    return f'#!/bin/sh\nexec {sys.executable} -m nomos_mutants {ORIGINAL} "$@"\n'.encode()


@mutant("PROC-START-008", defect="it refuses --log-level")
def refuses_log_level(argv: Sequence[str]) -> int:
    """Know no flag."""
    return 2 if argv else serve_with(argv)


@mutant("PROC-START-009", defect="it exits with code 0 when it cannot listen")
def calm_about_failure(argv: Sequence[str]) -> int:
    """Report success whatever happens."""
    serve_with(argv)
    return 0


@mutant("PROC-ANNOUNCE-001", defect="a log line stands before the announcement")
def greets(argv: Sequence[str]) -> int:
    """Greet on stdout."""
    with announcing(lambda port: b"provider starting\nPORT=%d\nPROVIDER_PORT=%d\n" % (port, port)):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-001", "space", defect="a space stands after the equals sign")
def spaced(argv: Sequence[str]) -> int:
    """Print the number as a sentence would."""
    with announcing(lambda port: b"PORT= %d\n" % port):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-001", "host", defect="the address is announced in place of the port")
def with_host(argv: Sequence[str]) -> int:
    """Print host and port."""
    with announcing(lambda port: b"PORT=127.0.0.1:%d\n" % port):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-002", defect="the announcement has no newline")
def no_newline(argv: Sequence[str]) -> int:
    """Print without an end of line."""
    with announcing(lambda port: b"PORT=%d" % port):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-003", defect="it never announces")
def silent(argv: Sequence[str]) -> int:
    """Serve and say nothing."""
    with announcing(lambda _: b""):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-003", "stderr", defect="it announces on stderr")
def on_stderr(argv: Sequence[str]) -> int:
    """Print on the wrong stream."""

    def line(port: int) -> bytes:
        os.write(2, b"PORT=%d\n" % port)
        return b""

    with announcing(line):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-004", defect="it announces port 80")
def low_port(argv: Sequence[str]) -> int:
    """Announce a privileged port."""
    with announcing(lambda _: b"PORT=80\n"):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-004", "large", defect="it announces 65536 more than the port")
def large_port(argv: Sequence[str]) -> int:
    """Announce a number that is no port."""
    with announcing(lambda port: b"PORT=%d\n" % (port + 65_536)):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-005", defect="it prints the form of the command line only")
def only_for_command_line(argv: Sequence[str]) -> int:
    """Announce to one kind of caller."""
    with announcing(lambda port: b"PROVIDER_PORT=%d\n" % port):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-005", "swapped", defect="the form of the command line stands first")
def swapped(argv: Sequence[str]) -> int:
    """Announce in the wrong order."""
    with announcing(lambda port: b"PROVIDER_PORT=%d\nPORT=%d\n" % (port, port)):
        return serve_with(argv)


@mutant("PROC-ANNOUNCE-006", defect="it prints the written form only")
def only_standard(argv: Sequence[str]) -> int:
    """Announce to the other kind of caller."""
    with announcing(lambda port: b"PORT=%d\n" % port):
        return serve_with(argv)


@mutant("PROC-LISTEN-001", defect="it listens on all interfaces")
def open_to_all(argv: Sequence[str]) -> int:
    """Bind 0.0.0.0."""
    with listening("0.0.0.0"):  # noqa: S104 # the defect
        return serve_with(argv)


@mutant("PROC-LISTEN-001", "debug", defect="Init opens a debug port on all interfaces")
class DebugPort(Original):
    """A provider with a second listener."""

    _debug: socket.socket | None = None

    def init(self, alias: str, config: object, source_file_path: str, *, context: CallContext) -> None:
        """Open the port beside the usual work."""
        super().init(alias, config, source_file_path, context=context)  # type: ignore[arg-type] # as it came
        if self._debug is None:
            self._debug = socket.create_server(("0.0.0.0", 0))  # noqa: S104 # the defect


@mutant("PROC-LISTEN-002", defect="it takes a port from a range of its own")
def own_range(argv: Sequence[str]) -> int:
    """Choose a port by the process id, and the next free one where it is taken."""
    with fixed_port(free_port(range(20_000, 30_000))):
        return serve_with(argv)


@mutant("PROC-LISTEN-003", defect="over a Unix socket nothing is found")
class EmptyOverSocket(Original):
    """A provider that forgets its data when it serves on a socket."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> object:
        """Find nothing on a socket."""
        return super().fetch(["nomos", "lost", *path] if os.environ.get("NOMOS_LISTEN") else path, context=context)
