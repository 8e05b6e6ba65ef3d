from __future__ import annotations

from typing import Any

import pytest

from nomos_proto.errors import ProviderError
from nomos_reference.config.walk import check_path, shown, shown_path, walk

DOCUMENT: dict[str, Any] = {
    "a": {"b": {"c": 1}},
    "list": [10, [20, 21], {"k": None}],
    "y[0]": "its own key",
    "*": "a star",
    "": "empty",
    "größe": {"日本": "語"},
    "null": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ([], DOCUMENT),
        (["*"], DOCUMENT),
        (["a", "b", "c"], 1),
        (["a", "*"], {"b": {"c": 1}}),
        (["list"], DOCUMENT["list"]),
        (["list[0]"], 10),
        (["list[1][1]"], 21),
        (["list[2]", "k"], None),
        (["list", "[0]"], 10),
        (["list[2]", "*"], {"k": None}),
        (["y[0]"], "its own key"),
        (["größe", "日本"], "語"),
        (["null"], None),
    ],
)
def test_a_path_leads_to_its_value(path: list[str], value: Any) -> None:
    assert walk(DOCUMENT, path) == value


@pytest.mark.parametrize(
    "path",
    [
        ["b"],
        ["a", "b", "c", "d"],
        ["a", "*", "b"],
        ["list[3]"],
        ["list[-1]"],
        ["list[1][2]"],
        ["list[0][0]"],
        ["list[99999999999999999999]"],
        ["list", "0"],
        ["list", "*"],
        ["a[0]"],
        ["null", "x"],
        ["A"],
        ["gro\u0308\u00dfe"],
        ["a.b"],
        ["list[0"],
    ],
)
def test_a_path_that_leads_nowhere_is_not_found(path: list[str]) -> None:
    with pytest.raises(ProviderError, match="nothing at ") as caught:
        walk(DOCUMENT, path)
    assert caught.value.status == "NOT_FOUND"


@pytest.mark.parametrize(
    "segment",
    [
        *("", ".", "..", "/", "a/b", "/etc/passwd", "a\\b", "\\", "a\0b"),
        *("%2e%2e", "%2E%2e", ".%2e", "%2e", "a%2fb", "a%5Cb", "%00", "%252e%252e", "%252f", "..%2f"),
    ],
)
@pytest.mark.parametrize("before", [[], ["a"]])
def test_a_segment_that_could_lead_elsewhere_is_an_invalid_argument(segment: str, before: list[str]) -> None:
    with pytest.raises(ProviderError, match=f"segment {len(before) + 1} of the path") as caught:
        check_path([*before, segment, "c"])
    assert caught.value.status == "INVALID_ARGUMENT"


@pytest.mark.parametrize("segment", ["...", "..a", "a..", " ", "100%", "%zz", "~", "*", "a:b", "é", "\n", "%25"])
def test_a_segment_that_is_only_odd_is_well_formed(segment: str) -> None:
    check_path([segment])


def test_a_path_of_too_many_segments_is_an_invalid_argument() -> None:
    check_path(["a"] * 1000)
    with pytest.raises(ProviderError, match="1001 segments") as caught:
        check_path(["a"] * 1001)
    assert caught.value.status == "INVALID_ARGUMENT"


def test_messages_stay_short_and_printable_whatever_the_path() -> None:
    assert len(shown("x" * 1_000_000)) < 100
    assert len(shown_path(["y" * 1_000_000] * 1000)) < 1000
    assert shown("a\nb\x1b") == '"a\\nb\\x1b"'
    assert shown_path([]) == "the root"
