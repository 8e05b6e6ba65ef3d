"""The journal: what the checks of a run spawn is written down before it is asked for, and struck out when it is gone.

So whoever comes after a check, or after a worker that died, can terminate what it left, on any compute provider.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nomos_contracts.compute.interface import ListFilter
from nomos_contracts.provider import Answer, InterfaceProvider
from nomos_proto.kinds import is_map

SPAWN: Final = "spawn"
PATIENCE: Final = 10.0
"""Seconds for all that is terminated at the end of a run on one target."""
LOST: Final = frozenset({"DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE", "UNKNOWN"})
"""Failures after which there may be an instance all the same."""


def _options(sent: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = sent.get("options")
    return found if is_map(found) else {}


class Journal:
    """What one target spawned in one process; it watches the faces of the target. Thread-safe.

    Args:
        path: returns the file, which is made with its first line.
    """

    def __init__(self, path: Callable[[], Path]) -> None:
        self._path = path
        self._lock = threading.Lock()

    def begins(self, method: str, sent: Mapping[str, Any]) -> None:
        """Write down a spawn that is about to be asked for."""
        if method == SPAWN:
            options = _options(sent)
            self._write("spawning", key=_key(options), tags=dict(options.get("tags") or {}))

    def ended(self, answer: Answer) -> None:
        """Write down what became of it, or that an instance was terminated."""
        sent: Any = answer.request.get("args")
        if not is_map(sent):
            return
        if answer.method == SPAWN:
            identity = _id_of(answer)
            if identity:
                self._write("spawned", key=_key(_options(sent)), id=identity)
            elif answer.code not in LOST and not answer.decode_error:
                self._write("refused", key=_key(_options(sent)))
        elif answer.method == "terminate" and answer.ok:
            self._write("terminated", id=str(sent.get("provider_id", "")))

    def _write(self, event: str, **facts: Any) -> None:
        line = json.dumps({"event": event, **facts}, default=str)
        with self._lock, self._path().open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _id_of(answer: Answer) -> str:
    """Return the id of the instance in an answer, empty where it has none."""
    return str(getattr(answer.value, "id", "")) if answer.ok else ""


def _key(options: Mapping[str, Any]) -> str:
    """Return what tells the spawns of one process apart."""
    return f"{options.get('control_id')}/{options.get('instance_id')}"


@dataclass
class Open:
    """What a journal does not say to be gone.

    Attributes:
        ids: instances.
        lost: tags of spawns whose answer nobody has, by key.
    """

    ids: list[str] = field(default_factory=list[str])
    lost: dict[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])

    def __bool__(self) -> bool:
        return bool(self.ids or self.lost)

    def read(self, line: str) -> None:
        """Take one line in; half a line, of a process that was killed while it wrote, says nothing."""
        try:
            entry: Any = json.loads(line)
        except ValueError:
            return
        match entry:
            case {"event": "spawning", "key": key, "tags": tags}:
                self.lost[key] = tags
            case {"event": "spawned", "key": key, "id": identity}:
                self.lost.pop(key, None)
                if identity not in self.ids:
                    self.ids.append(identity)
            case {"event": "refused", "key": key}:
                self.lost.pop(key, None)
            case {"event": "terminated", "id": identity} if identity in self.ids:
                self.ids.remove(identity)
            case _:
                return


def left_open(folder: Path, target: str) -> Open:
    """Return what all processes of a run left open on one target."""
    found = Open()
    for path in sorted(folder.glob(f"spawned-{target}-*.jsonl")):
        one = Open()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            one.read(line)
        found.ids.extend(one.ids)
        found.lost.update({f"{path.name}/{key}": tags for key, tags in one.lost.items()})
    return found


def terminate_left(provider: InterfaceProvider, left: Open) -> list[str]:
    """Terminate what a journal left open; return a line for each thing that may still be there.

    A spawn whose answer is lost is found by its tags; one without tags cannot be found. A provider that does not answer
    is not waited for longer than `PATIENCE`.
    """
    end = time.monotonic() + PATIENCE

    def left_over() -> float:
        return max(0.1, end - time.monotonic())

    ids, trouble = list(left.ids), list[str]()
    for tags in {json.dumps(dict(tags), sort_keys=True): tags for tags in left.lost.values() if tags}.values():
        answer = provider.invoke("list", timeout=left_over(), filter=ListFilter(tags=dict(tags)))
        if answer.ok:
            ids.extend(one.id for one in answer.value if one.id not in ids)
        else:
            trouble.append(f"instances with the tags {dict(tags)}: list answered {answer.summary}")
    for identity in ids:
        answer = provider.invoke("terminate", timeout=left_over(), provider_id=identity)
        if not answer.ok and answer.code != "NOT_FOUND":
            trouble.append(f"instance {identity}: terminate answered {answer.summary}")
    return trouble
