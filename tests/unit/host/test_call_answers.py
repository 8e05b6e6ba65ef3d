from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from nomos_proto.structs import StructError
from pytest_nomos.host import HostedProvider, Launch, Limits, ProviderHost, Setup

Small = Callable[..., Launch]


def started(host: ProviderHost, launch: Launch, **options: object) -> HostedProvider:
    start = host.start(launch, "other", **options)  # type: ignore[arg-type]
    assert isinstance(start.provider, HostedProvider), start.error
    return start.provider


def test_init_sends_the_settings_unless_told_otherwise(running: HostedProvider) -> None:
    answer = running.answers[0]
    assert (answer.method, answer.code, answer.value, answer.response) == ("Init", "OK", None, b"")
    assert answer.request == {"alias": "settings", "config": {"name": "value"}, "source_file_path": ""}
    other = running.init({"n": [1, None, {"ü": True}]}, alias="second", source_file_path="/a/b.csl")
    assert other.request["source_file_path"] == "/a/b.csl"
    assert running.fetch(["config"]).value == {"n": [1, None, {"ü": True}]}
    assert running.info().value == {"alias": "second", "version": "1.2.3", "type": "small"}


def test_the_alias_of_the_settings_wins_over_the_hosts(host: ProviderHost, small: Small) -> None:
    provider = started(host, small(), setup=Setup(alias="given"))
    assert provider.alias == "given"
    assert provider.name == "other"
    provider.init()
    assert provider.info().value["alias"] == "given"


def test_an_empty_config_is_sent_as_an_empty_map(running: HostedProvider) -> None:
    running.init({})
    answer = running.fetch(["config"])
    assert answer.struct == {"value": {}}


def test_a_config_that_cannot_be_sent_is_the_callers_error(running: HostedProvider) -> None:
    with pytest.raises(StructError):
        running.init({"when": object()})


def test_a_lone_value_is_unwrapped_and_a_map_is_not(running: HostedProvider) -> None:
    lone = running.fetch(["sleep", "0"])
    assert (lone.value, lone.struct) == ("slept", {"value": "slept"})
    many = running.fetch(["config"])
    assert many.value == many.struct == {"name": "value"}
    running.init({"value": 1, "other": 2})
    assert running.fetch(["config"]).value == {"value": 1, "other": 2}
    unset = running.fetch(["nothing"])
    assert (unset.ok, unset.value, unset.struct, unset.response) == (True, None, None, b"")


def test_nesting_beyond_what_protobuf_can_is_decoded(running: HostedProvider) -> None:
    value = running.fetch(["deep", "2000"]).value
    for _ in range(2000):
        value = value["d"]
    assert value == 1


@pytest.mark.parametrize(("command", "problem"), [("nan", "x"), ("garbage", "")])
def test_an_answer_that_is_none_is_told_and_not_raised(running: HostedProvider, command: str, problem: str) -> None:
    answer = running.fetch([command])
    assert answer.code == "OK"
    assert not answer.ok
    assert answer.decode_error
    assert problem in answer.decode_error
    assert answer.response
    assert running.health().ok


def test_a_status_that_has_no_name_shows_its_number(host: ProviderHost, small: Small) -> None:
    answer = started(host, small("strange-health")).health()
    assert answer.value == {"status": "99", "message": ""}


def test_errors_carry_code_and_message_even_a_long_one(running: HostedProvider) -> None:
    answer = running.fetch(["absent"])
    assert (answer.code, answer.message) == ("NOT_FOUND", "nothing at 'absent'")
    assert answer.response is None
    long = running.fetch(["long-error", "100000"])
    assert (long.code, len(long.message)) == ("NOT_FOUND", 100000)


def test_an_answer_over_the_limit_is_refused_and_the_host_lives(host: ProviderHost, small: Small) -> None:
    provider = started(host, small(), limits=Limits(receive=100_000))
    assert len(provider.fetch(["big", "90000"]).value) == 90000
    assert provider.fetch(["big", "110000"]).code == "RESOURCE_EXHAUSTED"
    assert provider.health().ok


def test_big_answers_are_not_kept_for_records(running: HostedProvider) -> None:
    answer = running.fetch(["big", "1000000"])
    assert len(answer.value) == 1_000_000
    kept = running.answers[-1]
    assert (kept.request, kept.code, kept.response) == (answer.request, "OK", None)
    assert kept.value.startswith("(1000")
    for _ in range(100):
        running.health()
    assert len(running.answers) == 64


def test_every_call_has_a_deadline_and_the_shorter_one_wins(host: ProviderHost, small: Small) -> None:
    provider = started(host, small(), limits=Limits(call=5))
    assert 4 < provider.fetch(["metadata"]).value["left"] < 5.5
    assert 0 < provider.fetch(["metadata"], timeout=1).value["left"] < 1.5
    assert 4 < provider.fetch(["metadata"], timeout=100).value["left"] < 5.5
    began = time.monotonic()
    answer = provider.fetch(["sleep", "4"], timeout=0.2)
    assert answer.code == "DEADLINE_EXCEEDED"
    assert answer.seconds == 0.2
    assert time.monotonic() - began < 4


