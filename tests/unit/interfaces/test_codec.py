from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nomos_contracts.codec import ShapeError, from_wire, has_wire_form, schema_of, to_wire
from nomos_contracts.hints import HintError
from nomos_proto.values import from_value, to_value

T = TypeVar("T")


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Leaf:
    text: str
    count: int = 0
    share: float | None = None


@dataclass(frozen=True)
class Box(Generic[T]):
    content: T
    further: tuple[T, ...] = ()


@dataclass(frozen=True)
class Tree:
    name: str
    colour: Colour
    kind: Literal["oak", "elm", 7]
    alive: bool
    leaves: tuple[Leaf, ...]
    tags: Mapping[str, str]
    pair: tuple[int, str]
    when: datetime | None = None
    raw: bytes | None = None
    box: Box[Leaf] | None = None
    below: Tree | None = None
    either: int | str | None = None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
INTS = st.integers(-(2**63), 2**63 - 1)
LEAVES = st.builds(Leaf, TEXT, INTS, st.none() | st.floats(allow_nan=False, allow_infinity=False))
TREES = st.recursive(
    st.builds(Tree, TEXT, st.sampled_from(Colour), st.sampled_from(("oak", "elm", 7)), st.booleans(),
              st.lists(LEAVES, max_size=3).map(tuple), st.dictionaries(TEXT, TEXT, max_size=3), st.tuples(INTS, TEXT)),
    lambda below: st.builds(
        Tree, TEXT, st.sampled_from(Colour), st.sampled_from(("oak", "elm", 7)), st.booleans(),
        st.lists(LEAVES, max_size=3).map(tuple), st.dictionaries(TEXT, TEXT, max_size=3), st.tuples(INTS, TEXT),
        when=st.none() | st.datetimes(timezones=st.just(UTC)),
        raw=st.none() | st.binary(max_size=8),
        box=st.none() | st.builds(Box, LEAVES, st.lists(LEAVES, max_size=2).map(tuple)),
        below=st.none() | below,
        either=st.none() | INTS | TEXT,
    ),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None)
@given(TREES)
def test_what_was_sent_comes_back(tree: Tree) -> None:
    assert from_wire(Tree, to_wire(tree)) == tree


@settings(deadline=None)
@given(TREES)
def test_what_was_sent_comes_back_over_a_message(tree: Tree) -> None:
    assert from_wire(Tree, from_value(to_value(to_wire(tree)))) == tree


@settings(deadline=None)
@given(TREES)
def test_every_plain_form_fits_the_schema(tree: Tree) -> None:
    def as_json(value: Any) -> Any:
        match value:
            case bytes():
                return "AA=="
            case datetime():
                return value.isoformat()
            case dict():
                return {key: as_json(item) for key, item in value.items()}
            case list():
                return [as_json(item) for item in value]
            case _:
                return value

    jsonschema.Draft202012Validator(schema_of(Tree)).validate(as_json(to_wire(tree)))


@settings(deadline=None)
@given(TREES, st.sampled_from([field.name for field in fields(Tree)]), st.sampled_from([object(), {"x": 1}, [[]], 1.5]))
def test_a_field_of_another_kind_is_refused_by_its_name(tree: Tree, name: str, wrong: Any) -> None:
    plain = to_wire(tree) | {name: wrong}
    if name == "tags" and wrong == {"x": 1}:
        name = "tags.x"
    with pytest.raises(ShapeError) as caught:
        from_wire(Tree, plain, "tree")
    assert caught.value.where.startswith(f"tree.{name}")


def test_absent_means_none_and_none_is_absent() -> None:
    assert to_wire(Leaf("a")) == {"text": "a", "count": 0}
    assert from_wire(Leaf, {"text": "a"}) == Leaf("a")
    assert from_wire(Leaf, {"text": "a", "share": None}) == Leaf("a")


