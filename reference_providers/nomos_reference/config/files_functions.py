"""The functions of the files provider: read, read_bytes, write, exists, list."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, FunctionSpec
from nomos_reference.config.limits import Budget
from nomos_reference.config.reading import read
from nomos_reference.config.tree import EscapeError, RootError, kind_of

if TYPE_CHECKING:
    from nomos_reference.config.files_provider import FilesSource

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _invalid(reason: str) -> ProviderError:
    return ProviderError(f"invalid path: {reason}", "INVALID_SPEC")


def _cut(path: str) -> str:
    return path if len(path) <= 200 else f"{path[:100]}…{path[-100:]}"


def parts_of(path: Any) -> list[str]:
    """Return the names of a path below the folder; the empty path is the folder itself.

    Raises:
        ProviderError: INVALID_SPEC ``invalid path: …`` for one that is absolute or could lead out.
    """
    if not isinstance(path, str):
        raise _invalid("must be a string")
    if "\0" in path:
        raise _invalid("holds a NUL character")
    if path.startswith("/"):
        raise _invalid("is absolute; it must begin below the folder")
    if "\\" in path:
        raise _invalid("holds a backslash")
    parts = path.split("/") if path else []
    if any(part in {"", ".", ".."} for part in parts):
        raise _invalid("has an empty part or a dot segment")
    return parts


@contextlib.contextmanager
def _failures(verb: str, path: str) -> Generator[None]:
    try:
        yield
    except RootError as error:
        reason = "the folder of the setting `directory` cannot be opened"
        raise ProviderError(f"failed to {verb} file: {reason}", "NETWORK_ERROR") from error
    except EscapeError as error:
        raise _invalid("is a link that leads out of the folder") from error
    except PermissionError as error:
        raise ProviderError(f"failed to {verb} file: permission denied: {_cut(path)}", "PERMISSION_DENIED") from error
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise ProviderError(f"file not found: {_cut(path)}", "NOT_FOUND") from error
        code = "CAPACITY_ERROR" if error.errno in _NO_ROOM else "PROVIDER_INTERNAL"
        raise ProviderError(f"failed to {verb} file: {os.strerror(error.errno or 0)}: {_cut(path)}", code) from error


def _read_bytes(source: FilesSource, path: str, context: CallContext) -> bytes:
    parts = parts_of(path)
    if not parts:
        raise _invalid("is empty")
    with _failures("read", path), source.tree.open(parts) as descriptor:
        if kind_of(descriptor) not in {"file", "fifo"}:
            raise ProviderError(f"failed to read file: is no file: {_cut(path)}")
        return read(descriptor, _cut(path), Budget(source.limits, context))


def _read(source: FilesSource, path: str, context: CallContext) -> str:
    try:
        return _read_bytes(source, path, context).decode()
    except UnicodeDecodeError as error:
        reason = "is not UTF-8, use read_bytes"
        raise ProviderError(f"failed to read file: {reason}: {_cut(path)}") from error


def _exists(source: FilesSource, path: str) -> bool:
    parts = parts_of(path)
    try:
        with _failures("read", path), source.tree.open(parts):
            return True
    except ProviderError as error:
        if error.code == "NOT_FOUND":
            return False
        raise


def _list(source: FilesSource, path: str) -> list[str]:
    parts = parts_of(path)
    with _failures("read", path), source.tree.open(parts) as descriptor:
        if kind_of(descriptor) != "folder":
            raise _invalid("is no folder")
        names: list[str] = []
        for name in os.listdir(descriptor):  # noqa: PTH208 # a Path has no descriptor
            try:
                is_folder = stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)
            except FileNotFoundError:
                continue
            if name.encode(errors="ignore").decode() == name:
                names.append(name + ("/" if is_folder else ""))
        return sorted(names)


def _write(source: FilesSource, path: str, content: Any, context: CallContext) -> None:
    parts = parts_of(path)
    if not parts:
        raise _invalid("is empty")
    if not isinstance(content, str | bytes):
        raise ProviderError("content: must be a string or bytes", "INVALID_SPEC")
    data = content.encode() if isinstance(content, str) else content
    Budget(source.limits, context).spend_bytes(len(data))
    with _failures("write", path), source.tree.open(parts[:-1]) as folder:
        if kind_of(folder) != "folder":
            raise NotADirectoryError(errno.ENOTDIR, "")
        _replace(folder, parts[-1], data, context)


def _replace(folder: int, name: str, data: bytes, context: CallContext) -> None:
    """Put *data* in the place of the file *name*: all of it or, on any failure, nothing."""
    mode = 0o644
    with contextlib.suppress(FileNotFoundError):
        known = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISREG(known):
            raise _invalid("is a link, a folder or a special file")
        mode = stat.S_IMODE(known)
    scratch = f".nomos-{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(scratch, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        context.check()
        os.rename(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)  # relative to a descriptor
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch, dir_fd=folder)  # relative to a descriptor
        raise
    os.fsync(folder)


def functions(source: Callable[[], FilesSource]) -> Mapping[str, FunctionSpec]:
    """Return the functions by name; *source* gives the folder of the moment or raises."""
    path = ("path",)
    return {
        "read": FunctionSpec(lambda args, context: _read(source(), args["path"], context), required=path),
        "read_bytes": FunctionSpec(lambda args, context: _read_bytes(source(), args["path"], context), required=path),
        "write": FunctionSpec(
            lambda args, context: _write(source(), args["path"], args["content"], context), required=("path", "content")
        ),
        "exists": FunctionSpec(lambda args, _context: _exists(source(), args["path"]), required=path),
        "list": FunctionSpec(lambda args, _context: _list(source(), args.get("path", "")), optional=path),
    }
