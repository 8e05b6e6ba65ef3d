"""The kill matrix as a page shows it, read from what tools/kill_matrix.py wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from pytest_nomos.report.jsontext import JsonTextError, parse, read_bytes
from pytest_nomos.report.model import Text

KILL_MATRIX: Final = "kill-matrix.json"


class MatrixRow(BaseModel):
    """A mutant: what it breaks, and what was wrong with that; empty where it broke what it lists and nothing else."""

    model_config = ConfigDict(frozen=True)

    name: Text
    breaks: tuple[Text, ...] = ()
    problems: tuple[Text, ...] = ()


class KillMatrix(BaseModel):
    """Which mutants each clause kills, and the mutants."""

    model_config = ConfigDict(frozen=True)

    matrix: dict[str, tuple[Text, ...]]
    rows: tuple[MatrixRow, ...]

    @property
    def bad(self) -> tuple[MatrixRow, ...]:
        """The mutants, and correct providers, that did not break what they list."""
        return tuple(row for row in self.rows if row.problems)

    @property
    def idle(self) -> tuple[str, ...]:
        """The clauses that kill no mutant."""
        return tuple(clause for clause, killed in self.matrix.items() if not killed)


def load_matrix(folder: Path) -> KillMatrix | None:
    """Return the kill matrix that lies in *folder*, None where none does or it cannot be read as one."""
    path = folder / KILL_MATRIX
    try:
        return KillMatrix.model_validate(parse(read_bytes(path), path.name))
    except (JsonTextError, ValidationError):
        return None
