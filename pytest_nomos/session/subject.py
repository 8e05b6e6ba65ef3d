"""The subject: the file or package whose digest identifies the provider."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(path: Path) -> str:
    """Return the SHA-256 of the subject, lowercase hex.

    A file: over its bytes. A folder (a Python package): over the sorted lines ``<sha256>  <relative path>`` of its
    files, compiled ones left out.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    lines = sorted(
        f"{digest(entry)}  {entry.relative_to(path).as_posix()}\n"
        for entry in path.rglob("*")
        if entry.is_file() and "__pycache__" not in entry.parts
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
