"""A provider that is killed in the middle of a stream: what came is kept, and the caller is told at once."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from nomos_contracts.fault import Kill
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.journal import Journal
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import ProcessSubject
from pytest_nomos.host import Launch, ProviderHost, Setup
from unit.host import streaming_provider


def test_a_stream_that_a_kill_cuts_off_keeps_its_parts_and_ends_with_an_error(tmp_path: Path) -> None:
    with ProviderHost() as host, Stack(Journal(tmp_path / "chaos.jsonl")) as stack:
        launch = Launch((sys.executable, streaming_provider.__file__))
        start = host.start(launch, "streaming", Setup(config={"directory": "."}))
        assert start.provider is not None, start.error
        parts = []
        for answer in start.provider.stream("count", {"to": 10_000}, timeout=60):
            parts.append(answer)
            if len(parts) == 3:
                killed = time.monotonic()
                stack.push(process_fault(Kill(), ProcessSubject.of(start.provider.pid)), 10)
        assert time.monotonic() - killed < 10, "the caller would have waited for its deadline"
        assert [answer.value for answer in parts[:3]] == [0, 1, 2]
        assert all(answer.ok for answer in parts[:-1])
        assert parts[-1].code == "UNAVAILABLE", parts[-1].summary
        assert [answer.value for answer in parts[:-1]] == [*range(len(parts) - 1)], "a part is missing or came twice"
        after = start.provider.call("echo", {"value": 1}, timeout=5)
        assert after.gone
