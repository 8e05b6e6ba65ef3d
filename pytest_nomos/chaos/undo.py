"""Undoing: what a chaos run that was killed left in force is ended by what its journal says."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

import urllib3

from nomos_contracts.fault import read_fault
from pytest_nomos.chaos.applied import RevertFailed
from pytest_nomos.chaos.clock import RIGHT, set_clock
from pytest_nomos.chaos.cpu import remove_group
from pytest_nomos.chaos.journal import Journal, JournalError, Opened, Planned, Record, read_journal
from pytest_nomos.chaos.limits import has_prlimit, read_limit, restore, shown
from pytest_nomos.chaos.processes import RUN_SECONDS, named
from pytest_nomos.chaos.recipes import Continue, Known, RemoveGroup, RemoveProxy, Restore, TurnBack, read_recipe
from pytest_nomos.chaos.subject import Identity, ProcessSubject
from pytest_nomos.sweep.owner import Life, Owner

API_SECONDS: Final = 5.0
"""Removing a proxy can hang on the server's side."""


class UndoError(Exception):
    """A journal that must not be undone; the message says why, and what to do."""


@dataclass
class Undone:
    """What came of an undoing.

    Attributes:
        done: what was ended, a sentence each.
        nothing: what needed no ending, a sentence each.
        left: what is still in force, a sentence each.
    """

    done: list[str] = field(default_factory=list[str])
    nothing: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])


def undo_journal(path: Path, say: Callable[[str], None], *, even_if_alive: bool = False) -> Undone:
    """End every fault that the journal at *path* does not say to have ended, and nothing else.

    Stopped processes are continued first, for a proxy cannot be removed while its reader stands still; all else is
    ended last in, first out. What has been ended is written to the journal.

    Args:
        path: the journal.
        say: is given a line for each fault, and for a line of the journal that was cut off.
        even_if_alive: also while the run that wrote it is alive.

    Raises:
        JournalError: it is none, or cannot be written.
        UndoError: its run is alive, or it is of another machine; nothing was done.
    """
    record = read_journal(path)
    _may_be_undone(path, record, even_if_alive)
    for number in record.torn:
        say(f"line {number} of the journal was cut off while it was written; nothing was done before it was whole")
    outcome = Undone()
    if not record.open and not record.servers:
        say("nothing to undo: every fault in the journal has ended")
        return outcome
    journal = Journal(path)
    last_first = record.open[::-1]
    for planned in sorted(last_first, key=lambda one: (one.undo or {}).get("kind") != "continue"):
        words = read_fault(planned.fault).words
        try:
            kind, sentence = _undo_one(planned)
        except (RevertFailed, OSError) as error:
            outcome.left.append(f"{words}: {error}")
            say(f"left: {words}: {error}")
            journal.revert_failed(planned.id, f"chaos undo: {error}")
            continue
        (outcome.done if kind else outcome.nothing).append(f"{words}: {sentence}")
        say(f"{'undone' if kind else 'nothing to do'}: {words}: {sentence}")
        journal.reverted(planned.id, f"chaos undo: {sentence}")
    for api, owner in record.servers:
        _remove_proxies(api, owner, outcome, say)
    if not (outcome.done or outcome.nothing or outcome.left):
        say("nothing to undo: every fault in the journal has ended, and no proxy is left")
    return outcome


def _may_be_undone(path: Path, record: Record, even_if_alive: bool) -> None:
    owners = {entry.owner: Owner.read(entry.owner) for entry in record.entries if isinstance(entry, Planned | Opened)}
    for text, owner in owners.items():
        life = owner.life if owner else Life.ELSEWHERE
        if life is Life.ELSEWHERE:
            raise UndoError(
                f"{path}: {text} ran on another machine, or in another container: its processes cannot be told apart "
                f"from here; undo it there"
            )
        if life is Life.ALIVE and not even_if_alive and owner:
            raise UndoError(
                f"{path}: the run that wrote it is alive (process {owner.pid}) and ends its faults by itself; "
                f"--even-if-alive undoes them all the same"
            )


def _undo_one(planned: Planned) -> tuple[bool, str]:
    """End one fault; return whether anything had to be done, and a sentence about it.

    Raises:
        RevertFailed: it is still in force.
        OSError: likewise.
    """
    if planned.undo is None:
        return False, "it ended with the run"
    owner = Owner.read(planned.owner)
    if owner is None or owner.boot != Owner.of_process().boot:
        return False, "the machine was started again since"
    recipe: Known | None = read_recipe(planned.undo)
    match recipe:
        case Continue():
            return _continue(recipe)
        case Restore():
            return _restore(recipe)
        case RemoveGroup(path=path, home=home):
            return _remove_group(Path(path), Path(home))
        case RemoveProxy():
            return _remove_proxy(recipe)
        case TurnBack():
            return _turn_back(recipe)
        case None:
            raise RevertFailed(f"this version knows no way to undo {planned.undo['kind']!r}")


