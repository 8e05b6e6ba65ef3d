"""What a configuration provider may answer, call by call: the model beside which random schedules are run.

Sources leave several things open, and a correct provider may do any of them: refuse a second Init or take it, keep its
configuration after a second Init with an empty one, lose it after a failed one. So the model follows every world that
is still possible. An answer that fits none of them cannot be right. Where nobody can say what the answer must be, it
must at least stay the same until the next Init.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from nomos_contracts.config.interface import INIT_CODES, HealthStatus
from nomos_contracts.config.probes import gives
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.provider import Answer
from nomos_contracts.schedule import Disagreement, Step
from nomos_contracts.violation import same, shorten

Segments = tuple[str, ...]


class State(Enum):
    """Which configuration a provider answers from."""

    NEW = auto()  # none: no good Init yet
    GOOD = auto()  # the good one
    OTHER = auto()  # the sample `other_config`
    OWN = auto()  # one of its own making: it accepted an empty configuration
    BROKEN = auto()  # nobody knows: an Init was refused while there was one (row C10)
    DOWN = auto()  # Shutdown was called


@dataclass(frozen=True)
class Asked:
    """An answer that nobody could foretell, and that must come again."""

    path: Segments
    answer: Answer


@dataclass(frozen=True)
class World:
    """One of the things that may have happened.

    Attributes:
        state: which configuration is in force.
        asked: what was answered since, where the configuration does not tell.
        ready: Health said STATUS_OK since the last good Init.
        habits: what the provider was seen to do where it is free to choose.
    """

    state: State
    asked: tuple[Asked, ...] = ()
    ready: bool = False
    habits: frozenset[tuple[str, str]] = frozenset()

    def to(self, state: State) -> World:
        """Return the same world with another configuration in force."""
        return World(state, habits=self.habits)

    def by_habit(self, question: str, options: Mapping[str, State | None]) -> tuple[World, ...]:
        """Return the worlds after a free choice; None leaves the state as it is, and one habit holds for good."""
        known = dict(self.habits).get(question)
        return tuple(
            replace(self if state is None else self.to(state), habits=self.habits | {(question, habit)})
            for habit, state in options.items()
            if known in {None, habit}
        )


@dataclass(frozen=True)
class Allowed:
    """One kind of answer that may come, and the worlds in which it leaves the provider.

    Attributes:
        words: the answer in words.
        fits: whether an answer is of this kind.
        then: the worlds after it.
        because: the earlier exchange from which it follows, where there is one.
    """

    words: str
    fits: Callable[[Answer], bool]
    then: Callable[[Answer], tuple[World, ...]]
    because: Answer | None = None


def _code(codes: Sequence[str], *then: World) -> Allowed:
    def fits(answer: Answer) -> bool:
        return answer.code in codes and not answer.decode_error

    return Allowed(" or ".join(codes), fits, lambda _: then)


def _anything(world: World) -> Allowed:
    return Allowed("anything", lambda _: True, lambda _: (world,))


def _equal(left: Answer, right: Answer) -> bool:
    return left.code == right.code and left.decode_error == right.decode_error and same(left.value, right.value)


def is_malformed(path: Segments) -> bool:
    """Whether *path* holds a segment that names no key: empty, or one that a file system would understand."""
    return any(
        segment in {"", ".", ".."} or any(sign in segment for sign in ("/", "\\", "\0", "%2e", "%2f"))
        for segment in path
    )


@dataclass
class ConfigModel:
    """The model of one process; see the module.

    Attributes:
        samples: what the author told about the provider.
        made_up: paths that the kit made up and that exist nowhere.
    """

    samples: ConfigSamples
    made_up: tuple[Segments, ...] = ()
    _worlds: list[World] = field(default_factory=lambda: [World(State.NEW)])
    _identity: Answer | None = None
    _alias: Answer | None = None

    def judge(self, step: Step, answer: Answer | None) -> Disagreement | None:
        """Follow one step; see ``nomos_contracts.schedule.Model``."""
        if answer is None:
            return None
        if step.kind == "info":
            return self._info(answer)
        if step.kind in {"init", "shutdown"}:
            self._alias = None
        allowed = [option for world in self._worlds for option in self._allowed(world, step)]
        worlds: list[World] = []
        for option in allowed:
            if option.fits(answer):
                worlds.extend(world for world in option.then(answer) if world not in worlds)
        if worlds:
            self._worlds = worlds
            return None
        expected = " or ".join(dict.fromkeys(option.words for option in allowed))
        grounds = tuple(option.because for option in allowed if option.because is not None)
        return Disagreement(f"{answer.method} answers {expected}", answer.summary, grounds)

    def _allowed(self, world: World, step: Step) -> Iterable[Allowed]:
        if world.state is State.DOWN:
            return (_anything(world),)
        if step.kind == "init":
            return self._init(world, str(step.args["config"]), with_alias=bool(step.args["alias"]))
        if step.kind == "fetch":
            return self._fetch(world, tuple(step.args["path"]))
        if step.kind == "health":
            return self._health(world)
        # The process may end before its answer is out, and it should end even where cleaning up fails (row G5).
        return (_code(("OK", "INTERNAL", "UNAVAILABLE", "CANCELLED"), world.to(State.DOWN)),)

    def _init(self, world: World, config: str, *, with_alias: bool) -> Iterable[Allowed]:
        first = world.state is State.NEW
        if config == "empty":
            return self._first_empty(world) if first else self._second_empty(world)
        if config == "bad":
            return self._bad(world, first=first)
        taken = State.GOOD if config == "good" else State.OTHER
        options: list[Allowed] = []
        if first or world.state is State.BROKEN:
            options.append(_code(("OK",), world.to(taken)))
        else:
            # A provider may hold on to its first configuration; it answers from exactly one (row B7).
            choice = world.by_habit("a second Init", {"replaces": taken, "is ignored": None})
            options.append(_code(("OK",), *choice))
        if not first:
            options.append(_code(("FAILED_PRECONDITION",), world))
        if not with_alias:
            options.append(_code(("INVALID_ARGUMENT",), *self._refused(world)))
        return options

    def _first_empty(self, world: World) -> Iterable[Allowed]:
        if self.samples.required_keys:
            return (_code(("INVALID_ARGUMENT",), world),)
        return (_code(("OK",), world.to(State.OWN)), _code(INIT_CODES, world))

    def _second_empty(self, world: World) -> Iterable[Allowed]:
        choice = world.by_habit(
            "a second Init with an empty configuration",
            {"is ignored": None, "replaces": State.OWN, "clears": State.NEW},
        )
        return (_code(("OK",), *choice), _code(INIT_CODES, *self._refused(world)))

    def _bad(self, world: World, *, first: bool) -> Iterable[Allowed]:
        if first:
            return (_code(("INVALID_ARGUMENT",), world),)
        return (
            _code(("OK", "FAILED_PRECONDITION"), world),
            _code(("INVALID_ARGUMENT",), *self._refused(world)),
        )

    @staticmethod
    def _refused(world: World) -> tuple[World, ...]:
        return (world,) if world.state is State.NEW else (world, world.to(State.NEW), world.to(State.BROKEN))

    def _fetch(self, world: World, path: Segments) -> Iterable[Allowed]:
        known = {sample.path: sample.value for sample in self.samples.values}
        malformed = path not in known and is_malformed(path)
        if world.state is State.NEW:
            # Whether the path or the state is looked at first is open for a path that could never be answered.
            return (
                _code(("FAILED_PRECONDITION", "INVALID_ARGUMENT") if malformed else ("FAILED_PRECONDITION",), world),
            )
        if malformed:
            return (_code(("INVALID_ARGUMENT",) if "" in path else ("INVALID_ARGUMENT", "NOT_FOUND"), world),)
        if path in self.made_up:
            return (_code(("NOT_FOUND",), world),)
        if world.state is State.GOOD:
            if path in known:
                return (self._value(world, known[path]),)
            if path in self.samples.missing:
                return (_code(("NOT_FOUND",), world),)
            if path in self.samples.malformed:
                return (
                    Allowed(
                        "any code but OK and UNKNOWN", lambda a: a.code not in {"OK", "UNKNOWN"}, lambda _: (world,)
                    ),
                )
        other = self.samples.other_config
        if world.state is State.OTHER and other is not None and path == other.path:
            return (self._value(world, other.value),)
        return (self._as_before(world, path, faulty=path in self.samples.malformed),)

    @staticmethod
    def _value(world: World, value: Any) -> Allowed:
        return Allowed(f"OK {shorten(value)}", lambda answer: gives(answer, value), lambda _: (world,))

    @staticmethod
    def _as_before(world: World, path: Segments, *, faulty: bool) -> Allowed:
        before = next((asked.answer for asked in world.asked if asked.path == path), None)
        if before is not None:
            return Allowed(f"as before {before.summary}", lambda a: _equal(a, before), lambda _: (world,), before)

        def remember(answer: Answer) -> tuple[World, ...]:
            return (replace(world, asked=(*world.asked, Asked(path, answer))),)

        # A process that is gone or an answer without a meaning is right in no configuration, and a failure of the
        # provider's own only where what it reads is faulty.
        wrong = {"UNKNOWN", "UNAVAILABLE"} if faulty else {"UNKNOWN", "UNAVAILABLE", "INTERNAL"}
        return Allowed(
            "a value or a code that says why not",
            lambda answer: answer.code not in wrong and not answer.decode_error,
            remember,
        )

    @staticmethod
    def _health(world: World) -> Iterable[Allowed]:
        def status(*names: str, then: World) -> Allowed:
            def fits(answer: Answer) -> bool:
                return answer.ok and answer.value.get("status") in names

            return Allowed(f"OK with {' or '.join(names)}", fits, lambda _: (then,))

        if world.state is State.NEW:
            # An error before Init stops today's command line only; the clause about that says so.
            return (status(*HealthStatus, then=world), _code(("INTERNAL", "FAILED_PRECONDITION"), world))
        if world.state is not State.GOOD:
            return (status(*HealthStatus, then=world),)
        ready = status(HealthStatus.OK, then=replace(world, ready=True))
        return (ready,) if world.ready else (ready, status(HealthStatus.STARTING, then=world))

    def _info(self, answer: Answer) -> Disagreement | None:
        if all(world.state is State.DOWN for world in self._worlds):
            return None
        if not answer.ok:
            return Disagreement("Info answers OK at any time", answer.summary)
        first = self._identity = self._identity or answer
        for name in ("version", "type"):
            if answer.value.get(name) != first.value.get(name):
                wanted = f"Info answers the same {name} as before, {first.value.get(name)!r}"
                return Disagreement(wanted, answer.summary, (first,))
        before = self._alias = self._alias or answer
        if answer.value.get("alias") != before.value.get("alias"):
            wanted = f"Info answers the same alias as before, {before.value.get('alias')!r}, with no Init in between"
            return Disagreement(wanted, answer.summary, (before,))
        return None
