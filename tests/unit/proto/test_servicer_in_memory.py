"""Real messages through the real servicers, without a port: what grpcio-testing carries is what a binary answers."""

from __future__ import annotations

import threading
import time
from typing import Any

import grpc_testing
import pytest

from nomos_proto import messages
from nomos_proto.errors import from_status
from nomos_proto.servicer import V1Servicer, V2Servicer
from nomos_proto.v1 import provider_pb2 as v1
from nomos_proto.v2 import provider_pb2 as v2
from nomos_proto.values import from_value, to_value
from unit.proto.probe import Probe

V1 = v1.DESCRIPTOR.services_by_name["ProviderService"]
V2 = v2.DESCRIPTOR.services_by_name["ProviderService"]


class Caller:
    def __init__(self, **options: Any) -> None:
        self.probe = Probe()
        self.ended = threading.Event()
        options.setdefault("on_shutdown", self.ended.set)
        servicers = {V1: V1Servicer(self.probe, **options), V2: V2Servicer(self.probe, **options)}
        self.server = grpc_testing.server_from_dictionary(servicers, grpc_testing.strict_real_time())

    def start(self, name: str, request: bytes, timeout: float | None = 5.0, metadata: Any = ()) -> Any:
        return self.server.invoke_unary_unary(V1.methods_by_name[name], metadata, request, timeout)

    def v1(self, name: str, request: bytes = b"", **options: Any) -> tuple[bytes, str, str]:
        answer, _, code, details = self.start(name, request, **options).termination()
        return answer, code.name, details

    def fetch(self, *path: str, **options: Any) -> tuple[Any, str, str]:
        answer, code, details = self.v1("Fetch", messages.encode_fetch_request(path), **options)
        return messages.decode_fetch_response(answer) if code == "OK" else None, code, details

    def v2(self, name: str, request: bytes = b"") -> tuple[bytes, str, str, bytes]:
        rpc = self.server.invoke_unary_unary(V2.methods_by_name[name], (), request, 5.0)
        answer, trailing, code, details = rpc.termination()
        return answer, code.name, details, dict(trailing or ()).get("grpc-status-details-bin", b"")

    def call(self, function: str, args: Any, interface: str = "", key: str = "") -> Any:
        request = v2.CallRequest(interface=interface, function=function, idempotency_key=key)
        for name, value in args.items():
            request.args[name].CopyFrom(to_value(value))
        answer, code, message, details = self.v2("Call", request.SerializeToString())
        if code == "OK":
            return from_value(v2.CallResponse.FromString(answer).result)
        error = from_status(code, message, details)
        return (code, error.code, message)


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_init_passes_alias_configuration_and_source_file(caller: Caller) -> None:
    request = messages.encode_init_request("a", {"n": 5, "m": {"l": [True, None]}}, "/x.csl")
    assert caller.v1("Init", request) == (b"", "OK", "")
    assert caller.probe.inits == [("a", {"n": 5.0, "m": {"l": [True, None]}}, "/x.csl")]


def test_a_missing_configuration_arrives_as_an_empty_one(caller: Caller) -> None:
    assert caller.v1("Init", messages.encode_init_request("a", None))[1] == "OK"
    assert caller.probe.inits == [("a", {}, "")]


def test_a_configuration_that_json_lacks_is_refused_with_the_key(caller: Caller) -> None:
    request = v1.InitRequest(alias="a")
    request.config.update({"pool": {"size": float("inf")}})
    _, code, message = caller.v1("Init", request.SerializeToString())
    assert code == "INVALID_ARGUMENT"
    assert message.startswith("config.pool.size: ")
    assert caller.probe.inits == []


def test_a_map_is_sent_as_it_is_and_a_scalar_under_value(caller: Caller) -> None:
    assert caller.fetch("value", "ü", "")[0] == {"text": "x", "rest": ["ü", ""]}
    assert caller.fetch("scalar")[0] == {"value": 5.0}


def test_an_answer_nested_thousands_of_levels_deep_is_sent(caller: Caller) -> None:
    value, code, _ = caller.fetch("deep", "3000")
    assert code == "OK"
    for _ in range(3000):
        value = value["k"]
    assert value == "leaf"


def test_an_answer_over_the_limit_is_refused_and_one_at_the_limit_is_sent() -> None:
    caller = Caller(answer_bytes=1000)
    room = 1000 - len(messages.encode_fetch_response({"value": "x" * 200})) + 200
    assert caller.fetch("big", str(room))[1] == "OK"
    _, code, message = caller.fetch("big", str(room + 1))
    assert (code, message) == ("RESOURCE_EXHAUSTED", "the answer is longer than 1000 bytes; ask for a part of it")