def test_metadata_travels_with_every_call_and_stays_out_of_records(host: ProviderHost, small: Small) -> None:
    provider = started(host, small(), setup=Setup(metadata={"Authorization": "Bearer s3cret"}))
    one, two = provider.fetch(["metadata"]), provider.fetch(["metadata"])
    assert one.value["authorization"] == "Bearer s3cret"
    first, second = one.value["traceparent"].split("-"), two.value["traceparent"].split("-")
    assert [len(part) for part in first] == [2, 32, 16, 2]
    assert first[1] == second[1]
    assert first[2] != second[2]
    assert "s3cret" not in repr([answer.request for answer in provider.answers])
    raw = provider.raw("Fetch", b"\x0a\x08metadata", metadata=[("x-mine", "1")])
    assert raw.value["x-mine"] == "1"


def test_raw_bytes_reach_any_method(running: HostedProvider) -> None:
    v1 = running.raw("Fetch", b"\x0a\x06config")
    assert (v1.method, v1.value) == ("Fetch", {"name": "value"})
    assert v1.request == {"base64": base64.b64encode(b"\x0a\x06config").decode()}
    full = running.raw("/nomos.provider.v1.ProviderService/Info", b"\x7a\x00")
    assert full.value["type"] == "small"
    unknown = running.raw("/nomos.provider.v1.ProviderService/Nothing", b"")
    assert unknown.code == "UNIMPLEMENTED"
    assert running.describe().code == "UNIMPLEMENTED"
    assert running.call("read", {"path": "x"}).code == "UNIMPLEMENTED"


def test_a_pending_call_is_waited_for_or_cancelled(running: HostedProvider) -> None:
    slow = running.start_fetch(["sleep", "0.3"])
    assert not slow.done()
    with pytest.raises(TimeoutError):
        slow.answer(0.01)
    assert slow.answer(10).value == "slept"
    assert slow.done()
    assert slow.answer().elapsed >= 0.3
    cancelled = running.start_fetch(["sleep", "5"])
    cancelled.cancel()
    assert cancelled.answer(2).code == "CANCELLED"
    assert running.figures().busy == 0


def test_a_call_in_flight_fails_when_the_process_dies(running: HostedProvider) -> None:
    pending = running.start_fetch(["sleep", "10"])
    blocked: list[str] = []
    thread = threading.Thread(target=lambda: blocked.append(running.fetch(["sleep", "10"]).code))
    thread.start()
    while running.figures().busy < 2:
        time.sleep(0.01)
    running.signal("SIGKILL")
    assert pending.answer(5).code == "UNAVAILABLE"
    thread.join(5)
    assert blocked == ["UNAVAILABLE"]


def test_calls_on_a_stopped_provider_answer_unavailable(running: HostedProvider) -> None:
    running.stop()
    assert running.health().code == "UNAVAILABLE"
    assert running.start_fetch(["config"]).answer(1).code == "UNAVAILABLE"


def test_a_hundred_calls_at_once_use_ten_connections_and_the_next_hundred_open_none(running: HostedProvider) -> None:
    pending = [running.start_fetch(["sleep", "0.5"]) for _ in range(100)]
    seen = running.figures()
    assert (seen.open, seen.busy) == (10, 10)
    assert [item.answer(20).value for item in pending] == ["slept"] * 100
    peers = running.fetch(["peers"]).value
    assert len(peers) <= 10
    opened = running.figures().opened
    assert opened == 10
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: running.fetch(["deep", str(n % 7 + 1)]), range(100)))
    for number, answer in enumerate(answers):
        value, depth = answer.value, 0
        while isinstance(value, dict):
            value, depth = value["d"], depth + 1
        assert depth == number % 7 + 1
    figures = running.figures()
    assert (figures.opened, figures.open, figures.busy, figures.idle) == (10, 10, 0, 10)
    assert figures.reused >= 190
    assert running.fetch(["peers"]).value == peers


def test_serial_calls_use_one_connection(running: HostedProvider) -> None:
    for _ in range(20):
        assert running.health().ok
    assert running.figures().opened == 1
    assert len(running.fetch(["peers"]).value) == 1


def test_reconnecting_opens_a_new_connection_and_spares_calls_in_flight(running: HostedProvider) -> None:
    pending = running.start_fetch(["sleep", "0.3"])
    running.reconnect()
    assert len(running.fetch(["peers"]).value) == 2
    assert pending.answer(5).value == "slept"
    assert running.figures().opened == 2


@pytest.mark.parametrize("behaviour", ["unimplemented-health", "unavailable-health"])
def test_any_status_from_health_counts_as_connected(host: ProviderHost, small: Small, behaviour: str) -> None:
    provider = started(host, small(behaviour))
    assert provider.health().code == behaviour.split("-")[0].upper()
    assert provider.info().ok
