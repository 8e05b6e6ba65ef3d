"""Version 1 against bytes that were written by hand from its field table: a wrong number cannot hide in both."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import DecodeError

from nomos_proto import messages
from nomos_proto.structs import StructError
from nomos_proto.v1 import provider_pb2 as v1
from nomos_proto.wire import WireError

# A tag is (field number << 3 | wire type): as bytes 0x0a is field 1, 0x12 field 2, 0x1a field 3; 0x08: 1 as a varint.
INIT = bytes.fromhex(
    "0a 08 73657474696e6773"  # 1: "settings"
    "12 11"  # 2: Struct of 17 bytes
    "0a 0f"  # 1: entry of 15 bytes
    "0a 09 6469726563746f7279"  # 1: "directory"
    "12 02"  # 2: Value of 2 bytes
    "20 01"  # 4: bool_value true
    "1a 07 2f612e63736c20"  # 3: "/a.csl "
)
FETCH = bytes.fromhex("0a 01 61 0a 00 0a 02 c3bc")
FETCH_RESPONSE = bytes.fromhex(
    "0a 42"
    "0a 07 0a 01 61 12 02 08 00"  # null_value = 1
    "0a 0e 0a 01 62 12 09 11 000000000000f83f"  # number_value = 2 (1.5)
    "0a 08 0a 01 63 12 03 1a 01 78"  # string_value = 3
    "0a 07 0a 01 64 12 02 20 00"  # bool_value = 4
    "0a 07 0a 01 65 12 02 2a 00"  # struct_value = 5 (empty)
    "0a 0b 0a 01 66 12 06 32 04 0a 02 08 00"  # list_value = 6 ([null])
)
VALUE: dict[str, Any] = {"a": None, "b": 1.5, "c": "x", "d": False, "e": {}, "f": [None]}
INFO = bytes.fromhex("0a 01 61 12 05 312e322e33 1a 05 66696c6573")
HEALTH = bytes.fromhex("08 02 12 04 676f6e65")


def test_an_init_request_has_the_bytes_of_the_table() -> None:
    request = v1.InitRequest(alias="settings", source_file_path="/a.csl ")
    request.config.update({"directory": True})
    assert request.SerializeToString(deterministic=True) == INIT
    assert messages.encode_init_request("settings", {"directory": True}, "/a.csl ") == INIT
    assert messages.decode_init_request(INIT) == messages.InitRequest("settings", {"directory": True}, "/a.csl ")
    assert v1.InitRequest.FromString(INIT) == request


def test_an_absent_configuration_is_told_from_an_empty_one() -> None:
    assert messages.decode_init_request(bytes.fromhex("0a0161")).config is None
    assert messages.decode_init_request(bytes.fromhex("0a01611200")).config == {}
    assert messages.encode_init_request("a", None) == bytes.fromhex("0a0161")
    assert messages.encode_init_request("a", {}) == bytes.fromhex("0a01611200")


def test_a_fetch_request_has_the_bytes_of_the_table() -> None:
    assert v1.FetchRequest(path=["a", "", "ü"]).SerializeToString() == FETCH
    assert messages.encode_fetch_request(["a", "", "ü"]) == FETCH
    assert messages.decode_fetch_request(FETCH) == ("a", "", "ü")
    assert messages.decode_fetch_request(b"") == ()


def test_a_fetch_response_has_the_bytes_of_the_table() -> None:
    body = FETCH_RESPONSE[2:]
    response = b"\x0a" + bytes([len(body)]) + body
    assert response == FETCH_RESPONSE
    assert messages.encode_fetch_response(VALUE) == response
    assert messages.decode_fetch_response(response) == VALUE
    theirs = v1.FetchResponse()
    theirs.value.update(VALUE)
    assert v1.FetchResponse.FromString(response) == theirs
    assert messages.decode_fetch_response(theirs.SerializeToString()) == VALUE


def test_an_answer_without_value_is_told_from_an_empty_map() -> None:
    assert messages.decode_fetch_response(b"") is None
    assert messages.decode_fetch_response(b"\x0a\x00") == {}
    assert messages.encode_fetch_response(None) == b""
    assert messages.encode_fetch_response({}) == b"\x0a\x00"


def test_an_info_response_has_the_bytes_of_the_table() -> None:
    assert v1.InfoResponse(alias="a", version="1.2.3", type="files").SerializeToString() == INFO
    assert messages.encode_info_response(messages.InfoResponse("a", "1.2.3", "files")) == INFO
    assert messages.decode_info_response(INFO) == messages.InfoResponse("a", "1.2.3", "files")


def test_a_health_response_has_the_bytes_of_the_table() -> None:
    theirs = v1.HealthResponse(status=v1.HealthResponse.STATUS_DEGRADED, message="gone")
    assert theirs.SerializeToString() == HEALTH
    assert messages.encode_health_response(messages.HealthResponse(2, "gone")) == HEALTH
    assert messages.decode_health_response(HEALTH) == messages.HealthResponse(2, "gone")


def test_each_status_has_the_number_of_the_table() -> None:
    assert messages.STATUS_NAMES == ("STATUS_UNSPECIFIED", "STATUS_OK", "STATUS_DEGRADED", "STATUS_STARTING")
    for number, name in enumerate(messages.STATUS_NAMES):
        assert v1.HealthResponse.Status.Name(number) == name  # type: ignore[arg-type] # any int may be asked for
        assert messages.HealthResponse(number).name == name


def test_an_unknown_status_keeps_its_number_and_a_negative_one_its_sign() -> None:
    assert messages.decode_health_response(b"\x08\x63").name == "99"
    minus_one = v1.HealthResponse(status=-1).SerializeToString()  # type: ignore[arg-type] # an open enum
    assert messages.decode_health_response(minus_one).status == -1
    assert messages.encode_health_response(messages.HealthResponse(-1)) == minus_one


@pytest.mark.parametrize(
    "message",
    [v1.InitResponse, v1.InfoRequest, v1.HealthRequest, v1.ShutdownRequest, v1.ShutdownResponse],
)
def test_an_empty_message_is_no_bytes(message: Any) -> None:
    assert message().SerializeToString() == b""
    messages.decode_empty(b"")


def test_the_service_has_the_names_of_the_table() -> None:
    service = v1.DESCRIPTOR.services_by_name["ProviderService"]
    assert service.full_name == messages.SERVICE == "nomos.provider.v1.ProviderService"
    assert tuple(method.name for method in service.methods) == messages.METHODS
    assert v1.DESCRIPTOR.name == "nomos/provider/v1/provider.proto"


UNKNOWN = bytes.fromhex("78 077a 02 686979 01020304050607087d 010203047b 08 01 83 01 84 01 7c")


def test_unknown_fields_of_each_wire_type_are_skipped() -> None:
    assert messages.decode_init_request(UNKNOWN + INIT + UNKNOWN) == messages.decode_init_request(INIT)
    assert messages.decode_fetch_request(FETCH + UNKNOWN) == ("a", "", "ü")
    assert messages.decode_info_response(INFO + UNKNOWN).type == "files"
    messages.decode_empty(UNKNOWN)


def test_a_known_field_with_another_wire_type_is_skipped() -> None:
    assert messages.decode_fetch_request(b"\x08\x01" + FETCH) == ("a", "", "ü")
    assert messages.decode_health_response(b"\x0a\x01x" + HEALTH).status == 2


def test_the_last_of_two_equal_fields_wins_and_two_parts_of_a_struct_are_one() -> None:
    first = messages.encode_init_request("a", {"k": "1", "l": "1"}, "s")
    second = messages.encode_init_request("b", {"k": "2"}, "t")
    expected = messages.InitRequest("b", {"k": "2", "l": "1"}, "t")
    assert messages.decode_init_request(first + second) == expected
    theirs = v1.InitRequest.FromString(first + second)
    assert (theirs.alias, dict(theirs.config), theirs.source_file_path) == ("b", {"k": "2", "l": "1"}, "t")


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # a length is missing
        b"\x0a\x05ab",  # the text is cut
        b"\x0a\xff",  # the length is cut
        b"\x08" + b"\xff" * 10,  # a number without end
        b"\x00\x01",  # field 0
        b"\x0e",  # wire type 6
        b"\x0c",  # a group ends that never began
        b"\x0b\x08\x01",  # a group without its end
        b"\x0b\x14",  # a group with the end of another
        b"\x09\x01\x02",  # a double is cut
        b"\x0a\x01\xff",  # no UTF-8
    ],
)
def test_broken_bytes_are_an_error_that_does_not_quote_them(data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        messages.decode_init_request(data)
    assert repr(data) not in str(caught.value)
    with pytest.raises(DecodeError):
        v1.InitRequest.FromString(data)


def test_every_truncation_of_a_message_is_an_error_or_another_message() -> None:
    for length in range(len(INIT)):
        try:
            v1.InitRequest.FromString(INIT[:length])
        except DecodeError:
            with pytest.raises((WireError, StructError)):
                messages.decode_init_request(INIT[:length])
        else:
            messages.decode_init_request(INIT[:length])
