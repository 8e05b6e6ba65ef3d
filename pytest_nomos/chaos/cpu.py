"""A provider that gets only a part of one CPU: by a control group, else by stopping and continuing it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nomos_contracts.fault import Cpu
from pytest_nomos.chaos.applied import FaultFailed, RevertFailed
from pytest_nomos.chaos.processes import continue_recipe, make_run
from pytest_nomos.chaos.recipes import RemoveGroup
from pytest_nomos.chaos.subject import POLL, ProcessSubject

PERIOD: Final = 100_000
"""Microseconds in which the share is counted; the kernel's own default."""
REMOVE_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Place:
    """Where a control group can be made.

    Attributes:
        version: of the control groups, 1 or 2.
        home: the folder of the group that the process is in.
        parent: the folder in which the new one is made.
    """

    version: int
    home: Path
    parent: Path

    @property
    def usable(self) -> bool:
        """Whether a group can be made here, and processes moved to it and back.

        Told from rights alone: a group made to try it out would be left behind by a run that is killed just then.
        """
        needed = [self.parent, self.home / "cgroup.procs", self.parent / "cgroup.procs"]
        if self.version == 1:
            needed.append(self.parent / "cpu.cfs_quota_us")
        return all(os.access(path, os.W_OK) for path in needed)


def places(subject: ProcessSubject) -> Iterator[Place]:
    """Yield where groups with a share of the CPU can be made for a process, if rights allow it."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
        own = Path(f"/proc/{subject.pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for fields in mounts:
        root, mounted, (kind, _, options) = fields[3], Path(fields[4]), fields[fields.index("-") + 1 :][:3]
        for line in own:
            number, controllers, path = line.split(":", 2)
            if kind == "cgroup2" and number == "0":
                home = _below(mounted, root, path)
                # A group with processes in it hands nothing down, the topmost one excepted.
                for parent in (home, home.parent) if home != mounted else (home,):
                    if "cpu" in _words(parent / "cgroup.subtree_control"):
                        yield Place(2, home, parent)
            elif kind == "cgroup" and "cpu" in options.split(",") and "cpu" in controllers.split(","):
                home = _below(mounted, root, path)
                yield Place(1, home, home)


def _below(mounted: Path, root: str, path: str) -> Path:
    inside = Path(path)
    if root != "/":
        inside = inside.relative_to(root) if inside.is_relative_to(root) else Path()
    return mounted / str(inside).lstrip("/")


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []


def quota_of(percent: int) -> int:
    """Return microseconds of each `PERIOD`."""
    return PERIOD * percent // 100


class CpuGroup:
    """Puts a provider into a control group with a quota."""

    def __init__(self, fault: Cpu, subject: ProcessSubject, place: Place) -> None:
        self.fault = fault
        self.escalated = ""
        self._subject = subject
        self._place = place
        self._path = place.parent / f"nomos-{subject.pid}-{subject.main.started}-{os.getpid()}"
        self._made = False

    def _make(self) -> None:
        self._made = True
        self._path.mkdir()
        quota = quota_of(self.fault.percent)
        if self._place.version == 2:
            self._write("cpu.max", f"{quota} {PERIOD}")
        else:
            self._write("cpu.cfs_period_us", str(PERIOD))
            self._write("cpu.cfs_quota_us", str(quota))

    def _write(self, name: str, text: str) -> None:
        (self._path / name).write_text(text, encoding="ascii")

    @property
    def mechanism(self) -> str:
        """The version of the control group and its quota."""
        name = "cpu.max" if self._place.version == 2 else "cpu.cfs_quota_us"
        return f"cgroup v{self._place.version} {name}={quota_of(self.fault.percent)} of {PERIOD} µs"

    @property
    def undo(self) -> Mapping[str, Any]:
        """Its folder, and where its processes go."""
        return RemoveGroup(path=str(self._path), home=str(self._place.home)).model_dump(mode="json")

    def apply(self) -> None:
        """Make the group and move all members into it."""
        try:
            self._make()
            if not self._move_in():
                raise FaultFailed(f"{self.fault.words}: process {self._subject.pid} is gone, or is another one now")
        except OSError as error:
            raise FaultFailed(f"{self.fault.words}: {self._path}: {error.strerror or error}") from error

    def _move_in(self) -> bool:
        moved = False
        for one in self._subject.members():
            if one.lives:
                try:
                    self._write("cgroup.procs", str(one.pid))
                except ProcessLookupError:
                    continue
                moved = True
        return moved

    def verify(self) -> None:
        """See that all members are in it; one that was started meanwhile is moved too."""
        for _ in range(20):
            inside = set(_words(self._path / "cgroup.procs"))
            outside = [one for one in self._subject.members() if str(one.pid) not in inside]
            if not outside:
                break
            self._move_in()
        else:
            raise FaultFailed(f"{self.fault.words}: some processes of {self._subject.pid} cannot be moved")
        if not inside:
            raise FaultFailed(f"{self.fault.words}: process {self._subject.pid} ended")
        name = "cpu.max" if self._place.version == 2 else "cpu.cfs_quota_us"
        if _words(self._path / name)[:1] != [str(quota_of(self.fault.percent))]:
            raise FaultFailed(f"{self.fault.words}: the quota of {self._path} was changed")

    def revert(self) -> None:
        """Move all processes back and remove the group."""
        if self._made:
            self.escalated = remove_group(self._path, self._place.home)
            self._made = False

    def bite(self) -> str:
        """Say how often the kernel held it back."""
        stat = _words(self._path / "cpu.stat")
        figures = dict(zip(stat[::2], stat[1::2], strict=False))
        times = int(figures.get("nr_throttled", 0))
        if not times:
            return ""
        lost = int(figures.get("throttled_usec", 0)) / 1e6 or int(figures.get("throttled_time", 0)) / 1e9
        return (
            f"held back by the kernel in {times} of {figures.get('nr_periods', '?')} periods, for {lost:.2f} s in all"
        )


def remove_group(path: Path, home: Path) -> str:
    """Move all processes of a control group to *home*, and remove it.

    Returns:
        What was done beyond that, empty where it was enough.

    Raises:
        RevertFailed: it is still there.
    """
    end, why = time.monotonic() + REMOVE_SECONDS, ""
    while path.is_dir():
        for number in _words(path / "cgroup.procs"):
            try:
                (home / "cgroup.procs").write_text(number, encoding="ascii")
            except ProcessLookupError:
                continue
            except OSError as error:
                why = f": process {number} cannot be moved to {home}: {error.strerror}"
        try:
            path.rmdir()
        except FileNotFoundError:
            break
        except OSError as error:
            if time.monotonic() > end:
                freed = _set_free(path)
                raise RevertFailed(
                    f"{path} cannot be removed: {error.strerror}{why}"
                    + ("; its quota was taken away, so nothing is held back any more" if freed else "")
                ) from error
            time.sleep(POLL)
    return ""


def _set_free(path: Path) -> bool:
    for name, text in (("cpu.max", "max"), ("cpu.cfs_quota_us", "-1")):
        if (path / name).exists():
            try:
                (path / name).write_text(text, encoding="ascii")
            except OSError:
                return False
            return True
    return False


class DutyCycle:
    """Stops and continues a provider many times a second, from a thread."""

    def __init__(self, fault: Cpu, subject: ProcessSubject) -> None:
        self.fault = fault
        self.escalated = ""
        self._subject = subject
        self._over = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._holds = False
        self._stops = 0
        self._stood = 0.0

    @property
    def mechanism(self) -> str:
        """The cycle."""
        period = PERIOD // 1000
        return f"duty cycle: SIGSTOP/SIGCONT, runs {self.fault.percent * period // 100} ms of each {period} ms"

    @property
    def undo(self) -> Mapping[str, Any]:
        """SIGCONT."""
        return continue_recipe(self._subject)

    def apply(self) -> None:
        """Start the cycle."""
        if not self._subject.main.lives:
            raise FaultFailed(f"{self.fault.words}: process {self._subject.pid} is gone, or is another one now")
        self._thread = threading.Thread(target=self._run, name="nomos-duty-cycle", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        period = PERIOD / 1e6
        runs = period * self.fault.percent / 100
        try:
            while not self._over.is_set():
                since = time.monotonic()
                self._holds = True
                if not self._subject.stop():
                    return
                self._stops += 1
                self._stopped.set()
                self._over.wait(period - runs)
                self._subject.let_go()
                self._holds = False
                self._stood += time.monotonic() - since
                self._over.wait(runs)
        finally:
            if self._holds:
                self._subject.let_go()
                self._holds = False

    def verify(self) -> None:
        """See that it was stopped once."""
        if not self._stopped.wait(5 * PERIOD / 1e6):
            raise FaultFailed(f"{self.fault.words}: process {self._subject.pid} was not stopped once")

    def revert(self) -> None:
        """End the cycle, and see that the process runs."""
        if self._thread is None:
            return
        self._over.set()
        self._thread.join(REMOVE_SECONDS)
        if self._thread.is_alive():
            raise RevertFailed(f"the thread that stops process {self._subject.pid} does not end")
        if not self._subject.is_held:
            self.escalated = make_run(self._subject)
        self._thread = None

    def bite(self) -> str:
        """Say how often it was stopped."""
        return f"stopped {self._stops} times, for {self._stood:.2f} s in all" if self._stops else ""


def throttle(fault: Cpu, subject: ProcessSubject) -> CpuGroup | DutyCycle:
    """Return the best way of this machine to give *subject* a part of one CPU: a control group, else a duty cycle."""
    for place in places(subject):
        if place.usable:
            return CpuGroup(fault, subject, place)
    return DutyCycle(fault, subject)
