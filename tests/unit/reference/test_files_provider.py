from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_reference.config.files_provider import FilesProvider
from unit.reference.folders import Object, make, status_of

ROOT = Path(__file__).resolve().parents[3]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(
        tmp_path / "root",
        {
            "app.json": '{"name": "x", "n": 1, "empty": {}, "none": null, "list": [1, {"k": 2}]}',
            "db/main.yaml": "host: h\nports: [1, 2]",
            "db/deep/er.yml": "ok: true",
            "list.json": "[1, 2]",
            "scalar.yaml": "5",
            "README.md": "no settings",
            ".hidden.yaml": "seen: by name only",
        },
    )


@pytest.fixture
def files(root: Path) -> Object:
    provider = Object(FilesProvider())
    provider.init({"directory": str(root)})
    return provider


def test_folders_then_files_then_keys_are_the_segments(files: Object) -> None:
    assert files.fetch("app", "name") == "x"
    assert files.fetch("app", "list[1]", "k") == 2
    assert files.fetch("db", "main", "ports[1]") == 2
    assert files.fetch("db", "deep", "er") == {"ok": True}
    assert files.fetch("list[1]") == 2
    assert files.fetch("list", "[0]") == 1
    assert files.fetch("scalar") == 5


def test_the_root_a_folder_and_a_file_answer_a_map_to_a_star(files: Object) -> None:
    deep = {"er": {"ok": True}}
    db = {"deep": deep, "main": {"host": "h", "ports": [1, 2]}}
    assert files.fetch("db") == files.fetch("db", "*") == db
    assert files.fetch("app", "*") == files.fetch("app")
    whole = files.fetch("*")
    assert whole == files.fetch()
    assert list(whole) == ["app", "db", "list", "scalar"]
    assert whole["db"] == db


def test_a_name_with_a_dot_is_found_by_name_and_left_out_of_a_star(files: Object) -> None:
    assert files.fetch(".hidden", "seen") == "by name only"
    assert ".hidden" not in files.fetch("*")


@pytest.mark.parametrize(
    "path",
    [["nope"], ["app", "nope"], ["db", "nope", "x"], ["README"], ["app.json"], ["db[0]"], ["x" * 300], ["list[5]"]],
)
def test_what_is_not_there_is_not_found(files: Object, path: list[str]) -> None:
    assert status_of(lambda: files.fetch(*path))[0] == "NOT_FOUND"


def test_a_file_that_changes_is_read_anew(files: Object, root: Path) -> None:
    (root / "app.json").write_text('{"name": "y"}')
    assert files.fetch("app", "name") == "y"


def test_two_sources_of_one_name_are_ambiguous_and_named(files: Object, root: Path) -> None:
    make(root, {"app.yaml": "a: 1"})
    status, message = status_of(lambda: files.fetch("app", "name"))
    assert (status, "app.json and app.yaml" in message) == ("FAILED_PRECONDITION", True)
    assert status_of(lambda: files.fetch("*"))[0] == "FAILED_PRECONDITION"
    (root / "db.json").write_text("{}")
    assert "db/ and db.json" in status_of(lambda: files.fetch("db", "main"))[1]


def test_a_malformed_file_names_its_segment_and_the_others_are_served(files: Object, root: Path) -> None:
    make(root, {"broken.yaml": "a: [hunter2"})
    status, message = status_of(lambda: files.fetch("broken", "a"))
    assert status == "FAILED_PRECONDITION"
    assert message.startswith("broken: is not YAML")
    assert "hunter2" not in message
    assert files.fetch("app", "name") == "x"


def canary(tmp_path: Path) -> Path:
    return make(tmp_path, {"outside.yaml": "secret: canary", "folder/outside.yaml": "secret: canary"})


@pytest.mark.parametrize(
    "target",
    ["../outside.yaml", "{tmp}/outside.yaml", "db/../../outside.yaml", "link2.yaml", "./db/deep/../../../outside.yaml"],
)
def test_a_link_that_leads_out_is_refused_and_left_out_of_a_star(
    files: Object, root: Path, tmp_path: Path, target: str
) -> None:
    canary(tmp_path)
    (root / "link.yaml").symlink_to(target.format(tmp=tmp_path))
    (root / "link2.yaml").symlink_to("../outside.yaml")
    assert status_of(lambda: files.fetch("link", "secret"))[0] == "PERMISSION_DENIED"
    assert "canary" not in json.dumps(files.fetch("*"))


