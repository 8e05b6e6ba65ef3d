"""The rules that a report is built and judged by: an edition and the clause tables that go with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nomos_contracts.clause import CONTRACTS_OF, Clause, Profile, Tier, clauses_of, contracts_of
from nomos_contracts.verdict import DueClause, Edition, edition
from pytest_nomos.report.jsontext import digest


class UnknownInterfaceError(ValueError):
    """There is no contract for an interface of that name; the message lists those there are."""


@dataclass(frozen=True)
class Rules:
    """What a target of one interface is judged by.

    Attributes:
        edition: the frozen list of clauses.
        interface: the interface of the target.
        clauses: the clauses of its contracts by id, in the order of the tables.
        homes: clause id to the interface in whose table it stands.
        program: whether the target is a program of its author's, as in `contracts_of`.
    """

    edition: Edition
    interface: str
    clauses: Mapping[str, Clause]
    homes: Mapping[str, str]
    program: bool = False

    @property
    def edition_digest(self) -> str:
        """SHA-256 of the edition's canonical JSON."""
        return digest(self.edition.model_dump(mode="json"))

    def due(self, tier: Tier) -> dict[str, tuple[DueClause, tuple[Profile, ...]]]:
        """Return the clauses due at *tier* in any profile, by id, each with the profiles in which it is due."""
        found: dict[str, tuple[DueClause, tuple[Profile, ...]]] = {}
        for profile in Profile:
            for clause in self.edition.due(self.interface, profile, tier, program=self.program):
                _, profiles = found.get(clause.id, (clause, ()))
                found[clause.id] = (clause, (*profiles, profile))
        return found


RulesOf = Callable[[str, str, bool], Rules]
"""Finds the rules for the name of an edition, an interface, and whether the target is a program of its author's."""


def shipped_rules(edition_name: str, interface: str, program: bool = False) -> Rules:
    """Return the rules of this release.

    Raises:
        UnknownEditionError: it ships no edition of that name.
        UnknownInterfaceError: it has no contract for *interface*.
    """
    if interface not in CONTRACTS_OF:
        raise UnknownInterfaceError(f"there is no contract for interface {interface!r}, only {', '.join(CONTRACTS_OF)}")
    clauses: dict[str, Clause] = {}
    homes: dict[str, str] = {}
    for home in contracts_of(interface, program=program):
        table = clauses_of((home,))
        clauses |= table
        homes |= dict.fromkeys(table, home)
    return Rules(edition(edition_name), interface, clauses, homes, program)
