"""The host's side of the reaper: starts it when it is first needed and hands it what to start."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pytest_nomos.host import reaper

START_SECONDS: Final = 10.0
"""The reaper needs about 0.03 s; more than this means that the machine cannot start processes."""


class ReaperError(RuntimeError):
    """The reaper could not be started or has ended; a fault of the machine, not of the provider."""


class Reaping:
    """One reaper process, started with the first provider.

    Attributes:
        folders: made by the reaper when it starts and removed by it at the end, however this process ends.
        warm: modules that the reaper imports first, so that ``python -m`` of one of them starts by fork.
    """

    def __init__(self, folders: Sequence[Path], warm: Sequence[str] = ()) -> None:
        self.folders = tuple(folders)
        self.warm = tuple(warm)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the reaper, None while it does not run."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the reaper unless it runs; afterwards the folders exist.

        Raises:
            ReaperError: it did not come up.
        """
        with self._lock:
            if self._channel is not None:
                return
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    os.set_inheritable(theirs.fileno(), True)
                    self._process = subprocess.Popen(
                        self._command(theirs.fileno()),
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        cwd="/",
                        env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
                        pass_fds=(theirs.fileno(),),
                        start_new_session=True,
                    )
                ours.settimeout(START_SECONDS)
                ready = ours.recv(1)
                ours.settimeout(None)
            except OSError as error:
                ours.close()
                self._end()
                raise ReaperError(f"the reaper process could not be started: {error}") from error
            except BaseException:
                ours.close()
                self._end()
                raise
            if not ready:
                ours.close()
                self._end()
                raise ReaperError("the reaper process ended before it was ready")
            self._channel = ours

    def _command(self, channel: int) -> list[str]:
        program, modules = ["-I", "-S", reaper.__file__], list[str]()
        if self.warm:
            program, modules = ["-m", "pytest_nomos.host.warm"], [",".join(self.warm)]
        return [sys.executable, *program, str(channel), str(os.getpid()), *modules, *map(str, self.folders)]

    def spawn(self, stdout: int, stderr: int, lifeline: int) -> socket.socket:
        """Fork a keeper that holds the three descriptors; return the socket to it.

        Raises:
            ReaperError: the reaper is gone.
        """
        self.start()
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                if self._channel is not None:
                    socket.send_fds(self._channel, [b"s"], [theirs.fileno(), stdout, stderr, lifeline])
                    return ours
        except OSError as error:
            ours.close()
            raise ReaperError(f"the reaper process is gone: {error}") from error
        except BaseException:
            ours.close()
            raise
        ours.close()
        raise ReaperError("the host is closed")

    def close(self) -> None:
        """End the reaper, and with it every provider that still runs; removes the folders."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(reaper.SWEEP_SECONDS + 2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            with contextlib.suppress(OSError):
                for folder in self.folders:
                    reaper.remove(str(folder))
