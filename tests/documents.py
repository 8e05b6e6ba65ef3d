"""Documents as tests see them: the files that they give the reader, and the commands with what they print.

Before a block stands an HTML comment. ``<!-- file: NAME -->`` gives the reader a file, ``<!-- part: NAME -->`` a part
of one, below the parts before it;
``<!-- run: SCENE exit=N needs=X -->`` before a console block says in which scene its commands are run, how the last one
ends, and which components it needs; ``<!-- shown: WHY -->`` marks a console block that is not run, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
ANYTHING = "…"


@dataclass(frozen=True)
class Command:
    """One command line of a block and the lines that it prints; `…` stands for anything."""

    line: str
    prints: tuple[str, ...]

    def missing(self, output: str) -> str | None:
        """Return the first line that *output* does not hold in its turn, None where all are there."""
        lines = iter(output.splitlines())
        for wanted in self.prints:
            if wanted.strip() == ANYTHING:
                continue
            pattern = re.compile(".*".join(re.escape(part) for part in wanted.rstrip().split(ANYTHING)))
            if not any(pattern.fullmatch(line.rstrip()) for line in lines):
                return wanted
        return None


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        where: document and line, for messages.
        kind: first word of its mark (``run``, ``file``, ``part``, ``shown``), empty where it has none.
        rest: what follows in the mark.
        language: the language of the fence.
        text: its text.
    """

    where: str
    kind: str
    rest: str
    language: str
    text: str
    options: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def commands(self) -> list[Command]:
        """The commands of a console block."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
        return [Command(line, tuple(prints)) for line, prints in found]


def blocks(document: Path) -> Iterator[Block]:
    """Yield the fenced blocks of *document*."""
    text = document.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        kind, _, rest = (match["mark"] or "").partition(": ")
        words = rest.split() if kind == "run" else []
        yield Block(
            where=f"{document.name}:{text.count(chr(10), 0, match.start()) + 1}",
            kind=kind,
            rest=words[0] if words else rest,
            language=match["language"],
            text=match["text"],
            options=dict(word.split("=", 1) for word in words[1:]),
        )
