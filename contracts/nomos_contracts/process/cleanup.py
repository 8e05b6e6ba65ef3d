"""Clean-up: what is left when the process has ended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nomos_contracts.clause import clause
from nomos_contracts.config.probes import expect_like
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import first_running, initialised, running
from nomos_contracts.process.traffic import exercise, soon
from nomos_contracts.provider import RunningProvider, Start, Starter, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, expect_ok

_SHOWN = 5

_ENDINGS = {"SIGTERM": "PROC-SIGNAL-001", "SIGINT": "PROC-SIGNAL-002"}
"""The clauses by which the signals end a process."""


class CleanupContract(Contract):
    """A provider takes everything with it: children, temporary files, its socket.

    Give children to a process group or a context that ends with the provider; remove temporary files on the way out
    that a signal takes, not only in Shutdown; a script that wraps the provider starts it with exec.
    """

    @clause("PROC-CLEANUP-001")
    def test_nothing_is_left_after_shutdown(
        self,
        nomos_start: Start,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_scratch: Path,
        nomos_target: TargetFacts,
    ) -> None:
        """A process that was asked for a Unix socket, so that the socket's file is looked for as well."""
        first_running(nomos_start)
        start = nomos_spawn(unix=True, env=_temporary(nomos_scratch))
        provider = start.provider if start.provider is not None else running(nomos_spawn(env=_temporary(nomos_scratch)))
        exercise(initialised(provider), nomos_samples)
        provider.shutdown()
        self._look(provider, nomos_scratch, nomos_target, "Shutdown", "PROC-SHUTDOWN-002")

    @clause("PROC-CLEANUP-001")
    def test_nothing_is_left_after_a_signal(
        self,
        nomos_start: Start,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_scratch: Path,
        nomos_target: TargetFacts,
    ) -> None:
        """A process on a port, ended by SIGTERM, and one for each signal on a Unix socket, where it knows them."""
        first_running(nomos_start)
        ended: list[tuple[RunningProvider, Path, str]] = []
        for place, name in (("port", "SIGTERM"), ("socket", "SIGTERM"), ("socket", "SIGINT")):
            # A folder each: what one holds while it still runs is nothing that another left.
            folder = nomos_scratch / f"{place}-{name}"
            folder.mkdir()
            provider = nomos_spawn(unix=place == "socket", env=_temporary(folder)).provider
            knows = provider is not None and provider.announcement.form == "UNIX"
            if place == "socket" and name == "SIGTERM" and not knows:
                continue  # as on the port
            provider = provider or running(nomos_spawn(env=_temporary(folder)))
            exercise(initialised(provider), nomos_samples)
            provider.signal(name)
            ended.append((provider, folder, name))
        for provider, folder, name in ended:
            self._look(provider, folder, nomos_target, name, _ENDINGS[name])

    @staticmethod
    def _look(provider: RunningProvider, temporary: Path, target: TargetFacts, what: str, ending_clause: str) -> None:
        grace = target.limits["grace"]
        if provider.wait(grace) is None:
            raise Blocked(f"clause:{ending_clause}", f"the process still runs {grace:g} s after {what}")
        # A child may end a moment after its parent; it has as long as the parent had.
        if not soon(lambda: not provider.descendants(), grace):
            pids = ", ".join(str(pid) for pid in provider.descendants())
            raise Violation(f"no child process left after {what}", f"process {pids} still runs")
        address = provider.announcement.address
        socket = Path(address.removeprefix("unix:")) if address.startswith("unix:") else None
        left = [str(path) for path in _files(temporary, provider.scratch)]
        if socket is not None and socket.exists() and str(socket) not in left:
            left.append(str(socket))
        if left:
            more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
            raise Violation(f"no temporary files left after {what}", ", ".join(left[:_SHOWN]) + more)


def _temporary(folder: Path) -> dict[str, str]:
    return dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(folder))


def _files(temporary: Path, working: Path) -> Iterable[Path]:
    """Yield what is in the folder for temporary files, and what is not hidden in the working folder.

    The working folder is HOME as well, where caches may stay; they begin with a dot.
    """
    yield from sorted(temporary.iterdir())
    if working.is_dir():
        yield from sorted(entry for entry in working.iterdir() if not entry.name.startswith("."))


class SocketContract(Contract):
    """A provider that knows Unix sockets serves there as on a port; one that does not is free to announce a port."""

    @clause("PROC-LISTEN-003")
    def test_serves_on_a_socket(self, nomos_start: Start, nomos_spawn: Starter, nomos_samples: ConfigSamples) -> None:
        """The announced path is absolute and answers Health, Init and Fetch, over a second connection too."""
        first = first_running(nomos_start)
        start = nomos_spawn(unix=True)
        if start.error is not None:
            expected = "a provider that starts when it is asked for a Unix socket"
            raise Violation(expected, start.error.message)
        provider = running(start)
        address = provider.announcement.address
        if provider.announcement.form != "UNIX":
            raise NotApplicable("the provider announced a port when it was asked for a Unix socket")
        if provider.listeners() and not first.announcement.address.startswith("unix:"):
            ports = ", ".join(f"{host}:{port}" for host, port in provider.listeners())
            raise Violation(f"no port beside the socket {address}", f"it also listens on {ports}")
        expect_ok(provider.health(), "over the Unix socket")
        initialised(provider)
        provider.reconnect()
        expect_like(provider, running(nomos_spawn(init=True)), nomos_samples, "over the socket as over a port")
