"""The report folder: which files it holds, and how they are written and read."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pydantic import ValidationError

from pytest_nomos.report.badge import badge
from pytest_nomos.report.jsontext import JsonTextError, parse, read_bytes
from pytest_nomos.report.markdown import markdown
from pytest_nomos.report.model import FORMAT, Report

REPORT = "report.json"
PROGRESS = "progress.jsonl"
SUMMARY = "summary.md"
BADGE = "badge.svg"
PAGE = "index.html"
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
    page: Path


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write *content* to *path* whole or not at all.

    Raises:
        ReportError: it cannot be written; *path* is then as it was.
    """
    name = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _nameless(path.parent, name) as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
            if not name.exists():
                # By its number and through /proc: the only way to give a nameless file a name without privileges.
                # Only with a folder's descriptor (unused, as the path is absolute) does Python follow the link there.
                os.link(f"/proc/self/fd/{file.fileno()}", name, src_dir_fd=file.fileno())
            name.replace(path)
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            name.unlink(missing_ok=True)


def _nameless(folder: Path, name: Path) -> BinaryIO:
    """Open a new file that has no name yet, so that a killed process leaves none; it is *name* where none can be had.

    Raises:
        OSError: the folder cannot be written to.
    """
    name.unlink(missing_ok=True)
    try:
        return os.fdopen(os.open(folder, os.O_WRONLY | os.O_TMPFILE, 0o600), "wb")
    except (OSError, AttributeError):
        return name.open("xb")


def report_bytes(report: Report) -> bytes:
    """Return *report* as the bytes of report.json."""
    return (report.model_dump_json(indent=2) + "\n").encode()


def write_report(folder: Path, report: Report) -> ReportPaths:
    """Write report.json, summary.md, badge.svg and index.html into *folder*, each of them whole or not at all.

    A kill matrix that lies there is shown on the page.

    Raises:
        ReportError: one of them cannot be written.
    """
    # Here, for only a run with a folder needs templates, and every run imports this module.
    from pytest_nomos.report.page.matrix import load_matrix
    from pytest_nomos.report.page.render import page

    paths = ReportPaths(folder / REPORT, folder / SUMMARY, folder / BADGE, folder / PAGE)
    write_atomically(paths.summary, markdown(report).encode())
    write_atomically(paths.badge, badge(report).encode())
    write_atomically(paths.page, page(report, load_matrix(folder)).encode())
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
        for name in (REPORT, PROGRESS, SUMMARY, BADGE, PAGE):
            for old in (folder / name, *folder.glob(f".{name}.*")):
                old.unlink(missing_ok=True)
        for name in (ATTESTATION, CERTIFICATE):
            for old in (folder / f"{name}.json", *folder.glob(f"{name}.*.json")):
                old.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