def test_a_folder_link_that_leads_out_is_refused(files: Object, root: Path, tmp_path: Path) -> None:
    canary(tmp_path)
    (root / "away").symlink_to("../folder")
    (root / "up").symlink_to("..")
    assert status_of(lambda: files.fetch("away", "outside", "secret"))[0] == "PERMISSION_DENIED"
    assert status_of(lambda: files.fetch("up", "outside"))[0] == "PERMISSION_DENIED"
    assert "canary" not in json.dumps(files.fetch("*"))


def test_a_link_that_stays_inside_is_followed(files: Object, root: Path) -> None:
    # The way in which container platforms mount configuration.
    make(root, {"..data_1/live.yaml": "v: 1"})
    (root / "..data").symlink_to("..data_1")
    (root / "live.yaml").symlink_to("..data/live.yaml")
    (root / "db" / "up.yaml").symlink_to("../live.yaml")
    assert files.fetch("live", "v") == 1
    assert files.fetch("db", "up", "v") == 1
    assert files.fetch("*")["live"] == {"v": 1}


def test_a_loop_of_links_ends(files: Object, root: Path) -> None:
    (root / "a.yaml").symlink_to("b.yaml")
    (root / "b.yaml").symlink_to("a.yaml")
    (root / "round").symlink_to(".")
    assert status_of(lambda: files.fetch("a"))[0] == "PERMISSION_DENIED"
    assert files.fetch("app", "name") == "x"
    assert files.fetch("*")["round"] == {}
    assert files.fetch("round", "round", "app", "name") == "x"


