"""Which leftovers a sweep takes: what runs that have ended left behind, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from nomos_proto.errors import ProviderError
from nomos_reference.compute.orbstack_leftovers import Leftover
from pytest_nomos.sweep.owner import Owner
from pytest_nomos.sweep.sweeping import Sweep, SweepError, sweep

ALIVE = Owner.of_process()
ENDED = replace(ALIVE, started=ALIVE.started - 1)
ELSEWHERE = replace(ALIVE, machine="00000000")
HOUR = 3600.0
NOW = 1_000_000.0


class Shelf:
    """A place in memory."""

    def __init__(self, *found: Leftover, stuck: str = "") -> None:
        self.found = list(found)
        self.stuck = stuck

    def find(self) -> Sequence[Leftover]:
        return tuple(self.found)

    def remove(self, leftover: Leftover, /) -> None:
        if leftover.id == self.stuck:
            raise ProviderError("it is in use", "INVALID_STATE")
        self.found.remove(leftover)


def thing(identity: str, run: object, *, worker: str = "", age: float = 0.0) -> Leftover:
    return Leftover("instance", identity, f"nomos-{identity}", str(run), worker, round((NOW - age) * 1000))


def swept(shelf: Shelf, order: Sweep) -> dict[str, str]:
    return {
        one.leftover.id: one.words(dry_run=order.dry_run).partition(" instance ")[0]
        for one in sweep(shelf, order, now=lambda: NOW)
    }


def test_what_a_run_that_has_ended_left_behind_goes() -> None:
    shelf = Shelf(thing("dead", ENDED))
    assert swept(shelf, Sweep()) == {"dead": "removed"}
    assert shelf.found == []


@pytest.mark.parametrize("run", ["", "ci-7", str(ALIVE)], ids=["of nobody", "of somebody", "alive"])
def test_what_no_run_of_ours_made_and_what_a_live_run_holds_stays(run: str) -> None:
    shelf = Shelf(thing("kept", run))
    assert swept(shelf, Sweep(elsewhere_after=0)) == {"kept": "left"}
    assert len(shelf.found) == 1


def test_a_dry_run_says_what_would_go_and_removes_nothing() -> None:
    shelf = Shelf(thing("dead", ENDED), thing("kept", ALIVE))
    assert swept(shelf, Sweep(dry_run=True)) == {"dead": "would remove", "kept": "left"}
    assert len(shelf.found) == 2


def test_what_belongs_to_another_machine_goes_only_on_demand_and_only_when_old() -> None:
    shelf = Shelf(thing("old", ELSEWHERE, age=30 * HOUR), thing("new", ELSEWHERE, age=HOUR))
    assert swept(shelf, Sweep()) == {"old": "left", "new": "left"}
    assert swept(shelf, Sweep(elsewhere_after=24)) == {"old": "removed", "new": "left"}


def test_the_end_of_a_run_takes_its_own_only_though_it_is_alive() -> None:
    other = replace(ALIVE, pid=ALIVE.pid + 1)
    shelf = Shelf(thing("mine", ALIVE, worker="gw0"), thing("others", other), thing("dead", ENDED))
    assert swept(shelf, Sweep(run=str(ALIVE), worker="gw1"))["mine"] == "left"
    assert swept(shelf, Sweep(run=str(ALIVE), worker="gw0")) == {"mine": "removed", "others": "left", "dead": "left"}


def test_what_cannot_be_removed_is_told_and_the_rest_goes() -> None:
    shelf = Shelf(thing("a", ENDED), thing("stuck", ENDED), thing("b", ENDED), stuck="stuck")
    assert swept(shelf, Sweep()) == {"a": "removed", "stuck": "could not remove", "b": "removed"}
    assert [one.id for one in shelf.found] == ["stuck"]


def test_a_place_that_does_not_answer_is_one_clear_error() -> None:
    class Away(Shelf):
        def find(self) -> Sequence[Leftover]:
            raise ProviderError("no engine answers", "NETWORK_ERROR")

    with pytest.raises(SweepError, match="no engine answers"):
        list(sweep(Away(), Sweep()))


def test_a_line_names_the_thing_its_run_and_the_reason() -> None:
    finding = next(iter(sweep(Shelf(thing("dead", ENDED, worker="gw3")), Sweep())))
    assert finding.words() == f"removed instance nomos-dead of run {ENDED}, worker gw3: its run has ended"
