"""The stream: results go to disk as they come, so that a killed run leaves what it saw, marked incomplete."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from pytest_nomos.report.build import build_report
from pytest_nomos.report.folder import (
    PROGRESS,
    REPORT,
    ReportError,
    clear_folder,
    load_report,
    report_bytes,
    write_atomically,
    write_report,
)
from pytest_nomos.report.jsontext import JsonTextError, parse, read_bytes
from pytest_nomos.report.model import CheckRecord, Report, RunHeader, TargetHeader, now
from pytest_nomos.report.rules import RulesOf, shipped_rules


class ReportStream:
    """Writes a report while the run goes on.

    Made by the process that hears of every result (under pytest-xdist the controller), never by a worker. It is a
    context manager: left without `finish` it keeps what is there, and the report stays marked incomplete.

    Args:
        folder: the report folder; what an earlier run left there is removed. None keeps the records in memory only.
        run: what makes the report.
        targets: what is known of the targets at the start.
        rules_of: finds the rules of a target.

    Raises:
        ReportError: the folder cannot be written to.
    """

    def __init__(
        self,
        folder: Path | None,
        run: RunHeader,
        targets: Sequence[TargetHeader],
        *,
        rules_of: RulesOf = shipped_rules,
    ) -> None:
        self._folder = folder
        self._run = run
        self._targets = tuple(targets)
        self._rules_of = rules_of
        self._records: list[CheckRecord] = []
        self._file: Any = None
        if folder is None:
            return
        clear_folder(folder)
        empty = build_report(run, self._targets, (), complete=False, rules_of=rules_of)
        write_atomically(folder / REPORT, report_bytes(empty))
        try:
            self._file = (folder / PROGRESS).open("w", encoding="utf-8")
        except OSError as error:
            raise ReportError(f"{folder / PROGRESS}: cannot be written: {error.strerror}") from error
        self._write({"run": run.model_dump(mode="json"), "targets": [t.model_dump(mode="json") for t in self._targets]})

    @property
    def records(self) -> tuple[CheckRecord, ...]:
        """The records so far, in the order in which they came."""
        return tuple(self._records)

    def append(self, record: CheckRecord) -> None:
        """Keep *record*, on disk before this returns.

        Raises:
            ReportError: it cannot be written.
        """
        self._records.append(record)
        self._write(record.model_dump(mode="json"))

    def finish(
        self,
        targets: Sequence[TargetHeader] | None = None,
        *,
        finished: datetime | None = None,
        complete: bool = True,
    ) -> Report:
        """Build the report, write it into the folder and close the stream.

        Args:
            targets: the targets as they are known at the end; None takes those of the start.
            finished: the end of the run; None takes the present moment.
            complete: False where the run was broken off (an interrupt, ``-x``).

        Raises:
            ReportError: it cannot be written.
        """
        report = build_report(
            self._run,
            self._targets if targets is None else tuple(targets),
            self._records,
            finished=finished or now(),
            complete=complete,
            rules_of=self._rules_of,
        )
        self.close()
        if self._folder is not None:
            write_report(self._folder, report)
        return report

    def close(self) -> None:
        """Close the stream; a report that was not finished stays incomplete."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            return
        try:
            # flushed, not synced: a killed process loses nothing, only a machine that loses its power would
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise ReportError(f"{self._file.name}: cannot be written: {error.strerror}") from error


def read_report(path: Path) -> Report:
    """Read a report; one that a killed run left unfinished is completed by the results that it had streamed.

    Args:
        path: report.json or its folder.

    Raises:
        ReportError: it cannot be read or is no report.
    """
    folder = path if path.is_dir() else path.parent
    if not (folder / PROGRESS).is_file() or (path != folder and path.name != REPORT):
        return load_report(path)
    if not (folder / REPORT).exists():
        return recover(folder)
    found = load_report(path)
    return found if found.finished is not None else recover(folder)


def recover(folder: Path, *, rules_of: RulesOf = shipped_rules) -> Report:
    """Return the incomplete report of a run that was killed, from what it had streamed; a torn last line is left out.

    Raises:
        ReportError: there is no stream, or it is broken before its last line.
    """
    path = folder / PROGRESS
    try:
        lines = read_bytes(path).split(b"\n")
    except JsonTextError as error:
        raise ReportError(str(error)) from error
    complete, torn = lines[:-1], lines[-1]
    if not complete:
        raise ReportError(f"{path}: was broken off in its first line{f' ({len(torn)} bytes)' if torn else ''}")
    try:
        header = parse(complete[0], f"{path}: line 1")
        run = RunHeader.model_validate(header["run"])
        targets = [TargetHeader.model_validate(target) for target in header["targets"]]
        records = [
            CheckRecord.model_validate(parse(line, f"{path}: line {number}"))
            for number, line in enumerate(complete[1:], start=2)
        ]
        return build_report(run, targets, records, complete=False, rules_of=rules_of)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ReportError(f"{path}: {where}: {problem['msg']}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"{path}: {error}") from error
