"""The process that faults strike, told apart from every other one that has or had its number."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import psutil

from pytest_nomos.chaos.applied import Unavailable
from pytest_nomos.sweep.owner import started_at

POLL: Final = 0.005
"""Seconds between two looks at a process."""
HANDLED: Final = 0.5
"""Seconds in which the handler of a signal has had its say."""
_WHOLE_GROUP: Final = 4
"""PIDFD_SIGNAL_PROCESS_GROUP, in Linux since 6.9."""


@dataclass(frozen=True)
class Identity:
    """A process by its number and when it began, in the unit of `started_at`."""

    pid: int
    started: int

    @property
    def lives(self) -> bool:
        """Whether the process with this number is still the same one, and more than an exit status."""
        return started_at(self.pid) == self.started

    @property
    def stopped(self) -> bool:
        """Whether it stands still by a signal or a tracer (state T)."""
        try:
            status = psutil.Process(self.pid).status()
        except psutil.Error:
            return False
        return status in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP} and self.lives

    def handles(self, number: int) -> bool:
        """Whether it has a handler for signal *number*, as far as this machine tells."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
        return found is not None and bool(int(found[1], 16) >> (number - 1) & 1)

    def strike(self, number: int, *, group: bool = False) -> bool:
        """Send signal *number* to this process, or to the group that it leads; never to another one with its number.

        Returns:
            Whether it was there to get it.

        Raises:
            PermissionError: it belongs to somebody else.
        """
        if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
            return self._strike_by_number(number, group)
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        except OSError as error:
            if error.errno in {errno.ENOSYS, errno.EPERM}:
                return self._strike_by_number(number, group)
            raise
        try:
            # The handle was taken first: if the number has the right beginning now, the handle is that process.
            if not self.lives:
                return False
            signal.pidfd_send_signal(handle, number, None, _WHOLE_GROUP if group else 0)
        except ProcessLookupError:
            return False
        except OSError as error:
            if group and error.errno == errno.EINVAL:
                return self._strike_by_number(number, group)
            raise
        finally:
            os.close(handle)
        return True

    def _strike_by_number(self, number: int, group: bool) -> bool:
        if not self.lives:
            return False
        try:
            (os.killpg if group else os.kill)(self.pid, number)
        except ProcessLookupError:
            return False
        return True


