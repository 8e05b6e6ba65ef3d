from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nomos_proto.errors import ProviderError
from pytest_nomos.host import ConfigError, HostedProvider, Launch, ProviderHost, Setup


@pytest.fixture
def streaming(host: ProviderHost) -> HostedProvider:
    launch = Launch((sys.executable, str(Path(__file__).with_name("streaming_provider.py"))))
    start = host.start(launch, "streaming", Setup(config={"directory": 5}))
    assert isinstance(start.provider, HostedProvider), start.error
    return start.provider


def test_a_function_is_called_with_values_of_every_kind(streaming: HostedProvider) -> None:
    value = {"n": 2**60, "x": 0.5, "b": b"\0", "t": datetime(2026, 1, 2, tzinfo=UTC), "l": [None, True, "ü"], "m": {}}
    answer = streaming.call("echo", {"value": value})
    assert (answer.method, answer.code, answer.value) == ("Call", "OK", value)
    assert answer.request == {"interface": "", "function": "echo", "args": {"value": value}}


def test_an_argument_that_cannot_be_sent_is_the_callers_error(streaming: HostedProvider) -> None:
    with pytest.raises(ProviderError):
        streaming.call("echo", {"value": object()})


def test_an_error_brings_its_details(streaming: HostedProvider) -> None:
    answer = streaming.call("fail", {})
    assert (answer.code, answer.message) == ("RESOURCE_EXHAUSTED", "too many")
    assert answer.details == {
        "code": "RATE_LIMIT_ERROR",
        "category": "rate_limit",
        "retryable": True,
        "provider": "streaming",
        "details": {"limit": 5},
        "retry_after": 1.5,
    }


def test_a_stream_arrives_in_parts_before_its_end(streaming: HostedProvider) -> None:
    began = time.monotonic()
    arrived = [(answer.value, time.monotonic() - began) for answer in streaming.stream("count", {"to": 4})]
    assert [value for value, _ in arrived] == [0, 1, 2, 3]
    assert arrived[-1][1] - arrived[0][1] > 0.3
    assert streaming.figures().busy == 0


def test_an_error_ends_a_stream(streaming: HostedProvider) -> None:
    answers = list(streaming.stream("count", {"to": 1, "fail": True}))
    assert [answer.code for answer in answers] == ["OK", "NOT_FOUND"]
    assert answers[-1].details["code"] == "NOT_FOUND"


def test_an_endless_stream_ends_at_the_deadline_or_when_nobody_listens(streaming: HostedProvider) -> None:
    answers = list(streaming.stream("count", {"to": 10**9}, timeout=0.5))
    assert answers[-1].code == "DEADLINE_EXCEEDED"
    for answer in streaming.stream("count", {"to": 10**9}):
        assert answer.value == 0
        break
    assert streaming.health().ok
    streaming.stop()
    assert [answer.code for answer in streaming.stream("count", {"to": 1})] == ["UNAVAILABLE"]


def test_the_schema_that_a_provider_describes_is_held_against_the_config(streaming: HostedProvider) -> None:
    described = streaming.describe().value
    assert described["protocol_versions"] == ["v1", "v2"]
    assert described["config_schema"]
    with pytest.raises(ConfigError, match="directory is integer"):
        streaming.initialise()
    assert streaming.fetch(["x"]).value == {}


def test_the_end_is_orderly(streaming: HostedProvider) -> None:
    end = streaming.stop()
    assert end is not None
    assert end.code == 0
