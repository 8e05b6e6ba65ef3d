"""A Toxiproxy server that this process starts, and that ends with it, however it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path
from typing import Final

from pytest_nomos.chaos.network.proxy import ProxyError
from pytest_nomos.chaos.network.toxiproxy_api import ToxiproxyApi
from pytest_nomos.host.announcement import AnnouncementParser
from pytest_nomos.host.process import Command, ProviderProcess, SpawnError
from pytest_nomos.host.reaping import ReaperError, Reaping

PROGRAM: Final = "toxiproxy-server"
START_SECONDS: Final = 10.0
POLL: Final = 0.01
LOG_BYTES: Final = 1024 * 1024
"""It writes a line for each connection."""


class ToxiproxyServer:
    """A server with its API on a port of its own choice.

    Args:
        program: path of the binary, or its name on PATH.

    Attributes:
        starts: how often it was started.
    """

    def __init__(self, program: str) -> None:
        found = shutil.which(program)
        if found is None:
            raise ProxyError(f"{program} is no program that can be started")
        self.program = str(Path(found).absolute())
        self.starts = 0
        self._folder = Path(tempfile.gettempdir(), f"nomos-toxiproxy-{uuid.uuid4().hex[:12]}").absolute()
        self._reaping = Reaping([self._folder])
        self._process: ProviderProcess | None = None

    @property
    def pid(self) -> int | None:
        """Process id, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.alive() else None

    def start(self) -> ToxiproxyApi:
        """Start it, in the place of one that runs; return its API, which answers.

        Raises:
            ProxyError: it does not come up.
        """
        self.stop()
        try:
            self._reaping.start()
            # What it prints is no announcement; a process of the host has a parser for one.
            process = ProviderProcess("toxiproxy", self._folder, LOG_BYTES, AnnouncementParser())
            self._process = process
            self.starts += 1
            # Port 0: a port that is taken is only logged, and the server lives on without an API.
            arguments = (self.program, "-host", "127.0.0.1", "-port", "0")
            environment = {"PATH": os.environ.get("PATH", ""), "LOG_LEVEL": "warn"}
            process.start(Command(self.program, arguments, environment, self._folder), self._reaping)
        except (SpawnError, ReaperError, OSError) as error:
            self.close()
            raise ProxyError(f"{self.program} cannot be started: {error}") from error
        try:
            return self._answering(process)
        except ProxyError:
            self.close()
            raise

    def _answering(self, process: ProviderProcess) -> ToxiproxyApi:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for host, port in process.listeners():
                api = ToxiproxyApi(f"{host}:{port}")
                try:
                    api.version()
                except ProxyError:
                    api.close()
                    raise
                return api
            if process.wait(POLL) is not None:
                ended = process.exit
                raise ProxyError(f"{self.program} {ended.words if ended else 'ended'} instead of listening")
        raise ProxyError(f"{self.program} does not listen after {START_SECONDS:g} s")

    def stop(self) -> None:
        """Kill it, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def close(self) -> None:
        """Kill it and remove its folder. Idempotent."""
        self.stop()
        with contextlib.suppress(ReaperError):
            self._reaping.close()
