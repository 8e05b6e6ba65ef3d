from __future__ import annotations

import pickle

import grpc
import pytest
from google.rpc.status_pb2 import Status

from nomos_proto import errors
from nomos_proto.errors import STATUS_NUMBERS, TABLE, ProviderError, from_status, to_status
from nomos_proto.v2 import provider_pb2 as v2


def test_every_code_stands_once_and_has_a_status_that_grpc_knows() -> None:
    assert len({row.code for row in TABLE}) == len(TABLE)
    assert {name: code.value[0] for name, code in grpc.StatusCode.__members__.items()} == dict(STATUS_NUMBERS)
    assert {row.status for row in TABLE} <= STATUS_NUMBERS.keys() - {"OK", "UNKNOWN"}


def test_every_status_but_ok_stands_for_a_code_of_the_table() -> None:
    codes = {row.code for row in TABLE}
    for status in STATUS_NUMBERS.keys() - {"OK"}:
        assert errors.row_of_status(status).code in codes


@pytest.mark.parametrize(
    ("code", "category", "retryable", "status"),
    [
        ("CAPACITY_ERROR", "capacity", True, "RESOURCE_EXHAUSTED"),
        ("AUTH_ERROR", "auth", False, "UNAUTHENTICATED"),
        ("RATE_LIMIT_ERROR", "rate_limit", True, "RESOURCE_EXHAUSTED"),
        ("SPOT_INTERRUPTED", "capacity", True, "ABORTED"),
        ("QUOTA_EXCEEDED", "capacity", False, "RESOURCE_EXHAUSTED"),
        ("INVALID_SPEC", "validation", False, "INVALID_ARGUMENT"),
        ("NOT_FOUND", "not_found", False, "NOT_FOUND"),
    ],
)
def test_the_seven_codes_of_the_taxonomy_have_their_category(
    code: str, category: str, retryable: bool, status: str
) -> None:
    error = ProviderError("m", code)
    assert (error.category, error.retryable, error.status) == (category, retryable, status)


def test_every_agent_error_type_and_registry_error_is_one_that_those_interfaces_know() -> None:
    agents = {
        *("authentication", "authorization", "rate_limit", "quota_exceeded", "model_not_found", "invalid_request"),
        *("content_policy", "timeout", "network", "provider_unavailable", "configuration", "unknown"),
    }
    registry = {
        *("ErrPackageNotFound", "ErrProviderExists", "ErrProviderNotFound", "ErrInvalidFactory", "ErrInvalidConfig"),
        *("ErrRegistrationFailed", "ErrProviderCreationFailed", "ErrRegistryAccessFailed", ""),
    }
    assert {row.agent for row in TABLE} <= agents
    assert {row.registry for row in TABLE} <= registry
    named = [row.registry for row in TABLE if row.registry]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.code)
def test_every_error_survives_the_wire(row: errors.ErrorRow) -> None:
    sent = ProviderError(
        "it broke", row.code, provider="files", details={"tries": 3, "parts": ["a", None]}, retry_after=1.25
    )
    status, message, details = to_status(sent)
    assert (status, message) == (row.status, "it broke")
    got = from_status(status, message, details)
    for name in ("message", "code", "category", "retryable", "provider", "details", "retry_after"):
        assert getattr(got, name) == getattr(sent, name), name


def test_what_is_given_explicitly_wins_over_the_table() -> None:
    error = ProviderError("m", "NOT_FOUND", category="conflict", retryable=True)
    got = from_status(*to_status(error))
    assert (got.code, got.category, got.retryable) == ("NOT_FOUND", "conflict", True)


def test_an_unknown_code_is_kept_and_counts_as_internal() -> None:
    error = ProviderError("m", "FLUX_CAPACITOR")
    assert (error.category, error.retryable, error.status) == ("internal", False, "INTERNAL")
    got = from_status(*to_status(error))
    assert (got.code, got.category) == ("FLUX_CAPACITOR", "internal")


def test_a_status_without_details_is_judged_by_the_table() -> None:
    error = from_status("UNAVAILABLE", "nobody there")
    assert (error.code, error.category, error.retryable) == ("NETWORK_ERROR", "network", True)
    assert from_status("UNKNOWN", "").category == "internal"
    assert from_status("NEW_CODE_OF_2031", "").category == "internal"


def test_the_details_are_a_google_rpc_status_with_our_detail() -> None:
    _, _, data = to_status(ProviderError("gone", "NOT_FOUND", provider="files"))
    status = Status.FromString(data)
    assert (status.code, status.message) == (5, "gone")
    detail = v2.ErrorDetail()
    assert status.details[0].Unpack(detail)
    assert (detail.code, detail.category, detail.provider) == ("NOT_FOUND", "not_found", "files")


@pytest.mark.parametrize("details", [b"garbage", b"\x0a", b"\x1a\x02\x0a\x05", b""])
def test_broken_details_leave_the_status_to_decide(details: bytes) -> None:
    error = from_status("NOT_FOUND", "m", details)
    assert (error.code, error.message) == ("NOT_FOUND", "m")


def test_a_detail_of_another_kind_is_passed_over() -> None:
    status = Status(code=5)
    status.details.add().Pack(v2.CallResponse())
    assert from_status("NOT_FOUND", "m", status.SerializeToString()).code == "NOT_FOUND"


def test_a_long_message_is_cut_in_the_middle_and_fits_a_header() -> None:
    status, message, details = to_status(
        ProviderError("begin" + "ü" * 1_000_000 + "end", details={"big": "x" * 100_000, "small": 1})
    )
    assert status == "INTERNAL"
    assert message.startswith("begin")
    assert message.endswith("end")
    assert len(message.encode()) <= errors.MESSAGE_BYTES
    assert len(message.encode()) + len(details) < 8192
    assert from_status(status, message, details).details == {"small": 1}


def test_a_message_that_utf8_does_not_have_is_still_sent() -> None:
    assert errors.fit_message("bad \ud800") == "bad \\ud800"


def test_details_that_no_value_can_hold_are_left_out() -> None:
    got = from_status(*to_status(ProviderError("m", details={"set": {1}, "ok": "yes"})))
    assert got.details == {"ok": "yes"}


def test_an_error_can_be_pickled_for_a_worker() -> None:
    error = pickle.loads(pickle.dumps(ProviderError("m", "NOT_FOUND", provider="p", details={"a": 1}, retry_after=2)))
    assert (error.message, error.code, error.provider, error.details, error.retry_after) == (
        "m",
        "NOT_FOUND",
        "p",
        {"a": 1},
        2,
    )
