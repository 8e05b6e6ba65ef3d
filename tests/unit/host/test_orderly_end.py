from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from nomos_contracts.provider import StartFailure
from pytest_nomos.host import EventKind, HostedProvider, Launch, Limits, ProviderHost, ReaperError
from pytest_nomos.host.external import ExternalProvider, Places
from pytest_nomos.host.metadata import CallMetadata
from pytest_nomos.host.reaping import Reaping

Small = Callable[..., Launch]


def started(host: ProviderHost, launch: Launch, alias: str = "target") -> HostedProvider:
    start = host.start(launch, alias)
    assert isinstance(start.provider, HostedProvider), start.error
    return start.provider


def test_an_obedient_provider_is_asked_and_never_killed(host: ProviderHost, running: HostedProvider) -> None:
    scratch, logs = running.scratch, running.logs
    began = time.monotonic()
    end = running.stop()
    assert end is not None
    assert end.signal == "SIGTERM"
    assert not running.killed
    assert time.monotonic() - began < host.limits.grace
    assert host.events == ()
    assert not scratch.exists()
    assert not logs.exists()
    assert running.stop() == end


def test_the_shutdown_call_comes_before_the_signal(host: ProviderHost, script: Small) -> None:
    import sys

    launch = script(
        """
        import os, sys
        from concurrent.futures import ThreadPoolExecutor
        import grpc

        class Ends(grpc.GenericRpcHandler):
            def service(self, details):
                name = details.method.rpartition("/")[2]
                return grpc.unary_unary_rpc_method_handler(lambda *_: b"" if name != "Shutdown" else os._exit(7))

        server = grpc.server(ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers((Ends(),))
        print(f"PORT={server.add_insecure_port('127.0.0.1:0')}", flush=True)
        server.start()
        server.wait_for_termination()
        """,
        interpreter=sys.executable,
    )
    end = started(host, launch).stop()
    assert end is not None
    assert end.code == 7


def test_one_that_ignores_sigterm_is_killed_after_the_grace_and_this_is_reported(tmp_path: Path, small: Small) -> None:
    limits = Limits(grace=0.5, shutdown_rpc=1)
    with ProviderHost(limits, tmp_path) as host:
        provider = started(host, small("ignore-term"), "stubborn")
        began = time.monotonic()
        end = provider.stop()
        assert end is not None
        assert end.signal == "SIGKILL"
        assert end.at - began >= 0.5
        assert provider.killed
        assert [(event.alias, event.kind) for event in host.events] == [("stubborn", EventKind.KILLED)]


def test_the_shutdown_call_has_a_deadline_of_its_own(tmp_path: Path, small: Small) -> None:
    with ProviderHost(Limits(shutdown_rpc=0.3, grace=3), tmp_path) as host:
        provider = started(host, small("mute-shutdown"))
        began = time.monotonic()
        provider.stop()
        assert time.monotonic() - began >= 0.3
        assert not provider.killed


def test_a_stopped_process_is_woken_and_ends_in_order(running: HostedProvider) -> None:
    running.signal("SIGSTOP")
    end = running.stop()
    assert end is not None
    assert end.signal == "SIGTERM"


def test_grandchildren_go_with_it_even_those_in_a_session_of_their_own(
    host: ProviderHost, small: Small, gone: Callable[[int], bool], eventually: Callable[..., None]
) -> None:
    provider = started(host, small("child"))
    eventually(lambda: b"away" in provider.stderr())
    children = provider.descendants()
    assert len(children) == 2
    assert int(provider.stderr().split()[1]) in children
    provider.stop()
    assert all(gone(child) for child in children)


def test_closing_stops_all_at_once(tmp_path: Path, small: Small, gone: Callable[[int], bool]) -> None:
    limits = Limits(grace=3, shutdown_rpc=1)
    host = ProviderHost(limits, tmp_path)
    pids = [started(host, small("ignore-term"), f"p{number}").pid for number in range(4)]
    began = time.monotonic()
    host.close()
    assert time.monotonic() - began < 2 * limits.grace
    assert all(gone(pid) for pid in pids)
    host.close()
    with pytest.raises(ReaperError, match="closed"):
        host.start(small(), "late")
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_started_nothing_leaves_nothing(tmp_path: Path) -> None:
    children = psutil.Process().children()
    with ProviderHost(folder=tmp_path):
        assert psutil.Process().children() == children
        assert list(tmp_path.iterdir()) == []


def test_folders_of_the_host_go_with_it(tmp_path: Path) -> None:
    with ProviderHost(folder=tmp_path) as host:
        one, two = host.make_folder("check"), host.make_folder("check")
        assert one != two
        assert one.is_relative_to(tmp_path)
        (one / "file").touch()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ReaperError, match="closed"):
        host.make_folder("late")


@pytest.mark.parametrize("stage", ["announcement", "connecting"])
def test_a_cancelled_start_leaves_no_process(
    host: ProviderHost,
    script: Small,
    gone: Callable[[int], bool],
    tmp_path: Path,
    stage: str,
    eventually: Callable[..., None],
) -> None:
    announce = "echo PORT=1025;" if stage == "connecting" else ""
    launch = script(f"echo $$ > {tmp_path}/pid; {announce} exec sleep 1000")
    cancel = threading.Event()
    results = []
    limits = Limits(connect_attempts=1000, connect=60, announce=60)
    thread = threading.Thread(target=lambda: results.append(host.start(launch, "target", limits=limits, cancel=cancel)))
    thread.start()
    eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
    assert thread.is_alive()
    cancel.set()
    thread.join(5)
    assert not thread.is_alive()
    assert results[0].error.failure is StartFailure.CANCELLED
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_start_that_is_cancelled_beforehand_starts_nothing_that_stays(host: ProviderHost, small: Small) -> None:
    cancel = threading.Event()
    cancel.set()
    error = host.start(small(), "target", cancel=cancel).error
    assert error is not None
    assert error.failure is StartFailure.CANCELLED


