"""The subject: the file or package whose digest identifies the provider."""

from __future__ import annotations

import hashlib
from pathlib import Path


def subject_digest(path: Path) -> str:
    """Return the SHA-256 of the subject, in hex.

    A file: over its bytes. A folder (a Python package): over the sorted lines ``<sha256>  <relative path>`` of its
    files, compiled ones left out.

    Raises:
        OSError: it cannot be read, or is neither file nor folder.
    """
    if path.is_file():
        return _file_digest(path)
    if not path.is_dir():
        raise OSError(None, "no such file or folder" if not path.exists() else "is neither file nor folder", str(path))
    lines = sorted(
        f"{_file_digest(entry)}  {entry.relative_to(path).as_posix()}\n"
        for entry in path.rglob("*")
        if entry.is_file() and "__pycache__" not in entry.parts
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
