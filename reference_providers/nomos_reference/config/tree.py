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
            OSError: as the system says; FileNotFoundError where nothing is there.
        """
        descriptor = self._descend(parts, follow=follow)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _descend(self, parts: Sequence[str], *, follow: bool) -> int:
        folders = [os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        pending = deque(parts)
        links = 0
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
                    return os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folders[-1])
                else:
                    folders.append(os.open(name, _FOLDER, dir_fd=folders[-1]))
            return os.dup(folders[-1])
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
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "fifo" if stat.S_ISFIFO(mode) else "other"
