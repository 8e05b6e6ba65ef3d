"""Starting a process in such a way that faults can be injected into it which one that merely runs is safe from."""

from __future__ import annotations

import sys
from pathlib import Path

from nomos_contracts.fault import Clock, Fault, FullDisk
from pytest_nomos.chaos.applied import Unavailable


def needs_readying(fault: Fault) -> bool:
    """Whether *fault* strikes only processes that were started for it."""
    return any(isinstance(part, Clock | FullDisk) for part in fault.parts)


def readied(command: tuple[str, ...], fault: Fault) -> tuple[str, ...]:
    """Return *command*, whose program is a path or on PATH, so that *fault* can strike what it starts.

    Process number, group and streams stay those of the command itself.

    Raises:
        Unavailable: this machine has no mechanism for it.
    """
    if not needs_readying(fault):
        return command
    if sys.platform != "linux":
        raise Unavailable(f"{fault.words}: only Linux has a mechanism for it")
    from pytest_nomos.chaos.clock import clock_command
    from pytest_nomos.chaos.disk import disk_command

    if "/" in command[0]:
        command = (str(Path(command[0]).expanduser().absolute()), *command[1:])
    for part in fault.parts:
        if isinstance(part, Clock):
            command = clock_command(part, command)
    # Outermost, so that the clock's file is written where the process sees it.
    for part in fault.parts:
        if isinstance(part, FullDisk):
            command = disk_command(part, command)
    return command
