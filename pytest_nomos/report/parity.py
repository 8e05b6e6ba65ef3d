"""Parity: a provider says the same in process and over the wire, clause by clause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nomos_contracts.verdict import Outcome
from pytest_nomos.report.model import ClauseResult, Difference, TargetHeader
from pytest_nomos.report.rules import Rules

TRANSPORTS = frozenset({"inproc", "wire"})

_UNJUDGED = (Outcome.BLOCKED, Outcome.NOT_RUN)


def differences(
    targets: Sequence[TargetHeader], results: Mapping[str, Sequence[ClauseResult]], rules: Mapping[str, Rules]
) -> Iterator[Difference]:
    """Yield each clause on which the two transports of a provider disagree.

    What was not judged over one of them is no difference: it is counted as such already. A clause that can be tried
    over one transport only is compared with nothing.
    """
    names = {target.name for target in targets}
    for target in targets:
        if target.transport == "inproc" and target.twin in names:
            yield from _between(target.name, target.twin, results, rules[target.name])


def _between(one: str, other: str, results: Mapping[str, Sequence[ClauseResult]], rules: Rules) -> Iterator[Difference]:
    twins = {result.id: result for result in results[other]}
    for mine in results[one]:
        theirs = twins.get(mine.id)
        clause = rules.clauses.get(mine.id)
        if theirs is None or clause is None or not set(clause.transports) >= TRANSPORTS:
            continue
        if mine.outcome is theirs.outcome or mine.outcome in _UNJUDGED or theirs.outcome in _UNJUDGED:
            continue
        order = list(Outcome)
        worse = min((mine, theirs), key=lambda result: order.index(result.outcome))
        got = next((check.got or check.reason for check in worse.checks if check.outcome is worse.outcome), "")
        yield Difference(clause=mine.id, outcomes={one: mine.outcome, other: theirs.outcome}, got=got)
