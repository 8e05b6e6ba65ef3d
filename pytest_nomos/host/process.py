"""A provider's process: started through the reaper, drained for life, ended with everything that it started."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from nomos_contracts.provider import Exit, Usage
from pytest_nomos.host import reaper
from pytest_nomos.host.announcement import AnnouncementParser
from pytest_nomos.host.cancellation import Cancel
from pytest_nomos.host.output import LogFile, Output
from pytest_nomos.host.reaping import ReaperError, Reaping
from pytest_nomos.host.starving import lengthened

CHUNK: Final = 64 * 1024
CANCEL_POLL: Final = 0.05
"""Seconds between two looks at a caller's cancellation."""
EXEC_SECONDS: Final = 30.0
"""A program on a file system that hangs may never be executed."""
SETTLE: Final = 0.3
"""Seconds that are given to an exit status to follow the end of stdout, and the other way round."""


class SpawnError(OSError):
    """The program could not be executed.

    Attributes:
        stage: which step failed: ``pipes for stdout and stderr``, ``process group``, ``descriptors``, ``signals``,
            ``working folder`` or ``program``.
    """

    def __init__(self, number: int, stage: str) -> None:
        super().__init__(number, os.strerror(number))
        self.stage = stage


@dataclass(frozen=True)
class Command:
    """Everything that the keeper needs: absolute program, arguments with the program's name, variables, folder."""

    program: str
    argv: Sequence[str]
    env: dict[str, str]
    cwd: Path

    def request(self) -> dict[str, Any]:
        """Return it as the keeper reads it."""
        return {
            "program": os.fsencode(self.program),
            "argv": [os.fsencode(argument) for argument in self.argv],
            "env": {os.fsencode(name): os.fsencode(value) for name, value in self.env.items()},
            "cwd": os.fsencode(self.cwd),
        }


