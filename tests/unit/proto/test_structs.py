from __future__ import annotations

import json
import math
from typing import Any

import pytest
from google.protobuf import struct_pb2
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nomos_proto.structs import MAX_EXACT, StructError, decode_struct, encode_struct

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_EXACT, MAX_EXACT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]))


def one_null(message: struct_pb2.Struct) -> None:
    """Write each null with the only number that the enum has: a message may hold others, and they are null as well."""
    for value in message.fields.values():
        one_null_value(value)


def one_null_value(value: struct_pb2.Value) -> None:
    kind = value.WhichOneof("kind")
    if kind == "null_value":
        value.null_value = struct_pb2.NULL_VALUE
    elif kind == "struct_value":
        one_null(value.struct_value)
    elif kind == "list_value":
        for item in value.list_value.values:
            one_null_value(item)


def values(depth: int) -> st.SearchStrategy[Any]:
    if depth == 0:
        return SCALARS
    inner = st.deferred(lambda: values(depth - 1))
    return SCALARS | st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)


def maps(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(KEYS, values(depth), max_size=4)


def nested(levels: int, leaf: Any = "leaf") -> dict[str, Any]:
    value: Any = leaf
    for level in range(levels):
        value = {"k": value} if level % 2 == 0 or level == levels - 1 else [value]
    assert isinstance(value, dict)
    return value


def depth_of(value: Any) -> int:
    levels = 0
    while isinstance(value, dict | list):
        levels += 1
        value = value["k"] if isinstance(value, dict) else value[0]
    return levels


@given(maps(6))
@settings(max_examples=150, deadline=None)
def test_what_is_encoded_is_decoded_to_the_same(value: dict[str, Any]) -> None:
    assert decode_struct(encode_struct(value)) == value


@given(maps(20))
@settings(max_examples=75, deadline=None)
def test_protobuf_reads_what_we_write_and_we_read_what_it_writes(value: dict[str, Any]) -> None:
    theirs = struct_pb2.Struct()
    theirs.update(value)
    assert struct_pb2.Struct.FromString(encode_struct(value)) == theirs
    assert decode_struct(theirs.SerializeToString()) == value


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(encode_struct(draw(maps(3))))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(data)


@given(st.binary(max_size=40) | damaged())
@example(b"\n\x0b\n\x05\x00\xf0\x90\x80\x80\x12\x02\x08\x01")  # a null with another number
@settings(max_examples=300, deadline=None)
def test_damaged_bytes_are_judged_as_protobuf_judges_them(data: bytes) -> None:
    try:
        theirs = struct_pb2.Struct.FromString(data)
    except DecodeError:
        with pytest.raises(StructError):
            decode_struct(data)
        return
    try:
        ours = decode_struct(data)
    except StructError as error:
        if "without a kind" in error.reason or "NaN" in error.reason:
            return
        raise
    again = struct_pb2.Struct()
    again.update(ours)
    size = theirs.ByteSize()
    theirs.DiscardUnknownFields()
    one_null(theirs)
    # The C runtime sets a whole map entry aside that has an unknown field of its own; Go's skips that field, as we do.
    assert again == theirs or size != theirs.ByteSize()


def test_keys_keep_their_order_and_equal_maps_have_equal_bytes() -> None:
    value = {"b": 1, "a": [{"z": 1, "y": 2}], "c": {}}
    assert list(decode_struct(encode_struct(value))) == ["b", "a", "c"]
    assert encode_struct(value) == encode_struct(json.loads(json.dumps(value)))


def test_an_empty_list_is_no_empty_map_and_false_is_no_zero() -> None:
    decoded = decode_struct(encode_struct({"list": [], "map": {}, "no": False, "zero": 0, "null": None, "text": ""}))
    assert decoded == {"list": [], "map": {}, "no": False, "zero": 0.0, "null": None, "text": ""}
    assert isinstance(decoded["list"], list)
    assert isinstance(decoded["map"], dict)
    assert decoded["no"] is False
    assert isinstance(decoded["zero"], float)


def test_five_thousand_levels_survive_the_round_trip() -> None:
    data = encode_struct(nested(5000))
    decoded = decode_struct(data)
    assert depth_of(decoded) == 5000
    assert encode_struct(decoded) == data


def test_the_depth_that_is_allowed_is_exact_both_ways() -> None:
    data = encode_struct(nested(50), max_depth=50)
    assert depth_of(decode_struct(data, max_depth=50)) == 50
    with pytest.raises(StructError, match="deeper than 49 levels") as encoding:
        encode_struct(nested(50), max_depth=49)
    with pytest.raises(StructError, match="deeper than 49 levels") as decoding:
        decode_struct(data, max_depth=49)
    assert encoding.value.too_large
    assert decoding.value.too_large
    assert len(encoding.value.path) == len(decoding.value.path) == 49


def test_a_value_that_holds_itself_is_an_error_and_no_endless_loop() -> None:
    value: dict[str, Any] = {}
    value["self"] = value
    with pytest.raises(StructError, match="nested deeper"):
        encode_struct(value)


def test_the_size_that_is_allowed_is_exact() -> None:
    value = {"k": ["x" * 100, {"a": 1}]}
    length = len(encode_struct(value))
    assert len(encode_struct(value, max_bytes=length)) == length
    with pytest.raises(StructError, match="longer than") as caught:
        encode_struct(value, max_bytes=length - 1)
    assert caught.value.too_large


def test_the_count_that_is_allowed_is_exact() -> None:
    data = encode_struct({"a": [1, 2, {"b": None}]})
    decode_struct(data, max_items=5)
    with pytest.raises(StructError, match="more than 4 values"):
        decode_struct(data, max_items=4)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_lacks_is_named_by_its_path_and_never_sent(number: float) -> None:
    with pytest.raises(StructError, match=r"^a\.b\[1\]: NaN and infinities") as caught:
        encode_struct({"a": {"b": [0, number]}})
    assert caught.value.path == ("a", "b", 1)
    theirs = struct_pb2.Struct()
    theirs.update({"a": {"b": [0, number]}})
    with pytest.raises(StructError, match=r"^a\.b\[1\]: NaN and infinities"):
        decode_struct(theirs.SerializeToString())


def test_a_value_without_a_kind_is_named_by_its_path() -> None:
    theirs = struct_pb2.Struct()
    theirs.fields["a"].list_value.values.add()
    with pytest.raises(StructError, match=r"^a\[0\]: a value without a kind") as caught:
        decode_struct(theirs.SerializeToString())
    assert caught.value.path == ("a", 0)
    with pytest.raises(StructError, match=r"^k: a value without a kind"):
        decode_struct(bytes.fromhex("0a030a016b"))


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**60, 10**22, 2**1000])
def test_an_integer_that_a_double_holds_is_sent(number: int) -> None:
    assert decode_struct(encode_struct({"n": number})) == {"n": number}


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 10**23, 10**400])
def test_an_integer_that_a_double_cannot_hold_is_refused_and_not_rounded(number: int) -> None:
    with pytest.raises(StructError, match=r"^n: an integer that a double cannot hold") as caught:
        encode_struct({"n": number})
    assert str(number) not in str(caught.value)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), 1j])
