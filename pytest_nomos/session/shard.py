"""Shard: one of several parts of a contract, for runs on several machines."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

_FORM = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


class ShardError(ValueError):
    """What was written is no shard; the message says what to write."""


@dataclass(frozen=True)
class Shard:
    """Part *index* (from 1) of *total*."""

    index: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2/5``.

        Raises:
            ShardError: it is something else.
        """
        found = _FORM.fullmatch(text)
        if found is None or int(found[1]) > int(found[2]):
            raise ShardError(f"{text!r} is no shard; write 2/5 for the second of five")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.total}"

    def holds(self, clause_id: str) -> bool:
        """Return whether the clause belongs to this part: by a hash of its id, so equally on every machine."""
        digest = hashlib.sha256(clause_id.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.total == self.index - 1
