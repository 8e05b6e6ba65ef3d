"""A limit strikes who serves, also where a wrapper stands before it."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from nomos_contracts.fault import Descriptors
from nomos_contracts.provider import Start
from pytest_nomos.chaos.limits import LowerLimit
from pytest_nomos.chaos.subject import ProcessSubject
from pytest_nomos.host import Launch, ProviderHost, Setup


def test_behind_a_wrapper_without_exec_the_process_that_listens_is_struck(data: Path) -> None:
    script = f"trap 'kill $!; wait; exit 0' TERM; {sys.executable} -m nomos_reference config/files & wait"
    with ProviderHost() as host:
        start: Start = host.start(Launch(("/bin/sh", "-c", script)), "wrapped", Setup(config={"directory": str(data)}))
        assert start.provider is not None, start.error
        (child,) = psutil.Process(start.provider.pid).children()
        limit = LowerLimit(Descriptors(), ProcessSubject.of(start.provider.pid))
        assert limit.undo["pid"] == child.pid
        wrapper = psutil.Process(start.provider.pid).rlimit(psutil.RLIMIT_NOFILE)
        limit.apply()
        limit.verify()
        assert psutil.Process(start.provider.pid).rlimit(psutil.RLIMIT_NOFILE) == wrapper
        limit.revert()
        assert child.rlimit(psutil.RLIMIT_NOFILE) == wrapper
