from __future__ import annotations

import time
from typing import Any

import pytest

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_reference.config.documents import parse_json, parse_yaml
from nomos_reference.config.limits import Budget, Limits


def budget(**limits: int) -> Budget:
    return Budget(Limits(**limits), CallContext(60))


def yaml(text: str, **limits: int) -> Any:
    return parse_yaml(text.encode(), "app", budget(**limits))


def json(text: str, **limits: int) -> Any:
    return parse_json(text.encode(), "app", budget(**limits))


def refused(parse: Any, text: str, **limits: int) -> tuple[str, str]:
    with pytest.raises(ProviderError) as caught:
        parse(text, **limits)
    return caught.value.status, caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("", {}),
        ("# only a comment", {}),
        ("null", None),
        ("~", None),
        ("a:", {"a": None}),
        ("[1, 0x10, 0o17, 1_000, -3]", [1, 16, "0o17", 1000, -3]),
        ("[1.5, 1e3, .5, -0.0]", [1.5, "1e3", 0.5, 0.0]),
        ("[true, no, 'no', \"yes\"]", [True, False, "no", "yes"]),
        ("a: 2024-01-05", {"a": "2024-01-05"}),
        ("a: 2024-1-5", {"a": "2024-1-5"}),
        ("a: 2024-01-05T06:07:08Z", {"a": "2024-01-05T06:07:08+00:00"}),
        ("a: 2024-01-05 06:07:08.25 +2", {"a": "2024-01-05T06:07:08.250000+02:00"}),
        (
            "{1: a, true: b, null: c, 2.5: d, 2024-01-05: e}",
            {"1": "a", "true": "b", "null": "c", "2.5": "d", "2024-01-05": "e"},
        ),
        ("a: &x {k: [1]}\nb: *x", {"a": {"k": [1]}, "b": {"k": [1]}}),
        ("base: &b {x: 1, y: 2}\nc:\n  <<: *b\n  y: 3", {"base": {"x": 1, "y": 2}, "c": {"x": 1, "y": 3}}),
        ("c:\n  <<: [{x: 1, y: 2}, {x: 9, z: 3}]", {"c": {"x": 1, "y": 2, "z": 3}}),
        ("[<<, a]", ["<<", "a"]),
        ("a: !!str 5\nb: !!int '7'\nc: !!float '2'\nd: ! 8", {"a": "5", "b": 7, "c": 2.0, "d": "8"}),
        ("a: !!map {}\nb: !!seq []", {"a": {}, "b": []}),
        ("a: |\n  one\n  two\nb: >\n  one\n  two\n", {"a": "one\ntwo\n", "b": "one two\n"}),
        ("größe: 'Καλημέρα 🌅'", {"größe": "Καλημέρα 🌅"}),
        ("--- a\n...\n", "a"),
        ("\ufeffa: 1", {"a": 1}),
        ("a: =", {"a": "="}),
        ("{? a, ? b}", {"a": None, "b": None}),
        ("a: 123456789012345678901234567890", {"a": 123456789012345678901234567890}),
    ],
)
def test_yaml_becomes_plain_json_values(text: str, value: Any) -> None:
    found = yaml(text)
    assert found == value
    assert repr(found) == repr(value) or value == [1.5, "1e3", 0.5, 0.0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not YAML (line"),
        ("a: b: c", "is not YAML (line 1, column 5)"),
        ("a: 1\na: 2", "stands twice in one map (line 2)"),
        ("{1: a, '1': b}", "stands twice"),
        ("a: !!python/object/apply:os.system ['true']", "has a tag"),
        ("a: !!python/name:os.system", "has a tag"),
        ("!!python/object/new:os.system [x]", "has a tag"),
        ("a: !mine x", "has a tag"),
        ("a: !!set {x, y}", "has a tag"),
        ("a: !!binary aGk=", "has a tag"),
        ("a: .nan", "NaN or an infinity"),
        ("a: -.inf", "NaN or an infinity"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("? [1, 2]\n: x", "a key that is a map or a list"),
        ("{? {a: 1} : x}", "a key that is a map or a list"),
        ("a: &l [1]\n*l : x", "a key that is a map or a list"),
        ("a: *nope", "an anchor that is not there"),
        ("a: &a [*a]", "inside of what it stands for"),
        ("<<: 5", "whose value is no map"),
        ("a: 2024-13-45", "no timestamp"),
        ("a: !!int x", "no int"),
        ("a: !!bool maybe", "no bool"),
        ("a: \x07", "is not YAML"),
        ("\t- x", "is not YAML"),
        ("a: " + "9" * 5000, "no int"),
    ],
)
def test_yaml_that_json_cannot_say_is_refused_with_its_line(text: str, words: str) -> None:
    status, message = refused(yaml, text)
    assert status == "FAILED_PRECONDITION"
    assert message.startswith("app: ")
    assert words in message


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_an_alias_counts_as_what_it_stands_for_so_a_bomb_is_refused_at_once() -> None:
    before = time.monotonic()
    status, message = refused(yaml, bomb(40))
    assert (status, "max_items" in message) == ("RESOURCE_EXHAUSTED", True)
    assert time.monotonic() - before < 5
    assert yaml(bomb(3))["a2"][9][9] == ["x"] * 10


def test_aliases_count_for_the_depth_too() -> None:
    text = "a: &a {k: {k: {k: 1}}}\nb: {x: {y: *a}}"
    assert yaml(text, depth=6)["b"]["x"]["y"]["k"] == {"k": {"k": 1}}
    assert refused(yaml, text, depth=5)[0] == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("levels", [501, 998, 999, 1_000, 1_001, 10_000])
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ("{a: ", "}"), ("- ", "")])
@pytest.mark.parametrize("depth", [100, 500])
def test_yaml_nested_thousands_of_levels_deep_is_a_limit_and_no_crash(
    levels: int, opened: str, closed: str, depth: int
) -> None:
    status, message = refused(yaml, opened * levels + "1" + closed * levels, depth=depth)
    assert (status, message) == ("RESOURCE_EXHAUSTED", f"the source is nested deeper than {depth} levels (max_depth)")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        ("[]", []),
        ("null", None),
        ('"\\u00fc\\ud83c\\udf05"', "ü🌅"),
        ("\ufeff[1]", [1]),
        ("[9007199254740993, 1e5, -0.5]", [9007199254740993, 1e5, -0.5]),
        ('{"": {"a": [true, false, null]}}', {"": {"a": [True, False, None]}}),
    ],
)
def test_json_becomes_its_values(text: str, value: Any) -> None:
    assert json(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON (line 1, column 1"),
        ('{"a": 1,\n "b": }', "is not JSON (line 2, column 7"),
        ("NaN", "NaN is no JSON number"),
        ("[-Infinity]", "-Infinity is no JSON number"),
        ("1e999", "too large for a double"),
        ("[" + "9" * 5000 + "]", "too many digits"),
        ('{"a": 1, "a": 2}', "a key stands twice"),
        ("{} {}", "Extra data"),
        ("[" * 3000 + "]" * 3000, "max_depth"),
        ("[" * 200_000, "max_depth"),
    ],
)
def test_json_that_cannot_be_used_is_refused(text: str, words: str) -> None:
    status, message = refused(json, text)
    assert status in {"FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"}
    assert words in message