def test_an_answer_that_json_lacks_is_refused_with_its_place(caller: Caller) -> None:
    assert caller.fetch("nan")[1:] == (
        "FAILED_PRECONDITION",
        "the source holds what JSON cannot: n: NaN and infinities are no JSON numbers",
    )


@pytest.mark.parametrize(("method", "request_"), [("Fetch", ["crash"]), ("Init", None)])
def test_an_unforeseen_exception_is_internal_and_shows_no_value(
    caller: Caller, caplog: pytest.LogCaptureFixture, method: str, request_: Any
) -> None:
    data = messages.encode_fetch_request(request_) if request_ else messages.encode_init_request("bad", {})
    _, code, message = caller.v1(method, data)
    assert code == "INTERNAL"
    assert "hunter2" not in message
    assert "hunter2" not in caplog.text
    assert "probe.py:" in caplog.text


def test_a_provider_error_keeps_its_status_and_message(caller: Caller) -> None:
    assert caller.fetch("fail", "PERMISSION_DENIED")[1:] == ("PERMISSION_DENIED", "no PERMISSION_DENIED")
    assert caller.fetch("fail", "UNHEARD_OF")[1:] == ("INTERNAL", "no UNHEARD_OF")


@pytest.mark.parametrize("method", messages.METHODS)
def test_malformed_bytes_are_internal_and_the_next_call_is_right(caller: Caller, method: str) -> None:
    _, code, message = caller.v1(method, b"\x0a\xff\xff")
    assert (code, message.split(":")[:2]) == ("INTERNAL", [method, " malformed request"])
    assert caller.fetch("scalar")[1] == "OK"
    assert caller.probe.shutdowns == 0


@pytest.mark.parametrize("method", messages.METHODS)
def test_unknown_fields_change_nothing(caller: Caller, method: str) -> None:
    plain = messages.encode_fetch_request(["scalar"]) if method == "Fetch" else b""
    assert (
        caller.v1(method, plain + bytes.fromhex("7a02 6869 7801".replace(" ", "")))[:2] == caller.v1(method, plain)[:2]
    )


def test_info_and_health_are_answered(caller: Caller) -> None:
    assert messages.decode_info_response(caller.v1("Info")[0]) == messages.InfoResponse("", "1.2.3", "probe")
    assert messages.decode_health_response(caller.v1("Health")[0]) == messages.HealthResponse(2, "as asked")


def test_shutdown_answers_and_then_asks_for_the_end(caller: Caller) -> None:
    assert caller.v1("Shutdown") == (b"", "OK", "")
    assert caller.ended.wait(5)
    assert caller.probe.shutdowns == 1


def test_the_provider_sees_the_deadline_and_the_metadata(caller: Caller) -> None:
    seconds = caller.fetch("remaining", timeout=7.0)[0]["value"]
    assert 0 < seconds <= 7
    assert caller.fetch("metadata", metadata=(("traceparent", "00-1"),))[0] == {"traceparent": "00-1"}


def test_a_call_without_a_deadline_gets_the_default_one() -> None:
    seconds = Caller(call_seconds=12.0).fetch("remaining", timeout=None)[0]["value"]
    assert 11 < seconds <= 12


def test_a_caller_who_leaves_ends_the_call_of_the_provider(tmp_path: Any) -> None:
    caller = Caller()
    caller.probe.marks = tmp_path
    rpc = caller.start("Fetch", messages.encode_fetch_request(["hang"]))
    wait_for(tmp_path / "started")
    rpc.cancel()
    wait_for(tmp_path / "released")


def wait_for(path: Any) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        threading.Event().wait(0.01)


def test_calls_beyond_the_limit_are_refused_and_health_is_not(tmp_path: Any) -> None:
    caller = Caller(max_calls=1)
    caller.probe.marks = tmp_path
    hanging = caller.start("Fetch", messages.encode_fetch_request(["hang"]))
    wait_for(tmp_path / "started")
    assert caller.fetch("scalar")[1] == "RESOURCE_EXHAUSTED"
    assert caller.v1("Health")[1] == "OK"
    hanging.cancel()
    wait_for(tmp_path / "released")
    deadline = time.monotonic() + 10
    while caller.fetch("scalar")[1] != "OK":
        assert time.monotonic() < deadline


