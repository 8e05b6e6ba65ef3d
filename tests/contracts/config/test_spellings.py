"""Spellings resemble a name as careless code confuses it, and are none that an author writes beside it."""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from nomos_contracts.config.samples import ValueSample
from nomos_contracts.config.spellings import (
    collision,
    encoded,
    folds_names,
    lookalikes,
    recased,
    respelled,
    texts_beyond_ascii,
    torn_character,
    wide_names,
)

NAMES = ("name", "app", "maxDepth", "NAME", "größe", "日本", "with space", "a-b_c.d", "50%", "x")


@pytest.mark.parametrize("name", NAMES)
def test_other_letters_are_large_as_nobody_writes_them(name: str) -> None:
    usual = {name, name.upper(), name.lower(), name.title(), name.capitalize()}
    assert usual.isdisjoint(recased(name))
    assert {other.lower() for other in recased(name)} <= {name.lower()}


def test_a_name_of_three_letters_has_several_such_spellings() -> None:
    assert len(recased("app")) > 1


@pytest.mark.parametrize("name", NAMES)
def test_what_is_encoded_is_decoded_to_the_name(name: str) -> None:
    found = encoded(name)
    assert found
    assert name not in found
    assert {unquote_plus(text) for text in found if "+" not in name} == {name}


@pytest.mark.parametrize("name", [name for name in NAMES if len(name) > 1])
def test_a_collision_is_another_name_of_the_same_hash(name: str) -> None:
    def hashed(text: str) -> int:
        return functools.reduce(lambda found, character: 31 * found + ord(character), text, 0) % 2**32

    other = collision(name)
    assert other != name
    assert hashed(other) == hashed(name)
    assert other.isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_lookalikes_have_the_normal_form_of_the_name(name: str) -> None:
    assert {unicodedata.normalize("NFKC", text) for text in lookalikes(name)} <= {name}
    assert name not in lookalikes(name)


def test_no_path_of_a_set_is_that_of_the_sample() -> None:
    sample = ValueSample(path=("app", "größe", "with space"), value=1)
    sets = list(respelled(sample))
    assert {len(path) for paths in sets for path in paths} == {3}
    assert sample.path not in {path for paths in sets for path in paths}
    assert all(len(set(paths)) == len(paths) > 1 for paths in sets)


@pytest.mark.parametrize("end", [1, -1])
def test_a_cut_at_any_number_of_bytes_divides_a_character_of_some_name(end: int) -> None:
    def divides(text: bytes, at: int) -> bool:
        """Whether a piece of *at* bytes, from the beginning or from the end, is no text."""
        piece = text[:at] if end > 0 else text[-at:]
        return piece.decode(errors="ignore").encode() != piece

    names = [name.encode() for name in wide_names()]
    assert max(map(len, names)) < 250
    assert all(any(divides(name, at) for name in names) for at in range(4, 200))


def test_texts_are_those_of_keys_and_strings_and_of_nothing_else() -> None:
    value = {"größe": 1.5, "plain": ["é", "e", None, {"日本": {"x": "東京"}}], "leer ∅": None, "ö": []}
    assert set(texts_beyond_ascii(value)) == {"größe", "é", "日本", "東京"}


def test_where_files_are_found_in_other_letters_names_are_not_tried_in_them(tmp_path: Path) -> None:
    (tmp_path / "app.json").touch()
    assert not folds_names(tmp_path / "app.json")
    (tmp_path / "APP.JSON").touch()  # as a file system would have it that keeps no case
    assert folds_names(tmp_path / "app.json")
    sample = ValueSample(path=("größe",), value=1)
    left = {path for paths in respelled(sample, folded=True) for path in paths}
    assert left < {path for paths in respelled(sample) for path in paths}
    assert left
    assert left.isdisjoint((name,) for name in (*recased("größe"), *lookalikes("größe")))


@pytest.mark.parametrize(
    ("message", "torn"),
    [
        ("nothing at 界界\ufffd", True),
        ("nothing at \ufffd界", True),
        (r"nothing at \xe7\x95\x8c\xe7\x95", True),
        ("nothing at 界界…", False),
        (r"nothing at \xe7\x95\x8c", False),
        (r"nothing at \u754c\u754c", False),
        ("nothing at \ufffd\ufffd", False),
    ],
)
def test_a_part_of_a_character_is_found_in_a_message_and_whole_ones_are_not(message: str, torn: bool) -> None:
    assert bool(torn_character(message, ("界" * 73,))) is torn


def test_code_points_below_256_may_be_written_like_bytes() -> None:
    assert not torn_character(r"nothing at \xe9\xe9", ("é" * 20,))
