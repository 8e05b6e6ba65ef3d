"""HostedProvider: a provider that the host started, as checks see it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from nomos_contracts.provider import Announcement, Answer, Exit, Usage
from pytest_nomos.host.channels import PoolFigures
from pytest_nomos.host.conversation import V1, Conversation
from pytest_nomos.host.exchange import DECODERS, Caller, Pending, Reply, to_answer
from pytest_nomos.host.external import ExternalProvider
from pytest_nomos.host.launch import Setup
from pytest_nomos.host.limits import Limits
from pytest_nomos.host.process import ProviderProcess


class HostedProvider(Conversation):
    """One started provider; a `nomos_contracts.provider.RunningProvider`.

    Where restarts are switched on, the process behind it may change; everything here is about the latest.

    Attributes:
        external: the process and the connection to it.
        stopping: whether it is being stopped, or was.
        unavailable: why no call can be made now, None where calls can be made.
    """

    def __init__(
        self, external: ExternalProvider, setup: Setup, limits: Limits, stop: Callable[[], Exit | None]
    ) -> None:
        super().__init__(external.name, setup, limits)
        self.external = external
        self.stopping = False
        self.unavailable: str | None = None
        self._stop = stop

    @property
    def name(self) -> str:
        """The alias under which the host knows it; Init may be told another one."""
        return self.external.name

    def _caller(self) -> Caller | Reply:
        external = self.external
        if self.unavailable is not None:
            return Reply("UNAVAILABLE", self.unavailable, None, 0.0)
        # A dead provider's port may be somebody else's by now.
        if external.process is not None and external.process.exit is not None:
            return Reply(
                "UNAVAILABLE", f"the process of provider {self.alias!r} {external.process.exit.words}", None, 0.0
            )
        if external.client is None:
            return Reply("UNAVAILABLE", f"provider {self.alias!r} is not connected", None, 0.0)
        return external.client

    def ping(self, seconds: float) -> Pending:
        """Begin a Health call that appears in no record."""

        def finish(reply: Reply) -> Answer:
            return to_answer("Health", {}, reply, DECODERS["Health"], seconds)

        return self._begin(V1 + "Health", b"", seconds, finish)

    def repeat_init(self, external: ExternalProvider) -> str:
        """Send the latest Init that succeeded to a new process; return what went wrong, empty where nothing did."""
        if self._good_init is None:
            return ""
        reply = external.call(V1 + "Init", self._good_init, self._limits.call)
        return "" if reply.code == "OK" else f"its Init failed after the restart: {reply.code} {reply.message}"

    def close_idle(self) -> None:
        """Close connections that were not used for the idle time."""
        if self.external.channel is not None:
            self.external.channel.close_idle()

    @property
    def _process(self) -> ProviderProcess:
        process = self.external.process
        if process is None:
            raise RuntimeError(f"provider {self.alias!r} has no process")
        return process

    @property
    def pid(self) -> int:
        """Process id of the provider itself."""
        return self._process.pid

    @property
    def announcement(self) -> Announcement:
        """What it announced."""
        if self.external.announcement is None:
            raise RuntimeError(f"provider {self.alias!r} has announced nothing")
        return self.external.announcement

    @property
    def scratch(self) -> Path:
        """Its working folder, empty at the start, removed at the end."""
        return self.external.places.scratch

    @property
    def logs(self) -> Path:
        """The folder of ``stdout.log`` and ``stderr.log``."""
        return self.external.places.logs

    @property
    def killed(self) -> bool:
        """Whether the latest stop took SIGKILL, because SIGTERM and the grace were not enough."""
        return self.external.killed

    def figures(self) -> PoolFigures:
        """Return how the connections are used."""
        if self.external.channel is None:
            return PoolFigures(0, 0, 0, 0, 0)
        return self.external.channel.figures()

    def stdout(self) -> bytes:
        """Everything that was written to stdout so far (at most its first MiB)."""
        return self._process.stdout.kept

    def stderr(self) -> bytes:
        """Everything that was written to stderr so far (at most its last MiB)."""
        return self._process.stderr.kept

    def stdout_bytes(self) -> int:
        """How many bytes were written to stdout so far."""
        return self._process.stdout.total

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.alive()

    def signal(self, name: str) -> None:
        """Send a signal (``"SIGTERM"``) to the provider's own process, not to its group; nothing where it has ended.

        Raises:
            ValueError: there is no such signal.
        """
        number = getattr(signal, name, None)
        if not name.startswith("SIG") or not isinstance(number, signal.Signals):
            raise ValueError(f"{name!r} is no signal")
        self._process.signal(number)

    def wait(self, timeout: float) -> Exit | None:
        """Wait for the end of the process; None if it still runs after *timeout* seconds."""
        return self._process.wait(timeout)

    def usage(self) -> Usage:
        """Measure the process and its descendants."""
        return self._process.usage()

    def listeners(self) -> Sequence[tuple[str, int]]:
        """TCP addresses on which the process or a descendant listens, as (address, port)."""
        return self._process.listeners()

    def descendants(self) -> Sequence[int]:
        """Pids of the live processes that it started, in its group or not, also after its end."""
        return self._process.descendants()

    def stop(self) -> Exit | None:
        """End the process in the orderly way (Shutdown RPC, SIGTERM, SIGKILL) and reap it. Idempotent."""
        return self._stop()
