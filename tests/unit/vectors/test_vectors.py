from __future__ import annotations

import base64
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from nomos_contracts.vectors import NAMES, vectors
from nomos_contracts.violation import same
from nomos_proto import messages, wire
from nomos_proto.errors import STATUS_NUMBERS, TABLE, from_status, read_status
from nomos_proto.structs import StructError
from nomos_proto.v1 import provider_pb2 as v1
from nomos_proto.v2 import provider_pb2 as v2
from nomos_proto.values import UnencodableError, from_args, from_value, to_value

ROOT = Path(__file__).resolve().parents[3]
V1 = vectors("v1")
V2 = vectors("v2")
ERRORS = vectors("errors")["errors"]
REFUSED = vectors("negative")["refused"]

Vector = dict[str, Any]


def named(cases: list[Vector]) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in cases])


def kind_of(case: Vector) -> type[Message]:
    package, name = case["message"].rsplit(".", 1)
    found: type[Message] = getattr({"nomos.provider.v1": v1, "nomos.provider.v2": v2}[package], name)
    return found


def data_of(case: Vector) -> bytes:
    return bytes.fromhex(case["hex"])


def of_kind(cases: list[Vector], *names: str) -> list[Vector]:
    return [case for case in cases if case["message"].rsplit(".", 1)[1] in names]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    source = ROOT / "tools" / "generate_vectors.py"
    if not source.exists():
        pytest.skip("the generator is in the source tree only")
    spec = importlib.util.spec_from_file_location("generate_vectors", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generating_them_again_gives_the_committed_files(generator: ModuleType, tmp_path: Path):
    generator.write(tmp_path)
    committed = ROOT / "contracts" / "nomos_contracts" / "vectors"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(f"{name}.json" for name in NAMES)
    # Those of an interface have a generator of their own.
    assert {path.name for path in committed.glob("*.json")} - set(names) == {"compute.json"}
    for name in names:
        assert (tmp_path / name).read_bytes() == (committed / name).read_bytes(), (
            f"run tools/generate_vectors.py ({name})"
        )


def test_every_vector_has_a_name_of_its_own_and_the_same_bytes_in_both_forms():
    cases = [*V1["messages"], *V1["tolerated"], *V2["messages"], *V2["tolerated"], *ERRORS, *REFUSED]
    assert len({case["name"] for case in cases}) == len(cases)
    for case in cases:
        assert base64.b64decode(case["base64"], validate=True) == data_of(case)


def test_every_message_of_both_versions_has_vectors():
    for module, cases in ((v1, V1["messages"]), (v2, V2["messages"])):
        services = module.DESCRIPTOR.services_by_name["ProviderService"]
        wanted = {part.full_name for method in services.methods for part in (method.input_type, method.output_type)}
        assert wanted <= {case["message"] for case in cases}
    assert {case["status"] for case in ERRORS} == {row.status for row in TABLE}


def test_an_unknown_file_of_vectors_is_named():
    with pytest.raises(KeyError, match="no vectors 'v3'; there are v1, v2"):
        vectors("v3")


@named([*V1["messages"], *V2["messages"]])
def test_the_generated_code_reads_a_message_and_writes_it_again(case: Vector):
    read = kind_of(case).FromString(data_of(case))
    expected = ParseDict(case["json"], kind_of(case)())
    # By JSON, since NaN is not equal to itself.
    assert MessageToDict(read) == MessageToDict(expected)
    assert read.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True) == data_of(case)


@named([*V1["tolerated"], *V2["tolerated"]])
def test_the_generated_code_reads_what_nobody_writes(case: Vector):
    read = kind_of(case).FromString(data_of(case))
    read.DiscardUnknownFields()
    assert read == ParseDict(case["json"], kind_of(case)())


@named(of_kind([*V1["messages"], *V1["tolerated"]], "InitRequest"))
def test_our_own_codec_reads_an_init_request_and_writes_the_same_bytes(case: Vector):
    read = messages.decode_init_request(data_of(case))
    assert read.alias == case["json"].get("alias", "")
    assert read.source_file_path == case["json"].get("sourceFilePath", "")
    assert same(read.config, case["json"].get("config"))
    if case.get("exact"):
        assert messages.encode_init_request(read.alias, read.config, read.source_file_path) == data_of(case)


@named(of_kind([*V1["messages"], *V1["tolerated"]], "FetchRequest"))
def test_our_own_codec_reads_a_fetch_request_and_writes_the_same_bytes(case: Vector):
    read = messages.decode_fetch_request(data_of(case))
    assert list(read) == case["json"].get("path", [])
    if case.get("exact"):
        assert messages.encode_fetch_request(read) == data_of(case)


@named(of_kind(V1["messages"], "FetchResponse"))
def test_our_own_codec_reads_a_fetch_answer_and_writes_the_same_bytes(case: Vector):
    struct = messages.decode_fetch_response(data_of(case))
    assert same(struct, messages.wrap(case["plain"]))
    if case["exact"]:
        assert messages.encode_fetch_response(messages.wrap(case["plain"])) == data_of(case)


