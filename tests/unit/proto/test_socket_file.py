from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nomos_proto.socket_file import SocketFile, SocketFileError


def test_a_path_that_is_taken_is_refused_before_anyone_listens_there(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with SocketFile(path), pytest.raises(SocketFileError, match="another server uses"), SocketFile(path):
        pass
    with SocketFile(path):
        assert [one.name for one in tmp_path.iterdir()] == ["s.lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_knows_no_lock_is_not_pushed_aside(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()
        with pytest.raises(SocketFileError, match="another server uses"), SocketFile(str(tmp_path / "s")):
            pass
        assert [one.name for one in tmp_path.iterdir()] == ["s"]


def test_a_lock_that_a_dead_server_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "s.lock").touch()
    with SocketFile(str(tmp_path / "s")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(SocketFileError, match="no socket"), SocketFile(str(tmp_path / "s")):
        pass
    assert (tmp_path / "s").read_text() == "precious"
    assert not (tmp_path / "s.lock").exists()


def test_of_many_at_once_one_at_a_time_has_the_path(tmp_path: Path) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def take(_: int) -> bool:
        nonlocal inside, most
        try:
            with SocketFile(str(tmp_path / "s")):
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1
                return True
        except SocketFileError:
            return False

    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(take, range(2000)))
    assert any(taken)
    assert most == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("path", "words"), [("s", "absolute"), ("/" + "ü" * 54, "109 bytes"), ("/a\0b", "NUL")])
def test_a_path_that_no_socket_can_have_is_refused(path: str, words: str) -> None:
    with pytest.raises(SocketFileError, match=words):
        SocketFile(path)
