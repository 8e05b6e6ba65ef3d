"""Schedule files: a schedule that failed, as one file that can be run.

JSON, one value a line, behind a first line that makes ``pytest-nomos replay`` its interpreter: a header that says what
it is about, then a step a line. Nothing in it is secret: configurations are
named, and stand in the settings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nomos_contracts.config.storm_steps import check_step
from nomos_contracts.schedule import Schedule, Step
from nomos_proto.kinds import is_map
from pytest_nomos.report.folder import write_atomically

SHEBANG: Final = "#!/usr/bin/env -S pytest-nomos replay"
CHECKS: Final[Mapping[str, Callable[[Step], str]]] = {"CFG-CHAOS-011": check_step}
"""The clauses whose schedules can be replayed, and what tells why a step is none of theirs."""
LARGEST: Final = 16 * 1024 * 1024


class ScheduleFileError(ValueError):
    """A file that holds no schedule; the message names file and line, and what is wrong."""


class Header(BaseModel):
    """What a schedule is about.

    Attributes:
        schedule: the version of this format.
        clause: the clause that failed.
        target: the target, as the user wrote it.
        profile: the profile in which it was spoken to.
        transport: how it was reached.
        seed: the seed of the run.
        edition: the edition of the contract.
        settings: the settings file where it was named on the command line, else empty.
        needs: the tables of the settings without which it cannot be run.
        steps: how many steps follow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schedule: Literal[1] = 1
    clause: str
    target: str = Field(min_length=1)
    profile: Literal["standard", "cli"] = "standard"
    transport: Literal["wire"] = "wire"
    seed: int
    edition: str
    settings: str = ""
    needs: list[str] = []
    steps: int = Field(ge=1)


def write_schedule_file(path: Path, header: Header, schedule: Schedule) -> None:
    """Write a schedule, whole or not at all, as a file that can be run.

    Raises:
        ReportError: it cannot be written.
    """
    lines = [header.model_dump_json()]
    lines += [json.dumps({"step": step.kind, **step.args}, ensure_ascii=False) for step in schedule]
    write_atomically(path, "\n".join((SHEBANG, *lines, "")).encode(), mode=0o755)


def read_schedule_file(path: Path) -> tuple[Header, Schedule]:
    """Read what `write_schedule_file` wrote.

    Raises:
        ScheduleFileError: it cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ScheduleFileError(f"{path}: is no schedule: it has more than {LARGEST} bytes")
        text = content.decode()
    except OSError as error:
        raise ScheduleFileError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScheduleFileError(f"{path}: is no schedule: it is no text in UTF-8") from None
    numbered = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if numbered and numbered[0][1].startswith("#!"):
        del numbered[0]
    if not numbered:
        raise ScheduleFileError(f"{path}: is no schedule: it is empty")
    header = _header(path, numbered[0][0], numbered[0][1])
    check = CHECKS.get(header.clause)
    if check is None:
        known = ", ".join(CHECKS)
        raise ScheduleFileError(f"{path}: schedules of {header.clause} cannot be replayed, only those of {known}")
    steps = tuple(_step(path, number, line, check) for number, line in numbered[1:])
    if len(steps) != header.steps:
        what = "it was cut off" if len(steps) < header.steps else "something was added"
        raise ScheduleFileError(f"{path}: has {len(steps)} steps where its header says {header.steps}: {what}")
    return header, steps


def _header(path: Path, number: int, line: str) -> Header:
    table = _table(path, number, line)
    if table.get("schedule") != 1:
        raise ScheduleFileError(
            f'{path}:{number}: is no schedule: its header has to begin {{"schedule": 1, …}}, as this release writes it'
        )
    try:
        return Header.model_validate(table)
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(part) for part in found["loc"])
        raise ScheduleFileError(f"{path}:{number}: the header's {place}: {found['msg']}") from None


def _step(path: Path, number: int, line: str, check: Callable[[Step], str]) -> Step:
    table = _table(path, number, line)
    kind = table.pop("step", None)
    if not isinstance(kind, str):
        raise ScheduleFileError(f'{path}:{number}: a step is {{"step": "…", …}}')
    step = Step(kind, table)
    if why := check(step):
        raise ScheduleFileError(f"{path}:{number}: {why}")
    return step


def _table(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        raise ScheduleFileError(f"{path}:{number}: is no JSON: {line.strip()[:60]!r}") from None
    if not is_map(found):
        raise ScheduleFileError(f"{path}:{number}: is no JSON object: {line.strip()[:60]!r}")
    return dict(found)