@pytest.mark.parametrize(
    ("hint", "value", "words"),
    [
        (Leaf, {"text": "a", "colour": 1}, "colour: Leaf has no such field"),
        (Leaf, {}, "text: Leaf needs this field"),
        (Leaf, {"text": None}, "text: must be a str, and is nothing"),
        (Leaf, [], "must be a map with the fields of Leaf, and is a list"),
        (int, True, "must be an int, and is a bool"),
        (int, 1.0, "must be an int, and is a float"),
        (float, True, "must be a finite number"),
        (float, float("nan"), "must be a finite number"),
        (float, float("inf"), "must be a finite number"),
        (bool, 1, "must be a bool, and is a int"),
        (str, b"a", "must be a str, and is a bytes"),
        (bytes, "a", "must be a bytes, and is a str"),
        (datetime, "2026-01-01", "must be a point in time, and is a str"),
        (Colour, "green", "must be one of red, blue, and is a str"),
        (Literal["a", 1], True, "must be 'a' or 1"),
        (None, 0, "must be nothing"),
        (list[int], {"a": 1}, "must be a list, and is a dict"),
        (list[int], [1, "2"], "[1]: must be an int"),
        (tuple[int, str], [1], "must have 2 items, and has 1"),
        (Mapping[str, int], [1], "must be a map, and is a list"),
        (Mapping[str, int], {1: 1}, "only strings can be keys"),
        (Mapping[str, int], {"a": "b"}, "a: must be an int"),
        (int | str, [], "must be int or str, and is a list"),
        (Box[Leaf], {"content": {"text": 1}}, "content.text: must be a str"),
    ],
)  # fmt: skip
def test_strictness(hint: Any, value: Any, words: str) -> None:
    with pytest.raises(ShapeError) as caught:
        from_wire(hint, value)
    assert words in caught.value.message
    assert caught.value.status == "INVALID_ARGUMENT"


def test_values_are_never_shown_in_errors() -> None:
    with pytest.raises(ShapeError) as caught:
        from_wire(Mapping[str, int], {"password": "hunter2"})
    assert "hunter2" not in caught.value.message


def test_a_whole_number_is_a_float() -> None:
    value = from_wire(float, 3)
    assert value == 3.0
    assert type(value) is float


def test_a_record_that_refuses_its_values_says_so() -> None:
    @dataclass(frozen=True)
    class Even:
        count: int

        def __post_init__(self) -> None:
            if self.count % 2:
                raise ValueError("count: must be even")

    assert from_wire(Even, {"count": 2}) == Even(2)
    with pytest.raises(ShapeError, match="must be even"):
        from_wire(Even, {"count": 3})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2**63, "over 64 bits"),
        (datetime(2026, 1, 1), "without a time zone"),  # noqa: DTZ001 # that is the point
        ({1: 2}, "only strings can be keys"),
        ({"a": [object()]}, "a[0]: a object cannot be sent"),
        ("\ud800", "surrogate"),
        (Box(len), "content"),
    ],
)
def test_what_has_no_plain_form_is_refused_by_its_place(value: Any, words: str) -> None:
    with pytest.raises(ShapeError) as caught:
        to_wire(value)
    assert words in caught.value.message


def test_richer_types_are_projected_where_the_hint_says_so() -> None:
    @dataclass(frozen=True)
    class Rich(Leaf):
        shelf: int = 3

    assert to_wire(Rich("a")) == {"text": "a", "count": 0, "shelf": 3}
    for hint, value in ((Leaf, Rich("a")), (Leaf | None, Rich("a"))):
        assert to_wire(value, hint) == {"text": "a", "count": 0}
    assert to_wire([Rich("a")], tuple[Leaf, ...]) == [{"text": "a", "count": 0}]
    assert to_wire({"k": Rich("a")}, Mapping[str, Leaf]) == {"k": {"text": "a", "count": 0}}
    assert to_wire(Box(Rich("a")), Box[Leaf]) == {"content": {"text": "a", "count": 0}, "further": []}


def test_an_iterable_is_a_list_where_the_hint_says_so() -> None:
    assert to_wire((text for text in "ab"), Iterable[str]) == ["a", "b"]
    assert from_wire(Iterable[str], ["a", "b"]) == ["a", "b"]
    with pytest.raises(ShapeError):
        to_wire(text for text in "ab")


def test_type_variables_stand_for_their_bounds() -> None:
    bound = TypeVar("bound", bound=Leaf)
    assert from_wire(bound, {"text": "a"}) == Leaf("a")
    assert from_wire(Sequence[bound], [{"text": "a"}]) == [Leaf("a")]  # type: ignore[valid-type] # made at run time
    assert from_wire(Box[Any], {"content": 3}).content == 3


@pytest.mark.parametrize("hint", [object(), type, Mapping[int, str], Iterable[complex], set[str], Box[complex]])
def test_what_cannot_travel_is_known_from_the_hint(hint: Any) -> None:
    assert not has_wire_form(hint)
    with pytest.raises(HintError):
        schema_of(hint)


def test_the_schema_names_what_it_describes() -> None:
    schema = schema_of(Tree)
    assert schema["$ref"] == "#/$defs/Tree"
    assert schema["$defs"]["Tree"]["required"] == ["name", "colour", "kind", "alive", "leaves", "tags", "pair"]
    assert schema["$defs"]["Colour"] == {"type": "string", "enum": ["red", "blue"]}
    assert schema["$defs"]["Box_Leaf"]["properties"]["content"] == {"$ref": "#/$defs/Leaf"}
    jsonschema.Draft202012Validator.check_schema(schema)
