"""A provider whose time of day is wrong: by libfaketime, which reads from a file how wrong it is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nomos_contracts.fault import Clock
from pytest_nomos.chaos.applied import FaultFailed, RevertFailed, Unavailable
from pytest_nomos.chaos.recipes import TurnBack
from pytest_nomos.chaos.subject import ProcessSubject
from pytest_nomos.host.folders import TemporaryFolders
from pytest_nomos.host.reaping import ReaperError

NAMED: Final = "NOMOS_LIBFAKETIME"
"""Environment variable that names the library where it is in none of the `PLACES`."""
PLACES: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib")
LIBRARY: Final = "libfaketimeMT.so.1"
SUFFIX: Final = ".nomos-clock"
RIGHT: Final = "+0"
_VARIABLE: Final = "FAKETIME_TIMESTAMP_FILE"
_PROBE_SECONDS: Final = 10.0
_PROBED: Final = 86_400

# Beside the working folder, which is empty for the provider and removed together with what is beside it.
SCRIPT: Final = f"""\
set -e
{_VARIABLE}="$PWD{SUFFIX}"
printf %s {RIGHT} >"${_VARIABLE}"
export {_VARIABLE} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1
LD_PRELOAD="$1${{LD_PRELOAD:+:$LD_PRELOAD}}"
export LD_PRELOAD
shift
exec "$@"
"""


def clock_command(fault: Clock, command: tuple[str, ...]) -> tuple[str, ...]:
    """Return *command* so that the clock of the process which it starts can be set.

    Raises:
        Unavailable: this machine has no library that does it.
    """
    library = find_library()
    if library is None:
        raise Unavailable(
            f"{fault.words}: the clock of one process is set with libfaketime, which is not here; install it "
            f"(Debian: libfaketime), or name {LIBRARY} in {NAMED}"
        )
    why = _probe(library)
    if why:
        raise Unavailable(f"{fault.words}: {library} does not work here: {why}")
    return ("/bin/sh", "-c", SCRIPT, "nomos-clock", library, *command)


def find_library() -> str | None:
    """Return the library's file, None where this machine has none."""
    named = os.environ.get(NAMED, "")
    if named:
        return str(Path(named).absolute()) if Path(named).is_file() else None
    for place in PLACES:
        for pattern in (f"faketime/{LIBRARY}", f"*/faketime/{LIBRARY}"):
            found = sorted(Path(place).glob(pattern))
            if found:
                return str(found[0])
    return None


def _probe(library: str) -> str:
    """Return why a program that is started with *library* sees no other time, empty where it does."""
    try:
        # Not one of tempfile's own: that would outlive a run which is killed meanwhile.
        with TemporaryFolders() as folders:
            file = folders.make("clock") / "clock"
            file.write_text(f"+{_PROBED}", encoding="ascii")
            environment = {"LD_PRELOAD": library, _VARIABLE: str(file), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            done = subprocess.run(
                [sys.executable, "-S", "-c", "import time; print(time.time())"],
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=_PROBE_SECONDS,
                check=True,
            )
            ahead = float(done.stdout) - time.time()
    except ReaperError as error:
        return str(error)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"a program that is started with it fails: {type(error).__name__}"
    return "" if abs(ahead - _PROBED) < 60 else "a program that is started with it sees the right time"


def _file_of(subject: ProcessSubject) -> Path | None:
    """Return the file from which the process reads how wrong its clock is, None where it reads none."""
    try:
        variables = Path(f"/proc/{subject.pid}/environ").read_bytes().split(b"\0")
        loaded = b"libfaketime" in Path(f"/proc/{subject.pid}/maps").read_bytes()
    except OSError:
        return None
    start = f"{_VARIABLE}=".encode()
    named = [Path(os.fsdecode(one.removeprefix(start))) for one in variables if one.startswith(start)]
    return named[0] if loaded and named and named[0].name.endswith(SUFFIX) else None


def set_clock(file: Path, text: str) -> None:
    """Write how wrong the clock is; whoever reads meanwhile reads all of it.

    Raises:
        OSError: it cannot be written.
    """
    scratch = file.with_name(f"{file.name}.new")
    scratch.write_text(text, encoding="ascii")
    _unread(scratch)
    scratch.replace(file)


def _unread(file: Path) -> None:
    """Note that nobody has read it: a first access is recorded also where later ones are not (relatime)."""
    os.utime(file, ns=(0, time.time_ns()))


class ShiftClock:
    """Sets the clock of a process that was started for it."""

    mechanism = "libfaketime, time of day only"

    def __init__(self, fault: Clock, subject: ProcessSubject) -> None:
        self.fault = fault
        self._main = subject.main
        file = _file_of(subject)
        if file is None:
            raise Unavailable(
                f"{fault.words}: process {subject.pid} has not loaded libfaketime: it was not started for this fault, "
                f"or is linked statically, as programs in Go often are"
            )
        self._file = file
        self._set = False

    @property
    def undo(self) -> Mapping[str, Any]:
        """The file."""
        return TurnBack(pid=self._main.pid, started=self._main.started, path=str(self._file)).model_dump(mode="json")

    def apply(self) -> None:
        """Set it."""
        try:
            now = self._file.read_text(encoding="ascii")
            if now != RIGHT:
                raise FaultFailed(f"{self.fault.words}: the clock of process {self._main.pid} is {now} s off already")
            self._set = True
            set_clock(self._file, f"{self.fault.shift:+d}")
        except OSError as error:
            raise FaultFailed(f"{self.fault.words}: {self._file}: {error.strerror}") from error

    def verify(self) -> None:
        """See that it is set, and that there is somebody to read it."""
        if not self._main.lives:
            raise FaultFailed(f"{self.fault.words}: process {self._main.pid} ended")
        if self._file.read_text(encoding="ascii") != f"{self.fault.shift:+d}":
            raise FaultFailed(f"{self.fault.words}: {self._file} was changed")
        _unread(self._file)

    def revert(self) -> None:
        """Set it right."""
        if not self._set:
            return
        try:
            if self._file.exists():
                set_clock(self._file, RIGHT)
        except OSError as error:
            raise RevertFailed(
                f"{self._file} cannot be written: {error.strerror}; the clock of process {self._main.pid} is "
                f"{self.fault.shift:+d} s off until it ends"
            ) from error
        self._set = False

    def bite(self) -> str:
        """Say that the process looked at its clock."""
        with contextlib.suppress(OSError):
            seen = self._file.stat()
            if self._set and seen.st_atime_ns > 0:
                return f"process {self._main.pid} read the time of day, {self.fault.shift:+d} s off"
        return ""
