from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nomos_proto.errors import ProviderError
from nomos_reference.config.document_provider import JsonProvider, YamlProvider
from unit.reference.folders import Object, make, status_of

TEXTS = {
    JsonProvider: '{"name": "x", "list": [1, {"k": null}], "deep": {"er": {}}}',
    YamlProvider: "name: x\nlist: [1, {k: null}]\ndeep: {er: {}}\n",
}


@pytest.fixture(params=[JsonProvider, YamlProvider])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def document(kind: Any, tmp_path: Path) -> Object:
    make(tmp_path, {"settings": TEXTS[kind]})
    provider = Object(kind())
    provider.init({"file": str(tmp_path / "settings")})
    return provider


def test_keys_positions_and_stars_lead_to_their_values(document: Object) -> None:
    assert document.fetch("name") == "x"
    assert document.fetch("list[1]", "k") is None
    assert document.fetch("deep", "*") == {"er": {}}
    assert document.fetch() == document.fetch("*") == {"name": "x", "list": [1, {"k": None}], "deep": {"er": {}}}
    assert status_of(lambda: document.fetch("nope"))[0] == "NOT_FOUND"


def test_get_and_exists_take_segments_or_one_string_with_dots(document: Object) -> None:
    assert document.function("get", path="deep.er") == document.function("get", path=["deep", "er"]) == {}
    assert document.function("get", path="list[0]") == 1
    assert document.function("get", path="") == document.fetch()
    assert document.function("exists", path="deep.er") is True
    assert document.function("exists", path="deep.nope") is False
    assert status_of(lambda: document.function("get", path="nope"))[0] == "NOT_FOUND"


@pytest.mark.parametrize("path", [5, None, ["a", 1], "a..b", ["..", "a"], "a/b", {"a": 1}])
def test_a_path_of_another_form_is_an_invalid_argument(document: Object, path: Any) -> None:
    for name in ("get", "exists"):
        assert status_of(lambda name=name: document.function(name, path=path))[0] == "INVALID_ARGUMENT"


def test_a_document_that_changes_is_read_anew(document: Object, kind: Any, tmp_path: Path) -> None:
    (tmp_path / "settings").write_text(TEXTS[kind].replace("x", "y"))
    assert document.fetch("name") == "y"


def test_a_document_that_is_broken_later_names_the_setting(document: Object, tmp_path: Path) -> None:
    (tmp_path / "settings").write_text('{"a": [hunter2')
    status, message = status_of(lambda: document.fetch("name"))
    assert (status, message.startswith("file: is not "), "hunter2" in message) == ("FAILED_PRECONDITION", True, False)


def test_init_refuses_what_is_not_there_or_cannot_be_parsed_and_keeps_what_it_has(
    document: Object, tmp_path: Path
) -> None:
    make(tmp_path, {"broken": "{", "folder/x": ""})
    for name, words in (("nope", "no such file"), ("broken", "is not"), ("folder", "is neither a file nor a FIFO")):
        status, message = status_of(lambda name=name: document.init({"file": str(tmp_path / name)}))
        assert status == "FAILED_PRECONDITION"
        assert message.startswith("file: ")
        assert words in message
        assert document.fetch("name") == "x"


def test_init_refuses_a_document_over_its_limits_with_a_code_that_init_may_have(
    document: Object, tmp_path: Path
) -> None:
    status, message = status_of(lambda: document.init({"file": str(tmp_path / "settings"), "max_items": 2}))
    assert (status, message.startswith("file: "), "max_items" in message) == ("FAILED_PRECONDITION", True, True)


def test_a_relative_file_begins_at_the_source_file(document: Object, tmp_path: Path) -> None:
    document.init({"file": "settings"}, source=str(tmp_path / "x.csl"))
    assert document.fetch("name") == "x"


def test_health_says_what_to_do_when_the_file_is_gone(document: Object, tmp_path: Path) -> None:
    assert document.provider.health().status == "STATUS_OK"
    (tmp_path / "settings").unlink()
    health = document.provider.health()
    assert (health.status, "`file`" in health.message) == ("STATUS_DEGRADED", True)
    assert status_of(lambda: document.fetch("name"))[0] == "FAILED_PRECONDITION"


def test_a_fifo_obeys_the_deadline(document: Object, tmp_path: Path) -> None:
    (tmp_path / "settings").unlink()
    os.mkfifo(tmp_path / "settings")
    assert status_of(lambda: document.fetch("name", seconds=0.2))[0] == "DEADLINE_EXCEEDED"


def test_a_document_whose_root_is_no_map_is_served(kind: Any, tmp_path: Path) -> None:
    make(tmp_path, {"list": "[1, [2]]", "scalar": "5"})
    provider = Object(kind())
    provider.init({"file": str(tmp_path / "list")})
    assert provider.fetch() == [1, [2]]
    assert provider.fetch("[1]", "[0]") == 2
    provider.init({"file": str(tmp_path / "scalar")})
    assert provider.fetch() == 5
    with pytest.raises(ProviderError, match="nothing at"):
        provider.fetch("*")
