"""The file of a Unix socket: taken by one server at a time, and gone when that server is gone."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from nomos_proto.announcement import MAX_UNIX_PATH


class SocketFileError(OSError):
    """The socket cannot be made there; the message says why and what to do."""


class SocketFile:
    """Holds a lock beside the path while a server uses it.

    gRPC removes a socket that is in its way without a word, even that of a living server; the lock prevents that.
    """

    def __init__(self, path: str) -> None:
        """Prepare to take *path*.

        Raises:
            SocketFileError: it is not absolute, or longer than the system allows.
        """
        length = len(os.fsencode(path))
        if not path.startswith("/"):
            raise SocketFileError("the path of a Unix socket must be absolute")
        if length > MAX_UNIX_PATH:
            raise SocketFileError(f"the path of the Unix socket has {length} bytes, and {MAX_UNIX_PATH} are possible")
        if "\0" in path:
            raise SocketFileError("the path of the Unix socket holds a NUL")
        self.path = Path(path)
        self._lock_path = Path(f"{path}.lock")
        self._lock = -1

    def __enter__(self) -> Self:
        """Take the lock and remove what a dead server left behind.

        Raises:
            SocketFileError: a living server has it, something else stands there, or the folder is not there.
        """
        self._lock = self._take_lock()
        try:
            self._clear()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.path.unlink(missing_ok=True)
        self._release()

    def _take_lock(self) -> int:
        while True:
            try:
                lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            except OSError as error:
                raise SocketFileError(f"cannot lock {self._lock_path}: {error.strerror}") from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Its last owner may have removed it between our open and our lock.
                if os.path.samestat(os.fstat(lock), os.stat(self._lock_path)):  # noqa: PTH116 # beside its twin
                    return lock
            except BlockingIOError as error:
                os.close(lock)
                raise SocketFileError(f"another server uses {self.path}; stop it or choose another path") from error
            except FileNotFoundError:
                pass
            os.close(lock)

    def _clear(self) -> None:
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise SocketFileError(f"{self.path} exists and is no socket; choose another path")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            code = probe.connect_ex(str(self.path))
        if code not in {errno.ECONNREFUSED, errno.ENOENT}:
            raise SocketFileError(f"another server uses {self.path}; stop it or choose another path")
        self.path.unlink(missing_ok=True)

    def _release(self) -> None:
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)
