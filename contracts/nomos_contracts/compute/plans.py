"""What a bootstrap script does: the files that it writes and the commands that it runs."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

UNPACKED: Final = 1 << 24
"""More than any user data holds, and less than harms the machine."""
PLAIN_MODE: Final = 0o644
"""What cloud-init and Ignition give a file for which no mode is given."""


class ScriptError(ValueError):
    """A script that its program refuses; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What a script does.

    Attributes:
        files: the files that it writes, path to content.
        commands: the commands that it runs, in order.
        modes: the modes of files that have others than they get by themselves.
    """

    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    commands: tuple[tuple[str, ...], ...] = ()
    modes: Mapping[str, int] = field(default_factory=dict[str, int])


def utf8(text: str, what: str) -> bytes:
    """Return the bytes of *text*.

    Raises:
        ScriptError: it holds half of a pair of surrogates, which is no character: nothing can write it to a file.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise ScriptError(
            f"{what} holds \\u{ord(half):04x}, which is half of a character: write the character"
        ) from error


def unzipped(data: bytes, what: str) -> bytes:
    """Return what *data* was before gzip.

    Raises:
        ScriptError: it was never that, or is more than user data can be.
    """
    try:
        plain = gzip.GzipFile(fileobj=io.BytesIO(data)).read(UNPACKED + 1)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise ScriptError(f"{what} is not gzip: {error}") from error
    if len(plain) > UNPACKED:
        raise ScriptError(f"{what} is more than {UNPACKED >> 20} MiB")
    return plain


def absolute(path: object, what: str) -> str:
    """Return *path*.

    Raises:
        ScriptError: it is no absolute path.
    """
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
        raise ScriptError(f"each of {what} has an absolute path")
    utf8(path, "a path")
    return path
