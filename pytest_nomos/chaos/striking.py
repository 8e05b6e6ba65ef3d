"""Which mechanism of this machine does a fault to a process."""

from __future__ import annotations

import sys

from nomos_contracts.fault import Clock, Cpu, Descriptors, Fault, FileSize, FullDisk, Kill, Memory, Pause, Terminate
from pytest_nomos.chaos.applied import Applied, Unavailable
from pytest_nomos.chaos.subject import ProcessSubject


def strikes_process(fault: Fault) -> bool:
    """Whether a single fault is one of a process, and not of its connections."""
    return isinstance(fault, Pause | Kill | Terminate | Descriptors | Memory | FileSize | Cpu | FullDisk | Clock)


def process_fault(fault: Fault, subject: ProcessSubject) -> Applied:
    """Return *fault*, ready to be applied to *subject*; nothing is done yet.

    Raises:
        Unavailable: this machine has no mechanism for it, or it is no fault of a process; the message says what is
            missing.
    """
    if sys.platform == "win32":
        raise Unavailable(f"{fault.words}: Windows can neither stop nor limit a process as the fault asks for")
    from pytest_nomos.chaos.clock import ShiftClock
    from pytest_nomos.chaos.cpu import throttle
    from pytest_nomos.chaos.disk import FillDisk
    from pytest_nomos.chaos.limits import LowerLimit
    from pytest_nomos.chaos.processes import KillProcess, PauseProcess, TerminateProcess

    match fault:
        case Pause():
            return PauseProcess(fault, subject)
        case Kill():
            return KillProcess(fault, subject)
        case Terminate():
            return TerminateProcess(fault, subject)
        case Descriptors() | Memory() | FileSize():
            return LowerLimit(fault, subject)
        case Cpu():
            return throttle(fault, subject)
        case FullDisk():
            return FillDisk(fault, subject)
        case Clock():
            return ShiftClock(fault, subject)
        case _:
            raise Unavailable(f"{fault.words} is no fault of a process")
