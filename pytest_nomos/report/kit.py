"""What made a report: versions, the digest of the kit's own files, the system."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import metadata
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Protocol

from pytest_nomos.report.jsontext import slow_digest
from pytest_nomos.report.model import RunHeader, now

PACKAGES = ("nomos_contracts", "nomos_mocks", "nomos_mutants", "nomos_proto", "nomos_reference", "pytest_nomos")


@cache
def kit_digest() -> str:
    """Return the SHA-256 over names and contents of all files in the kit's packages, bytecode left out."""
    total = hashlib.sha256()
    for package in PACKAGES:
        _add(total, files(package), package)
    return total.hexdigest()


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def _add(total: _Hash, folder: Traversable, name: str) -> None:
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.is_dir():
            if entry.name != "__pycache__":
                _add(total, entry, f"{name}/{entry.name}")
        elif not entry.name.endswith((".pyc", ".pyo")):
            content = hashlib.sha256(entry.read_bytes()).hexdigest()
            total.update(f"{name}/{entry.name}\0{content}\n".encode())


def kit_version() -> str:
    """Return the version of pytest-nomos."""
    return metadata.version("pytest-nomos")


def run_header(
    argv: Sequence[str], *, started: datetime | None = None, shard: str = "", known_targets: Sequence[str] = ()
) -> RunHeader:
    """Return the header of a run that is about to begin with the command line *argv*."""
    return RunHeader(
        kit=kit_version(),
        kit_digest=kit_digest(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        pytest=metadata.version("pytest"),
        grpcio=metadata.version("grpcio"),
        platform=f"{platform.system()} {platform.machine()}",
        argv_digest=slow_digest(list(argv)),
        shard=shard,
        started=started or now(),
        known_targets=tuple(known_targets),
    )
