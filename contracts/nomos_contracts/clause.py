"""Clauses: the normative sentences of a contract, and the table in which they are written."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

ClauseId = Annotated[str, Field(pattern=r"^[A-Z]{3,6}-[A-Z]{2,9}-\d{3}$")]

INTERFACES = ("process", "config", "compute", "registry")
"""Every interface that has a clause table, in the order in which its checks run."""

CONTRACTS_OF: Mapping[str, tuple[str, ...]] = {
    "config": ("process", "config"),
    "compute": ("compute",),
    "registry": ("registry",),
}
"""Interface of a target to the interfaces whose clauses are due for it, whatever the target is."""


def contracts_of(interface: str, *, program: bool = False) -> tuple[str, ...]:
    """Return the interfaces whose clauses are due for a target of *interface*, in the order of their checks.

    Args:
        interface: the interface that the target implements.
        program: whether it is a program of its author's, which the kit starts; how it starts and ends is then due too.
    """
    contracts = CONTRACTS_OF[interface]
    return ("process", *contracts) if program and "process" not in contracts else contracts


class Level(StrEnum):
    """How binding a clause is (RFC 2119)."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Tier(StrEnum):
    """Sets of clauses, each holding the one before it."""

    TESTING = "testing"
    ADDITIONAL = "additional"
    REFERENCE = "reference"

    @property
    def rank(self) -> int:
        """Position among the tiers, 0 for the smallest."""
        return list(Tier).index(self)

    def holds(self, other: Tier) -> bool:
        """Whether a run of this tier runs the clauses of *other*."""
        return self.rank >= other.rank


class Profile(StrEnum):
    """Who must be able to use the provider: a caller of the written protocol, or today's `nomos` command line."""

    STANDARD = "standard"
    CLI = "cli"


class Process(StrEnum):
    """Which process the checks of a clause get.

    Attributes:
        SHARED: one for all such checks, initialised with the good configuration.
        UNINITIALISED: one for all such checks on which no Init has succeeded; failed ones may have been tried.
        OWN: one for the check alone, which nobody has called before.
        NONE: none.
    """

    SHARED = "shared"
    UNINITIALISED = "uninitialised"
    OWN = "own"
    NONE = "none"


class Clause(BaseModel):
    """One normative sentence.

    Attributes:
        id: never reused; a changed sentence gets a new one.
        level: MUST fails, SHOULD warns, MAY is recorded only.
        sentence: what the provider does, in one sentence.
        mend: how an author mends a failure, in one or two sentences.
        sources: where the rule stands.
        rows: rows of the table of provider obligations that this clause covers, for instance ``D3``.
        profiles: the profiles in which the clause is due.
        tier: the smallest tier that runs it.
        process: which process its checks get.
        samples: names of the samples without which it cannot be judged.
        capabilities: names of the capabilities without which it does not apply.
        transports: the transports over which it can be tried.
        exclusive: its checks never run side by side with others.
        since: release that added it.
        testable: whether it can be tried from outside.
        reason: why not, when it cannot.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: ClauseId
    level: Level
    sentence: str = Field(min_length=10, max_length=300)
    mend: str = ""
    sources: tuple[str, ...] = Field(min_length=1)
    rows: tuple[str, ...] = ()
    profiles: tuple[Profile, ...] = (Profile.STANDARD, Profile.CLI)
    tier: Tier = Tier.TESTING
    process: Process = Process.SHARED
    samples: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    transports: tuple[Literal["wire", "inproc"], ...] = ("wire",)
    exclusive: bool = False
    since: str = "0.1.0"
    testable: bool = True
    reason: str = ""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.testable and not self.mend:
            raise ValueError(f"{self.id}: a clause that can fail says how to mend the failure")
        if not self.testable and not self.reason:
            raise ValueError(f"{self.id}: a clause that cannot be tested says why")
        if self.level is not Level.MUST and self.tier is Tier.TESTING and self.testable:
            raise ValueError(f"{self.id}: tier testing holds MUST clauses only")
        return self

    @property
    def interface_prefix(self) -> str:
        """The part of the id that names the interface, for instance ``CFG``."""
        return self.id.split("-", 1)[0]


class ClauseTableError(ValueError):
    """A clause table that cannot be used; the message names the file and the clause."""


def parse_clauses(text: str, name: str) -> dict[str, Clause]:
    """Read a clause table.

    Args:
        text: TOML with one ``[[clause]]`` table for each clause.
        name: what to call the table in errors.

    Returns:
        The clauses by id, in the order of the table.

    Raises:
        ClauseTableError: no TOML, an unknown or missing field, or an id that stands twice.
    """
    try:
        tables = tomllib.loads(text).get("clause", [])
    except tomllib.TOMLDecodeError as error:
        raise ClauseTableError(f"{name}: {error}") from error
    clauses: dict[str, Clause] = {}
    for table in tables:
        try:
            clause = Clause.model_validate(table)
        except ValidationError as error:
            raise ClauseTableError(f"{name}: {table.get('id', 'a clause without id')}: {error}") from error
        if clause.id in clauses:
            raise ClauseTableError(f"{name}: {clause.id} stands twice")
        clauses[clause.id] = clause
    return clauses


@cache
def _table(interface: str) -> dict[str, Clause]:
    source = resources.files("nomos_contracts").joinpath(interface, "clauses.toml")
    return parse_clauses(source.read_text(encoding="utf-8"), f"{interface}/clauses.toml")


def clauses_of(interfaces: Iterable[str] = INTERFACES) -> dict[str, Clause]:
    """Return the clauses of *interfaces* by id, tables in the order given.

    Raises:
        ClauseTableError: a table is broken, or two tables share an id.
    """
    found: dict[str, Clause] = {}
    for interface in interfaces:
        for clause_id, clause in _table(interface).items():
            if clause_id in found:
                raise ClauseTableError(f"{interface}/clauses.toml: {clause_id} stands in two tables")
            found[clause_id] = clause
    return found


Check = TypeVar("Check", bound=Callable[..., Any])


def clause(clause_id: str) -> Callable[[Check], Check]:
    """Name the clause that a check tries. Each check names exactly one; a clause may have several checks."""

    def mark(check: Check) -> Check:
        check.__nomos_clause__ = clause_id  # type: ignore[attr-defined] # a function takes any attribute
        check.__test__ = True  # type: ignore[attr-defined] # collected whatever `python_functions` says
        return check

    return mark
