"""The owner of a resource: the process of a run, written so that anybody can tell whether it is still alive."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

import psutil

_TEXT: Final = re.compile(r"nomos-([0-9a-f]{8})-([0-9a-f]{8})-(\d{1,10})-(\d{1,20})")


class Life(StrEnum):
    """What is known of a run: it is alive, it has ended, or it belongs to a machine that cannot be looked into."""

    ALIVE = "alive"
    ENDED = "ended"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Owner:
    """A process, told apart from every other one that has or had its number.

    Attributes:
        machine: digest of the machine, and of the process namespace in it.
        boot: digest of the machine's present boot.
        pid: number of the process.
        started: when it began, in whatever unit the machine counts.
    """

    machine: str
    boot: str
    pid: int
    started: int

    @classmethod
    def of_process(cls, pid: int | None = None) -> Self:
        """Return the owner that process *pid* is, by default this one.

        Raises:
            ProcessLookupError: there is no such process.
        """
        number = os.getpid() if pid is None else pid
        started = started_at(number)
        if started is None:
            raise ProcessLookupError(number)
        return cls(_machine(), _boot(), number, started)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the owner that *text* names, None where it names none."""
        found = _TEXT.fullmatch(text)
        return cls(found[1], found[2], int(found[3]), int(found[4])) if found else None

    def __str__(self) -> str:
        return f"nomos-{self.machine}-{self.boot}-{self.pid}-{self.started}"

    @property
    def life(self) -> Life:
        """Whether it still lives, as far as this machine can tell."""
        if self.machine != _machine():
            return Life.ELSEWHERE
        if self.boot != _boot():
            return Life.ENDED
        return Life.ALIVE if started_at(self.pid) == self.started else Life.ENDED


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def _machine() -> str:
    # Two containers of one machine have the same numbers for different processes.
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return _digest(platform.node(), namespace)


def _boot() -> str:
    try:
        return _digest(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
    except OSError:
        return _digest(str(round(psutil.boot_time())))


def started_at(pid: int) -> int | None:
    """Return when process *pid* began, None where there is none, or only what its parent has not yet waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except OSError:
        return None
    else:
        # In ticks since the boot: unlike a time of day it does not move when the clock is set.
        return None if stat[0] in {b"Z", b"X"} else int(stat[19])
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time())
    except psutil.Error:
        return None
