"""Faults as values: frozen, combined, written down and read back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nomos_contracts.fault import (
    KINDS,
    Bandwidth,
    Cpu,
    Down,
    Fault,
    FaultError,
    Latency,
    Pause,
    Reset,
    Slices,
    Together,
    parse_fault,
    read_fault,
)

SINGLE = st.one_of(
    st.builds(Latency, ms=st.integers(0, 5000), jitter=st.integers(0, 100), toxicity=st.sampled_from([0.25, 1.0])),
    st.builds(Bandwidth, rate=st.integers(0, 5000), direction=st.sampled_from(["upstream", "downstream"])),
    st.builds(Slices, size=st.integers(1, 500), delay=st.integers(0, 5000)),
    st.builds(Cpu, percent=st.integers(1, 99)),
    st.sampled_from([Pause(), Down(), Reset()]),
)


@given(st.lists(SINGLE, min_size=1, max_size=4))
def test_what_is_written_is_read_back_as_json_and_as_text(parts: list[Fault]) -> None:
    fault = parts[0]
    for part in parts[1:]:
        fault = fault & part
    assert read_fault(json.loads(fault.model_dump_json())) == fault
    assert parse_fault(fault.words) == fault
    assert fault.parts == tuple(parts)


def test_a_fault_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Latency(ms=5).ms = 6  # type: ignore[misc] # that is what is tried


def test_combining_keeps_the_order_and_nests_nothing() -> None:
    fault = (Latency(ms=1) & Pause()) & (Down() & Reset())
    assert isinstance(fault, Together)
    assert [type(part) for part in fault.parts] == [Latency, Pause, Down, Reset]


def test_units_are_understood() -> None:
    assert parse_fault("latency(1.5s, jitter=20ms) & cpu(20%)") == Latency(ms=1500, jitter=20) & Cpu(percent=20)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is no fault"),
        ("pause&", "'' is no fault"),
        ("latency(", "'latency(' is no fault"),
        ("storm", "there is no fault 'storm'; there are latency"),
        ("latency", "ms: Field required"),
        ("latency(5kB)", "ms knows ms, s"),
        ("latency(ms=-1)", "greater than or equal to 0"),
        ("latency(1.5ms)", "valid integer"),
        ("latency(1, 2)", "'2' has no name"),
        ("latency(5, colour=3)", "latency has no 'colour'"),
        ("latency(5, direction=sideways)", "'downstream' or 'upstream'"),
        ("latency(5x)", "write a number"),
        ("pause(3)", "pause takes no arguments"),
        ("cpu(200)", "less than or equal to 99"),
        ("slices(0)", "greater than or equal to 1"),
        ("latency(5, kind=pause)", "latency has no 'kind'"),
    ],
)
def test_words_that_name_no_fault_get_one_clear_error(text: str, told: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse_fault(text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [None, 5, {}, {"kind": "storm"}, {"kind": "pause", "x": 1}, {"kind": "together"}])
def test_data_that_describes_no_fault_is_refused(data: object) -> None:
    with pytest.raises(FaultError):
        read_fault(data)


def test_every_kind_is_read_back_from_its_name() -> None:
    needs = {
        "latency": "(1)",
        "bandwidth": "(1)",
        "slow_close": "(1)",
        "slices": "(1)",
        "truncate": "(1)",
        "cpu": "(5)",
        "clock": "(1d)",
        "deleted": "(i-1)",
        "changed": "(i-1)",
        "duplicated": "(i-1)",
    }
    for name, kind in KINDS.items():
        assert isinstance(parse_fault(name + needs.get(name, "")), kind)
