from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import psutil

from pytest_nomos.host import HostedProvider, Launch, Limits, ProviderHost

Small = Callable[..., Launch]
LIMITS = Limits(grace=2, shutdown_rpc=1)


def held() -> tuple[int, int, int]:
    gc.collect()
    process = psutil.Process()
    return process.num_fds(), threading.active_count(), len(process.children(recursive=True))


def test_starting_and_stopping_leaves_no_slope(
    host: ProviderHost, small: Small, eventually: Callable[..., None]
) -> None:
    def cycle() -> None:
        start = host.start(small(), "target")
        assert isinstance(start.provider, HostedProvider)
        pending = [start.provider.start_fetch(["sleep", "0"]) for _ in range(12)]
        assert all(item.answer(10).ok for item in pending)
        start.provider.stop()

    for _ in range(2):
        cycle()
    before = held()
    for _ in range(6):
        cycle()
    # grpc frees descriptors of closed channels in threads of its own
    eventually(lambda: all(now <= then for now, then in zip(held(), before, strict=True)))
    assert [entry.name for entry in host._folder.iterdir()] == []


def test_hosts_leave_no_slope(tmp_path: Path, small: Small, eventually: Callable[..., None]) -> None:
    def cycle() -> None:
        with ProviderHost(LIMITS, tmp_path) as host:
            assert host.start(small(), "target").provider is not None

    cycle()
    before = held()
    for _ in range(4):
        cycle()
    eventually(lambda: all(now <= then for now, then in zip(held(), before, strict=True)))
    assert list(tmp_path.iterdir()) == []
