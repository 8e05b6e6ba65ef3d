from __future__ import annotations

from typing import Any

import pytest

from nomos_contracts.clause import Tier
from nomos_contracts.verdict import Outcome
from pytest_nomos.attestation.consistency import inconsistencies
from pytest_nomos.report.build import build_report
from pytest_nomos.report.merge import MergeError, merge
from pytest_nomos.report.model import Report
from unit.report import made

FIRST = made.due_ids()[0]


def part(number: int, of: int = 2, outcomes: dict[str, Outcome] | None = None, **changes: Any) -> Report:
    mine = [r for i, r in enumerate(made.records(outcomes)) if i % of == number - 1]
    run = made.run(shard=f"{number}/{of}", **changes.pop("run", {}))
    return build_report(run, [made.target(**changes)], mine, finished=made.FINISHED)


def test_the_shards_of_a_run_are_the_whole_run() -> None:
    merged = merge([part(2), part(1)])
    assert merged == made.kept_report()
    assert inconsistencies(merged, at=made.FINISHED) == []


def test_a_missing_shard_is_named_and_is_no_verdict() -> None:
    merged = merge([part(1, 3), part(3, 3)])
    assert merged.shard == "1/3,3/3"
    assert merged.exit_code == 10
    assert merge([merged, part(2, 3)]) == made.kept_report()


def test_a_clause_in_two_reports_takes_the_worse_outcome() -> None:
    merged = merge(
        [made.kept_report(), build_report(made.run(), [made.target()], [made.record(FIRST, Outcome.FAILED)])]
    )
    (found,) = [c for c in merged.targets[0].clauses if c.id == FIRST]
    assert found.outcome is Outcome.FAILED
    assert merged.exit_code == 1


def test_an_incomplete_part_makes_the_whole_incomplete() -> None:
    broken_off = part(1).model_copy(update={"complete": False, "finished": None})
    merged = merge([part(2), broken_off])
    assert not merged.complete
    assert merged.finished is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"subject": made.subject(b"another")}, "the subject differs"),
        ({"subject": None}, "the subject differs"),
        ({"tier": Tier.TESTING}, "tier differs"),
        ({"settings_digest": "1" * 64}, "settings digest differs"),
        ({"seed": 8}, "the seed differs"),
        ({"name": "second"}, "targets differ"),
        ({"run": {"kit": "9.9.9"}}, "kit differs"),
        ({"run": {"kit_digest": "2" * 64}}, "kit digest differs"),
        ({"waivers": (made.waiver(FIRST),)}, "waivers differs"),
    ],
)
def test_reports_of_different_runs_are_not_merged(changes: dict[str, Any], sentence: str) -> None:
    name = changes.get("name", "provider")
    run = made.run(**changes.get("run", {}))
    fields = {key: value for key, value in changes.items() if key != "run"}
    other = build_report(run, [made.target(**fields)], [made.record(FIRST, name=name)], finished=made.FINISHED)
    with pytest.raises(MergeError, match=sentence):
        merge([part(1), other])


def test_nothing_and_shards_of_different_wholes_are_refused() -> None:
    with pytest.raises(MergeError, match="nothing to merge"):
        merge([])
    with pytest.raises(MergeError, match="of different wholes: 1/2, 2/3"):
        merge([part(1, 2), part(2, 3)])


def test_a_file_that_changed_in_one_shard_changed_in_the_whole() -> None:
    changed = made.subject().model_copy(update={"sha256_after": "1" * 64})
    assert merge([part(1), part(2, subject=changed)]).exit_code == 10