def _continue(recipe: Continue) -> tuple[bool, str]:
    known = [Identity(*one) for one in recipe.members]
    subject = ProcessSubject(Identity(recipe.pid, recipe.started), recipe.group, known)
    members = subject.members()
    if not members:
        return False, f"process {recipe.pid} is gone, or is another one now"
    standing = tuple(one for one in members if one.stopped)
    # Where a stop was sent and the process had no time yet to take it, it seems to run; this takes the stop back.
    subject.signal(signal.SIGCONT)
    left = subject.run_again(RUN_SECONDS)
    if left:
        raise RevertFailed(f"{named(left)} stands still after SIGCONT; look at what it waits for, or kill it")
    if not standing:
        return False, f"{named(members)} runs"
    return True, f"{named(standing)} continued (and not killed: that is for who started it)"


def _restore(recipe: Restore) -> tuple[bool, str]:
    if not has_prlimit():
        raise RevertFailed(f"{recipe.limit}: this machine has no prlimit")
    identity = Identity(recipe.pid, recipe.started)
    before = read_limit(identity, recipe.limit)
    if before is None:
        return False, f"process {recipe.pid} is gone, or is another one now"
    if not restore(identity, recipe.limit, recipe.soft):
        return False, f"{recipe.limit} of process {recipe.pid} is {shown(before[0])}"
    return True, f"{recipe.limit} of process {recipe.pid} raised from {shown(before[0])} to {shown(recipe.soft)}"


def _turn_back(recipe: TurnBack) -> tuple[bool, str]:
    file = Path(recipe.path)
    if not Identity(recipe.pid, recipe.started).lives or not file.is_file():
        return False, f"process {recipe.pid} is gone, or is another one now"
    if file.read_text(encoding="ascii") == RIGHT:
        return False, f"the clock of process {recipe.pid} is right"
    set_clock(file, RIGHT)
    return True, f"the clock of process {recipe.pid} set right"


def _remove_group(path: Path, home: Path) -> tuple[bool, str]:
    if not path.is_dir():
        return False, f"{path} is gone"
    if not (path / "cgroup.procs").exists():
        raise RevertFailed(f"{path} is no control group; it was left as it is")
    remove_group(path, home)
    return True, f"control group {path} removed"


def _remove_proxies(api: str, owner: str, outcome: Undone, say: Callable[[str], None]) -> None:
    """Remove what a run that was killed between two faults left in a server that is not its own."""
    try:
        with urllib3.PoolManager(timeout=API_SECONDS, retries=False) as pool:
            answer = pool.request("GET", f"http://{api}/proxies")
        names = [str(name) for name in answer.json()] if answer.status == 200 else []
    except urllib3.exceptions.NewConnectionError:
        return  # its proxies went with it
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        outcome.left.append(f"proxies of {owner}: {error}")
        say(f"left: {outcome.left[-1]}; end the server at {api}")
        return
    for name in names:
        if name.partition(".")[0] != owner:
            continue
        try:
            kind, sentence = _remove_proxy(RemoveProxy(api=api, proxy=name))
        except RevertFailed as error:
            outcome.left.append(str(error))
            say(f"left: {error}")
            continue
        (outcome.done if kind else outcome.nothing).append(sentence)
        say(f"{'undone' if kind else 'nothing to do'}: {sentence}")


def _remove_proxy(recipe: RemoveProxy) -> tuple[bool, str]:
    url = f"http://{recipe.api}/proxies/{quote(recipe.proxy, safe='')}"
    try:
        with urllib3.PoolManager(timeout=API_SECONDS, retries=False) as pool:
            answer = pool.request("DELETE", url)
    except urllib3.exceptions.NewConnectionError:
        return False, f"no server answers at {recipe.api}, so proxy {recipe.proxy} is gone"
    except urllib3.exceptions.HTTPError as error:
        raise RevertFailed(f"proxy {recipe.proxy} of {recipe.api}: {error}; end that server") from error
    if answer.status == 404:
        return False, f"{recipe.api} has no proxy {recipe.proxy}"
    if answer.status >= 300:
        raise RevertFailed(f"proxy {recipe.proxy} of {recipe.api}: the server answers {answer.status}")
    return True, f"proxy {recipe.proxy} removed from {recipe.api}"


__all__ = ["JournalError", "UndoError", "Undone", "undo_journal"]
