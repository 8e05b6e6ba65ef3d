"""Mutants of registrations and of long stories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.interface import (
    ProviderInstance,
    ProviderRegistration,
    WorkflowConstraints,
)
from nomos_contracts.contract import Contract
from nomos_contracts.violation import Violation
from nomos_mutants.compute.original import Original, mutant
from nomos_reference.compute.workflows import SpawnInstance


class BrokenContract(Contract):
    """A contract that nothing keeps."""

    @clause("CMP-REG-001")
    def test_nothing_keeps_it(self) -> None:
        """Break it."""
        raise Violation("something else", "this")


@mutant("CMP-REG-001", defect="the provider breaks a contract of its own")
class BreaksOwn(Original):
    """Says more than it keeps."""

    def registration(self) -> ProviderRegistration[Any]:
        """Add the contract."""
        return replace(super().registration(), contracts=(BrokenContract,))


@mutant("CMP-REG-001", "none", defect="a contract of the registration is none")
class NoContract(Original):
    """Registers a class without checks."""

    def registration(self) -> ProviderRegistration[Any]:
        """Add it."""
        return replace(super().registration(), contracts=(Contract,))


class _Endless(SpawnInstance):
    constraints = WorkflowConstraints(max_duration_ms=0)


class _Taking(SpawnInstance):
    def validate_input(self, arguments: Mapping[str, Any], /) -> None:
        """Take everything."""


class _RawValidation(SpawnInstance):
    def validate_input(self, arguments: Mapping[str, Any], /) -> None:
        """Raise what comes."""
        if "options" not in arguments:
            raise KeyError("options")
        super().validate_input(arguments)


class _Present(SpawnInstance):
    def validate_input(self, arguments: Mapping[str, Any], /) -> None:
        """See that everything is there that it wants."""
        if "snapshot_id" not in arguments:
            super().validate_input(arguments)


class _RawCompensation(SpawnInstance):
    async def compensate(self, arguments: Mapping[str, Any], output: Mapping[str, Any] | None, /) -> None:
        """Take the output for there."""
        await self._provider.terminate(output["id"])  # type: ignore[index] # the defect


def flowing(kind: type[SpawnInstance], clause_id: str, variant: str = "", *, defect: str) -> type[Original]:
    """Return the mutant that has this workflow."""

    def registration(self: Original) -> ProviderRegistration[Any]:
        made = Original.registration(self)
        return replace(made, workflows={**(made.workflows or {}), "spawn-instance": kind(self)})

    body = {"registration": registration, "__module__": __name__, "__doc__": defect}
    found: type[Original] = mutant(clause_id, variant, defect=defect)(type(kind.__name__.strip("_"), (Original,), body))
    return found


Endless = flowing(_Endless, "CMP-REG-002", defect="a workflow may take no time")
Taking = flowing(_Taking, "CMP-REG-003", defect="a workflow takes any input")
RawValidation = flowing(
    _RawValidation, "CMP-REG-003", "raw", defect="a workflow refuses input with an exception of the language"
)
Present = flowing(_Present, "CMP-REG-003", "kind", defect="a workflow takes a value of any kind where one is there")
RawCompensation = flowing(_RawCompensation, "CMP-REG-004", defect="a workflow cannot be taken back without an output")


@mutant("CMP-REG-002", "type", defect="a workflow stands under a type that it does not have")
class MisfiledWorkflow(Original):
    """Registers by the name of the class."""

    def registration(self) -> ProviderRegistration[Any]:
        """Misfile it."""
        return replace(super().registration(), workflows={"SpawnInstance": SpawnInstance(self)} | self._warm())

    def _warm(self) -> dict[str, Any]:
        found = super().registration().workflows or {}
        return {name: one for name, one in found.items() if "warm" in name}


@mutant(
    "CMP-SCHED-001",
    defect="once two instances of a control plane are gone, its youngest of two is not found",
    also=("CMP-TERM-006",),
)
class Forgets(Original):
    """Has an index that it prunes too much."""

    async def get(self, provider_id: str, region: str | None = None) -> ProviderInstance | None:
        """Forget the youngest."""
        found = await super().get(provider_id, region)
        owners = {made: key[0] for key, (_, made) in self._spawned.items()}
        siblings = [one for one, owner in owners.items() if owner == owners.get(provider_id)]
        live = [one for one in siblings if (machine := self.cloud.peek(one)) and machine.terminated is None]
        return None if len(live) >= 2 and len(siblings) - len(live) >= 2 and live[-1] == provider_id else found
