"""The program to start: where it is, and why this machine cannot execute it."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import stat
import struct
from pathlib import Path
from typing import Final

from nomos_contracts.provider import StartFailure

_HEAD: Final = 4096
_ELF_MACHINES: Final = {
    3: "i386",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}
_SAME: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_PT_INTERP: Final = 3


class ProgramError(Exception):
    """A program that cannot be started.

    Attributes:
        failure: ``NOT_FOUND``, ``NOT_EXECUTABLE`` or ``SPAWN``.
    """

    def __init__(self, failure: StartFailure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


def resolve(name: str, folder: Path, path: str | None) -> str:
    """Return the absolute path of a program.

    Args:
        name: a path (from *folder*, where it is relative) or a bare name, which is looked for on *path*.
        folder: where a relative path starts.
        path: the PATH to search.

    Raises:
        ProgramError: it is not there, or cannot be executed.
    """
    if not name or "\0" in name:
        raise ProgramError(StartFailure.NOT_FOUND, f"{name!r} is no name of a program")
    if "/" not in name:
        found = shutil.which(name, path=path)
        if found is not None:
            return str(Path(found).absolute())
        hint = f"; for the file in {folder} write ./{name}" if (folder / name).is_file() else ""
        raise ProgramError(StartFailure.NOT_FOUND, f"there is no program {name} on PATH{hint}")
    program = folder / Path(name).expanduser()
    try:
        mode = program.stat().st_mode
    except FileNotFoundError:
        what = "is a link to a file that does not exist" if program.is_symlink() else "does not exist"
        raise ProgramError(
            StartFailure.NOT_FOUND, f"{program} {what}; build the provider or correct the path"
        ) from None
    except OSError as error:
        raise ProgramError(StartFailure.NOT_FOUND, f"{program} cannot be reached: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise ProgramError(StartFailure.NOT_EXECUTABLE, f"{program} is a folder; name the program inside it")
    if not stat.S_ISREG(mode):
        raise ProgramError(StartFailure.NOT_EXECUTABLE, f"{program} is no regular file")
    if not os.access(program, os.X_OK):
        message = f"{program} is not executable (mode {stat.S_IMODE(mode):04o}); run: chmod +x {program}"
        raise ProgramError(StartFailure.NOT_EXECUTABLE, message)
    return str(program)


def explain(program: str, number: int) -> ProgramError:
    """Return why executing *program* failed with the error *number*."""
    head = _head(program)
    if number == errno.ENOENT:
        return _explain_missing(program, head)
    if number == errno.ENOEXEC:
        return ProgramError(StartFailure.SPAWN, f"{program} cannot be executed here: {_format(head)}")
    if number == errno.EACCES:
        interpreter = _interpreter(head)
        what = f"its interpreter {interpreter}" if interpreter else "it, or a folder above it,"
        cause = f"{what} may not be executed (permissions, or a file system mounted noexec)"
        return ProgramError(StartFailure.NOT_EXECUTABLE, f"{program} cannot be executed: {cause}")
    if number == errno.ETXTBSY:
        return ProgramError(StartFailure.SPAWN, f"{program} is open for writing: something is still building it")
    if number == errno.E2BIG:
        return ProgramError(StartFailure.SPAWN, f"{program}: arguments and environment together are too long")
    return ProgramError(StartFailure.SPAWN, f"{program} cannot be executed: {os.strerror(number)}")


def _head(program: str) -> bytes:
    try:
        with Path(program).open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _interpreter(head: bytes) -> str:
    """Return the interpreter that a script names, empty where it names none."""
    if not head.startswith(b"#!"):
        return ""
    words = head[2:].split(b"\n", 1)[0].strip(b" \t").split(None, 1)
    return os.fsdecode(words[0]) if words else ""


def _explain_missing(program: str, head: bytes) -> ProgramError:
    first = head.split(b"\n", 1)[0]
    interpreter = _interpreter(head)
    if interpreter and first.endswith(b"\r"):
        cause = "its first line ends like a Windows line; convert the file to Unix line ends"
    elif interpreter:
        cause = f"its interpreter {interpreter} does not exist; install it or correct the first line of the file"
    elif loader := _elf_loader(head):
        cause = f"its loader {loader} does not exist here; link the program statically or for this system's C library"
    else:
        cause = "it vanished, or something that it needs to start does not exist"
    return ProgramError(StartFailure.SPAWN, f"{program} exists and cannot be executed: {cause}")


def _elf_loader(head: bytes) -> str:
    """Return the loader that a 64-bit little-endian ELF file asks for, empty where it asks for none."""
    try:
        if head[:6] != b"\x7fELF\x02\x01":
            return ""
        offset, size, count = (*struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54))
        for index in range(count):
            at = offset + index * size
            if struct.unpack_from("<I", head, at)[0] == _PT_INTERP:
                start, length = struct.unpack_from("<Q", head, at + 8)[0], struct.unpack_from("<Q", head, at + 32)[0]
                return os.fsdecode(head[start : start + length].rstrip(b"\0"))
    except struct.error:
        pass
    return ""


def _format(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head.startswith(b"\x7fELF") and len(head) >= 20:  # where the machine ends in the header
        number = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)[0]
        machine = _ELF_MACHINES.get(number, f"machine {number}")
        here = platform.machine().lower()
        if machine != _SAME.get(here, here):
            return f"it was built for {machine}, this machine is {here}"
        return "the file is damaged, or was built for another system"
    if head[:4] in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe"):
        return "it was built for macOS"
    if head.startswith(b"MZ"):
        return "it was built for Windows"
    if head.startswith(b"\xef\xbb\xbf#!"):
        return "a byte order mark stands before its #! line; remove it"
    if b"\0" not in head:
        return "it looks like a script, and its first line names no interpreter (such as #!/bin/sh)"
    return "it is no program for this system"
