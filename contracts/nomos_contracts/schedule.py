"""Schedules: sequences of steps that are drawn as data, then run on a target beside a model of it.

A schedule is written down before anything runs: a list of steps in plain JSON, in which a step names the result of an
earlier one by its position. So the same schedule can be run again, shortened, and printed. What kinds of steps there
are, and what an interface's model expects of them, stands with the interface; an operation is one kind of step, a fault
may be another.

A target that wavers, answering wrongly only now and then, is convicted like any other: an exchange that was recorded
is proof, whether or not it can be provoked again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeGuard, TypeVar

from nomos_contracts.provider import Answer

Args = Mapping[str, Any]
REFERENCE = "$step"

Target = TypeVar("Target")
Target_contra = TypeVar("Target_contra", contravariant=True)


class ScheduleError(ValueError):
    """Data that is no schedule; the message names the step at fault."""


@dataclass(frozen=True)
class Step:
    """One thing done to a target.

    Attributes:
        kind: which kind of step, for instance ``fetch``.
        args: its arguments, plain JSON types; ``result_of`` stands for what an earlier step answered.
    """

    kind: str
    args: Args = field(default_factory=dict[str, Any])


Schedule = tuple[Step, ...]


def result_of(position: int, *keys: str | int) -> dict[str, Any]:
    """Return the argument that stands for the answer of the step at *position*, or for what is below *keys* in it."""
    return {REFERENCE: position, "at": list(keys)}


def _is_map(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)


def _is_reference(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return _is_map(value) and REFERENCE in value


def references(value: Any) -> set[Any]:
    """Return the positions whose results *value* (an argument, or all of them) names; integers unless it is broken."""
    found: set[Any] = set()
    pending: list[Any] = [value]
    while pending:
        part = pending.pop()
        if _is_reference(part):
            found.add(part[REFERENCE] if isinstance(part[REFERENCE], int) else str(part[REFERENCE]))
        elif _is_map(part):
            pending.extend(part.values())
        elif _is_list(part):
            pending.extend(part)
    return found


def _replace(value: Any, replacement: Callable[[Mapping[str, Any]], Any]) -> Any:
    if _is_reference(value):
        return replacement(value)
    if _is_map(value):
        return {key: _replace(part, replacement) for key, part in value.items()}
    if _is_list(value):
        return [_replace(part, replacement) for part in value]
    return value


def resolve(args: Args, results: Sequence[Any]) -> Args | None:
    """Put the *results* of earlier steps in the place of their references; None where one is not there."""

    def look_up(reference: Mapping[str, Any]) -> Any:
        value = results[reference[REFERENCE]]
        for key in reference.get("at", ()):
            value = value[key]
        return value

    try:
        return {key: _replace(value, look_up) for key, value in args.items()}
    except (LookupError, TypeError):
        return None


def keep(schedule: Schedule, positions: Iterable[int]) -> Schedule:
    """Return the steps at *positions* in order, references renumbered; a step whose reference is gone goes too."""
    moved: dict[int, int] = {}
    kept: list[Step] = []
    for position in sorted(set(positions)):
        step = schedule[position]
        if references(step.args) <= moved.keys():
            moved[position] = len(kept)
            renumbered = _replace(step.args, lambda ref: {**ref, REFERENCE: moved[ref[REFERENCE]]})
            kept.append(Step(step.kind, renumbered))
    return tuple(kept)


def to_json(schedule: Schedule) -> list[dict[str, Any]]:
    """Return the schedule in plain JSON types, one object for each step."""
    return [{"kind": step.kind, "args": dict(step.args)} for step in schedule]


def from_json(data: Any) -> Schedule:
    """Read what ``to_json`` wrote.

    Raises:
        ScheduleError: no list of steps, or a step that refers to itself or to a later one.
    """
    if not _is_list(data):
        raise ScheduleError("a schedule is a list of steps")
    steps: list[Step] = []
    for position, entry in enumerate(data):
        if not _is_map(entry) or set(entry) - {"kind", "args"} or not isinstance(entry.get("kind"), str):
            raise ScheduleError(f'step {position}: a step is {{"kind": "…", "args": {{…}}}}')
        args = entry.get("args", {})
        if not _is_map(args):
            raise ScheduleError(f"step {position}: args is a map")
        if not references(args) <= set(range(position)):
            raise ScheduleError(f"step {position}: a step can only use the results of steps before it")
        steps.append(Step(str(entry["kind"]), args))
    return tuple(steps)


def key_of(schedule: Schedule) -> str:
    """Return a text that is equal for equal schedules."""
    return json.dumps(to_json(schedule), sort_keys=True)


@dataclass(frozen=True)
class Drawing:
    """What is known while the next step is drawn.

    Attributes:
        earlier: the steps drawn so far.
        length: how many steps the schedule will have.
    """

    earlier: Sequence[Step]
    length: int

    @property
    def left(self) -> int:
        """How many steps are still to be drawn, the next one included."""
        return self.length - len(self.earlier)

    def has(self, kind: str, **args: Any) -> bool:
        """Whether a step of *kind* with these *args* among its own was drawn."""
        return any(
            step.kind == kind and all(step.args.get(name) == value for name, value in args.items())
            for step in self.earlier
        )


class Operation(Protocol[Target_contra]):
    """One kind of step: how it is drawn, done, simplified and told. Faults are kinds of steps like any other."""

    @property
    def kind(self) -> str:
        """Its name in schedules."""
        ...

    @property
    def changes(self) -> bool:
        """Whether it may change what later steps see; asking alone does not."""
        ...

    def weight(self, drawing: Drawing, /) -> float:
        """How often it is drawn, against the weights of the others; 0 for not now."""
        ...

    def draw(self, drawing: Drawing, source: random.Random, /) -> Args:
        """Draw its arguments."""
        ...

    def apply(self, target: Target_contra, args: Args, /) -> Answer | None:
        """Do it; None where there is nothing to compare."""
        ...

    def simpler(self, args: Args, /) -> Iterable[Args]:
        """Yield simpler arguments, simplest first."""
        ...

    def words(self, args: Args, /) -> str:
        """Tell the step in a few words, for a person."""
        ...


@dataclass(frozen=True)
class Disagreement:
    """What the model expected of a step and what was seen instead.

    Attributes:
        expected: what the step should have answered, in words.
        got: what it did answer, in words.
        answers: earlier exchanges without which it cannot be understood.
    """

    expected: str
    got: str
    answers: tuple[Answer, ...] = ()


class Model(Protocol):
    """Follows a target through one schedule and says where the target's answer cannot be right."""

    def judge(self, step: Step, answer: Answer | None) -> Disagreement | None:
        """Take the next step, references resolved, and what the target answered; None where that may be so.

        Not asked any more after its first disagreement.
        """
        ...


