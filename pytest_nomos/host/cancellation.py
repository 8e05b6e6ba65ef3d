"""Cancellation: what can give a start or a stop up."""

from __future__ import annotations

from typing import Protocol


class Cancel(Protocol):
    """Anything that can be asked whether to go on, such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether to give up."""
        ...


class AnyOf:
    """Set as soon as one of several is."""

    def __init__(self, *parts: Cancel | None) -> None:
        self._parts = [part for part in parts if part is not None]

    def is_set(self) -> bool:
        """Whether to give up."""
        return any(part.is_set() for part in self._parts)