def test_a_root_that_is_a_link_itself_is_used(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("root")
    files = Object(FilesProvider())
    files.init({"directory": str(tmp_path / "link")})
    assert files.fetch("app", "name") == "x"


def test_a_link_that_is_exchanged_all_the_time_never_leads_out(files: Object, root: Path, tmp_path: Path) -> None:
    canary(tmp_path)
    make(root, {"real/outside.yaml": "secret: inside"})
    stop = threading.Event()

    def exchange() -> None:
        targets = ("real", "../folder")
        turn = 0
        while not stop.is_set():
            turn += 1
            (root / "next").symlink_to(targets[turn % 2])
            (root / "next").rename(root / "door")

    thread = threading.Thread(target=exchange)
    thread.start()
    seen: set[str] = set()
    try:
        deadline = time.monotonic() + 30
        while not {"inside", "PERMISSION_DENIED"} <= seen and time.monotonic() < deadline:
            for _ in range(300):
                try:
                    value = files.fetch("door", "outside", "secret")
                except ProviderError as error:
                    seen.add(error.status)
                else:
                    assert value == "inside"
                    seen.add(value)
    finally:
        stop.set()
        thread.join()
    assert {"inside", "PERMISSION_DENIED"} <= seen <= {"inside", "PERMISSION_DENIED", "NOT_FOUND"}


def test_a_fifo_without_writer_obeys_the_deadline_and_leaves_nothing_behind(files: Object, root: Path) -> None:
    os.mkfifo(root / "slow.yaml")
    before = descriptors()
    threads = threading.active_count()
    assert status_of(lambda: files.fetch("slow", "x", seconds=0.2))[0] == "DEADLINE_EXCEEDED"
    assert descriptors() == before
    assert threading.active_count() == threads
    assert "slow" not in files.fetch("*")


def test_a_fifo_with_a_writer_is_read_to_its_end(files: Object, root: Path) -> None:
    os.mkfifo(root / "slow.yaml")

    def write() -> None:
        with (root / "slow.yaml").open("w") as fifo:
            fifo.write("a: ")
            fifo.flush()
            fifo.write("1")

    # Many times, since looking for the file must not pass for reading it.
    with ThreadPoolExecutor(1) as pool:
        for _ in range(50):
            job = pool.submit(write)
            assert files.fetch("slow", seconds=20) == {"a": 1}
            job.result(10)


def test_a_caller_who_leaves_ends_the_reading_of_a_fifo(files: Object, root: Path) -> None:
    os.mkfifo(root / "slow.yaml")
    call = CallContext(30)
    timer = threading.Timer(0.1, call.cancel)
    timer.start()
    assert status_of(lambda: files.provider.fetch(["slow"], context=call))[0] == "CANCELLED"
    timer.join()


def test_sockets_and_devices_are_refused_and_left_out_of_a_star(files: Object, root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        previous = Path.cwd()
        os.chdir(root)
        try:
            listener.bind("sock.yaml")
        finally:
            os.chdir(previous)
        assert status_of(lambda: files.fetch("sock"))[0] == "FAILED_PRECONDITION"
        assert "sock" not in files.fetch("*")
    (root / "dir.yaml").mkdir()
    assert status_of(lambda: files.fetch("dir"))[0] == "NOT_FOUND"


def test_what_may_not_be_read_is_permission_denied() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = make(Path(name), {"app.json": "{}", "closed/x.json": "{}", "open.json": "1"})
        files = Object(FilesProvider())
        files.init({"directory": name})
        (root / "app.json").chmod(0)
        (root / "closed").chmod(0)
        root.chmod(0o755)
        (root / "open.json").chmod(0o644)
        files.provider.functions()  # imports what another user may not read
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # root may read everything
        try:
            assert files.fetch("open") == 1
            for path in (["app"], ["closed", "x"], ["*"]):
                status, message = status_of(lambda path=path: files.fetch(*path))
                assert (status, message.split(":")[0]) == ("PERMISSION_DENIED", ".".join(path).replace("*", "app"))
            assert status_of(lambda: files.function("read", path="app.json"))[0] == "PERMISSION_DENIED"
            assert status_of(lambda: files.init({"directory": f"{name}/closed"}))[0] == "PERMISSION_DENIED"
        finally:
            if user == 0:
                os.seteuid(user)
        (root / "closed").chmod(0o755)


def test_each_limit_is_a_setting_and_names_itself(root: Path) -> None:
    make(root, {"big.json": json.dumps(["x" * 100] * 100)})
    for setting, value, path in (
        ("max_source_bytes", 5000, ["big"]),
        ("max_items", 50, ["big"]),
        ("max_depth", 2, ["db", "*"]),
        ("max_source_bytes", "5000", ["*"]),
    ):
        files = Object(FilesProvider())
        files.init({"directory": str(root), setting: value})
        status, message = status_of(lambda files=files, path=path: files.fetch(*path))
        assert (status, setting in message) == ("RESOURCE_EXHAUSTED", True)
        assert files.fetch("scalar") == 5


def test_a_relative_folder_begins_at_the_source_file(root: Path) -> None:
    files = Object(FilesProvider())
    files.init({"directory": "root/db"}, source=str(root.parent / "main.csl"))
    assert files.fetch("main", "host") == "h"


def test_health_says_what_to_do_when_the_folder_is_gone_and_is_well_when_it_is_back(files: Object, root: Path) -> None:
    assert files.provider.health().status == "STATUS_OK"
    root.rename(root.parent / "away")
    health = files.provider.health()
    assert (health.status, "`directory`" in health.message) == ("STATUS_DEGRADED", True)
    for path in (["app"], ["*"], []):
        status, message = status_of(lambda path=path: files.fetch(*path))
        assert (status, "`directory`" in message) == ("UNAVAILABLE", True)
    assert status_of(lambda: files.function("read", path="x"))[0] == "UNAVAILABLE"
    (root.parent / "away").rename(root)
    assert files.provider.health().status == "STATUS_OK"


def test_names_that_are_no_unicode_are_left_out(files: Object, root: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/\xff.yaml")).write_text("a: 1")
    except OSError:
        pytest.skip("this file system has unicode names only")
    assert list(files.fetch("*")) == ["app", "db", "list", "scalar"]


def test_thirty_two_callers_get_the_answers_of_one(files: Object) -> None:
    paths = [("app", "name"), ("db",), ("list[1]",), ("*",), ("db", "main", "ports")]
    serial = [files.fetch(*path) for path in paths]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda number: files.fetch(*paths[number % 5]), range(320)))
    assert answers == [serial[number % 5] for number in range(320)]


def test_no_descriptor_and_no_thread_is_left_by_a_thousand_calls(files: Object) -> None:
    before = descriptors(), threading.active_count()
    for _ in range(250):
        files.fetch("db")
        status_of(lambda: files.fetch("nope"))
        status_of(lambda: files.fetch("app", "nope"))
        files.provider.health()
    assert (descriptors(), threading.active_count()) == before


def test_the_example_settings_hold_every_kind_of_value() -> None:
    files = Object(FilesProvider())
    files.init({"directory": "examples/settings"}, source=str(ROOT / "nomos.toml"))
    assert files.fetch("app", "limits", "largest_exact_integer") == 2**53
    assert (files.fetch("app", "aliases"), files.fetch("app", "overrides")) == ([], {})
    assert files.fetch("app", "owner") is None
    assert files.fetch("locales", "zürich", "größe") == "groß"
    assert files.fetch("database", "replicas", "nodes[1]") == {
        "port": 5432,
        "weight": 3,
        "tls": True,
        "host": "db-3.internal",
    }
    assert files.fetch("services", "checkout", "routes", "routes[0]", "methods[1]") == "POST"
    assert status_of(lambda: files.fetch(".malformed"))[0] == "FAILED_PRECONDITION"
    assert status_of(lambda: files.fetch(".outside"))[0] == "PERMISSION_DENIED"
    assert set(files.fetch("*")) == {"app", "database", "locales", "services"}
