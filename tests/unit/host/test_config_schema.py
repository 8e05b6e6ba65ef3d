from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from nomos_proto.schema import check_config
from pytest_nomos.host import ConfigError, HostedProvider, Launch, ProviderHost, Setup

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "directory": {"type": "string"},
        "depth": {"type": "integer", "minimum": 1},
        "mode": {"enum": ["a", "b"]},
        "nested": {"type": "object", "required": ["key"]},
        "list": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["directory"],
    "additionalProperties": False,
}


def test_a_config_that_fits_is_let_through() -> None:
    check_config({"directory": "/x", "depth": 2, "list": ("a", "b"), "nested": {"key": None}}, SCHEMA)
    check_config({"directory": "/x"}, json.dumps(SCHEMA))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({}, "directory is missing"),
        ({"directory": 5}, "directory is integer, string is wanted"),
        ({"directory": True}, "directory is boolean, string is wanted"),
        ({"directory": None}, "directory is null, string is wanted"),
        ({"directory": "/x", "typo": 1}, "keys that the schema does not know: typo"),
        ({"directory": "/x", "mode": "c"}, 'mode is none of "a", "b"'),
        ({"directory": "/x", "nested": {}}, "nested.key is missing"),
        ({"directory": "/x", "list": ["a", 1]}, "list[1] is integer"),
        ({"directory": "/x", "depth": 0}, "depth breaks the rule minimum"),
    ],
)
def test_each_problem_names_its_key(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_config(config, SCHEMA)
    assert sentence in str(caught.value)
    assert sentence in caught.value.problems[0]


def test_no_value_appears_in_a_message() -> None:
    with pytest.raises(ConfigError) as caught:
        check_config({"directory": "/x", "mode": "s3cret", "depth": "s3cret", "nested": "s3cret"}, SCHEMA)
    assert "s3cret" not in str(caught.value)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("schema", ["{", '{"type": 5}', {"type": "nonsense"}, {"$ref": "http://127.0.0.1:1/absent"}])
def test_a_schema_that_is_none_is_told(schema: Any) -> None:
    with pytest.raises(ConfigError, match="schema of the configuration"):
        check_config({}, schema)


def test_a_config_that_does_not_fit_never_reaches_the_provider(
    host: ProviderHost, small: Callable[..., Launch]
) -> None:
    start = host.start(small(), "target", Setup(config={"depth": 1}, schema=SCHEMA))
    assert isinstance(start.provider, HostedProvider)
    with pytest.raises(ConfigError, match="directory is missing"):
        start.provider.initialise()
    assert "Init" not in start.provider.fetch(["calls"]).value


def test_one_that_fits_does_and_so_does_one_without_a_schema(host: ProviderHost, small: Callable[..., Launch]) -> None:
    for alias, schema in (("with", SCHEMA), ("without", None)):
        start = host.start(small(), alias, Setup(config={"directory": "/x"}, schema=schema))
        assert isinstance(start.provider, HostedProvider)
        assert start.provider.initialise().ok
        assert start.provider.fetch(["config"]).value == {"directory": "/x"}


def test_a_bad_config_that_is_given_on_purpose_is_sent(host: ProviderHost, small: Callable[..., Launch]) -> None:
    start = host.start(small(), "target", Setup(config={"directory": "/x"}, schema=SCHEMA))
    assert isinstance(start.provider, HostedProvider)
    assert start.provider.init({"directory": 5}).ok
    assert start.provider.fetch(["config"]).value == {"directory": 5}
