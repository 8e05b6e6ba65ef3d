"""Merging the reports of shards, which ran on several machines, into one."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_nomos.report.build import build_report
from pytest_nomos.report.model import CheckRecord, Report, RunHeader, TargetHeader, TargetReport
from pytest_nomos.report.rules import RulesOf, shipped_rules

SAME_RUN = ("kit", "kit_digest")
SAME_TARGET = (
    "interface",
    "profile",
    "tier",
    "edition",
    "edition_digest",
    "transport",
    "twin",
    "program",
    "capabilities",
    "limits",
    "waivers",
    "settings_digest",
    "isolation",
)


class MergeError(ValueError):
    """Reports that are not of one run; the message says what differs."""


def merge(reports: Sequence[Report], *, rules_of: RulesOf = shipped_rules) -> Report:
    """Return the report of which *reports* are the shards.

    They agree in kit, subject, edition and settings; a clause that stands in two takes the worse outcome; the whole is
    complete when every part is and no shard is missing.

    Raises:
        MergeError: they are not parts of one whole.
    """
    if not reports:
        raise MergeError("there is nothing to merge")
    first, *others = reports
    for other in others:
        _agree(first, other, SAME_RUN, "the run")
        if [t.name for t in other.targets] != [t.name for t in first.targets]:
            raise MergeError(f"the targets differ: {_names(first)} and {_names(other)}")
    shards = _shards(reports)
    targets = [_target([report.targets[i] for report in reports]) for i in range(len(first.targets))]
    records: list[CheckRecord] = [
        record for report in reports for target in report.targets for record in target.records
    ]
    ends = [report.finished for report in reports if report.finished is not None]
    header = {name: getattr(first, name) for name in RunHeader.model_fields}
    header |= {"started": min(report.started for report in reports), "shard": shards}
    return build_report(
        RunHeader(**header),
        targets,
        records,
        finished=max(ends) if len(ends) == len(reports) else None,
        complete=all(report.complete for report in reports),
        rules_of=rules_of,
    )


def _agree(left: object, right: object, names: Sequence[str], where: str) -> None:
    for name in names:
        if getattr(left, name) != getattr(right, name):
            raise MergeError(
                f"{where}: {name.replace('_', ' ')} differs: {getattr(left, name)} and {getattr(right, name)}"
            )


def _names(report: Report) -> str:
    return ", ".join(target.name for target in report.targets) or "none"


def _shards(reports: Sequence[Report]) -> str:
    """Return the shards of *reports*, empty where all are there."""
    parts = sorted({tuple(map(int, s.split("/"))) for report in reports for s in report.shard.split(",") if s})
    totals = {total for _, total in parts}
    if len(totals) > 1:
        raise MergeError(f"the shards are of different wholes: {', '.join(f'{i}/{n}' for i, n in parts)}")
    whole = any(not report.shard for report in reports)
    complete = whole or not totals or {index for index, _ in parts} == set(range(1, totals.pop() + 1))
    return "" if complete else ",".join(f"{i}/{n}" for i, n in parts)


def _target(parts: Sequence[TargetReport]) -> TargetHeader:
    first = parts[0]
    for part in parts[1:]:
        _agree(first, part, SAME_TARGET, f"target {first.name}")
        ours, theirs = first.subject, part.subject
        if (ours and ours.sha256) != (theirs and theirs.sha256):
            raise MergeError(
                f"target {first.name}: the subject differs: {ours.sha256 if ours else 'no file'} and "
                f"{theirs.sha256 if theirs else 'no file'}"
            )
        if part.seed != first.seed:
            raise MergeError(f"target {first.name}: the seed differs: {first.seed} and {part.seed}")
    fields = {name: getattr(first, name) for name in TargetHeader.model_fields}
    changed = next((part.subject for part in parts if part.subject and not part.subject.unchanged), None)
    if changed is not None:
        fields["subject"] = changed
    return TargetHeader(**fields)
