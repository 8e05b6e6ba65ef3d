"""A full disk: a small file system of the provider's own, in a mount namespace that ends with it, filled up."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nomos_contracts.fault import FullDisk
from pytest_nomos.chaos.applied import FaultFailed, RevertFailed, Unavailable
from pytest_nomos.chaos.subject import ProcessSubject

SOURCE: Final = "nomos-disk"
"""What the file system is called among the mounts of the process."""
ROOM: Final = 4096
"""Kilobytes that are free until the disk is filled."""
MOST: Final = 65_536
"""Kilobytes in the folder that are copied; it lives in memory."""
_PROBE_SECONDS: Final = 10.0
_CHUNK: Final = bytes(1 << 16)

# A shell's own folder and descriptor lead to what is below the new mount.
SCRIPT: Final = f"""\
set -e
start="$PWD"
folder="${{1:-$PWD}}"
shift
cd "$folder"
exec 9<.
size=$(du -sk . | cut -f1)
if [ "$size" -gt {MOST} ]; then
  echo "$folder holds more than {MOST} kB" >&2
  exit 96
fi
mount -t tmpfs -o "size=$((size + {ROOM}))k,mode=$(stat -c %a .)" {SOURCE} "$folder"
# The second time without owners, which are not ours to give away where we are root in a namespace only.
cp -RPp /proc/self/fd/9/. "$folder"/ 2>/dev/null || cp -RPf /proc/self/fd/9/. "$folder"/
exec 9<&-
cd "$start"
exec "$@"
"""


def disk_command(fault: FullDisk, command: tuple[str, ...]) -> tuple[str, ...]:
    """Return *command* so that the process which it starts has the folder on a small disk of its own.

    Raises:
        Unavailable: this machine lets us mount nothing.
    """
    for way, inner in _ways():
        if _works(way, inner):
            return (*way, "/bin/sh", "-c", SCRIPT, SOURCE, fault.folder, *inner, *command)
    raise Unavailable(
        f"{fault.words}: a small disk for one process takes a mount namespace, which needs root or user namespaces, "
        f"and unshare, mount and cp on PATH"
    )


def _ways() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield what comes before the script, and before the command in it: as few rights as will do come last."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        yield (unshare, "--mount", "--"), ()
        yield (unshare, "--user", "--map-root-user", "--mount", "--"), ()
        return
    # Root mounts, in a namespace in which we are root; the provider is who it would be without the fault.
    back = (unshare, "--user", f"--map-user={user}", f"--map-group={group}", "--")
    yield (unshare, "--user", "--map-root-user", "--mount", "--"), back


def _works(way: tuple[str, ...], inner: tuple[str, ...]) -> bool:
    mount = f'mount -t tmpfs -o size=64k {SOURCE} /mnt && exec "$@"'
    try:
        done = subprocess.run(
            [*way, "/bin/sh", "-c", mount, SOURCE, *inner, "/bin/true"],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _mounted(pid: int) -> Path | None:
    """Return the folder at which a process has its small disk, as the process names it."""
    try:
        lines = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    for line in lines:
        fields, _, rest = line.partition(" - ")
        if rest.split(" ")[:2] == ["tmpfs", SOURCE]:
            return Path(_unescaped(fields.split(" ")[4]))
    return None


def _unescaped(text: str) -> str:
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, letter)
    return text


class FillDisk:
    """Fills the small disk of a process with a file that has no name, and is gone as soon as we are."""

    undo = None

    def __init__(self, fault: FullDisk, subject: ProcessSubject) -> None:
        self.fault = fault
        self._main = subject.main
        folder = _mounted(subject.pid)
        if folder is None:
            raise Unavailable(f"{fault.words}: process {subject.pid} was not started on a disk that can be filled")
        self._folder = folder
        self._file = -1

    @property
    def mechanism(self) -> str:
        """The file system, and where it is mounted."""
        return f"tmpfs in a mount namespace, at {self._folder}"

    @property
    def _path(self) -> Path:
        return Path(f"/proc/{self._main.pid}/root") / str(self._folder).lstrip("/")

    def apply(self) -> None:
        """Fill it."""
        try:
            self._file = os.open(self._path, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            if not self._main.lives:
                raise FaultFailed(f"{self.fault.words}: process {self._main.pid} ended")
            while True:
                os.write(self._file, _CHUNK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise FaultFailed(f"{self.fault.words}: {self._folder}: {error.strerror}") from error

    def verify(self) -> None:
        """See that nothing is free."""
        left = os.fstatvfs(self._file)
        if left.f_bavail:
            raise FaultFailed(f"{self.fault.words}: {left.f_bavail * left.f_frsize} bytes are free at {self._folder}")

    def revert(self) -> None:
        """Give the room back."""
        if self._file < 0:
            return
        try:
            os.ftruncate(self._file, 0)
            free = os.fstatvfs(self._file).f_bavail
        except OSError as error:
            raise RevertFailed(f"{self._folder} stays full: {error.strerror}") from error
        os.close(self._file)
        self._file = -1
        if not free:
            raise RevertFailed(f"{self._folder} is full with what the provider itself has written")

    def bite(self) -> str:
        """Nothing: a write that fails is seen by whoever asked for it."""
        return ""
