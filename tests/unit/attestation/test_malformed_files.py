from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_nomos.attestation.verify import verify
from unit.attestation.bundle import AT, Files


def malformed() -> Iterator[tuple[str, bytes, str]]:
    yield "empty", b"", "is no JSON"
    yield "text", b"kept, honestly", "is no JSON"
    yield "list", b"[]", "is no report of pytest-nomos"
    yield "null", b"null", "is no report of pytest-nomos"
    yield "no format", b"{}", "is no report of pytest-nomos"
    yield "format is a list", b'{"format": []}', "has the format '[]'"
    yield "only the format", b'{"format": "nomos-report/1"}', "Field required"
    yield "deep lists", b'{"format": "nomos-report/1", "x": ' + b"[" * 200_000, "is nested too deeply"
    yield "deep maps", b'{"format": ' + b'{"a":' * 200_000, "is nested too deeply"
    yield "key twice", b'{"format": "nomos-report/1", "complete": true, "complete": false}', "'complete' stands twice"
    yield "NaN", b'{"format": "nomos-report/1", "x": NaN}', "NaN is no JSON"
    yield "infinity", b'{"format": "nomos-report/1", "x": -Infinity}', "-Infinity is no JSON"
    yield "not UTF-8", b'{"format": "\xff"}', "is not UTF-8 (byte 12)"
    yield "UTF-16", '{"format": "nomos-report/1"}'.encode("utf-16"), "is not UTF-8"
    yield "BOM", b'\xef\xbb\xbf{"format": "nomos-report/1"}', "byte order mark"
    yield "huge number", b'{"format": "nomos-report/1", "x": ' + b"9" * 10_000 + b"}", "report.json: "
    yield "NUL", b"\0" * 100, "is no JSON"


@pytest.mark.parametrize(("content", "sentence"), [pytest.param(c, s, id=i) for i, c, s in malformed()])
@pytest.mark.parametrize("which", ["report", "attestation", "certificate"])
def test_what_is_malformed_gives_one_clear_sentence(files: Files, which: str, content: bytes, sentence: str) -> None:
    path: Path = getattr(files, which)
    path.write_bytes(content)
    found = files.verify()
    assert not found.consistent
    assert path.name in found.consistency
    assert "Traceback" not in found.text
    if which == "report":
        assert sentence in found.consistency


@pytest.mark.parametrize("cut", [1, 100, 5000, -1, -3])
def test_a_truncated_report_is_rejected(files: Files, cut: int) -> None:
    files.report.write_bytes(files.report.read_bytes()[:cut].rstrip().removesuffix(b"}"))
    assert "is no JSON" in files.verify(alone=True).consistency


def test_files_that_are_not_there_or_no_files_give_a_sentence(files: Files) -> None:
    missing = verify(files.folder / "nowhere.json", files.folder / "no-binary", at=AT)
    assert "nowhere.json: cannot be read: No such file" in missing.consistency
    os.mkfifo(files.folder / "pipe")
    assert "is no regular file" in verify(files.folder / "pipe", at=AT).consistency
    no_binary = verify(files.report, files.folder / "no-binary", at=AT)
    assert "no-binary: cannot be read: no such file or folder" in no_binary.consistency
    bad_key = verify(files.report, certificate_path=files.certificate, public_key=files.certificate, at=AT)
    assert "holds no public key in PEM" in bad_key.consistency
    private = verify(files.report, certificate_path=files.certificate, public_key=files.folder / "private.pem", at=AT)
    assert "is a private key" in private.consistency
