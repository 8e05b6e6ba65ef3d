"""A watcher is told of every call that checks make of a provider with a function interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from nomos_contracts.provider import Answer


class Watcher(Protocol):
    """Its methods run in the thread of the caller."""

    def begins(self, method: str, sent: Mapping[str, Any], /) -> None:
        """A call is about to be made, with arguments in their plain form."""
        ...

    def ended(self, answer: Answer, /) -> None:
        """A call has its answer."""
        ...
