"""What every provider of configuration owes its caller, tried on each of the four as a binary."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from nomos_proto import messages
from nomos_proto.v2 import provider_pb2 as v2
from nomos_reference import PROVIDERS, VERSION
from unit.proto.binaries import Binary
from unit.reference.folders import make
from unit.reference.upstream import answer, serving

ROOT = Path(__file__).resolve().parents[3]
GOOD = {"name": "good", "n": 5, "list": [1, {"k": None}], "map": {"a": {}, "b": []}, "größe": "ü"}
OTHER = {"name": "other"}


LOCAL = ["config/files", "config/json", "config/yaml"]
"""Providers whose source has to be there at Init; a server may come later."""


@dataclass
class Case:
    """One provider: its name, two good configurations that serve GOOD and OTHER below `prefix`, and its key."""

    name: str
    good: dict[str, Any]
    other: dict[str, Any]
    prefix: tuple[str, ...]
    key: str
    absent: Callable[[], dict[str, Any]] | None
    break_source: Callable[[], None]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Any]:
    with serving() as server:
        server.answers = {
            "/good": answer(json.dumps({"app": GOOD})),
            "/other": answer(json.dumps({"app": OTHER})),
            "/good/broken": answer("{"),
        }
        yield server


@pytest.fixture(params=sorted(PROVIDERS))
def case(request: pytest.FixtureRequest, tmp_path: Path, upstream: Any) -> Case:
    name = request.param
    if name == "config/http":
        configs = [{"base_url": f"{upstream.url}/{which}"} for which in ("good", "other")]
        return Case(name, configs[0], configs[1], ("app",), "base_url", None, lambda: None)
    if name == "config/files":
        for which, value in (("good", GOOD), ("other", OTHER)):
            make(tmp_path / which, {"app.json": json.dumps(value), "broken.yaml": "["})
        configs = [{"directory": str(tmp_path / which)} for which in ("good", "other")]
        return Case(
            name,
            configs[0],
            configs[1],
            ("app",),
            "directory",
            lambda: {"directory": str(tmp_path / "absent-hunter2")},
            lambda: (tmp_path / "good").rename(tmp_path / "gone") and None,
        )
    for which, value in (("good", GOOD), ("other", OTHER)):
        make(tmp_path, {which: json.dumps(value)})
    return Case(
        name,
        {"file": str(tmp_path / "good")},
        {"file": str(tmp_path / "other")},
        (),
        "file",
        lambda: {"file": str(tmp_path / "absent-hunter2")},
        (tmp_path / "good").unlink,
    )


@pytest.fixture
def fresh(case: Case) -> Iterator[Binary]:
    with Binary(["-m", "nomos_reference", case.name]) as binary:
        yield binary
        if binary.process.poll() is None:
            binary.call("Shutdown")
            assert binary.wait() == 0
        assert b"Traceback" not in binary.stderr
        assert len(binary.lines) == 2


@pytest.fixture
def ready(fresh: Binary, case: Case) -> Binary:
    assert fresh.init(case.good) == ("OK", "")
    return fresh


def value(binary: Binary, case: Case, *path: str) -> Any:
    found = binary.fetch(*case.prefix, *path)
    assert isinstance(found, dict), found
    return found["value"] if set(found) == {"value"} else found


def test_everything_before_init(fresh: Binary, case: Case) -> None:
    for path in ((), ("app",), ("..",), ("",), ("*",)):
        assert fresh.fetch(*path)[0] == "FAILED_PRECONDITION"
    status, message = fresh.health()
    assert (status, "Init" in message) == ("STATUS_STARTING", True)
    info = messages.decode_info_response(fresh.call("Info")[0])
    assert info == messages.InfoResponse("", VERSION, case.name.removeprefix("config/"))
    assert fresh.init({})[0] == "INVALID_ARGUMENT"
    assert fresh.call("Init", messages.encode_init_request("a", None))[1] == "INVALID_ARGUMENT"
    assert fresh.fetch("app")[0] == "FAILED_PRECONDITION"
    assert fresh.call("Shutdown")[1] == "OK"
    assert fresh.wait() == 0


def test_init_and_what_follows(ready: Binary, case: Case) -> None:
    assert ready.health() == ("STATUS_OK", "")
    assert messages.decode_info_response(ready.call("Info")[0]).alias == "a"
    assert value(ready, case, "name") == "good"
    assert value(ready, case, "n") == 5
    assert value(ready, case, "map") == {"a": {}, "b": []}
    assert value(ready, case, "list[1]") == {"k": None}
    assert value(ready, case, "größe") == "ü"
    assert ready.fetch(*case.prefix, "list[1]", "k") == {"value": None}
    assert ready.fetch(*case.prefix, "list") == {"value": [1, {"k": None}]}
    assert ready.fetch(*case.prefix, "*") == GOOD
    if case.name == "config/files":
        # A map that left out what cannot be read would be a lie.
        assert ready.fetch("*")[0] == "FAILED_PRECONDITION"
    else:
        whole = ready.fetch("*")
        assert (whole["app"] if case.prefix else whole) == GOOD
    assert ready.fetch(*case.prefix, "nope")[0] == "NOT_FOUND"
    # The same again is the same.
    assert ready.init(case.good) == ("OK", "")
    assert value(ready, case) == GOOD


def test_a_second_init_without_configuration_keeps_the_first(ready: Binary, case: Case) -> None:
    for config in ({}, None):
        assert ready.call("Init", messages.encode_init_request("a", config, ""))[1:] == ("OK", "")
    assert ready.init({"alias": "x", "type": "y", "version": "1.0.0"}) == ("OK", "")
    assert value(ready, case) == GOOD


def test_another_good_init_is_served_alone_and_a_failed_one_changes_nothing(ready: Binary, case: Case) -> None:
    assert ready.init(case.other, alias="b") == ("OK", "")
    assert value(ready, case) == OTHER
    assert messages.decode_info_response(ready.call("Info")[0]).alias == "b"
    for bad in ({case.key: 5}, {case.key: ""}, {**case.good, "max_depth": "none"}, {**case.good, "nope": "x"}):
        assert ready.init(bad, alias="c")[0] == "INVALID_ARGUMENT"
    assert ready.init(case.good, alias="")[0] == "INVALID_ARGUMENT"
    assert value(ready, case) == OTHER
    assert messages.decode_info_response(ready.call("Info")[0]).alias == "b"
    assert ready.health()[0] == "STATUS_OK"


def test_a_wrong_value_is_refused_with_its_key_and_never_shown(fresh: Binary, case: Case) -> None:
    for wrong in (5, True, [], {}, "", ["hunter2"], {"hunter2": 1}, "hunter2\0"):
        code, message = fresh.init({case.key: wrong})
        assert (code, message.split(":")[0]) == ("INVALID_ARGUMENT", case.key), wrong
        assert "hunter2" not in message
    assert fresh.init({case.key: None})[0] == "INVALID_ARGUMENT"
    assert fresh.init(case.good)[0] == "OK"


def test_limits_may_come_as_numbers_or_as_digits(fresh: Binary, case: Case) -> None:
    for good in (5, 5.0, "5", "0005", None):
        assert fresh.init({**case.good, "max_depth": good}) == ("OK", ""), good
    for bad in (0, -1, 2.5, True, "5.0", "5e1", "", " 5", [], "9" * 5000, 501):
        code, message = fresh.init({**case.good, "max_depth": bad})
        assert (code, message.split(":")[0]) == ("INVALID_ARGUMENT", "max_depth"), bad


def test_reserved_keys_change_nothing(fresh: Binary, case: Case) -> None:
    assert fresh.init({**case.good, "alias": "z", "type": 5, "version": {"a": []}}) == ("OK", "")
    assert value(fresh, case) == GOOD
    assert messages.decode_info_response(fresh.call("Info")[0]).alias == "a"


@pytest.mark.parametrize("case", LOCAL, indirect=True)
def test_a_source_that_is_not_there_is_a_failed_precondition_with_its_key(fresh: Binary, case: Case) -> None:
    assert case.absent is not None
    code, message = fresh.init(case.absent())
    assert (code, message.split(":")[0]) == ("FAILED_PRECONDITION", case.key)
    assert "hunter2" not in message
    assert fresh.health()[0] == "STATUS_STARTING"


@pytest.mark.parametrize("case", LOCAL, indirect=True)
def test_a_source_that_goes_away_degrades_health(ready: Binary, case: Case) -> None:
    case.break_source()
    status, message = ready.health()
    assert (status, f"`{case.key}`" in message) == ("STATUS_DEGRADED", True)
    assert ready.fetch("app", "name")[0] in {"UNAVAILABLE", "FAILED_PRECONDITION"}


def test_a_segment_that_could_lead_out_never_answers(ready: Binary, case: Case) -> None:
    for segment in (
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "\0",
        "%2e%2e",
        "/etc/passwd",
        "..%2f..%2fetc",
        "../../../etc/passwd",
    ):
        for path in ([segment], [segment, "name"], [*case.prefix, segment], [*case.prefix, "name", segment]):
            code, message = ready.fetch(*path)
            assert code == "INVALID_ARGUMENT"
            assert f"segment {path.index(segment) + 1}" in message
    assert ready.health()[0] == "STATUS_OK"


def test_huge_paths_are_refused_briefly_and_the_next_call_is_right(ready: Binary, case: Case) -> None:
    for path in (["x" * 1_000_000], ["x"] * 10_000, [*case.prefix, "y" * 1_000_000, "z"], ["ü" * 500_000]):
        code, message = ready.fetch(*path)
        assert code in {"NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNAVAILABLE"}, message
        assert 0 < len(message.encode()) < 8192
    assert value(ready, case, "name") == "good"


def test_an_answer_over_its_limit_is_refused_and_a_part_of_it_is_not(ready: Binary, case: Case) -> None:
    assert ready.init({**case.good, "max_answer_bytes": 60})[0] == "OK"
    code, message = ready.fetch(*case.prefix)
    assert (code, "60 bytes" in message) == ("RESOURCE_EXHAUSTED", True)
    assert value(ready, case, "name") == "good"


def test_many_callers_and_inits_at_once_see_one_configuration_each(ready: Binary, case: Case) -> None:
    def fetch(_: int) -> Any:
        return value(ready, case)

    def init(number: int) -> Any:
        return ready.init(case.good if number % 2 else case.other)

    with ThreadPoolExecutor(24) as pool:
        inits = pool.map(init, range(30))
        answers = list(pool.map(fetch, range(120)))
        assert set(inits) == {("OK", "")}
    assert all(found in (GOOD, OTHER) for found in answers)


def test_sixteen_first_inits_at_once_are_all_good(fresh: Binary, case: Case) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: fresh.init(case.good), range(16))) == {("OK", "")}
    assert value(fresh, case) == GOOD


def test_equal_calls_have_equal_bytes(ready: Binary, case: Case) -> None:
    request = messages.encode_fetch_request(case.prefix)
    assert len({ready.call("Fetch", request) for _ in range(10)}) == 1


def test_a_shutdown_is_answered_and_nothing_is_served_after_it(ready: Binary, case: Case) -> None:
    assert ready.call("Shutdown")[1] == "OK"
    after = ready.fetch("app", timeout=0.5)[0]
    assert after in {"FAILED_PRECONDITION", "UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"}
    assert ready.wait() == 0


def describe(binary: Binary) -> v2.DescribeResponse:
    answer_, code, _ = binary.call("/nomos.provider.v2.ProviderService/Describe")
    assert code == "OK"
    return v2.DescribeResponse.FromString(answer_)


FUNCTIONS: Mapping[str, list[str]] = {
    "config/files": ["exists", "list", "read", "read_bytes", "write"],
    "config/http": ["get", "get_json"],
    "config/json": ["exists", "get"],
    "config/yaml": ["exists", "get"],
}


def test_describe_tells_the_functions_and_a_schema_that_judges_as_init_does(fresh: Binary, case: Case) -> None:
    described = describe(fresh)
    kind = case.name.removeprefix("config/")
    assert (described.name, described.type, described.version) == (kind, kind, VERSION)
    own = {interface.name: [one.name for one in interface.functions] for interface in described.interfaces}
    assert own == {"": FUNCTIONS[case.name], "config": ["fetch", "health", "info", "init"]}
    schema = json.loads(described.config_schema)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for config in ({}, {case.key: 5}, {case.key: ""}, {**case.good, "nope": 1}, {**case.good, "max_items": 0}):
        assert not validator.is_valid(config), config
        assert fresh.init(config)[0] == "INVALID_ARGUMENT"
    for config in (case.good, case.other, {**case.good, "max_items": 99}, {**case.good, "max_items": "99"}):
        assert validator.is_valid(config)
        assert fresh.init(config)[0] == "OK"


def test_functions_answer_on_the_wire(ready: Binary, case: Case) -> None:
    name = FUNCTIONS[case.name][-2]
    code, message = ready.function("no such", {})
    assert (code, message) == ("UNIMPLEMENTED", 'function "no such" not supported')
    assert ready.function(name, {}) == ("INVALID_ARGUMENT", "missing required argument: path")
    if case.name == "config/files":
        assert ready.function("write", {"path": "new.txt", "content": "text"}) is None
        assert ready.function("read", {"path": "new.txt"}) == "text"
        assert ready.function("read_bytes", {"path": "new.txt"}) == b"text"
        assert ready.function("exists", {"path": "new.txt"}) is True
        assert ready.function("read", {"path": "nope"}) == ("NOT_FOUND", "file not found: nope")
        assert ready.function("read", {"path": "../x"})[0] == "INVALID_ARGUMENT"
    elif case.name == "config/http":
        assert ready.function("get_json", {"path": ""}) == {"app": GOOD}
    else:
        assert ready.function("get", {"path": "n"}) == 5


def test_the_version_is_that_of_the_distribution_and_semantic() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_an_unknown_provider_is_one_clear_line() -> None:
    with Binary(["-m", "nomos_reference", "config/ini"]) as binary:
        assert binary.wait() == 2
        # Others may be installed beside the kit's own, so the list is not repeated here.
        (line,) = binary.stderr.decode().splitlines()
        start, _, named = line.partition("; name one of ")
        assert start == "nomos_reference: 'config/ini' is no provider"
        assert {"config/files", "config/http", "config/json", "config/yaml"} <= set(named.split(", "))


def test_a_wrong_option_names_the_program_as_it_was_started() -> None:
    with Binary(["-m", "nomos_reference", "config/files", "--nope"]) as binary:
        assert binary.wait() == 2
        assert binary.stderr == b"nomos_reference: unknown argument '--nope'\n"
