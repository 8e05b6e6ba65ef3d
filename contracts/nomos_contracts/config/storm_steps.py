"""Steps of storms: calls, faults, and agreement when they are over; how each is done, told, and read from a file."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from nomos_contracts.config.storm import Storm
from nomos_contracts.config.undisturbed import GOOD, OTHER, Question, words
from nomos_contracts.fault import Descriptors, Down, FaultError, Latency, Pause, Reset, Silence, parse_fault
from nomos_contracts.provider import Answer
from nomos_contracts.schedule import Args, Drawing, Operation, Step

KINDS: Final = ("pause", "reset", "down", "silence", "descriptors")
"""The faults of which storms are made; latency lies over some of them."""

MOST_SECONDS: Final = 10
"""For which a fault may be made to last; it ends by itself a while later."""


@dataclass(frozen=True)
class _Kind:
    """What all kinds of steps here have in common: their order is drawn by `storms`, not by weights."""

    kind: str
    changes: bool = False

    def weight(self, _drawing: Drawing) -> float:
        """Draw none by weight."""
        return 0

    def draw(self, _drawing: Drawing, _source: random.Random) -> Args:
        """Draw nothing."""
        return {}

    def simpler(self, _args: Args) -> Iterable[Args]:
        """Offer nothing."""
        return ()


@dataclass(frozen=True)
class Init(_Kind):
    """Init with the good configuration or the other one."""

    kind: str = "init"
    changes: bool = True

    def apply(self, target: Storm, args: Args) -> Answer:
        """Call Init."""
        return target.init(str(args["config"]))

    def simpler(self, args: Args) -> Iterable[Args]:
        """Offer the good configuration."""
        if args["config"] != GOOD:
            yield {"config": GOOD}

    def words(self, args: Args) -> str:
        """Name the configuration."""
        return f"Init with the {args['config']} configuration"


@dataclass(frozen=True)
class Ask(_Kind):
    """Fetch, Health or Info."""

    kind: str = "fetch"

    def apply(self, target: Storm, args: Args) -> Answer:
        """Ask."""
        return target.ask(_question(self.kind, args))

    def words(self, args: Args) -> str:
        """Name the question."""
        return words(_question(self.kind, args))


@dataclass(frozen=True)
class Strike(_Kind):
    """A fault, in force for some steps, or for one question of its own."""

    kind: str = "fault"
    changes: bool = True

    def apply(self, target: Storm, args: Args) -> Answer | None:
        """Inject it."""
        fault, least = parse_fault(str(args["fault"])), float(args.get("least", 0))
        return target.strike(fault, int(args["steps"]), ("fetch", *args["path"]), least=least)

    def simpler(self, args: Args) -> Iterable[Args]:
        """Offer it for one question only, for no longer than that takes, and without arguments."""
        if args["steps"]:
            yield {**args, "steps": 0}
        if "least" in args:
            yield {name: value for name, value in args.items() if name != "least"}
        fault = parse_fault(str(args["fault"]))
        if isinstance(fault, Reset | Silence) and fault.direction != "downstream":
            yield {**args, "fault": type(fault)().words}

    def words(self, args: Args) -> str:
        """Name the fault, and what meets it."""
        steps = int(args["steps"])
        met = (
            words(("fetch", *args["path"]))
            if not steps
            else f"the next {steps} steps"
            if steps > 1
            else "the next step"
        )
        least = f", {args['least']:g} s at least" if "least" in args else ""
        return f"{args['fault']} during {met}{least}"


@dataclass(frozen=True)
class Killed(_Kind):
    """A kill, and another process."""

    kind: str = "kill"
    changes: bool = True

    def apply(self, target: Storm, _args: Args) -> Answer | None:
        """Kill and start."""
        return target.kill()

    def words(self, _args: Args) -> str:
        """Say so."""
        return "kill during a call, and a new start"


@dataclass(frozen=True)
class Agree(_Kind):
    """All faults end, Init is called again, and everything is compared."""

    kind: str = "agree"
    changes: bool = True

    def apply(self, target: Storm, _args: Args) -> Answer:
        """Compare."""
        return target.agree()

    def words(self, _args: Args) -> str:
        """Say so."""
        return "all faults end, Init with the good configuration, and everything is compared"


OPERATIONS: Final[tuple[Operation[Storm], ...]] = (
    Init(),
    Ask(),
    Ask("health"),
    Ask("info"),
    Strike(),
    Killed(),
    Agree(),
)


def _question(kind: str, args: Args) -> Question:
    return ("fetch", *args["path"]) if kind == "fetch" else (kind,)


def check_step(step: Step) -> str:
    """Return why *step* is none of a storm, empty where it is one; for steps that somebody wrote."""
    args = dict(step.args)
    match step.kind:
        case "init" if args.keys() == {"config"} and args["config"] in (GOOD, OTHER):
            return ""
        case "init":
            return 'init takes "config": "good" or "other"'
        case "fetch":
            return "" if args.keys() == {"path"} and _is_path(args["path"]) else 'fetch takes "path": a list of texts'
        case "fault":
            return _check_fault(args)
        case "health" | "info" | "kill" | "agree":
            return f"{step.kind} takes nothing, not {', '.join(args)}" if args else ""
        case _:
            return f"there is no step {step.kind!r}; there are {', '.join(o.kind for o in OPERATIONS)}"


def _check_fault(args: dict[str, Any]) -> str:
    least: object = args.pop("least", 0)
    if not isinstance(least, int | float) or isinstance(least, bool) or not 0 <= least <= MOST_SECONDS:
        return f'"least" is a number of seconds from 0 to {MOST_SECONDS}'
    if args.keys() != {"fault", "steps", "path"}:
        return 'fault takes "fault", "steps" and "path", and may take "least"'
    steps: object = args["steps"]
    if not isinstance(steps, int) or isinstance(steps, bool) or not 0 <= steps <= 100:
        return '"steps" is a number from 0 to 100'
    if not _is_path(args["path"]):
        return '"path" is a list of texts'
    try:
        fault = parse_fault(str(args["fault"]))
    except FaultError as error:
        return str(error)
    known = isinstance(fault, Pause | Reset | Down | Silence | Descriptors | Latency)
    return "" if known else f"{fault.words} is none of the faults of storms: {', '.join((*KINDS, 'latency'))}"


def _is_path(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)  # pyright: ignore[reportUnknownVariableType] # JSON