@dataclass(frozen=True)
class Pairing(Generic[Target]):
    """A target and the model beside it.

    Attributes:
        operations: the kinds of steps.
        fresh: starts a target that nothing has been done to; what it gives is cleaned up when it is left.
        model: makes the model of such a target.
        confirm: whether a disagreement at the end of these steps counts; asked for each.
    """

    operations: Sequence[Operation[Target]]
    fresh: Callable[[], AbstractContextManager[Target]]
    model: Callable[[], Model]
    confirm: Callable[[Schedule], bool] = lambda _: True

    def operation(self, kind: str) -> Operation[Target]:
        """Return the operation of *kind*.

        Raises:
            ScheduleError: there is none.
        """
        for operation in self.operations:
            if operation.kind == kind:
                return operation
        raise ScheduleError(
            f"there is no kind of step {kind!r}; there are {', '.join(o.kind for o in self.operations)}"
        )


def draw(operations: Sequence[Operation[Any]], length: int, source: random.Random) -> Schedule:
    """Draw a schedule of *length* steps; equal states of *source* give equal schedules.

    Raises:
        ScheduleError: every operation has weight 0 at some step.
    """
    steps: list[Step] = []
    while len(steps) < length:
        drawing = Drawing(steps, length)
        weights = [operation.weight(drawing) for operation in operations]
        if not any(weights):
            raise ScheduleError(f"step {len(steps)}: no kind of step can be drawn here")
        chosen = source.choices(operations, weights)[0]
        steps.append(Step(chosen.kind, chosen.draw(drawing, source)))
    return tuple(steps)


@dataclass(frozen=True)
class Run:
    """A schedule as it was run, up to the first disagreement.

    Attributes:
        schedule: the steps that were taken.
        answers: what each answered; None where there was nothing to compare or the step could not be taken.
        disagreement: what was wrong with the last answer, None where nothing was.
        complete: False where time ran out.
    """

    schedule: Schedule
    answers: tuple[Answer | None, ...]
    disagreement: Disagreement | None
    complete: bool = True

    @property
    def compared(self) -> int:
        """How many answers were compared with the model."""
        return sum(answer is not None for answer in self.answers)

    @property
    def signature(self) -> tuple[str, str]:
        """What kind of failure it is: kind of the last step, and the code that it gave."""
        last = self.answers[-1]
        return self.schedule[-1].kind, last.code if last else ""


def run(pairing: Pairing[Target], schedule: Schedule, go_on: Callable[[], bool] = lambda: True) -> Run:
    """Run *schedule* on a fresh target and a fresh model, comparing after each step, while *go_on* says so.

    A step that uses a result which is not there, because the step that it names failed, is not taken.
    """
    found = _run(pairing, schedule, go_on)
    if found.disagreement is not None and not pairing.confirm(found.schedule):
        return replace(found, disagreement=None)
    return found


def _run(pairing: Pairing[Target], schedule: Schedule, go_on: Callable[[], bool]) -> Run:
    model = pairing.model()
    answers: list[Answer | None] = []
    results: list[Any] = []
    with pairing.fresh() as target:
        for position, step in enumerate(schedule):
            if not go_on():
                return Run(schedule[:position], tuple(answers), None, complete=False)
            args = resolve(step.args, results)
            if args is None:
                answers.append(None)
                results.append(None)
                continue
            answer = pairing.operation(step.kind).apply(target, args)
            answers.append(answer)
            results.append(answer.value if answer is not None and answer.ok else None)
            disagreement = model.judge(Step(step.kind, args), answer)
            if disagreement is not None:
                return Run(schedule[: position + 1], tuple(answers), disagreement)
    return Run(schedule, tuple(answers), None)
