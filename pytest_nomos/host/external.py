"""ExternalProvider: one provider process and the connection to it, from its start to its orderly end."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from nomos_contracts.provider import Announcement, Exit, StartFailure
from nomos_proto.messages import SERVICE
from pytest_nomos.host import diagnosis, program
from pytest_nomos.host.announcement import Announced, AnnouncementParser, Refused, quote
from pytest_nomos.host.cancellation import Cancel
from pytest_nomos.host.channels import ChannelPool
from pytest_nomos.host.connecting import Connecting, listening_ports
from pytest_nomos.host.diagnosis import Finding, StartFailed
from pytest_nomos.host.environment import ImpossibleVariableError, provider_environment
from pytest_nomos.host.exchange import Caller, Reply
from pytest_nomos.host.launch import Launch
from pytest_nomos.host.limits import Limits
from pytest_nomos.host.metadata import CallMetadata
from pytest_nomos.host.process import Command, ProviderProcess, SpawnError
from pytest_nomos.host.reaping import Reaping

SHUTDOWN_METHOD: Final = f"/{SERVICE}/Shutdown"


BUSY_RETRIES: Final = 5
BUSY_PAUSE: Final = 0.1
"""Seconds between two attempts to execute a file that is open for writing."""


@dataclass(frozen=True)
class Places:
    """Where one process lives: its working folder, its log files, the Unix socket that it is asked for."""

    scratch: Path
    logs: Path
    socket: Path


class ExternalProvider:
    """One provider process. `start` and `shutdown` are called by one thread, `call` by any.

    Attributes:
        name: the alias, for messages and logs.
        binary: absolute path of the program, empty before `start`.
        process: the process, None before it was forked.
        channel: the pool of connections, None before `connect`.
        client: calls methods over it, None before `connect`.
        port: the announced port, None before it is known and for a Unix socket.
        announcement: what it announced, None before it did.
        killed: whether ending it took SIGKILL.
    """

    def __init__(
        self, name: str, launch: Launch, places: Places, limits: Limits, reaping: Reaping, metadata: CallMetadata
    ) -> None:
        self.name = name
        self.binary = ""
        self.process: ProviderProcess | None = None
        self.channel: ChannelPool | None = None
        self.client: Caller | None = None
        self.port: int | None = None
        self.announcement: Announcement | None = None
        self.killed = False
        self.places = places
        self._launch = launch
        self._limits = limits
        self._reaping = reaping
        self._metadata = metadata
        self._taken: frozenset[int] = frozenset()
        self._began = 0.0
        self._ending = threading.Lock()

    def start(self, cancel: Cancel | None = None) -> None:
        """Execute the program, read its announcement and connect; a start that fails leaves no process.

        Args:
            cancel: gives the start up once it is set.

        Raises:
            StartFailed: why it failed.
            ReaperError: this machine cannot start processes.
        """
        self._began = time.monotonic()
        try:
            self._fork()
            self._discover(cancel)
            self.connect(cancel)
        except BaseException:
            self.kill()
            raise

    def _fork(self) -> None:
        launch = self._launch
        folder = Path.cwd()
        try:
            environment = provider_environment(
                os.environ,
                launch.env,
                scratch=self.places.scratch,
                inherit=launch.inherit_env,
                socket=self.places.socket if launch.unix else None,
            )
            self.binary = program.resolve(launch.command[0] if launch.command else "", folder, environment.get("PATH"))
        except ImpossibleVariableError as error:
            raise self._failed(Finding(StartFailure.SPAWN, str(error))) from error
        except program.ProgramError as error:
            raise self._failed(Finding(error.failure, str(error))) from error
        self._taken = listening_ports()
        cwd = self.places.scratch if launch.cwd is None else folder / launch.cwd
        command = Command(self.binary, (self.binary, *launch.command[1:]), environment, cwd)
        for last in (False,) * BUSY_RETRIES + (True,):
            parser = AnnouncementParser(self._limits.port_min, self._limits.port_max)
            self.process = ProviderProcess(self.name, self.places.logs, self._limits.log, parser)
            try:
                self.process.start(command, self._reaping)
            except SpawnError as error:
                # A file that was just built is open for writing as long as any fork of its builder has not executed.
                if last or error.errno != errno.ETXTBSY:
                    raise self._failed(self._why_not_spawned(error, cwd)) from error
            else:
                return
            self.process.close()
            time.sleep(BUSY_PAUSE)

    def _why_not_spawned(self, error: SpawnError, cwd: Path) -> Finding:
        if error.stage == "working folder":
            return Finding(StartFailure.SPAWN, f"its working folder {cwd} cannot be entered: {error.strerror}")
        if error.stage == "program":
            reason = program.explain(self.binary, error.errno or 0)
            return Finding(reason.failure, str(reason))
        return Finding(StartFailure.SPAWN, f"{error.stage}: {error.strerror}")

    def _discover(self, cancel: Cancel | None) -> None:
        process = self._running()
        process.await_announcement(self._limits.announce, cancel)
        result = process.parser.result
        if isinstance(result, Refused):
            seen = f"{quote(result.line)} was the first line on stdout: {result.reason}"
            raise self._failed(Finding(result.failure, seen))
        if isinstance(result, Announced):
            after = process.announced_after
            self.port = result.port
            self.announcement = Announcement(result.line, result.form, result.address, result.port, after)
            return
        raise self._failed(self._why_no_announcement(process, cancel))

    def _why_no_announcement(self, process: ProviderProcess, cancel: Cancel | None) -> Finding:
        if cancel is not None and cancel.is_set():
            return Finding(StartFailure.CANCELLED, "while waiting for the announcement")
        if process.exit is not None:
            return Finding(StartFailure.EXITED, "the process ended before it had announced anything")
        partial = process.parser.partial
        if partial:
            closed = (
                "stdout was closed"
                if not process.stdout_open
                else f"nothing followed within {self._limits.announce:g} s"
            )
            seen = f"stdout holds {quote(partial)} without a newline, and {closed}"
            cause = "the line lacks its newline, or stdout is not flushed at the newline"
            return Finding(StartFailure.UNTERMINATED, seen, cause)
        if not process.stdout_open:
            cause = "it moved to the background, or closed stdout before it announced"
            return Finding(
                StartFailure.CLOSED, "stdout was closed without a line on it, and the process still ran", cause
            )
        seen = f"nothing was on stdout within {self._limits.announce:g} s"
        cause = "it does not print PORT=<number> as its first line, prints it on stderr, or does not flush stdout"
        return Finding(StartFailure.SILENT, seen, cause)

    def connect(self, cancel: Cancel | None = None) -> None:
        """Connect to what was announced.

        Raises:
            StartFailed: why it could not be reached.
        """
        process = self._running()
        if self.announcement is None:
            raise RuntimeError("connect() comes after the announcement; call start()")
        if self.channel is None:
            self.channel = ChannelPool(self.announcement.address, self._limits)
        connecting = Connecting(self.channel, process, self._limits, self._metadata, self._taken)
        finding = connecting.run(cancel)
        if finding is not None:
            self.channel.close()
            raise self._failed(finding)
        self.announcement = replace(self.announcement, unheard=connecting.unheard)
        self.client = Caller(self.channel, self._metadata)

    def reroute(self, address: str) -> None:
        """Reach the provider at *address* from now on, where something stands between it and its callers."""
        before, self.channel = self.channel, ChannelPool(address, self._limits)
        self.client = Caller(self.channel, self._metadata)
        if before is not None:
            before.close()

    def call(self, method: str, request: bytes, seconds: float | None = None) -> Reply:
        """Call *method* (a full name) with bytes; a provider that is not there answers UNAVAILABLE."""
        if self.client is None or self.process is None:
            return Reply("UNAVAILABLE", f"provider {self.name!r} is not started", None, 0.0)
        if self.process.exit is not None:
            return Reply("UNAVAILABLE", f"the process of provider {self.name!r} {self.process.exit.words}", None, 0.0)
        return self.client.unary(method, request, min(seconds or self._limits.call, self._limits.call))

    def shutdown(self, cancel: Cancel | None = None) -> Exit | None:
        """End the process: close the connections, SIGTERM to its group, after the grace SIGKILL, reap.

        Kills at once where the signal cannot be sent, or where the caller cancels. Nothing where it was never started.

        Returns:
            How it ended, None where there was no process.
        """
        with self._ending:
            if self.channel is not None:
                self.channel.close()
            process = self.process
            if process is None:
                return None
            try:
                if process.alive() and process.signal(signal.SIGTERM, group=True):
                    # A stopped process takes SIGTERM only once it goes on.
                    process.signal(signal.SIGCONT, group=True)
                    self.killed = process.wait(self._limits.grace, cancel) is None
            finally:
                self._kill(process)
            return process.exit

    def ask_shutdown(self) -> Reply | None:
        """Call the Shutdown RPC with its own deadline; None where there is nobody to ask."""
        process = self.process
        if self.client is None or process is None or not process.alive():
            return None
        process.signal(signal.SIGCONT, group=True)
        return self.client.unary(SHUTDOWN_METHOD, b"", self._limits.shutdown_rpc)

    def kill(self) -> None:
        """End the process and everything that it started, at once. Idempotent."""
        with self._ending:
            if self.channel is not None:
                self.channel.close()
            if self.process is not None:
                self._kill(self.process)

    def _kill(self, process: ProviderProcess) -> None:
        process.signal(signal.SIGKILL, group=True)
        process.close()

    def _running(self) -> ProviderProcess:
        if self.process is None:
            raise RuntimeError("the provider is not started; call start()")
        return self.process

    def _failed(self, finding: Finding) -> StartFailed:
        """Return the error for *finding*; what the process did by itself is read before it is killed."""
        process = self.process
        if process is None or process.pid == 0:
            return StartFailed(diagnosis.compose(finding, elapsed=time.monotonic() - self._began))
        return StartFailed(diagnosis.diagnose(finding, process, process.exit, self._began))
