"""Mutants whose program is wrong, not their object: what it reads, and from when on it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nomos_contracts.compute.interface import SpawnOptions
from nomos_contracts.embodiment import Embodiment
from nomos_contracts.exposure import ServedInterface
from nomos_contracts.functions import Method
from nomos_contracts.hints import fields_of
from nomos_mutants.compute.original import Original
from nomos_mutants.functions import function_mutant
from nomos_proto.kinds import is_map
from nomos_proto.provider import CallContext


class _Reading(ServedInterface):
    """Changes the options of spawn before they are read."""

    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is read."""
        return given

    def _runner(self, method: Method) -> Callable[[Mapping[str, Any], CallContext], Any]:
        run = super()._runner(method)

        def changed(args: Mapping[str, Any], context: CallContext) -> Any:
            given = args.get("options")
            return run({**args, "options": self.options(given)} if is_map(given) else args, context)

        return changed if method.name == "spawn" else run


class _Dropping(_Reading):
    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep what is known."""
        return {name: value for name, value in given.items() if name in fields_of(SpawnOptions)}


class _Filling(_Reading):
    def options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the zero of its language for what is missing."""
        return {"instance_id": 0, **given}


class _Early(ServedInterface):
    def _running(self) -> Embodiment:
        if self._embodiment is None:
            self.init("early", {}, "", context=CallContext(5.0))
        return super()._running()


@function_mutant("compute", "CMP-SHAPE-003", defect="fields that are not known are dropped", served=_Dropping)
class DropsFields(Original):
    """Reads what it knows."""


@function_mutant(
    "compute", "CMP-SHAPE-003", "missing", defect="a needed field that is missing has its zero value", served=_Filling
)
class FillsFields(Original):
    """Reads into a record of zeros."""


@function_mutant("compute", "CMP-SHAPE-004", defect="a call before Init finds a provider with defaults", served=_Early)
class WorksEarly(Original):
    """Makes itself where Init has not."""
