from __future__ import annotations

import pytest

from pytest_nomos.host.metadata import CallMetadata, MetadataError


def test_names_are_sent_in_lower_case_with_a_trace() -> None:
    metadata = CallMetadata({"Authorization": "Bearer x"}, trace="ab" * 16)
    pairs = dict(metadata.pairs([("more", "1")]))
    assert pairs["authorization"] == "Bearer x"
    assert pairs["more"] == "1"
    assert pairs["traceparent"].startswith(f"00-{'ab' * 16}-")


def test_a_trace_of_the_settings_is_left_alone() -> None:
    assert CallMetadata({"traceparent": "mine"}).pairs() == (("traceparent", "mine"),)


def test_records_show_names_and_digests_only() -> None:
    redacted = CallMetadata({"Authorization": "Bearer s3cret"}).redacted()
    assert list(redacted) == ["authorization"]
    assert redacted["authorization"].startswith("sha256:")
    assert "s3cret" not in str(redacted)


@pytest.mark.parametrize("name", ["", "with space", "grpc-timeout", "data-bin", "ü", ":path"])
def test_a_key_that_grpc_refuses_is_refused_before_any_call(name: str) -> None:
    with pytest.raises(MetadataError, match="cannot be sent"):
        CallMetadata({name: "x"})


@pytest.mark.parametrize("value", ["line\nbreak", "ü", " padded ", "\0"])
def test_a_value_that_grpc_refuses_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(MetadataError) as caught:
        CallMetadata({"key": "s3cret" + value})
    assert "s3cret" not in str(caught.value)
    assert "'key'" in str(caught.value)
