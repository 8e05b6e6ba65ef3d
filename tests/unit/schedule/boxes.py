"""A small in-process interface to explore: boxes that are made, filled and looked into."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from nomos_contracts.provider import Answer
from nomos_contracts.schedule import Args, Disagreement, Drawing, Operation, Pairing, Step, result_of


@dataclass
class Boxes:
    """The target; ids are its own invention, so that a schedule cannot know them."""

    contents: dict[str, int] = field(default_factory=dict)
    calls: int = 0

    def make(self) -> Answer:
        name = f"box-{len(self.contents) * 7 + 3}"
        self.contents[name] = 0
        return Answer("Make", {}, "OK", value={"id": name})

    def put(self, box: str, number: int) -> Answer:
        self.contents[box] = number
        return Answer("Put", {"box": box, "number": number}, "OK")

    def get(self, box: str) -> Answer:
        return Answer("Get", {"box": box}, "OK", value=self.contents[box])


@dataclass(frozen=True)
class Make:
    kind: str = "make"
    changes: bool = True

    def weight(self, drawing: Drawing) -> float:
        return 1

    def draw(self, drawing: Drawing, source: random.Random) -> Args:
        return {}

    def apply(self, target: Boxes, args: Args) -> Answer:
        return target.make()

    def simpler(self, args: Args) -> Iterable[Args]:
        return ()

    def words(self, args: Args) -> str:
        return "Make"


@dataclass(frozen=True)
class Put:
    kind: str = "put"
    changes: bool = True

    def weight(self, drawing: Drawing) -> float:
        return 4 if drawing.has("make") else 0

    def draw(self, drawing: Drawing, source: random.Random) -> Args:
        return {"box": result_of(some_box(drawing, source), "id"), "number": source.randrange(1000)}

    def apply(self, target: Boxes, args: Args) -> Answer:
        return target.put(args["box"], args["number"])

    def simpler(self, args: Args) -> Iterable[Args]:
        for number in (0, 1, 500):
            if number < args["number"]:
                yield {**args, "number": number}

    def words(self, args: Args) -> str:
        return f"Put {args['number']}"


@dataclass(frozen=True)
class Get:
    kind: str = "get"
    changes: bool = False

    def weight(self, drawing: Drawing) -> float:
        return 4 if drawing.has("make") else 0

    def draw(self, drawing: Drawing, source: random.Random) -> Args:
        return {"box": result_of(some_box(drawing, source), "id")}

    def apply(self, target: Boxes, args: Args) -> Answer:
        return target.get(args["box"])

    def simpler(self, args: Args) -> Iterable[Args]:
        return ()

    def words(self, args: Args) -> str:
        return "Get"


@dataclass(frozen=True)
class Rattle:
    """A fault as a kind of step: it gives nothing to compare."""

    kind: str = "rattle"
    changes: bool = True

    def weight(self, drawing: Drawing) -> float:
        return 0.5

    def draw(self, drawing: Drawing, source: random.Random) -> Args:
        return {}

    def apply(self, target: Boxes, args: Args) -> None:
        for name in target.contents:
            target.contents[name] += 0

    def simpler(self, args: Args) -> Iterable[Args]:
        return ()

    def words(self, args: Args) -> str:
        return "Rattle"


def some_box(drawing: Drawing, source: random.Random) -> int:
    return source.choice([i for i, step in enumerate(drawing.earlier) if step.kind == "make"])


@dataclass
class BoxModel:
    contents: dict[str, int] = field(default_factory=dict)

    def judge(self, step: Step, answer: Answer | None) -> Disagreement | None:
        if answer is None:
            return None
        if step.kind == "make":
            self.contents[answer.value["id"]] = 0
        elif step.kind == "put":
            self.contents[step.args["box"]] = step.args["number"]
        elif answer.value != self.contents[step.args["box"]]:
            return Disagreement(f"Get answers {self.contents[step.args['box']]}", answer.summary)
        return None


OPERATIONS: tuple[Operation[Boxes], ...] = (Make(), Put(), Get(), Rattle())


@dataclass
class Factory:
    """Makes targets and counts those that are open."""

    make: Callable[[], Boxes]
    made: int = 0
    open: int = 0

    @contextmanager
    def fresh(self) -> Generator[Boxes]:
        self.made += 1
        self.open += 1
        try:
            yield self.make()
        finally:
            self.open -= 1

    def pairing(self) -> Pairing[Boxes]:
        return Pairing(OPERATIONS, self.fresh, BoxModel)