@pytest.mark.parametrize("stage", ["announcement", "connecting", "stopping", "closing"])
def test_an_interrupt_leaves_no_process(
    tmp_path: Path,
    script: Small,
    small: Small,
    gone: Callable[[int], bool],
    stage: str,
    eventually: Callable[..., None],
) -> None:
    pid_file = tmp_path / "pid"

    def interrupt() -> None:
        if stage in ("announcement", "connecting"):
            eventually(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
        time.sleep(0.2)  # into the wait that is meant; an earlier interrupt has to work as well
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    folder = tmp_path / "host"
    folder.mkdir()
    host = ProviderHost(Limits(announce=60, connect_attempts=1000, connect=60, grace=60, shutdown_rpc=60), folder)
    thread = threading.Thread(target=interrupt)
    if stage in ("announcement", "connecting"):
        announce = "echo PORT=1025;" if stage == "connecting" else ""
        launch = script(f"echo $$ > {pid_file}; {announce} exec sleep 1000")
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            host.start(launch, "target")
        pids = [int(pid_file.read_text())]
        assert gone(pids[0])
    else:
        provider = started(host, small("ignore-term"))
        pids = [provider.pid]
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            provider.stop() if stage == "stopping" else host.close()
    thread.join()
    began = time.monotonic()
    host.close()
    assert time.monotonic() - began < 30  # the grace would be sixty
    assert all(gone(pid) for pid in pids)
    assert list(folder.iterdir()) == []


@pytest.fixture
def external(tmp_path: Path, limits: Limits) -> Callable[..., ExternalProvider]:
    """Make an external provider of its own, without a host."""
    (tmp_path / "scratch").mkdir()
    reapings = []

    def make(launch: Launch) -> ExternalProvider:
        reaping = Reaping([])
        reapings.append(reaping)
        places = Places(tmp_path / "scratch", tmp_path, tmp_path / "socket")
        return ExternalProvider("lone", launch, places, limits, reaping, CallMetadata())

    yield make
    for reaping in reapings:
        reaping.close()


def test_an_external_provider_is_driven_by_four_methods(
    external: Callable[..., ExternalProvider], small: Small
) -> None:
    provider = external(small())
    assert (provider.process, provider.channel, provider.client, provider.port) == (None, None, None, None)
    assert provider.call("/nomos.provider.v1.ProviderService/Health", b"").code == "UNAVAILABLE"
    provider.start()
    assert provider.name == "lone"
    assert Path(provider.binary).is_absolute()
    assert provider.process is not None
    assert provider.process.alive()
    assert provider.announcement is not None
    assert provider.port == provider.announcement.port
    assert provider.call("/nomos.provider.v1.ProviderService/Health", b"").response == b"\x08\x01"
    provider.connect()
    assert provider.call("/nomos.provider.v1.ProviderService/Health", b"").code == "OK"
    end = provider.shutdown()
    assert end is not None
    assert provider.call("/nomos.provider.v1.ProviderService/Health", b"").code == "UNAVAILABLE"
    assert provider.shutdown() == end


def test_shutting_down_what_was_never_started_does_nothing(
    external: Callable[..., ExternalProvider], small: Small
) -> None:
    assert external(small()).shutdown() is None


def test_shutting_down_closes_the_connections_first(external: Callable[..., ExternalProvider], small: Small) -> None:
    provider = external(small("ignore-term"))
    provider.start()
    cancel = threading.Event()
    thread = threading.Thread(target=provider.shutdown, args=(cancel,))
    thread.start()
    while provider.call("/nomos.provider.v1.ProviderService/Health", b"").code == "OK":
        pass
    assert provider.process is not None
    assert provider.process.alive()
    assert provider.channel is not None
    assert provider.channel.figures().open == 0
    cancel.set()
    thread.join()


def test_a_stopped_process_still_takes_its_signal(
    external: Callable[..., ExternalProvider], small: Small, eventually: Callable[..., None]
) -> None:
    provider = external(small())
    provider.start()
    assert provider.process is not None
    pid = provider.process.pid
    provider.process.signal(signal.SIGSTOP)
    eventually(lambda: psutil.Process(pid).status() == "stopped")
    end = provider.shutdown()
    assert end is not None
    assert end.signal == "SIGTERM"
    assert not provider.killed


def test_a_cancelled_shutdown_kills_at_once(
    external: Callable[..., ExternalProvider], small: Small, limits: Limits
) -> None:
    provider = external(small("ignore-term"))
    provider.start()
    cancel = threading.Event()
    cancel.set()
    began = time.monotonic()
    end = provider.shutdown(cancel)
    assert end is not None
    assert end.signal == "SIGKILL"
    assert time.monotonic() - began < limits.grace


def test_a_signal_that_cannot_be_sent_means_killing_at_once(
    external: Callable[..., ExternalProvider], small: Small, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    provider = external(small("ignore-term"))
    provider.start()
    real = os.killpg

    def refuse(group: int, number: int) -> None:
        if number == signal.SIGTERM:
            raise PermissionError
        real(group, number)

    monkeypatch.setattr(os, "killpg", refuse)
    began = time.monotonic()
    end = provider.shutdown()
    assert end is not None
    assert end.signal == "SIGKILL"
    assert time.monotonic() - began < limits.grace
