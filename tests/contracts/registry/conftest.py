"""Runs the checks of the registry contract on registries in this process, without a pytest inside."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import nomos_contracts.registry
from nomos_contracts.clause import clauses_of
from nomos_contracts.contract import Contract
from nomos_contracts.provider import TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation


def contracts() -> Iterator[type[Contract]]:
    """Yield every class of checks of the contract."""
    for module in pkgutil.iter_modules(nomos_contracts.registry.__path__):
        loaded = importlib.import_module(f"nomos_contracts.registry.{module.name}")
        for value in vars(loaded).values():
            if isinstance(value, type) and issubclass(value, Contract) and value.__module__ == loaded.__name__:
                yield value


@dataclass(frozen=True)
class Face:
    """A registry as checks get it."""

    subject: Any

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset(getattr(self.subject, "capabilities", ()))


@dataclass
class Judge:
    """The fixtures of one target; each check gets a registry of its own."""

    make: Callable[[], Any]
    seed: int = 7
    limits: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    observed: dict[str, object] = field(default_factory=dict)

    def run(self, contract: type[Contract], name: str, clause_id: str) -> tuple[str, str]:
        """Return (outcome, words) of one check."""
        face = Face(self.make())
        lacking = set(clauses_of(("registry",))[clause_id].capabilities) - face.capabilities
        if lacking:
            return "not applicable", f"without {', '.join(lacking)}"
        given = {
            "nomos_fresh": face,
            "nomos_random": random.Random(self.seed),
            "nomos_observe": self.observed.__setitem__,
            "nomos_target": TargetFacts("target", (), None, "standard", self.limits),
        }
        check = getattr(contract(), name)
        try:
            check(**{wanted: given[wanted] for wanted in inspect.signature(check).parameters})
        except Violation as violation:
            return "failed", str(violation)[:600]
        except Blocked as blocked:
            return "blocked", f"{blocked.by}: {blocked.reason}"
        except NotApplicable as reason:
            return "not applicable", str(reason)
        return "passed", ""

    def judge(self, *wanted: str) -> dict[str, str]:
        """Return the worst outcome of each clause of *wanted* (all of them without any)."""
        found: dict[str, set[str]] = {}
        for contract in contracts():
            for name, clause_id in contract.checks():
                if not wanted or clause_id in wanted:
                    outcome, words = self.run(contract, name, clause_id)
                    found.setdefault(clause_id, set()).add(outcome)
                    self.words[f"{clause_id} {name}"] = f"{outcome} {words}"
        order = ("failed", "blocked", "passed", "not applicable")
        return {clause: next(outcome for outcome in order if outcome in seen) for clause, seen in found.items()}

    def explained(self, outcome: str = "failed") -> str:
        """Return what was said about clauses of *outcome*."""
        return "\n".join(f"{name}: {words}" for name, words in self.words.items() if words.startswith(outcome))


@pytest.fixture
def judge() -> Callable[[Callable[[], Any]], Judge]:
    """Make a judge of the registries that a function makes."""
    return Judge