@named(of_kind(V1["messages"], "InfoResponse", "HealthResponse"))
def test_our_own_codec_reads_info_and_health_and_writes_the_same_bytes(case: Vector):
    data = data_of(case)
    if case["message"].endswith("InfoResponse"):
        info = messages.decode_info_response(data)
        assert (info.alias, info.version, info.type) == tuple(
            case["json"].get(name, "") for name in ("alias", "version", "type")
        )
        assert messages.encode_info_response(info) == data
    else:
        health = messages.decode_health_response(data)
        assert health.name == case["json"].get("status", "STATUS_UNSPECIFIED")
        assert messages.encode_health_response(health) == data


@named(of_kind(V2["messages"], "CallResponse"))
def test_our_own_values_survive_the_way_through_a_value_message(case: Vector):
    result = v2.CallResponse.FromString(data_of(case)).result
    value = from_value(result)
    if "nanos" in case["name"] or case["name"] == "call-answer-timestamp-last":
        # A point in time has nanoseconds on the wire and microseconds in Python.
        return
    assert MessageToDict(to_value(value)) == MessageToDict(result)


def test_null_and_empty_values_are_told_apart():
    answers = {case["name"]: case for case in V1["messages"]}
    data = {
        name: data_of(answers[f"fetch-answer-{name}"]) for name in ("null", "empty-list", "empty-map", "false", "zero")
    }
    assert len(set(data.values())) == len(data)
    assert answers["fetch-answer-empty-map"]["hex"] == "0a00"
    assert answers["fetch-answer-null"]["hex"] == "0a0d0a0b0a0576616c756512020800"
    assert answers["init-request-config-empty"]["hex"] == "0a01611200"


def test_bytes_that_are_free_in_their_order_say_so():
    free = {case["name"] for case in [*V1["messages"], *V2["messages"]] if not case["exact"]}
    assert "init-request-full" in free
    assert "fetch-answer-map-of-many" in free
    assert "call-answer-map-many" in free
    assert "call-request-many-args" in free
    assert "fetch-answer-map" not in free


def test_exchanges_name_messages_of_the_right_kind_and_codes_that_exist():
    by_name = {case["name"]: case for case in V1["messages"]}
    methods = v1.DESCRIPTOR.services_by_name["ProviderService"].methods_by_name
    for exchange in V1["exchanges"]:
        method = methods[exchange["rpc"].rsplit("/", 1)[1]]
        assert by_name[exchange["request"]]["message"] == method.input_type.full_name
        if "answer" in exchange:
            assert by_name[exchange["answer"]]["message"] == method.output_type.full_name
        else:
            assert STATUS_NUMBERS[exchange["error"]["code"]] == exchange["error"]["number"]
            assert exchange["error"]["message"]
    assert {exchange["rpc"].rsplit("/", 1)[1] for exchange in V1["exchanges"]} == set(methods)


@named(ERRORS)
def test_an_error_says_the_same_in_its_status_and_in_its_trailer(case: Vector):
    status = Status.FromString(data_of(case))
    assert MessageToDict(status) == MessageToDict(ParseDict(case["json"], Status()))
    assert (status.code, status.message) == (case["number"], case["message"])
    assert STATUS_NUMBERS[case["status"]] == case["number"]
    assert read_status(data_of(case)) == (case["number"], case["message"])
    detail = case["json"]["details"][0]
    error = from_status(case["status"], case["message"], data_of(case))
    assert error.code == detail["code"]
    assert error.category == detail["category"]
    assert error.retryable == detail.get("retryable", False)
    assert (error.retry_after or 0) == float(detail.get("retryAfter", "0s")[:-1])


@named([case for case in REFUSED if case["level"] == "bytes"])
def test_bytes_that_are_no_message_are_refused_by_the_generated_code_and_by_our_own(case: Vector):
    with pytest.raises(DecodeError):
        kind_of(case).FromString(data_of(case))
    if case["message"].endswith("v1.FetchRequest"):
        with pytest.raises(wire.WireError):
            messages.decode_fetch_request(data_of(case))
    elif case["message"].endswith("v1.InitRequest"):
        with pytest.raises((wire.WireError, StructError)):
            messages.decode_init_request(data_of(case))
    assert case["codes"] == ["INTERNAL", "INVALID_ARGUMENT"]


def _understand(case: Vector) -> object:
    data = data_of(case)
    match case["message"].removeprefix("nomos.provider."):
        case "v1.InitRequest":
            return messages.decode_init_request(data)
        case "v1.FetchResponse":
            struct = messages.decode_fetch_response(data)
            if struct is None:
                raise StructError("value is not set")
            return struct
        case "v2.CallRequest":
            return from_args(v2.CallRequest.FromString(data).args)
        case other:
            assert other == "v2.CallResponse"
            return from_value(v2.CallResponse.FromString(data).result)


@named([case for case in REFUSED if case["level"] == "meaning" and not case["message"].endswith("FetchRequest")])
def test_messages_that_nobody_can_mean_are_read_and_then_refused(case: Vector):
    kind_of(case).FromString(data_of(case))
    with pytest.raises((StructError, UnencodableError)):
        _understand(case)


def test_what_a_provider_refuses_has_codes_and_what_a_caller_refuses_has_none():
    for case in REFUSED:
        assert (case["refused_by"] == "provider") == bool(case["codes"])
        assert (case["refused_by"] == "caller") == ("answer" in case["name"])
