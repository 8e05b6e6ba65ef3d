"""How much a provider reads and answers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """The limits of one provider; each is an optional key of its configuration, with ``max_`` before it.

    Attributes:
        answer_bytes: longest answer of Fetch; gRPC clients refuse more than 4 MiB unless told otherwise.
        source_bytes: bytes of all sources that one call reads.
        depth: levels of maps and lists, folders included.
        items: values in one answer, aliases of YAML written out.
    """

    answer_bytes: int = 4 * MEBIBYTE
    source_bytes: int = 16 * MEBIBYTE
    depth: int = 100
    items: int = 200_000


HIGHEST: Final = Limits(64 * MEBIBYTE, 256 * MEBIBYTE, 500, 10_000_000)
"""The highest limits that a configuration may ask for; 500 levels are what the JSON parser of Python can do."""

SCHEMA: Final[dict[str, Any]] = {
    f"max_{one.name}": {
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": getattr(HIGHEST, one.name),
        "pattern": "^[0-9]+$",
        "default": one.default,
    }
    for one in fields(Limits)
}
"""JSON Schema of the keys; a caller of the `cli` kind sends numbers as strings."""


class Budget:
    """What one call may still read; shared by all sources of that call."""

    def __init__(self, limits: Limits, context: CallContext) -> None:
        """Begin with everything left."""
        self.limits = limits
        self.context = context
        self._bytes = limits.source_bytes
        self._items = limits.items

    @property
    def bytes_left(self) -> int:
        """How many bytes may still be read."""
        return self._bytes

    def spend_bytes(self, count: int) -> None:
        """Take *count* bytes.

        Raises:
            ProviderError: LIMIT_EXCEEDED, or the call has ended.
        """
        self.context.check()
        self._bytes -= count
        if self._bytes < 0:
            raise ProviderError(
                f"the source is longer than {self.limits.source_bytes} bytes (max_source_bytes)", "LIMIT_EXCEEDED"
            )

    def spend_items(self, count: int) -> None:
        """Take *count* values.

        Raises:
            ProviderError: LIMIT_EXCEEDED, or the call has ended.
        """
        before, self._items = self._items, self._items - count
        if self._items < 0:
            raise ProviderError(f"the source holds more than {self.limits.items} values (max_items)", "LIMIT_EXCEEDED")
        if before // 1024 != self._items // 1024:
            self.context.check()

    def check_depth(self, depth: int) -> None:
        """Return if *depth* levels are allowed.

        Raises:
            ProviderError: LIMIT_EXCEEDED.
        """
        if depth > self.limits.depth:
            raise ProviderError(
                f"the source is nested deeper than {self.limits.depth} levels (max_depth)", "LIMIT_EXCEEDED"
            )
