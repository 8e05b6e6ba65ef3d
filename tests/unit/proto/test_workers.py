from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from nomos_proto.errors import ProviderError
from nomos_proto.once import Once
from nomos_proto.provider import CallContext
from nomos_proto.workers import Workers

Pool = Callable[..., Workers]


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Make workers whose threads end with the test: other tests look for threads that were left."""
    made: list[Workers] = []

    def make(**settings: float) -> Workers:
        made.append(Workers(**settings))
        return made[-1]

    yield make
    assert all(workers.close(10) for workers in made)


def test_tasks_run_side_by_side_up_to_the_limit_and_the_rest_later(pool: Pool) -> None:
    workers = pool(limit=3, idle=0.05)
    together = threading.Barrier(3)
    futures = [workers.submit(together.wait, 10) for _ in range(6)]
    assert sorted(future.result(10) for future in futures) == [0, 0, 1, 1, 2, 2]
    assert workers.count <= 3


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_threads_without_work_end_but_those_that_are_kept(pool: Pool, keep: int) -> None:
    workers = pool(idle=0.01, keep=keep)
    assert workers.count == keep
    together = threading.Barrier(3)
    futures = [workers.submit(together.wait, 10) for _ in range(3)]
    assert sorted(future.result(10) for future in futures) == [0, 1, 2]
    deadline = time.monotonic() + 10
    while workers.count > keep:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.05)
    assert workers.count == keep
    assert workers.submit(lambda: 6).result(10) == 6
    assert workers.close(10)
    assert workers.count == 0


def test_where_no_thread_can_be_started_those_that_are_there_take_the_tasks(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers, none = pool(idle=0.01, keep=1), pool(idle=0.01)
    tried = 0

    def start(_thread: threading.Thread) -> None:
        nonlocal tried
        tried += 1
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        futures = [workers.submit(time.sleep, 0.01) for _ in range(5)]
        assert [future.result(10) for future in futures] == [None] * 5
        with pytest.raises(RuntimeError):
            none.submit(time.sleep, 0)
        with pytest.raises(RuntimeError):
            pool(keep=1)
    assert tried > 1
    assert (workers.count, none.count) == (1, 0)
    assert none.submit(lambda: 7).result(10) == 7  # what failed is not in the way
    assert workers.close(10)
    assert none.close(10)


def test_a_thread_that_is_free_is_used_again(pool: Pool) -> None:
    workers = pool(idle=10.0)
    names: set[int] = set()
    for _ in range(20):
        names.add(workers.submit(threading.get_ident).result(10))
        time.sleep(0.002)  # the thread tells its result before it waits again
    assert len(names) < 20
    assert workers.count == len(names)


def test_an_exception_is_the_result_and_the_thread_goes_on(pool: Pool) -> None:
    workers = pool(limit=1, idle=0.01)
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 // 0).result(10)
    assert workers.submit(lambda: 1).result(10) == 1


def test_a_cancelled_task_does_not_run(pool: Pool) -> None:
    workers = pool(limit=1, idle=0.01)
    go = threading.Event()
    first = workers.submit(go.wait, 10)
    second = workers.submit(lambda: 1)
    assert second.cancel()
    go.set()
    assert first.result(10)
    assert workers.submit(lambda: 2).result(10) == 2


def test_the_second_call_with_a_key_waits_for_the_first_and_does_not_run(pool: Pool) -> None:
    once, go, runs = Once(), threading.Event(), []

    def work() -> bytes:
        runs.append(1)
        go.wait(10)
        return b"answer"

    workers = pool(idle=0.01)
    first = workers.submit(once.run, "k", b"request", work, CallContext(10))
    while not runs:
        time.sleep(0.001)
    second = workers.submit(once.run, "k", b"request", work, CallContext(10))
    late = workers.submit(once.run, "k", b"request", work, CallContext(0.05))
    with pytest.raises(ProviderError, match="deadline"):
        late.result(10)
    go.set()
    assert (first.result(10), second.result(10), len(runs)) == (b"answer", b"answer", 1)


def test_only_the_latest_keys_are_remembered() -> None:
    once = Once(limit=2)
    for key in ("a", "b", "c"):
        once.run(key, b"", lambda: b"old", CallContext())
    assert once.run("a", b"", lambda: b"new", CallContext()) == b"new"
    assert once.run("c", b"", lambda: b"new", CallContext()) == b"old"


def test_a_context_tells_deadline_and_leave_apart() -> None:
    CallContext().check()
    with pytest.raises(ProviderError) as late:
        CallContext(0.0).check()
    assert late.value.status == "DEADLINE_EXCEEDED"
    context = CallContext(10)
    context.cancel()
    with pytest.raises(ProviderError) as left:
        context.wait(10)
    assert left.value.status == "CANCELLED"


def test_a_callback_runs_once_when_the_caller_leaves_and_not_when_it_was_taken_back() -> None:
    context, calls = CallContext(), []
    context.on_cancel(lambda: calls.append("kept"))
    context.on_cancel(lambda: calls.append("taken back"))()
    context.cancel()
    context.cancel()
    context.on_cancel(lambda: calls.append("late"))
    assert calls == ["kept", "late"]