def test_describe_reports_versions_interfaces_and_functions(caller: Caller) -> None:
    described = v2.DescribeResponse.FromString(caller.v2("Describe")[0])
    assert list(described.protocol_versions) == ["v1", "v2"]
    assert (described.name, described.type, described.version) == ("probe", "probe", "1.2.3")
    own, config = described.interfaces
    assert [(one.name, one.streaming, one.idempotent) for one in own.functions] == [
        ("count", True, True),
        ("echo", False, False),
        ("unsendable", False, True),
    ]
    assert (own.name, config.name) == ("", "config")
    assert [one.name for one in config.functions] == ["fetch", "health", "info", "init"]


def test_a_function_gets_its_arguments_with_their_types(caller: Caller) -> None:
    value = {"n": 2**60, "f": 1.0, "b": b"\0", "l": [], "m": {}, "none": None}
    assert caller.call("echo", {"value": value}) == value


@pytest.mark.parametrize(
    ("function", "args", "interface", "expected"),
    [
        ("nope", {}, "", ("UNIMPLEMENTED", "UNSUPPORTED_OPERATION", 'function "nope" not supported')),
        ("echo", {}, "", ("INVALID_ARGUMENT", "INVALID_SPEC", "missing required argument: value")),
        ("echo", {"value": 1, "x": 2}, "", ("INVALID_ARGUMENT", "INVALID_SPEC", "unknown argument: x")),
        ("echo", {}, "compute", ("UNIMPLEMENTED", "UNSUPPORTED_OPERATION", 'interface "compute" not supported')),
        (
            "count",
            {"to": 1},
            "",
            ("UNIMPLEMENTED", "UNSUPPORTED_OPERATION", 'function "count" answers through CallStream'),
        ),
        ("fetch", {"path": "a"}, "config", ("INVALID_ARGUMENT", "INVALID_SPEC", "path: must be a list of strings")),
        ("unsendable", {}, "", ("INVALID_ARGUMENT", "INVALID_SPEC", "object has no place in a Value")),
    ],
)
def test_a_call_that_cannot_be_made_says_why(
    caller: Caller, function: str, args: Any, interface: str, expected: tuple[str, str, str]
) -> None:
    assert caller.call(function, args, interface) == expected


def test_an_argument_without_a_kind_is_refused_with_its_name(caller: Caller) -> None:
    request = v2.CallRequest(function="echo", args={"value": v2.Value()})
    _, code, message, _ = caller.v2("Call", request.SerializeToString())
    assert (code, message) == ("INVALID_ARGUMENT", "value: a value without a kind")


def test_the_configuration_interface_answers_over_call_as_over_version_1(caller: Caller) -> None:
    assert caller.call("init", {"alias": "a", "config": {"n": 1}}, "config") is None
    assert caller.probe.inits == [("a", {"n": 1}, "")]
    assert caller.call("fetch", {"path": ["value", "x"]}, "config") == {"text": "x", "rest": ["x"]}
    assert caller.call("info", {}, "config") == {"alias": "a", "version": "1.2.3", "type": "probe"}
    assert caller.call("health", {}, "config") == {"status": "STATUS_DEGRADED", "message": "as asked"}


def test_calls_with_one_idempotency_key_run_once(caller: Caller) -> None:
    assert caller.call("echo", {"value": 1}, key="k") == 1
    assert caller.call("echo", {"value": 1}, key="k") == 1
    assert len(caller.probe.runs) == 1
    assert caller.call("echo", {"value": 1}) == 1
    assert len(caller.probe.runs) == 2
    assert caller.call("echo", {"value": 2}, key="k")[:2] == ("INVALID_ARGUMENT", "INVALID_SPEC")


def test_a_call_that_failed_may_be_repeated_with_its_key(caller: Caller) -> None:
    assert caller.call("echo", {"value": "fail once"}, key="k")[0] == "UNAVAILABLE"
    assert caller.call("echo", {"value": "fail once"}, key="k") == "fail once"


def stream(caller: Caller, to: int) -> tuple[list[Any], str, str]:
    request = v2.CallRequest(function="count")
    request.args["to"].CopyFrom(to_value(to))
    rpc = caller.server.invoke_unary_stream(V2.methods_by_name["CallStream"], (), request.SerializeToString(), 5.0)
    parts = [from_value(v2.CallResponse.FromString(rpc.take_response()).result) for _ in range(min(to, 3))]
    _, code, details = rpc.termination()
    return parts, code.name, details


def test_a_streamed_result_arrives_in_parts(caller: Caller) -> None:
    assert stream(caller, 3) == ([0, 1, 2], "OK", "")


def test_a_stream_that_fails_keeps_its_parts_and_tells_why(caller: Caller) -> None:
    assert stream(caller, 9) == ([0, 1, 2], "RESOURCE_EXHAUSTED", "three is too many")