def signal_name(number: int) -> str:
    """Return the name of a signal, ``signal 34`` for one that has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _pipes() -> list[tuple[int, int]]:
    """Return three pipes, for stdout, stderr and the lifeline.

    Raises:
        SpawnError: there are no descriptors left.
    """
    made: list[tuple[int, int]] = []
    try:
        for _ in range(3):
            made.append(os.pipe())  # noqa: PERF401 # those made so far are closed below
    except OSError as error:
        for pair in made:
            for descriptor in pair:
                os.close(descriptor)
        raise SpawnError(error.errno or 0, "pipes for stdout and stderr") from error
    return made


class ProviderProcess:
    """One process and all that descends from it. Thread-safe.

    Attributes:
        pid: its process id, which stays its own until `close`; 0 before `start`.
        started: when it was forked, on the monotonic clock.
        parser: what it announced.
    """

    def __init__(self, alias: str, logs: Path, log_limit: int, parser: AnnouncementParser) -> None:
        self.pid = 0
        self.started = 0.0
        self.parser = parser
        self.on_end: Callable[[Exit], None] | None = None
        self._alias = alias
        self._keeper = 0
        self._changed = threading.Condition()
        self._exit: Exit | None = None
        self._answer: dict[str, Any] | None = None
        self._stdout_open = True
        self._closed = False
        self._ending = False
        self._announced_at = 0.0
        self._control: socket.socket | None = None
        self._lifeline = -1
        self._thread: threading.Thread | None = None
        tag = b"provider=" + alias.encode("utf-8", "replace")
        self._stdout = Output(LogFile(logs / "stdout.log", log_limit), keep_last=False)
        self._stderr = Output(LogFile(logs / "stderr.log", log_limit), keep_last=True, tag=tag)

    def start(self, command: Command, reaping: Reaping) -> None:
        """Execute *command*; returns when it has been executed.

        Raises:
            SpawnError: it could not be executed.
            ReaperError: nothing can be started on this machine any more.
        """
        (stdout, their_stdout), (stderr, their_stderr), (their_lifeline, self._lifeline) = _pipes()
        try:
            self._control = reaping.spawn(their_stdout, their_stderr, their_lifeline)
        except BaseException:
            for descriptor in (stdout, stderr):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (their_stdout, their_stderr, their_lifeline):
                os.close(descriptor)
        name = f"nomos-{self._alias}"
        self._thread = threading.Thread(target=self._drain, args=(stdout, stderr), name=name, daemon=True)
        self._thread.start()
        with contextlib.suppress(OSError):  # a dead keeper is noticed below
            self._control.sendall(reaper.pack(command.request()))
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None or self._closed, EXEC_SECONDS)
            answer = self._answer
        if answer is None and self._closed:
            raise ReaperError("the keeper process ended before it had started the provider")
        if answer is None:
            raise SpawnError(errno.ETIMEDOUT, "program")
        if "errno" in answer:
            raise SpawnError(answer["errno"], answer["stage"])
        self._changed_pid(answer)

    def _changed_pid(self, answer: dict[str, Any]) -> None:
        self.pid, self._keeper, self.started = answer["pid"], answer["keeper"], answer["at"]

    def _drain(self, stdout: int, stderr: int) -> None:
        control = self._control
        assert control is not None  # noqa: S101 # set before the thread is started
        outputs = {stdout: self._stdout, stderr: self._stderr}
        messages = bytearray()
        selector = selectors.DefaultSelector()
        for descriptor in outputs:
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        selector.register(control, selectors.EVENT_READ)
        open_ones = set(outputs)

        def read(descriptor: int) -> bool:
            """Take one chunk; False when there is none now."""
            try:
                data = os.read(descriptor, CHUNK)
            except BlockingIOError:
                return False
            if data:
                self._take(descriptor == stdout, outputs[descriptor], data)
                return True
            selector.unregister(descriptor)
            open_ones.discard(descriptor)
            if descriptor == stdout:
                with self._changed:
                    self._stdout_open = False
                    self._changed.notify_all()
            return False

        def read_rest() -> None:
            """Take what was printed so far; bounded, because something that is alive may print for ever."""
            for descriptor in tuple(open_ones):
                for _ in range(64):
                    if not read(descriptor):
                        break

        keeper_lives = True
        while keeper_lives:
            ready = [key.fd for key, _ in selector.select()]
            for descriptor in ready:
                if descriptor in open_ones:
                    read(descriptor)
            if control.fileno() in ready:
                try:
                    data = control.recv(CHUNK)
                except OSError:
                    data = b""
                messages += data
                keeper_lives = bool(data)
                while (message := reaper.unpack(messages)) is not None:
                    read_rest()
                    self._hear(message)
        read_rest()
        selector.close()
        for descriptor in outputs:
            os.close(descriptor)
        for output in outputs.values():
            output.finish()
        self._hear({})

    def _take(self, is_stdout: bool, output: Output, data: bytes) -> None:
        output.feed(data)
        if is_stdout and self.parser.result is None:
            with self._changed:
                self.parser.feed(data)
                self._announced_at = time.monotonic()
                self._changed.notify_all()

    def _hear(self, message: dict[str, Any]) -> None:
        ended = None
        with self._changed:
            if "status" in message:
                status = int(message["status"])
                if message["signaled"]:
                    ended = Exit(None, signal_name(status), message["at"])
                else:
                    ended = Exit(status, None, message["at"])
            elif "pid" in message or "errno" in message:
                self._answer = message
                if "pid" in message:
                    self._changed_pid(message)
            elif not message:
                self._closed = True
                # A keeper ends after the provider; without an exit status it was killed, and the provider with it.
                if self._exit is None and self.pid:
                    ended = Exit(None, "SIGKILL", time.monotonic())
            if ended is not None:
                self._exit = ended
            self._changed.notify_all()
        if ended is not None and self.on_end is not None:
            self.on_end(ended)

    def await_announcement(self, timeout: float, cancel: Cancel | None = None) -> None:
        """Wait for a complete first line, the end of stdout, the end of the process, *cancel*, or *timeout* seconds.

        What was seen stands in `parser`, `exit` and `stdout_open` afterwards; of an end of stdout and an end of the
        process both have been given time to show. How busy this machine is says nothing about a provider, so the time
        for which it was ready to run and found no processor free does not count.
        """
        deadline = self.started + timeout
        while not self.wait_until(lambda: self._settled() or not self._stdout_open, deadline, cancel):
            later = self.started + lengthened(timeout, self.members())
            if later <= deadline or (cancel is not None and cancel.is_set()):
                break
            deadline = later
        if self.parser.result is None and (self._exit is not None or not self._stdout_open):
            settle = min(time.monotonic() + SETTLE, deadline + SETTLE)
            self.wait_until(
                lambda: self.parser.result is not None or (self._exit is not None and not self._stdout_open),
                settle,
                cancel,
            )

    def _settled(self) -> bool:
        return self.parser.result is not None or self._exit is not None

    def wait_until(self, condition: Callable[[], bool], deadline: float, cancel: Cancel | None = None) -> bool:
        """Wait for a condition on this process until *deadline* on the monotonic clock, or until *cancel* is set."""
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0 or (cancel is not None and cancel.is_set()):
                    return False
                self._changed.wait(left if cancel is None else min(left, CANCEL_POLL))
            return True

    @property
    def exit(self) -> Exit | None:
        """How it ended, None while it runs."""
        return self._exit

    @property
    def stdout_open(self) -> bool:
        """Whether somebody holds its stdout."""
        return self._stdout_open

    @property
    def announced_after(self) -> float:
        """Seconds from the fork to the complete first line."""
        # A quick provider announces before its keeper has told when it started.
        return max(0.0, self._announced_at - self.started)

    @property
    def stdout(self) -> Output:
        """Its standard output."""
        return self._stdout

    @property
    def stderr(self) -> Output:
        """Its standard error."""
        return self._stderr

    def alive(self) -> bool:
        """Whether it was started and runs."""
        return self.pid != 0 and self._exit is None

    def wait(self, timeout: float, cancel: Cancel | None = None) -> Exit | None:
        """Wait for its end; None if it still runs after *timeout* seconds."""
        self.wait_until(lambda: self._exit is not None, time.monotonic() + timeout, cancel)
        return self._exit

    def signal(self, number: int, *, group: bool = False) -> bool:
        """Send a signal to the process or to its group; False where nobody was there to get it."""
        if not self.pid or self._closed or self._ending:
            return False
        try:
            if group:
                os.killpg(self.pid, number)
            elif self._exit is None:
                os.kill(self.pid, number)
            else:
                return False
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def descendants(self) -> list[int]:
        """Return the processes that it started and that live, its group or not, also after its own end."""
        if not self._keeper or self._closed:
            return []
        found: list[int] = []
        for pid in reaper.descendants(self._keeper) or self._descendants_by_group():
            with contextlib.suppress(psutil.Error):
                if pid != self.pid and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    found.append(pid)
        return found

    def _descendants_by_group(self) -> list[int]:
        if Path("/proc/self/stat").exists():
            return []
        with contextlib.suppress(psutil.Error):
            return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        return []

    def members(self) -> list[psutil.Process]:
        """Return the process itself and its descendants, as far as they live."""
        found: list[psutil.Process] = []
        for pid in ([self.pid] if self.alive() else []) + self.descendants():
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(pid))
        return found

    def usage(self) -> Usage:
        """Measure the process and its descendants."""
        descriptors = threads = rss = writing = 0
        cpu = 0.0
        members = self.members()
        for member in members:
            with contextlib.suppress(psutil.Error):
                descriptors += member.num_fds()
                threads += member.num_threads()
                rss += member.memory_info().rss
                times = member.cpu_times()
                cpu += times.user + times.system
                # The mode is known on Linux only.
                writing += sum(getattr(file, "mode", "r") != "r" for file in member.open_files())
        return Usage(descriptors, threads, sum(member.pid != self.pid for member in members), rss, cpu, writing)

    def listeners(self) -> list[tuple[str, int]]:
        """Return the TCP addresses on which the process or a descendant listens."""
        found: set[tuple[str, int]] = set()
        for member in self.members():
            with contextlib.suppress(psutil.Error):
                for connection in member.net_connections("tcp"):
                    if connection.status == psutil.CONN_LISTEN and connection.laddr:
                        found.add((connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port))
        return sorted(found)

    def close(self) -> None:
        """Kill what is left of it and of everything that it started, and release its descriptors. Idempotent."""
        self._ending = True  # from here on its process id may become another process's
        control = self._control
        if control is None:
            self._stdout.finish()
            self._stderr.finish()
        else:
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_WR)
            if self._thread is not None and self._thread is not threading.current_thread():
                self._thread.join(reaper.SWEEP_SECONDS + 2)
            control.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
