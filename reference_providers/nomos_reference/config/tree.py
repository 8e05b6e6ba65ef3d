"""Open files beneath a root folder, and nowhere else.

Every step opens one name relative to the descriptor of the folder before it and never lets the system follow a link:
links are followed here, and one that leads out is refused. A folder or link that is exchanged meanwhile changes what is
found, never where it is looked for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

MAX_LINKS: Final = 40

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class EscapeError(OSError):
    """A link leads out of the root."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "leads out of the folder")


class RootError(OSError):
    """The root folder itself cannot be opened; `errno` says why."""


class Tree:
    """A root folder, opened anew for each call, so that nothing is held between them."""

    def __init__(self, root: Path) -> None:
        """Use *root*, which may be a link itself."""
        self.root = root

    @contextlib.contextmanager
    def open(self, parts: Sequence[str], *, follow: bool = True) -> Generator[int]:
        """Yield a descriptor of the file or folder at *parts*, open for reading and never blocking.

        Args:
            parts: names from the root on.
            follow: whether the last name may be a link.

        Raises:
            EscapeError: a link leads out of the root, or there are more than 40 links.
            RootError: the root itself cannot be opened.
            OSError: as the system says; FileNotFoundError where nothing is there.
        """
        with self._folder_of(parts, follow=follow) as (folder, name):
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.dup(folder) if name is None else os.open(name, flags, dir_fd=folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def stat(self, parts: Sequence[str]) -> os.stat_result:
        """Return what the system knows of the file or folder at *parts*, links followed.

        Nothing is opened: the writer of a FIFO would take that for its reader.

        Raises:
            OSError: as `open`.
        """
        with self._folder_of(parts, follow=True) as (folder, name):
            return os.fstat(folder) if name is None else os.stat(name, dir_fd=folder, follow_symlinks=False)

    @contextlib.contextmanager
    def _folder_of(self, parts: Sequence[str], *, follow: bool) -> Generator[tuple[int, str | None]]:
        """Yield a descriptor of the folder that holds what is at *parts*, and its name there, None for the folder."""
        try:
            folders = [os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        except OSError as error:
            raise RootError(error.errno, error.strerror) from error
        pending = deque(parts)
        links = 0
        found: str | None = None
        try:
            while pending:
                name = pending.popleft()
                if name == "..":
                    # Only a link can bring it here.
                    if len(folders) == 1:
                        raise EscapeError
                    os.close(folders.pop())
                    continue
                last = not pending
                target = _link(name, folders[-1]) if follow or not last else None
                if target is not None:
                    links += 1
                    if target.startswith("/") or links > MAX_LINKS:
                        raise EscapeError
                    pending.extendleft(part for part in reversed(target.split("/")) if part not in {"", "."})
                elif last:
                    found = name
                else:
                    folders.append(os.open(name, _FOLDER, dir_fd=folders[-1]))
            yield folders[-1], found
        finally:
            for folder in folders:
                os.close(folder)


def _link(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def kind_of(descriptor: int) -> str:
    """Return ``file``, ``folder``, ``fifo`` or ``other``."""
    return kind_of_mode(os.fstat(descriptor).st_mode)


def kind_of_mode(mode: int) -> str:
    """Return what `kind_of` says of a file with this mode."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "fifo" if stat.S_ISFIFO(mode) else "other"
