from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nomos_proto.v2 import provider_pb2 as v2
from nomos_proto.values import MAX_DEPTH, UnencodableError, from_args, from_value, to_value

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | TEXT
    | st.binary()
    | st.datetimes(timezones=st.just(UTC))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=10
)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_what_is_sent_arrives_with_its_type(value: Any) -> None:
    got = from_value(v2.Value.FromString(to_value(value).SerializeToString()))
    assert got == value
    assert type(got) is type(value)


def test_an_integer_stays_apart_from_a_double_and_an_empty_list_from_an_empty_map() -> None:
    assert to_value(1).WhichOneof("kind") == "int_value"
    assert to_value(1.0).WhichOneof("kind") == "double_value"
    assert to_value(True).WhichOneof("kind") == "bool_value"
    assert to_value([]).WhichOneof("kind") == "list_value"
    assert to_value({}).WhichOneof("kind") == "map_value"
    assert to_value(()).WhichOneof("kind") == "list_value"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_an_integer_over_64_bits_is_an_invalid_argument(number: int) -> None:
    with pytest.raises(UnencodableError, match=r"a\[0\]: an integer over 64 bits") as caught:
        to_value({"a": [number]})
    assert (caught.value.status, caught.value.path) == ("INVALID_ARGUMENT", ("a", 0))


@pytest.mark.parametrize(
    "value",
    [{1: 2}, object(), {1, 2}, datetime.fromisoformat("2026-01-01"), "\ud800", {"\ud800": 1}],
    ids=["key", "object", "set", "no zone", "surrogate", "surrogate key"],
)
def test_what_does_not_fit_is_an_invalid_argument(value: Any) -> None:
    with pytest.raises(UnencodableError) as caught:
        to_value(value)
    assert caught.value.status == "INVALID_ARGUMENT"


def test_nan_is_refused_where_it_is_not_allowed() -> None:
    assert math.isnan(from_value(to_value(math.nan)))
    with pytest.raises(UnencodableError, match="NaN"):
        to_value([math.nan], allow_nonfinite=False)


def test_a_datetime_of_any_zone_arrives_in_utc() -> None:
    moment = datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-5)))
    got = from_value(to_value(moment))
    assert got == moment
    assert got.tzinfo is UTC


def test_the_deepest_value_that_is_encoded_can_be_read_again() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = {"k": value}
    data = v2.CallResponse(result=to_value(value)).SerializeToString()
    assert from_value(v2.CallResponse.FromString(data).result) == value
    with pytest.raises(UnencodableError, match=f"deeper than {MAX_DEPTH} levels"):
        to_value([value])


def test_a_value_without_a_kind_names_its_argument() -> None:
    with pytest.raises(UnencodableError, match=r"^path: a value without a kind"):
        from_args({"path": v2.Value()})


def test_a_point_in_time_beyond_the_calendar_is_an_error() -> None:
    message = v2.Value()
    message.timestamp_value.seconds = 2**62
    with pytest.raises(UnencodableError, match="outside the years"):
        from_value(message)
