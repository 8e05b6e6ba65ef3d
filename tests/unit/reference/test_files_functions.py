from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nomos_proto.errors import ProviderError
from nomos_reference.config.files_provider import FilesProvider
from unit.reference.folders import Object, make, status_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(tmp_path, {"canary.txt": "canary"})
    return make(tmp_path / "root", {"a.txt": "hello ü", "b/c.bin": b"\xff\0"})


@pytest.fixture
def files(root: Path) -> Object:
    provider = Object(FilesProvider())
    provider.init({"directory": str(root)})
    return provider


def test_what_is_written_is_read_back_and_exists(files: Object) -> None:
    assert files.function("exists", path="new.txt") is False
    assert files.function("write", path="new.txt", content="Grüezi\r\n") is None
    assert files.function("read", path="new.txt") == "Grüezi\r\n"
    assert files.function("exists", path="new.txt") is True
    files.function("write", path="b/new.bin", content=b"\0\xff")
    assert files.function("read_bytes", path="b/new.bin") == b"\0\xff"
    assert files.function("read_bytes", path="a.txt") == "hello ü".encode()


def test_list_tells_names_and_folders(files: Object, root: Path) -> None:
    (root / "empty").mkdir()
    assert files.function("list") == files.function("list", path="") == ["a.txt", "b/", "empty/"]
    assert files.function("list", path="b") == ["c.bin"]
    assert files.function("list", path="empty") == []
    assert status_of(lambda: files.function("list", path="nope")) == ("NOT_FOUND", "file not found: nope")
    assert status_of(lambda: files.function("list", path="a.txt"))[0] == "INVALID_ARGUMENT"


def test_a_missing_file_has_the_words_of_the_protocol(files: Object) -> None:
    assert status_of(lambda: files.function("read", path="b/nope")) == ("NOT_FOUND", "file not found: b/nope")
    assert status_of(lambda: files.function("read", path="a.txt/x")) == ("NOT_FOUND", "file not found: a.txt/x")
    assert status_of(lambda: files.function("write", path="no/x", content=""))[0] == "NOT_FOUND"


def test_every_other_failure_to_read_is_internal_with_its_reason(files: Object) -> None:
    assert status_of(lambda: files.function("read", path="b")) == ("INTERNAL", "failed to read file: is no file: b")
    status, message = status_of(lambda: files.function("read", path="b/c.bin"))
    assert (status, message) == ("INTERNAL", "failed to read file: is not UTF-8, use read_bytes: b/c.bin")


@pytest.mark.parametrize(
    "path",
    [
        "../canary.txt",
        "..",
        "b/../../canary.txt",
        "/etc/passwd",
        "b//c.bin",
        "./a.txt",
        "a\\b",
        "a.txt\0",
        "b/",
        5,
        None,
    ],
)
@pytest.mark.parametrize("name", ["read", "read_bytes", "write", "exists", "list"])
def test_a_path_that_could_lead_out_is_an_invalid_path_for_each_function(
    files: Object, tmp_path: Path, name: str, path: Any
) -> None:
    args = {"path": path} | ({"content": "changed"} if name == "write" else {})
    status, message = status_of(lambda: files.function(name, **args))
    assert status == "INVALID_ARGUMENT"
    assert message.startswith("invalid path: ")
    assert (tmp_path / "canary.txt").read_text() == "canary"


@pytest.mark.parametrize("name", ["read", "read_bytes", "write"])
def test_the_folder_itself_is_no_file(files: Object, name: str) -> None:
    args = {"path": ""} | ({"content": ""} if name == "write" else {})
    assert status_of(lambda: files.function(name, **args)) == ("INVALID_ARGUMENT", "invalid path: is empty")


def test_a_link_out_is_an_invalid_path_and_the_canary_stays(files: Object, root: Path, tmp_path: Path) -> None:
    (root / "link").symlink_to("../canary.txt")
    (root / "up").symlink_to("..")
    for path in ("link", "up/canary.txt"):
        for name, more in (("read", {}), ("exists", {}), ("write", {"content": "changed"})):
            assert (
                status_of(lambda name=name, path=path, more=more: files.function(name, path=path, **more))[0]
                == "INVALID_ARGUMENT"
            )
    assert (tmp_path / "canary.txt").read_text() == "canary"
    assert (root / "link").is_symlink()


@pytest.mark.parametrize("content", [5, None, ["x"]])
def test_content_of_another_type_is_refused(files: Object, content: Any) -> None:
    assert status_of(lambda: files.function("write", path="x", content=content))[0] == "INVALID_ARGUMENT"


def test_writing_keeps_the_mode_and_replaces_the_file_as_a_whole(files: Object, root: Path) -> None:
    (root / "a.txt").chmod(0o640)
    before = (root / "a.txt").stat()
    with (root / "a.txt").open() as reader:
        files.function("write", path="a.txt", content="new")
        assert reader.read() == "hello ü"
    after = (root / "a.txt").stat()
    assert after.st_mode == before.st_mode
    assert after.st_ino != before.st_ino
    assert (root / "a.txt").read_text() == "new"


def test_a_reader_never_sees_half_of_a_file(files: Object, root: Path) -> None:
    contents = ("x" * 300_000, "y" * 300_000)
    files.function("write", path="big", content=contents[0])
    stop = threading.Event()

    def write() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            files.function("write", path="big", content=contents[turn % 2])

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(write)
        try:
            for _ in range(200):
                assert files.function("read", path="big") in contents
        finally:
            stop.set()
        job.result(10)
    assert sorted(path.name for path in root.iterdir()) == ["a.txt", "b", "big"]


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "RESOURCE_EXHAUSTED"), (errno.EFBIG, "RESOURCE_EXHAUSTED"), (errno.EIO, "INTERNAL")],
)
@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    files: Object, root: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, code: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    if step == "write":
        monkeypatch.setattr(os, "fchmod", fail)
    else:
        monkeypatch.setattr(os, step, fail)
    status, message = status_of(lambda: files.function("write", path="a.txt", content="new"))
    assert (status, message) == (code, f"failed to write file: {os.strerror(number)}: a.txt")
    assert (root / "a.txt").read_text() == "hello ü"
    assert sorted(path.name for path in root.iterdir()) == ["a.txt", "b"]


def test_a_folder_or_a_fifo_is_not_written_over(files: Object, root: Path) -> None:
    os.mkfifo(root / "fifo")
    for name in ("b", "fifo"):
        assert status_of(lambda name=name: files.function("write", path=name, content=""))[0] == "INVALID_ARGUMENT"


def test_the_limit_holds_for_writing_and_reading(files: Object, root: Path) -> None:
    files.init({"directory": str(root), "max_source_bytes": 10})
    assert status_of(lambda: files.function("write", path="x", content="12345678901"))[0] == "RESOURCE_EXHAUSTED"
    (root / "big").write_text("12345678901")
    assert status_of(lambda: files.function("read", path="big"))[0] == "RESOURCE_EXHAUSTED"
    files.function("write", path="x", content="1234567890")
    assert files.function("read", path="x") == "1234567890"


def test_nothing_works_before_init() -> None:
    files = Object(FilesProvider())
    for name, args in (("read", {"path": "a"}), ("write", {"path": "a", "content": ""}), ("list", {})):
        assert status_of(lambda name=name, args=args: files.function(name, **args))[0] == "FAILED_PRECONDITION"


def test_messages_stay_short_for_a_path_of_a_megabyte(files: Object) -> None:
    with pytest.raises(ProviderError) as caught:
        files.function("read", path="x" * 1_000_000)
    assert (caught.value.status, len(caught.value.message) < 1000) == ("NOT_FOUND", True)