def test_no_message_quotes_the_document() -> None:
    for parse in (yaml, json):
        for text in ('{"token": "hunter2"', "a: 'hunter2", "hunter2: {", '{"a": hunter2}}'):
            assert "hunter2" not in refused(parse, text)[1], (parse, text)


def test_bytes_that_are_no_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(ProviderError, match=r"app: is not UTF-8 \(byte 4\)"):
        parse_yaml(b"a: \xff", "app", budget())
    with pytest.raises(ProviderError, match=r"app: is not UTF-8 \(byte 1\)"):
        parse_json("{}".encode("utf-16"), "app", budget())


@pytest.mark.parametrize("parse", [yaml, json])
def test_the_count_and_the_depth_that_are_allowed_are_exact(parse: Any) -> None:
    text = '{"a": [1, 2, {"b": 3}]}'
    parse(text, items=6, depth=3)
    assert refused(parse, text, items=5)[0] == "RESOURCE_EXHAUSTED"
    assert refused(parse, text, depth=2)[0] == "RESOURCE_EXHAUSTED"


def test_parsing_obeys_the_deadline() -> None:
    spent = Budget(Limits(), CallContext(0.0))
    with pytest.raises(ProviderError, match="deadline"):
        parse_yaml(b"[" + b"x," * 5000 + b"]", "app", spent)
