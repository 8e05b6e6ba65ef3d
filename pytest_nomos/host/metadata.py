"""Metadata of calls: what the target declares, and a trace that each call is a part of."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

_NAME: Final = re.compile(r"[0-9a-z_.-]+")
_RESERVED: Final = ("grpc-", ":")

Pairs = tuple[tuple[str, str], ...]


class MetadataError(ValueError):
    """Metadata that cannot be sent; the message names the key and never holds its value."""


class CallMetadata:
    """The metadata of every call to one provider. The deadline travels beside it, as gRPC's own ``grpc-timeout``.

    Args:
        declared: names and values; names are written in lower case on the wire.
        trace: trace id of 32 hexadecimal digits; made up where None.

    Raises:
        MetadataError: a name or value that gRPC would refuse at each call.
    """

    def __init__(self, declared: Mapping[str, str] | None = None, trace: str | None = None) -> None:
        pairs: list[tuple[str, str]] = []
        for given, value in (declared or {}).items():
            name = given.lower()
            if not _NAME.fullmatch(name) or name.startswith(_RESERVED) or name.endswith("-bin"):
                raise MetadataError(
                    f"metadata key {given!r} cannot be sent: use letters, digits and '-', not 'grpc-…' or '…-bin'"
                )
            if not value.isascii() or not value.isprintable() or value != value.strip():
                raise MetadataError(
                    f"the value of metadata key {given!r} cannot be sent: printable ASCII only, no spaces around it"
                )
            pairs.append((name, value))
        self._pairs: Pairs = tuple(pairs)
        self._traced = any(name == "traceparent" for name, _ in pairs)
        self.trace = trace or secrets.token_hex(16)

    def pairs(self, further: Sequence[tuple[str, str]] = ()) -> Pairs:
        """Return the metadata of one call: the declared, a ``traceparent`` with a new span, and *further*."""
        if self._traced:
            return (*self._pairs, *further)
        return (*self._pairs, ("traceparent", f"00-{self.trace}-{secrets.token_hex(8)}-01"), *further)

    def redacted(self) -> dict[str, str]:
        """Return the declared names, each with a digest in place of its value, for records."""
        return {name: f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:12]}" for name, value in self._pairs}