def test_what_is_no_json_type_is_refused(value: Any) -> None:
    with pytest.raises(StructError, match=r"^a: .* is no JSON type"):
        encode_struct({"a": value})


def test_a_key_that_is_no_string_is_refused() -> None:
    with pytest.raises(StructError, match=r"^a: a key is int"):
        encode_struct({"a": {1: 2}})


def test_half_of_a_surrogate_pair_is_refused_in_keys_and_values() -> None:
    with pytest.raises(StructError, match=r"^a: .*surrogate"):
        encode_struct({"a": "\ud800"})
    with pytest.raises(StructError, match="surrogate"):
        encode_struct({"\ud800": 1})


def test_the_last_of_two_equal_keys_wins() -> None:
    assert decode_struct(encode_struct({"k": 1}) + encode_struct({"k": "two"})) == {"k": "two"}


def test_an_entry_without_key_has_the_empty_key() -> None:
    assert decode_struct(bytes.fromhex("0a04 1202 2001".replace(" ", ""))) == {"": True}


def test_unknown_fields_are_skipped_at_every_level() -> None:
    unknown = bytes.fromhex("f80601")  # field 111 as a varint
    value = b"\x20\x01" + unknown
    entry = b"\x0a\x01k\x12" + bytes([len(value)]) + value + unknown
    assert decode_struct(unknown + b"\x0a" + bytes([len(entry)]) + entry) == {"k": True}


def test_the_two_parts_of_a_map_value_are_joined_as_protobuf_joins_them() -> None:
    one, two = encode_struct({"a": 1, "b": 1}), encode_struct({"b": 2})
    value = b"\x2a" + bytes([len(one)]) + one + b"\x2a" + bytes([len(two)]) + two
    entry = b"\x0a\x01k\x12" + bytes([len(value)]) + value
    data = b"\x0a" + bytes([len(entry)]) + entry
    assert decode_struct(data) == {"k": {"a": 1, "b": 2}}
    assert struct_pb2.Struct.FromString(data).fields["k"].struct_value.fields["b"].number_value == 2


def test_a_large_flat_map_takes_time_in_proportion_to_its_size() -> None:
    value = {f"key-{number}": [number, str(number)] for number in range(20_000)}
    assert decode_struct(encode_struct(value)) == value
