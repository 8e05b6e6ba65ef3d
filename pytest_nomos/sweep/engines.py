"""Sweeping an engine: where it is, and what is said meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from nomos_proto.errors import ProviderError
from nomos_reference.compute.orbstack import backend_of
from nomos_reference.compute.orbstack_leftovers import OrbstackLeftovers
from nomos_reference.compute.orbstack_settings import read_settings
from pytest_nomos.sweep.sweeping import Sweep, SweepError, sweep


@dataclass(frozen=True)
class EngineSweep:
    """What ``pytest-nomos sweep`` is to do.

    Attributes:
        engine: URL of the engine, None to look for one.
        machines: sweep machines of the `orb` command instead of containers.
        orb: that command.
        records: folder with the records of machines, None for the usual one.
        dry_run: look only.
        elsewhere_after: see `Sweep`.
    """

    engine: str | None = None
    machines: bool = False
    orb: str = "orb"
    records: str | None = None
    dry_run: bool = False
    elsewhere_after: float | None = None

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of a provider that sees the same engine."""
        given = {"engine": self.engine, "records": self.records}
        kind = "machines" if self.machines else "containers"
        return {"kind": kind, "orb": self.orb, **{key: value for key, value in given.items() if value}}


def leftovers_at(config: Mapping[str, Any]) -> OrbstackLeftovers:
    """Return the leftovers on the engine that a provider of *config* uses.

    Raises:
        SweepError: *config* cannot be used.
    """
    try:
        return OrbstackLeftovers(backend_of(read_settings(config)))
    except ProviderError as error:
        raise SweepError(error.message) from error


def sweep_engine(order: EngineSweep, *, say: Callable[[str], object]) -> int:
    """Sweep an engine and say what is removed; return 0, or 1 if something that had to go is still there.

    Raises:
        SweepError: the engine does not answer.
    """
    with closing(leftovers_at(order.config)) as place:
        try:
            facts = place.backend.facts()
        except ProviderError as error:
            raise SweepError(error.message) from error
        say(str(facts["engine"]))
        removed = failed = left = 0
        for finding in sweep(place, Sweep(dry_run=order.dry_run, elsewhere_after=order.elsewhere_after)):
            say(finding.words(dry_run=order.dry_run))
            removed += finding.removed
            failed += finding.failed
            left += not finding.removed and not finding.failed
        say(f"{removed} {'to remove' if order.dry_run else 'removed'}, {left} left, {failed} failed")
        return 1 if failed else 0


def sweep_run(config: Mapping[str, Any], run: str, worker: str | None = None) -> int:
    """Remove what a run, or one worker of it, still has on the engine of *config*; return how much that was.

    Raises:
        SweepError: the engine does not answer, or something is still there.
    """
    with closing(leftovers_at(config)) as place:
        findings = [one for one in sweep(place, Sweep(run=run, worker=worker)) if one.removed or one.failed]
    still = [one.words() for one in findings if one.failed]
    if still:
        raise SweepError("; ".join(still))
    return len(findings)
