"""Random schedules of a configuration provider: Init, Fetch, Health, Info and Shutdown in any order."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.config.model import ConfigModel, Segments
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.exploration import Budget, Explorer
from nomos_contracts.process.interface import running
from nomos_contracts.provider import Answer, RunningProvider, Starter, TargetFacts
from nomos_contracts.schedule import Args, Drawing, Operation, Pairing

AFTER_SHUTDOWN = 1.0
"""Seconds for a call after Shutdown: nobody need be there to answer it."""

LAST_STEPS = 3
"""Shutdown is drawn among so many last steps, since nothing after it can be judged."""

MALFORMED: tuple[Segments, ...] = (("",), ("a", "", "b"), ("..",), ("..", "..", "x"), ("a/b",), (".", "x"))


@dataclass
class Subject:
    """One process, and whether it was told to end."""

    provider: RunningProvider
    down: bool = False

    @property
    def timeout(self) -> float | None:
        """Seconds for the next call; None for the limit of the settings."""
        return AFTER_SHUTDOWN if self.down else None


def _configured(drawing: Drawing) -> bool:
    return drawing.has("init", config="good", alias=True)


@dataclass(frozen=True)
class Init:
    """Init with one of the configurations that are known; a schedule names it, since its values may be secret."""

    samples: ConfigSamples
    kind: str = "init"
    changes: bool = True

    def weight(self, drawing: Drawing) -> float:
        """Soon at first, since little can be asked before it, then now and then."""
        return 4 if _configured(drawing) else 12

    def draw(self, drawing: Drawing, source: random.Random) -> Args:
        """Mostly the good configuration, once there was one; a first Init is rather one that is refused."""
        good, refused = (6, 1) if _configured(drawing) else (3, 3)
        weights = (good, 2 if self.samples.other_config else 0, refused, refused if self.samples.bad_configs else 0)
        config = source.choices(("good", "other", "empty", "bad"), weights)[0]
        number = source.randrange(len(self.samples.bad_configs)) if config == "bad" else 0
        return {"config": config, "number": number, "alias": config != "good" or source.random() < 0.9}

    def apply(self, target: Subject, args: Args) -> Answer:
        """Call Init."""
        config: Mapping[str, Any] | None = None
        if args["config"] == "other" and self.samples.other_config is not None:
            config = self.samples.other_config.config
        elif args["config"] == "bad":
            config = self.samples.bad_configs[int(args["number"])].config
        elif args["config"] == "empty":
            return target.provider.init({}, source_file_path="", timeout=target.timeout)
        return target.provider.init(config, alias=None if args["alias"] else "", timeout=target.timeout)

    def simpler(self, args: Args) -> Iterable[Args]:
        """Offer the good configuration, or the first bad one."""
        if args["config"] != "good" or not args["alias"]:
            yield {"config": "good", "number": 0, "alias": True}
        if args["number"]:
            yield {**args, "number": 0}

    def words(self, args: Args) -> str:
        """For instance ``Init with bad configuration 2``."""
        name = {
            "good": "the good configuration",
            "other": "the other configuration",
            "empty": "an empty configuration",
            "bad": f"bad configuration {args['number'] + 1}",
        }[args["config"]]
        return f"Init with {name}" + ("" if args["alias"] else " and an empty alias")


@dataclass(frozen=True)
class Fetch:
    """Fetch of a path: one of the samples, one that is missing, one that is malformed."""

    samples: ConfigSamples
    made_up: tuple[Segments, ...]
    kind: str = "fetch"
    changes: bool = False

    def weight(self, _drawing: Drawing) -> float:
        """Outweigh all others: it is what a provider is for."""
        return 36

    def draw(self, _drawing: Drawing, source: random.Random) -> Args:
        """Mostly the sample values."""
        values: list[Segments] = [sample.path for sample in self.samples.values]
        if self.samples.other_config is not None:
            values.append(self.samples.other_config.path)
        missing = [*self.samples.missing, *self.made_up]
        groups: Sequence[Sequence[Segments]] = (values, missing, MALFORMED, self.samples.malformed)
        weights = [weight if group else 0 for weight, group in zip((30, 3, 2, 1), groups, strict=True)]
        return {"path": list(source.choice(source.choices(groups, weights)[0]))}

    def apply(self, target: Subject, args: Args) -> Answer:
        """Call Fetch."""
        return target.provider.fetch(tuple(args["path"]), timeout=target.timeout)

    def simpler(self, args: Args) -> Iterable[Args]:
        """Offer the first sample value."""
        for sample in self.samples.values[:1]:
            if list(sample.path) != list(args["path"]):
                yield {"path": list(sample.path)}

    def words(self, args: Args) -> str:
        """For instance ``Fetch ["database", "host"]``."""
        return f"Fetch {list(args['path'])!r}"


@dataclass(frozen=True)
class Ask:
    """Health or Info: no arguments, no effect."""

    kind: str
    call: Callable[[RunningProvider, float | None], Answer]
    changes: bool = False

    def weight(self, drawing: Drawing) -> float:
        """Seldom, but often before the first good Init."""
        return 4 if _configured(drawing) else 12

    def draw(self, _drawing: Drawing, _source: random.Random) -> Args:
        """Draw nothing."""
        return {}

    def apply(self, target: Subject, _args: Args) -> Answer:
        """Call it."""
        return self.call(target.provider, target.timeout)

    def simpler(self, _args: Args) -> Iterable[Args]:
        """Offer nothing."""
        return ()

    def words(self, _args: Args) -> str:
        """Name the method."""
        return self.kind.capitalize()


@dataclass(frozen=True)
class Shutdown:
    """Shutdown, among the last steps."""

    kind: str = "shutdown"
    changes: bool = True

    def weight(self, drawing: Drawing) -> float:
        """Likely at the end, never before."""
        return 40 if drawing.left <= LAST_STEPS else 0

    def draw(self, _drawing: Drawing, _source: random.Random) -> Args:
        """Draw nothing."""
        return {}

    def apply(self, target: Subject, _args: Args) -> Answer:
        """Call Shutdown; whoever answers afterwards is not waited for long."""
        answer = target.provider.shutdown(timeout=target.timeout)
        target.down = True
        return answer

    def simpler(self, _args: Args) -> Iterable[Args]:
        """Offer nothing."""
        return ()

    def words(self, _args: Args) -> str:
        """Name the method."""
        return "Shutdown"


def made_up_paths(samples: ConfigSamples, source: random.Random) -> tuple[Segments, ...]:
    """Return paths that exist nowhere, beside those that the author named."""
    return (("nomos-" + f"{source.getrandbits(48):012x}",),) if not samples.missing else ()


def operations(samples: ConfigSamples, made_up: tuple[Segments, ...]) -> tuple[Operation[Subject], ...]:
    """Return the kinds of steps for a configuration provider."""
    return (
        Init(samples),
        Fetch(samples, made_up),
        Ask("health", lambda provider, timeout: provider.health(timeout=timeout)),
        Ask("info", lambda provider, timeout: provider.info(timeout=timeout)),
        Shutdown(),
    )


@dataclass(frozen=True)
class Processes:
    """Starts a process for each run of a schedule and ends it afterwards."""

    spawn: Starter

    @contextmanager
    def fresh(self) -> Generator[Subject]:
        """Yield a process that has seen no call of a schedule.

        Raises:
            Blocked: it could not be started.
        """
        provider = running(self.spawn())
        try:
            yield Subject(provider)
        finally:
            provider.stop()


class RandomSchedulesContract(Contract):
    """Whatever the order of calls, each answer is one that the protocol allows at that point.

    The kit draws sequences of Init (with good, other, empty and bad configurations), Fetch, Health, Info and Shutdown,
    runs them on your provider beside a model of the protocol and compares after each call. Where sources leave a
    choice, the model follows the one that your provider makes. A failure shows the shortest sequence that was found
    and how often it fails in ten replays.

    Mending: make the calls of the sequence by hand and look at the last one. "Fails 3 of 10" points to state that is
    shared between calls without a lock, or to a cache that is filled half.
    """

    @clause("CFG-SCHED-001")
    def test_calls_in_any_order_are_answered_as_the_protocol_says(
        self,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_target: TargetFacts,
        nomos_random: random.Random,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """Draw, run and compare; see the class."""
        made_up = made_up_paths(nomos_samples, nomos_random)
        pairing = Pairing(
            operations(nomos_samples, made_up),
            Processes(nomos_spawn).fresh,
            lambda: ConfigModel(nomos_samples, made_up),
        )
        tally = Explorer(pairing, Budget.within(nomos_target.limits)).explore(nomos_random)
        nomos_observe(
            "random schedules", f"{tally.compared} of {tally.drawn} steps compared in {tally.schedules} schedules"
        )
