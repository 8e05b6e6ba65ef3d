"""The report folder: which files it holds, and how they are written and read."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from pytest_nomos.report.badge import badge
from pytest_nomos.report.jsontext import JsonTextError, parse, read_bytes
from pytest_nomos.report.markdown import markdown
from pytest_nomos.report.model import FORMAT, Report

REPORT = "report.json"
PROGRESS = "progress.jsonl"
SUMMARY = "summary.md"
BADGE = "badge.svg"
ATTESTATION = "attestation"
CERTIFICATE = "certificate"


class ReportError(Exception):
    """A report that cannot be written or read; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class ReportPaths:
    """Where the parts of a report lie."""

    report: Path
    summary: Path
    badge: Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write *content* to *path* whole or not at all.

    Raises:
        ReportError: it cannot be written; *path* is then as it was.
    """
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
        name = ""
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        if name:
            with suppress(OSError):
                Path(name).unlink()


def report_bytes(report: Report) -> bytes:
    """Return *report* as the bytes of report.json."""
    return (report.model_dump_json(indent=2) + "\n").encode()


def write_report(folder: Path, report: Report) -> ReportPaths:
    """Write report.json, summary.md and badge.svg into *folder*, each of them whole or not at all.

    Raises:
        ReportError: one of them cannot be written.
    """
    paths = ReportPaths(folder / REPORT, folder / SUMMARY, folder / BADGE)
    write_atomically(paths.summary, markdown(report).encode())
    write_atomically(paths.badge, badge(report).encode())
    write_atomically(paths.report, report_bytes(report))
    return paths


def parse_report(content: bytes, name: str) -> Report:
    """Return the report that *content* holds.

    Raises:
        ReportError: no strict JSON, another format, or not what the schema allows; *name* is what to call it.
    """
    try:
        table = parse(content, name)
    except JsonTextError as error:
        raise ReportError(str(error)) from error
    form: object = cast("dict[str, object]", table).get("format") if isinstance(table, dict) else None
    if form is None:
        raise ReportError(f"{name}: is no report of pytest-nomos (no field `format`)")
    if form != FORMAT:
        raise ReportError(f"{name}: has the format {str(form)[:80]!r}; this release reads {FORMAT!r}")
    try:
        return Report.model_validate_json(content, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the report"
        raise ReportError(f"{name}: {where}: {problem['msg'].removeprefix('Value error, ')}") from error
    except RecursionError as error:
        raise ReportError(f"{name}: is nested too deeply") from error


def load_report(path: Path) -> Report:
    """Read a report; *path* is report.json or its folder.

    Raises:
        ReportError: it cannot be read or is no report.
    """
    file = path / REPORT if path.is_dir() else path
    try:
        content = read_bytes(file)
    except JsonTextError as error:
        raise ReportError(str(error)) from error
    return parse_report(content, str(file))


def clear_folder(folder: Path) -> None:
    """Make *folder* and remove what an earlier run left in it: a new report never lies beside an old attestation.

    Raises:
        ReportError: it is no folder or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (REPORT, PROGRESS, SUMMARY, BADGE):
            (folder / name).unlink(missing_ok=True)
        for name in (ATTESTATION, CERTIFICATE):
            for old in (folder / f"{name}.json", *folder.glob(f"{name}.*.json")):
                old.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
