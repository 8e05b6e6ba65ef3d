"""Random storms: operations and faults, drawn together, and agreement with a process that nothing happens to."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from nomos_contracts.chaos import Chaos
from nomos_contracts.clause import clause
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.config.storm import PATIENT, Storm
from nomos_contracts.config.storm_model import StormModel
from nomos_contracts.config.storm_steps import KINDS, OPERATIONS
from nomos_contracts.config.undisturbed import GOOD, OTHER, Undisturbed, learn
from nomos_contracts.contract import Contract
from nomos_contracts.exploration import Budget, Explorer
from nomos_contracts.fault import (
    Descriptors,
    Direction,
    Down,
    Fault,
    Latency,
    Pause,
    Reset,
    Silence,
)
from nomos_contracts.provider import TargetFacts
from nomos_contracts.schedule import Pairing, Schedule, Step, run
from nomos_contracts.violation import Blocked

PROCESSES: Final = 3
"""Over so many processes the storms of a run are shared out."""
LATE: Final = 40
"""Milliseconds of latency."""
MEANWHILE: Final = 30
"""Milliseconds in which a call is done whose answer a reset takes."""
STILL: Final = 1.1
"""Seconds of a pause that is the first fault of a storm: watchdogs that wake up each second notice it."""


@dataclass(frozen=True)
class Weather:
    """Draws storms.

    Attributes:
        calm: what is known of the provider.
        count: how many pairs of faults are drawn; all there are at most.
    """

    calm: Undisturbed
    count: int

    def draw(self, source: random.Random) -> list[Schedule]:
        """Return the schedules of a run.

        Each ordered pair of faults, in a random order of pairs, is followed by an Init; and each fault meets an Init by
        itself. So a defect that needs two faults and an Init is met in every run, not in one of many.
        """
        pairs: list[tuple[str, ...]] = list(itertools.product(KINDS, KINDS))
        source.shuffle(pairs)
        found = pairs[: self.count]
        if len(found) == len(pairs):
            found += [(kind,) for kind in KINDS]
            source.shuffle(found)
        processes = min(PROCESSES, len(found))
        schedules: list[list[Step]] = [[] for _ in range(processes)]
        for number, kinds in enumerate(found):
            steps = schedules[number % processes]
            if steps and len(steps) > 12 and not any(s.kind == "kill" for s in steps) and source.random() < 0.2:
                steps.append(Step("kill"))
            steps += self._storm(kinds, source, first=not steps)
        return [tuple(steps) for steps in schedules]

    def _storm(self, kinds: tuple[str, ...], source: random.Random, *, first: bool) -> list[Step]:
        steps: list[Step] = []
        in_force = GOOD
        if not first or source.random() < 0.5:
            in_force = OTHER if self.calm.replaces and source.random() < 0.4 else GOOD
            steps += [Step("init", {"config": in_force}), *self._asking(source, 1)]
        if source.random() < 0.15:
            steps.append(self._fault(Latency(ms=LATE), 3, source))
        for kind in kinds[:-1]:
            mode = source.random()
            overlaps = mode >= 0.85
            met = mode > 0.5 and not overlaps
            # No Init comes between the two: it might wipe out what the first one has left.
            fault = self._drawn(kind, source, lost=met)
            steps.append(self._fault(fault, 2 if overlaps else int(met), source, first=True))
            steps += self._asking(source, int(met))
        alone = len(kinds) == 1
        if alone:
            in_force = GOOD
            steps.append(Step("init", {"config": GOOD}))
        meets = alone or source.random() < 0.5
        steps.append(self._fault(self._drawn(kinds[-1], source, lost=alone), int(meets), source, first=alone))
        # One that changes nothing would hide that it was not taken.
        differs = self.calm.replaces and (alone or source.random() < 0.75)
        new = (GOOD if in_force == OTHER else OTHER) if differs else in_force
        steps.append(Step("init", {"config": new}))
        steps += self._asking(source, 1 + source.randrange(2))
        return [*steps, Step("agree")]

    def _fault(self, fault: Fault, steps: int, source: random.Random, *, first: bool = False) -> Step:
        lasting = {"least": STILL} if first and isinstance(fault, Pause) else {}
        return Step("fault", {"fault": fault.words, "steps": steps, "path": self._path(source), **lasting})

    def _drawn(self, kind: str, source: random.Random, *, lost: bool = False) -> Fault:
        direction: Direction = "downstream" if lost or source.random() < 0.6 else "upstream"
        match kind:
            case "pause":
                return Pause()
            case "reset":
                # A while after the call came: its answer is lost, and not the call.
                return Reset(ms=MEANWHILE if lost else 0, direction=direction)
            case "down":
                return Down()
            case "silence":
                return Silence(direction=direction)
            case _:
                return Descriptors(spare=0)

    def _asking(self, source: random.Random, count: int) -> list[Step]:
        kinds = source.choices(("fetch", "health", "info"), (6, 1, 1), k=count)
        return [Step(kind, {"path": self._path(source)} if kind == "fetch" else {}) for kind in kinds]

    def _path(self, source: random.Random) -> list[str]:
        # The last one is that of nothing.
        return list(
            source.choice(self.calm.paths if source.random() < 0.1 else self.calm.paths[:-1] or self.calm.paths)
        )


class Chamber:
    """Where storms take place: makes each with its model.

    Args:
        chaos: makes experiments on the target.
        samples: what the author told.
        facts: what is known of the target.
    """

    def __init__(self, chaos: Chaos, samples: ConfigSamples, facts: TargetFacts) -> None:
        self._chaos = chaos
        self._samples = samples
        self._facts = facts
        self._models: list[StormModel] = []
        self.struck: set[str] = set()
        self.bitten: set[str] = set()
        self.set_aside = 0
        with chaos.bare() as x:
            self.calm = learn(x.direct, samples, PATIENT)

    def pairing(self) -> Pairing[Storm]:
        """Return the target with its model."""
        return Pairing(OPERATIONS, self._fresh, self._model, self._confirm)

    def _model(self) -> StormModel:
        model = StormModel(self.calm, self._facts.fault_codes)
        self._models.append(model)
        return model

    @contextmanager
    def _storm(self, *, calm: bool) -> Generator[Storm]:
        model = self._models.pop()
        with self._chaos.bare() as x:
            storm = Storm(x, model, self._samples, self._facts.limits["recovery"], calm=calm)
            try:
                yield storm
            finally:
                storm.close()
                self.struck |= storm.struck
                self.bitten |= storm.bitten

    def _fresh(self) -> Any:
        return self._storm(calm=False)

    def _confirm(self, schedule: Schedule) -> bool:
        """Whether the same calls, made where nothing breaks, are answered rightly."""
        calm = Pairing(OPERATIONS, lambda: self._storm(calm=True), self._model)
        if run(calm, schedule).disagreement is None:
            return True
        self.set_aside += 1
        return False


class StormsContract(Contract):
    """Whatever breaks, in whatever order, no answer is a lie; and when it is over, nothing of it stays.

    The kit draws sequences of calls and faults: pauses, connections that are reset, cut or mute, no descriptors, kills.
    It runs them on your provider, and compares each answer with that of a process that nothing happened to. An Init
    whose answer was lost may have taken effect or not; either is right. A failure shows the shortest sequence that was
    found, and how often it fails in ten replays; `pytest-nomos replay` runs it again.

    Mending: make a configuration valid at one point in time, whole, by one assignment; keep nothing of a call whose
    caller has left; and let nothing that a broken connection leaves behind be seen by another.
    """

    @clause("CFG-CHAOS-011")
    def test_faults_and_calls_in_any_order_leave_nothing_behind(
        self,
        nomos_chaos: Chaos,
        nomos_samples: ConfigSamples,
        nomos_target: TargetFacts,
        nomos_random: random.Random,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """Draw, run and compare; see the class."""
        chamber = Chamber(nomos_chaos, nomos_samples, nomos_target)
        schedules = Weather(chamber.calm, int(nomos_target.limits["storms"])).draw(nomos_random)
        explorer = Explorer(chamber.pairing(), budget_of(nomos_target), drawn=lambda _: schedules)
        tally = explorer.explore(nomos_random)
        nomos_observe("storms", f"{tally.compared} of {tally.drawn} steps answered in {tally.schedules} processes")
        if chamber.set_aside:
            nomos_observe("set aside", f"{chamber.set_aside} that are answered so where nothing breaks too")
            return
        if mute := sorted(chamber.struck - chamber.bitten - {"latency"}):
            raise Blocked("environment", f"{', '.join(mute)} never bit, so that nothing was shown")


def budget_of(facts: TargetFacts) -> Budget:
    """Return how much is tried: each run takes a process, and one that never recovers the whole limit for that."""
    limits = facts.limits
    return Budget(
        seconds=limits["schedule_seconds"],
        shrink=10 * limits["schedule_shrink"],
        replays=int(limits["schedule_replays"]),
        replay=60.0,
    )