class ProcessSubject:
    """The main process of a provider, and the group that it leads. Thread-safe.

    All faults of one process share one subject: it counts who has it stopped, and who lowered which limit, so that
    faults that overlap may end in any order.

    Attributes:
        main: the main process.
        group: number of the process group that it leads, None where it leads none; then its descendants count.
    """

    def __init__(self, main: Identity, group: int | None, known: Iterable[Identity] = ()) -> None:
        self.main = main
        self.group = group
        self.lock = threading.RLock()
        self.lowered: dict[int, Lowered] = {}
        self._known = tuple(known)
        self._stops = 0

    @classmethod
    def of(cls, pid: int) -> Self:
        """Return the subject that process *pid* is now.

        Raises:
            Unavailable: there is no such process, or it is the run itself.
        """
        started = started_at(pid)
        if pid <= 1 or started is None:
            raise Unavailable(f"there is no process {pid} that faults could strike")
        if pid in {os.getpid(), *_ancestors()}:
            raise Unavailable(f"process {pid} is the run itself or started it: faults would strike the run")
        try:
            group = os.getpgid(pid)
        except OSError:
            raise Unavailable(f"process {pid} ended just now") from None
        subject = cls(Identity(pid, started), group if group == pid and group != os.getpgrp() else None)
        subject.members()
        return subject

    @property
    def pid(self) -> int:
        """Number of the main process."""
        return self.main.pid

    @property
    def known(self) -> tuple[Identity, ...]:
        """The processes that were its members when last looked at."""
        return self._known

    def members(self) -> tuple[Identity, ...]:
        """Return the processes that faults of the whole subject strike, the main one first."""
        if self.group is None:
            found = self._descendants()
        elif self._group_lives():
            found = [*_of_group(self.group)]
        else:
            found = []
        self._known = tuple(sorted(found, key=lambda one: one.pid != self.main.pid))
        return self._known

    def signal(self, number: int) -> bool:
        """Send a signal to all members; False where none was there to get it."""
        if self.group is None:
            return sum(one.strike(number) for one in self.members()) > 0
        if self.main.strike(number, group=True):
            return True
        # Without its leader a group is known by who was seen in it: while one of them is there, its number is not given
        # away again.
        if not self._group_lives():
            return False
        try:
            os.killpg(self.group, number)
        except ProcessLookupError:
            return False
        return True

    def stop(self) -> bool:
        """Stop all members; they stay stopped until everybody who stopped them let go. False where none was there."""
        with self.lock:
            self._stops += 1
            return self.signal(signal.SIGSTOP)

    def let_go(self) -> bool:
        """Undo one `stop`; tells whether it was the last one, so that the members run again."""
        with self.lock:
            self._stops = max(0, self._stops - 1)
            if self._stops:
                return False
            self.signal(signal.SIGCONT)
            return True

    @property
    def is_held(self) -> bool:
        """Whether somebody has it stopped."""
        return self._stops > 0

    def stand_still(self, within: float) -> tuple[Identity, ...]:
        """Return the members that do not stand still even after *within* seconds."""
        end = time.monotonic() + within
        while True:
            running = tuple(one for one in self.members() if not one.stopped and one.lives)
            if not running or time.monotonic() > end:
                return running
            for one in running:
                one.strike(signal.SIGSTOP)  # one that was started while the others were being stopped
            time.sleep(POLL)

    def run_again(self, within: float) -> tuple[Identity, ...]:
        """Continue those that stand still until none does; return those that do after *within* seconds.

        A process that handles SIGCONT may stop itself again there, so it is looked at for longer. One that runs gets no
        signal: to a provider that listens for it, each SIGCONT is the end of a pause.
        """
        end, ran_since = time.monotonic() + within, 0.0
        while True:
            members = self.members()
            standing = tuple(one for one in members if one.stopped)
            now = time.monotonic()
            if standing:
                ran_since = 0.0
                if now > end:
                    return standing
                self.signal(signal.SIGCONT)
            elif not ran_since:
                ran_since = now
            elif now - ran_since >= (HANDLED if any(one.handles(signal.SIGCONT) for one in members) else POLL):
                return ()
            time.sleep(POLL)

    def _group_lives(self) -> bool:
        if self.main.lives:
            return True
        for one in self._known:
            with contextlib.suppress(OSError):
                if one.lives and os.getpgid(one.pid) == self.group:
                    return True
        return False

    def _descendants(self) -> list[Identity]:
        seen = [one for one in self._known if one.lives and one != self.main]
        if not self.main.lives:
            return seen
        with contextlib.suppress(psutil.Error):
            numbers = [child.pid for child in psutil.Process(self.main.pid).children(recursive=True)]
            found = (_identity(number) for number in numbers)
            return [self.main, *dict.fromkeys([*seen, *(one for one in found if one)])]
        return [self.main, *seen]


@dataclass
class Lowered:
    """A limit of the main process that faults have lowered.

    Attributes:
        original: its soft value before the first of them.
        values: what each fault in force wants it to be, in the order in which they came.
    """

    original: int
    values: list[tuple[object, int]]


def _identity(pid: int) -> Identity | None:
    started = started_at(pid)
    return None if started is None else Identity(pid, started)


def _of_group(group: int) -> Iterable[Identity]:
    for number in psutil.pids():
        with contextlib.suppress(OSError):
            if number > 0 and os.getpgid(number) == group:
                one = _identity(number)
                if one is not None:
                    yield one


def _ancestors() -> Iterable[int]:
    with contextlib.suppress(psutil.Error):
        for parent in psutil.Process().parents():
            yield parent.pid
