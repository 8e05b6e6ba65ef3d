from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from nomos_contracts.provider import RunningProvider
from pytest_nomos.host import AliasTakenError, HostedProvider, Launch, Limits, ProviderHost, Setup

Small = Callable[..., Launch]
Eventually = Callable[..., None]


def started(host: ProviderHost, launch: Launch, alias: str = "other", **options: object) -> HostedProvider:
    start = host.start(launch, alias, **options)  # type: ignore[arg-type]
    assert isinstance(start.provider, HostedProvider), start.error
    return start.provider


def stands_still(pid: int) -> bool:
    try:
        stats = [(thread / "stat").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return False
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def test_a_hosted_provider_is_what_checks_expect(running: HostedProvider) -> None:
    provider: RunningProvider = running
    assert provider.alias == "settings"
    assert provider.pid == provider.fetch(["where"]).value["pid"]
    assert provider.announcement.line == f"PORT={provider.announcement.port}".encode()
    assert 0 < provider.announcement.after < 10
    assert provider.good_config == {"name": "value"}
    assert provider.fetch(["config"]).value == {"name": "value"}
    assert provider.answers[0].method == "Init"
    assert provider.listeners() == [("127.0.0.1", provider.announcement.port)]


def test_two_aliases_share_neither_process_nor_group_nor_folder_nor_log(host: ProviderHost, small: Small) -> None:
    one, two = started(host, small(), "one"), started(host, small(), "two")
    first, second = one.fetch(["where"]).value, two.fetch(["where"]).value
    for provider, seen in ((one, first), (two, second)):
        assert seen["pgid"] == seen["pid"] == provider.pid
        assert Path(seen["cwd"]) == provider.scratch
        assert list(provider.scratch.iterdir()) == []
    assert one.pid != two.pid
    assert one.scratch != two.scratch
    assert one.logs != two.logs
    assert os.getpgid(0) not in (one.pid, two.pid)
    assert set(host.providers) == {"one", "two"}


def test_an_alias_is_given_once(host: ProviderHost, small: Small, running: HostedProvider) -> None:
    with pytest.raises(AliasTakenError, match="'settings'"):
        host.start(small(), "settings")
    running.stop()
    started(host, small(), "settings")


def test_it_inherits_four_descriptors_and_no_more(running: HostedProvider) -> None:
    with open("/dev/null", "rb") as file:  # noqa: PTH123 # a descriptor of ours
        os.set_inheritable(file.fileno(), True)
        descriptors = running.fetch(["where"]).value["fds"]
    places = {fd: Path(f"/proc/{running.pid}/fd/{int(fd)}") for fd in descriptors}
    links = {fd: str(place.readlink()) for fd, place in places.items() if place.exists()}
    assert links[0] == "/dev/null"
    pipes = [fd for fd, link in links.items() if link.startswith("pipe:")]
    assert pipes[:3] == [1, 2, 3]
    assert not any(link.startswith("socket:") and fd == 4 for fd, link in links.items())


def test_the_environment_is_what_was_passed_on_purpose(
    host: ProviderHost, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOMOS_TEST_SECRET", "leaks")
    monkeypatch.setenv("LANG", "C.UTF-8")
    provider = started(host, small(env={"GREETING": "grüße"}))
    variables = provider.fetch(["env"]).value
    assert variables == {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(provider.scratch),
        "TMPDIR": str(provider.scratch),
        "NOMOS_LIFELINE_FD": "3",
        "GREETING": "grüße",
    }


def test_the_whole_environment_is_passed_where_that_is_asked_for(
    host: ProviderHost, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOMOS_TEST_SECRET", "wanted")
    monkeypatch.setenv("NOMOS_LISTEN", "unix:/somebody/elses")
    variables = started(host, small(inherit_env=True)).fetch(["env"]).value
    assert variables["NOMOS_TEST_SECRET"] == "wanted"
    assert variables["HOME"] == os.environ["HOME"]
    assert "NOMOS_LISTEN" not in variables


def test_signals_that_the_kit_ignores_are_not_ignored_in_a_provider(running: HostedProvider) -> None:
    status = Path(f"/proc/{running.pid}/status").read_text()
    ignored = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")), 16)
    blocked = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")), 16)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        assert not (ignored | blocked) >> (number - 1) & 1


def test_a_unix_socket_is_used_where_it_is_asked_for(host: ProviderHost, small: Small) -> None:
    provider = started(host, small(unix=True))
    assert provider.announcement.form == "UNIX"
    assert provider.announcement.port is None
    assert provider.init({"a": 1}).ok
    assert provider.fetch(["config"]).value == {"a": 1}
    path = Path(provider.announcement.address.removeprefix("unix:"))
    assert path.is_socket()
    provider.stop()
    assert not path.exists()


def test_a_long_folder_still_leaves_room_for_a_socket(tmp_path: Path, small: Small, limits: Limits) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    with ProviderHost(limits, deep) as host:
        provider = started(host, small(unix=True))
        sockets = Path(provider.announcement.address.removeprefix("unix:")).parent
        assert provider.health().ok
    assert not sockets.exists()
    assert list(deep.iterdir()) == []


def test_output_goes_to_log_files_and_stderr_is_tagged(
    host: ProviderHost, small: Small, eventually: Eventually
) -> None:
    one, two = started(host, small(), "one"), started(host, small(), "two")
    one.fetch(["print", "from one"])
    two.fetch(["print", "from two"])
    eventually(lambda: b"from one\n" in one.stderr() and b"from one\n" in one.stdout())
    eventually(lambda: (one.logs / "stderr.log").read_bytes() == b"provider=one from one\n")
    assert (one.logs / "stdout.log").read_bytes() == one.stdout()
    assert one.stdout() == one.announcement.line + b"\nfrom one\n"
    eventually(lambda: (two.logs / "stderr.log").read_bytes() == b"provider=two from two\n")


def test_logs_are_kept_where_a_folder_is_named(tmp_path: Path, small: Small, limits: Limits) -> None:
    with ProviderHost(limits, logs=tmp_path / "logs") as host:
        provider = started(host, small(), "a b/c")
        provider.fetch(["print", "kept"])
        logs = provider.logs
    assert logs.parent == tmp_path / "logs"
    assert logs.name == "1-a_b_c"
    assert (logs / "stderr.log").read_bytes() == b"provider=a b/c kept\n"
    assert b"kept" in (logs / "stdout.log").read_bytes()


def test_a_flood_never_blocks_it_and_is_kept_in_part(host: ProviderHost, small: Small, eventually: Eventually) -> None:
    size = 10_000_000
    provider = started(host, small(), limits=Limits(log=2_000_000))
    assert provider.fetch(["flood", str(size)]).value == "flooded"
    eventually(lambda: provider.stdout_bytes() == len(provider.announcement.line) + 1 + 100 + size)
    assert provider.stdout().startswith(provider.announcement.line + b"\nxxx")
    assert len(provider.stdout()) == 1024 * 1024
    eventually(lambda: provider._process.stderr.total == size + 100)
    assert len(provider.stderr()) == 1024 * 1024
    assert provider.stderr().startswith(b"y")
    assert provider.stderr().endswith(b"y\n")
    for name in ("stdout.log", "stderr.log"):
        assert (provider.logs / name).stat().st_size < 2_001_000
        assert (provider.logs / name).read_bytes().endswith(b"(the log ends here: its limit is reached)\n")


def test_an_announcement_in_pieces_is_put_together(host: ProviderHost, small: Small) -> None:
    assert started(host, small("slowly")).health().ok


def test_signals_reach_the_process_alone(running: HostedProvider, eventually: Eventually) -> None:
    child = int(running.fetch(["child"]).value)
    running.signal("SIGSTOP")
    eventually(lambda: psutil.Process(running.pid).status() == "stopped")
    assert psutil.Process(child).status() != "stopped"
    assert running.health(timeout=0.3).code == "DEADLINE_EXCEEDED"
    running.signal("SIGCONT")
    assert running.health().ok
    with pytest.raises(ValueError, match="no signal"):
        running.signal("SIGNONSENSE")
    with pytest.raises(ValueError, match="no signal"):
        running.signal("SIG_IGN")


def test_a_patient_caller_waits_for_a_connection_that_takes_longer_than_one_attempt(
    tmp_path: Path, small: Small, eventually: Eventually
) -> None:
    with ProviderHost(folder=tmp_path, limits=Limits(connect_timeout=0.3)) as host:
        provider = started(host, small())
        provider.signal("SIGSTOP")
        # Its threads stop one after the other, and one that runs on for a moment may take the connection.
        eventually(lambda: stands_still(provider.pid))
        provider.reconnect()
        patient = provider.start_fetch(["where"], timeout=20, patient=True)
        hasty = provider.start_fetch(["where"], timeout=20).answer()
        assert hasty.code == "UNAVAILABLE"
        assert "connection attempt timed out" in hasty.message
        provider.signal("SIGCONT")
        assert patient.answer().ok


def test_the_end_of_a_process_is_told_with_code_or_signal(
    host: ProviderHost, running: HostedProvider, script: Small
) -> None:
    assert running.alive()
    assert running.wait(0.01) is None
    before = time.monotonic()
    running.signal("SIGKILL")
    end = running.wait(5)
    assert end is not None
    assert (end.code, end.signal) == (None, "SIGKILL")
    assert before <= end.at <= time.monotonic()
    assert not running.alive()
    running.signal("SIGTERM")
    answer = running.health()
    assert answer.code == "UNAVAILABLE"
    assert "was ended by SIGKILL" in answer.message
    assert running.stop() == end


def test_a_dead_providers_process_id_stays_its_own_until_it_is_stopped(running: HostedProvider) -> None:
    running.signal("SIGKILL")
    assert running.wait(5) is not None
    assert psutil.Process(running.pid).status() == psutil.STATUS_ZOMBIE
    running.stop()
    assert not psutil.pid_exists(running.pid)


def test_usage_counts_descendants(running: HostedProvider) -> None:
    alone = running.usage()
    child = int(running.fetch(["child"]).value)
    away = int(running.fetch(["child", "away"]).value)
    both = running.usage()
    assert (alone.children, both.children) == (0, 2)
    assert both.descriptors > alone.descriptors > 3
    assert both.threads >= alone.threads + 2
    assert both.rss > alone.rss > 1_000_000
    assert both.cpu >= alone.cpu > 0
    assert sorted(running.descendants()) == sorted([child, away])


def test_descendants_are_known_after_the_end_of_the_process(
    running: HostedProvider, gone: Callable[[int], bool]
) -> None:
    children = [int(running.fetch(["child", *where]).value) for where in ([], ["away"])]
    running.signal("SIGKILL")
    assert running.wait(5) is not None
    assert sorted(running.descendants()) == sorted(children)
    running.stop()
    assert all(gone(child) for child in children)
    assert running.descendants() == []


def test_twenty_at_once_listen_on_twenty_ports(host: ProviderHost, small: Small) -> None:
    from concurrent.futures import ThreadPoolExecutor

    patient = Limits(announce=60, connect_timeout=20, connect=60)
    with ThreadPoolExecutor(20) as pool:
        providers = list(pool.map(lambda n: started(host, small(), f"p{n}", limits=patient), range(20)))
    assert len({provider.announcement.port for provider in providers}) == 20
    assert len({provider.pid for provider in providers}) == 20
    for provider in providers:
        provider.external.kill()


def test_two_hosts_share_nothing(tmp_path: Path, small: Small, limits: Limits) -> None:
    with ProviderHost(limits, tmp_path) as one:
        kept = started(one, small(), "same", setup=Setup(config={"host": "one"}))
        kept.init()
        with ProviderHost(limits, tmp_path) as two:
            other = started(two, small(), "same", setup=Setup(config={"host": "two"}))
            other.init()
            assert one.providers == {"same": kept}
            assert two.providers == {"same": other}
            pending = kept.start_fetch(["sleep", "0.5"])
        assert not other.alive()
        assert pending.answer(5).value == "slept"
        assert kept.fetch(["config"]).value == {"host": "one"}
