"""Turns: exclusive checks run with no other beside them, over all workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WORKER = """
import sys, time
from pathlib import Path
from pytest_nomos.session.turns import Turns

folder, kind, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
turns = Turns(folder)
inside = folder / "inside"
print("up", flush=True)
sys.stdin.readline()
for _ in range(60):
    with turns.alone() if kind == "alone" else turns.shared():
        mine = inside / f"{kind}-{name}"
        mine.touch()
        for _ in range(3):
            others = {path.name for path in inside.iterdir()} - {mine.name}
            if others and kind == "alone":
                print("beside", others, flush=True)
            if any(other.startswith("alone") for other in others):
                print("beside an exclusive one", flush=True)
            time.sleep(0.0005)
        mine.unlink()
print("done", flush=True)
"""


def start(folder: Path, kind: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), kind, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_an_exclusive_turn_is_never_beside_another_and_everybody_gets_one(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    workers = [start(tmp_path, kind, str(n)) for n, kind in enumerate(("alone", "shared", "shared", "alone"))]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "up\n"
    said = [worker.communicate("\n", timeout=60)[0] for worker in workers]
    assert said == ["done\n"] * 4


def test_turns_are_shared_by_those_who_bear_others(tmp_path: Path) -> None:
    from pytest_nomos.session.turns import Turns

    with Turns(tmp_path).shared(), Turns(tmp_path).shared():
        pass


def test_the_turn_of_a_killed_worker_is_free_again(tmp_path: Path) -> None:
    text = (
        "import sys; from pathlib import Path; from pytest_nomos.session.turns import Turns\n"
        "with Turns(Path(sys.argv[1])).alone(): print('in', flush=True); sys.stdin.read()"
    )
    from pytest_nomos.session.turns import Turns

    with subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"in\n"
        holder.kill()
    with Turns(tmp_path).alone():
        pass
