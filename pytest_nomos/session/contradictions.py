"""Contradictions: a clause that was kept when its own check tried it, and broken when another check needed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from nomos_contracts.clause import Clause, Level
from nomos_contracts.verdict import Outcome
from pytest_nomos.report.build import outcome_of, unique
from pytest_nomos.report.model import CheckRecord

SHOWN = 6
"""Checks that are named as blocked."""


def contradictions(
    records: Iterable[CheckRecord], clauses: Mapping[str, Clause], waived: Callable[[str, str], bool]
) -> Iterator[CheckRecord]:
    """Yield a record for each clause that blocked checks and itself passed: it was seen to break, so it failed.

    The record is that of a check of the clause with another outcome, and takes its place. A clause whose own check did
    not run, or is blocked or failed itself, is left as it is.

    Args:
        records: all records of the run.
        clauses: the clauses by id.
        waived: whether a clause (id) of a target (name) is waived.
    """
    kept: dict[tuple[str, str], list[CheckRecord]] = {}
    blocked: dict[tuple[str, str], list[CheckRecord]] = {}
    for record in unique(records):
        kept.setdefault((record.target, record.clause), []).append(record)
        kind, _, clause_id = record.blocked_by.partition(":")
        if kind == "clause":
            blocked.setdefault((record.target, clause_id), []).append(record)
    for (target, clause_id), victims in blocked.items():
        own = kept.get((target, clause_id), [])
        clause = clauses.get(clause_id)
        if clause is None or outcome_of(own) is not Outcome.PASSED:
            continue
        broken = Outcome.FAILED if clause.level is Level.MUST else Outcome.WARNED
        passed = next(record for record in own if record.outcome is Outcome.PASSED)
        yield passed.model_copy(
            update={
                "outcome": Outcome.WAIVED if waived(clause_id, target) else broken,
                "expected": clause.sentence,
                "got": f"it held when it was tried, and not for {_others(len(victims))}: {victims[0].reason}",
                "mend": clause.mend,
                "evidence": {"blocked": [victim.node for victim in victims[:SHOWN]]},
            }
        )


def _others(count: int) -> str:
    return "another check" if count == 1 else f"{count} other checks"
