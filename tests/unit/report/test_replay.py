from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from nomos_contracts.provider import Answer
from pytest_nomos.report.replay import exchange, exchange_of, exchanges, replay_line

SECRET = "hunter2-hunter2"
GOOD = {"directory": "./settings", "token": SECRET, "retries": 3}


def arguments(line: str) -> tuple[str, str, Any]:
    program, command, target, function, text = shlex.split(line)
    assert (program, command) == ("pytest-nomos", "call")
    return target, function, json.loads(text)


def test_a_fetch_is_replayed_with_its_path_quoted_for_the_shell() -> None:
    answer = Answer("Fetch", {"path": ["it's", "$(rm -rf ~)", "ünï"]}, "NOT_FOUND", "no")
    line = replay_line("./my provider", answer)
    assert arguments(line) == ("./my provider", "Fetch", {"path": ["it's", "$(rm -rf ~)", "ünï"]})


def test_the_good_config_is_left_out_of_the_replay_of_init() -> None:
    answer = Answer("Init", {"alias": "x", "config": GOOD, "source_file_path": "/a"}, "OK")
    assert arguments(replay_line("p", answer, GOOD))[2] == {"alias": "x", "source_file_path": "/a"}


def test_another_config_names_what_it_shares_with_the_good_one_and_hides_the_rest() -> None:
    sent: dict[str, Any] = {
        "directory": "./settings",
        "token": "other-secret",
        "retries": None,
        "list": [1],
        "empty": {},
        "on": True,
    }
    line = replay_line("p", Answer("Init", {"config": sent}, "OK"), GOOD)
    assert arguments(line)[2] == {
        "config": {
            "directory": "{config.directory}",
            "token": "<text>",
            "retries": None,
            "list": "<list>",
            "empty": {},
            "on": True,
        }
    }
    assert "secret" not in line


@pytest.mark.parametrize("method", ["Init", "/nomos.provider.v1.Provider/Init"])
def test_no_value_of_a_config_is_in_an_exchange(method: str) -> None:
    found = exchange_of(Answer(method, {"alias": "x", "config": GOOD}, "INVALID_ARGUMENT", "no"))
    assert SECRET not in json.dumps(found)
    assert found["request"]["config"]["keys"] == ["directory", "retries", "token"]
    assert len(found["request"]["config"]["digest"]) == 64
    other = exchange_of(Answer(method, {"alias": "x", "config": {**GOOD, "token": "y"}}, "INVALID_ARGUMENT", "no"))
    assert found["request"] != other["request"]


def test_the_bytes_of_a_raw_init_are_not_shown() -> None:
    found = exchange_of(Answer("Init", SECRET.encode(), "INTERNAL"))
    assert found["request"].keys() == {"bytes", "digest"}
    assert replay_line("p", Answer("Init", SECRET.encode(), "INTERNAL")) == ""


def test_secrets_are_masked_wherever_they_turn_up() -> None:
    answer = Answer("Fetch", {"path": [SECRET]}, "OK", f"saw {SECRET}!", {SECRET: [f"a{SECRET}b", 1]})
    found = json.dumps(exchange_of(answer, (SECRET, "", "abc")))
    assert SECRET not in found
    assert found.count("<hidden>") == 4


def test_what_a_provider_sends_is_cut_to_what_can_be_shown() -> None:
    deep: Any = "end"
    for _ in range(5000):
        deep = {"a": [deep]}
    value = {
        "text": "x" * 1_000_000,
        "bytes": b"\0\xff",
        "deep": deep,
        "nan": float("nan"),
        "many": list(range(10_000)),
    }
    found = exchange(Answer("Fetch", {"path": ["a"]}, "OK", value=value, elapsed=0.1234567))
    text = found.model_dump_json()
    assert len(text) < 20_000
    shown = json.loads(text)["value"]
    assert shown["bytes"] == {"base64": "AP8="}
    assert shown["nan"] == "nan"
    assert shown["text"].endswith("(1000000)")
    assert shown["many"][-1] == "… (10000 items)"
    assert found.elapsed == 0.123457


def test_a_config_of_any_depth_has_a_digest() -> None:
    deep: Any = {}
    for _ in range(20_000):
        deep = {"a": deep}
    assert exchange(Answer("Init", {"config": {"deep": deep}}, "OK")).request is not None
    assert "<map>" in replay_line("p", Answer("Init", {"config": {"deep": deep}}, "OK"), GOOD)


def test_an_answer_that_could_not_be_decoded_shows_its_bytes_and_why() -> None:
    found = exchange(Answer("Fetch", {}, "OK", response=b"\x0a", decode_error="truncated"))
    assert found.value == {"base64": "Cg=="}
    assert "cannot be decoded: truncated" in found.message


def test_the_last_exchanges_are_kept() -> None:
    answers = [Answer("Health", {}, "OK", message=str(number)) for number in range(20)]
    assert [found.message for found in exchanges(answers)] == [str(number) for number in range(12, 20)]
