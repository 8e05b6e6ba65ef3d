"""What is peculiar to objects in this process: threads, loops, and how they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from nomos_contracts.faces import InProcessFace
from nomos_contracts.loop import BackgroundLoop
from nomos_proto.errors import ProviderError
from parcels import INTERFACE, PARCEL, Office


def ours() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("nomos-call", "nomos-parcels"))}


@pytest.fixture
def office() -> Office:
    return Office({"capacity": 3})


@pytest.fixture
def face(office: Office) -> Iterator[InProcessFace]:
    face = InProcessFace(office, INTERFACE)
    yield face
    face.close()


def test_no_thread_and_no_loop_outlives_a_face(face: InProcessFace, office: Office) -> None:
    face.invoke("send", parcel=PARCEL)
    face.invoke("count")
    assert ours()
    face.close()
    assert not ours()
    assert office.closed, "the provider's own end was called"


def test_a_face_that_gave_up_a_call_is_stuck_until_the_call_ends(face: InProcessFace, office: Office) -> None:
    assert face.invoke("hang", timeout=0.05, seconds=60.0).code == "DEADLINE_EXCEEDED"
    assert face.stuck
    office.never.set()
    assert not face.stuck


def test_a_coroutine_that_ends_when_it_is_cancelled_leaves_the_face_usable(face: InProcessFace) -> None:
    face.invoke("linger", timeout=0.05, seconds=60.0)
    assert not face.stuck


@pytest.mark.parametrize("method", ["leave", "leave_later"])
def test_a_method_that_wants_to_end_the_process_ends_its_call_only(face: InProcessFace, method: str) -> None:
    answer = face.invoke(method)
    assert (answer.code, answer.details) == ("UNKNOWN", {"exception": "builtins.SystemExit"})
    assert face.invoke("find", id="p-1").ok


class Renamed:
    """Has the parameters of its methods under other names."""

    async def find(self, parcel: str) -> None:
        raise AssertionError(parcel)

    def count(self) -> int:
        return int("p-1", base="ten")  # type: ignore[call-overload, no-any-return] # a TypeError of its own


def test_a_method_with_other_parameters_is_told_by_which_names_it_is_called() -> None:
    face = InProcessFace(Renamed(), INTERFACE)
    answer = face.invoke("find", id="p-1")
    assert answer.message == "find cannot be called with id: arguments come by the names that the interface gives"
    assert (answer.code, answer.details) == ("UNKNOWN", {"exception": "builtins.TypeError"})
    own = face.invoke("count")
    assert (own.code, own.details) == ("UNKNOWN", {"exception": "builtins.TypeError"})
    assert "cannot be called" not in own.message
    face.close()


def test_a_coroutine_that_is_given_up_is_cancelled(face: InProcessFace, office: Office) -> None:
    face.invoke("linger", timeout=0.05, seconds=60.0)
    face.close()
    assert office.cancelled
    assert not ours()


def test_a_face_ends_though_a_method_never_does() -> None:
    released = threading.Event()

    class Stone:
        def count(self) -> int:
            released.wait()
            return 0

    stone = InProcessFace(Stone(), INTERFACE)
    assert stone.invoke("count", timeout=0.05).code == "DEADLINE_EXCEEDED"
    stone.close(0.1)
    left = [thread for thread in threading.enumerate() if thread.name == "nomos-call"]
    assert [thread.daemon for thread in left] == [True], "what cannot be ended ends with the process"
    released.set()
    left[0].join(5)


def test_a_shorter_limit_wins() -> None:
    face = InProcessFace(Office({"capacity": 3}), INTERFACE, seconds=0.1)
    assert face.invoke("hang", timeout=60.0, seconds=60.0).seconds == 0.1
    face.close()


def test_a_capability_that_the_interface_does_not_have_is_refused(office: Office) -> None:
    office.capabilities = frozenset({"returns", "teleport"})
    with pytest.raises(ProviderError, match="teleport"):
        InProcessFace(office, INTERFACE)


@pytest.mark.parametrize("flags", [{"returns": True, "pickup": False}, {"returns"}, ["returns"], ("returns",)])
def test_capabilities_may_be_names_or_flags(office: Office, flags: object) -> None:
    office.capabilities = flags  # type: ignore[assignment] # as authors may write them
    assert InProcessFace(office, INTERFACE).capabilities == {"returns"}


def test_a_text_is_no_set_of_capabilities(office: Office) -> None:
    office.capabilities = "returns"  # type: ignore[assignment] # a mistake that authors make
    with pytest.raises(ProviderError, match="a set of names or a map of flags"):
        InProcessFace(office, INTERFACE)


class TestBackgroundLoop:
    def test_it_runs_coroutines_on_one_thread(self) -> None:
        async def where() -> str:
            return threading.current_thread().name

        loop = BackgroundLoop("nomos-parcels-test")
        assert {loop.submit(where()).result(5) for _ in range(3)} == {"nomos-parcels-test"}
        assert loop.close()
        assert not ours()

    def test_after_its_end_it_takes_nothing(self) -> None:
        loop = BackgroundLoop()
        assert loop.close()
        with pytest.raises(RuntimeError):
            loop.submit(asyncio.sleep(0))

    def test_it_cancels_what_still_runs(self) -> None:
        loop = BackgroundLoop()
        running = loop.submit(asyncio.sleep(60))
        assert loop.close()
        assert running.cancelled()

    def test_a_coroutine_that_blocks_the_thread_is_left_behind_and_said(self) -> None:
        release = threading.Event()

        async def block() -> None:
            release.wait()

        loop = BackgroundLoop()
        loop.submit(block())
        assert not loop.close(0.1)
        release.set()
        assert loop.close(5)
