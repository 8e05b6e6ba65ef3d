from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nomos.report.jsontext import JsonTextError, canonical, digest, parse, plain, read_bytes, slow_digest
from pytest_nomos.report.kit import kit_digest, run_header
from pytest_nomos.report.subject import subject_digest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(max_size=100),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=30,
)


@given(VALUES)
def test_the_canonical_form_is_json_with_sorted_keys(value: Any) -> None:
    assert canonical(value) == json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@given(ANYTHING)
def test_what_is_made_plain_can_be_stored_and_is_plain_already(value: Any) -> None:
    once = plain(value)
    text = json.dumps(once, allow_nan=False, ensure_ascii=False).encode()
    assert plain(json.loads(text)) == once


def test_digests_tell_values_apart() -> None:
    different = [{"a": 1}, {"a": "1"}, {"a": True}, {"a": [1]}, {"b": 1}, {}, [], "", None, 0, False]
    assert len({digest(value) for value in different}) == len(different) == len({slow_digest(v) for v in different})
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert slow_digest("x") != digest("x")


@pytest.mark.parametrize("text", [b"1e999", b"-0.0", b"[1.5]", b'"\\ud800"'])
def test_strict_json_accepts_what_json_is(text: bytes) -> None:
    found = parse(text, "it")
    assert found is not None
    assert not (isinstance(found, float) and math.isnan(found))


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"x" * 11)
    assert read_bytes(path, 11) == b"x" * 11
    with pytest.raises(JsonTextError, match="11 bytes are more than the limit of 10"):
        read_bytes(path, 10)
    with pytest.raises(JsonTextError, match="is no regular file"):
        read_bytes(tmp_path)


def test_the_subject_of_a_package_is_its_files_and_not_their_bytecode(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = subject_digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert subject_digest(tmp_path) == before
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    renamed = subject_digest(tmp_path)
    (tmp_path / "b.py").write_text("2")
    assert len({before, renamed, subject_digest(tmp_path)}) == 3


def test_the_header_of_a_run_tells_the_command_line_by_digest_only() -> None:
    header = run_header(["--token", "secret-value"])
    assert "secret-value" not in header.model_dump_json()
    assert header.kit_digest == kit_digest()
    assert header.started.utcoffset() is not None
