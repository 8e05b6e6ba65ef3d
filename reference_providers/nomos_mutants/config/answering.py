"""Mutants whose values are wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from nomos_mutants.mutant import mutant
from nomos_mutants.original import Original
from nomos_proto import messages
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext
from nomos_proto.servicer import V1Servicer
from nomos_proto.structs import encode_struct
from nomos_proto.wire import field


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return *value* with *change* applied to each scalar in it."""
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [mapped(item, change) for item in value]
    return change(value)


class _Changed(Original):
    """Changes what Fetch answers."""

    def change(self, value: Any) -> Any:
        """Return the changed value."""
        return value

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer the changed value."""
        return self.change(super().fetch(path, context=context))


@mutant("CFG-VALUE-001", defect="numbers are strings", also=("CFG-SCHED-001", "CFG-VALUE-006"))
class NumbersAsText(_Changed):
    """Reads everything as text."""

    def change(self, value: Any) -> Any:
        """Turn numbers into text."""
        return mapped(value, lambda v: str(v) if isinstance(v, int | float) and not isinstance(v, bool) else v)


@mutant("CFG-VALUE-001", "zero", defect="zero is null", also=("CFG-SCHED-001",))
class ZeroIsNull(_Changed):
    """Tests a number for truth."""

    def change(self, value: Any) -> Any:
        """Turn zero into null."""
        return mapped(value, lambda v: None if v == 0 and not isinstance(v, bool | str) else v)


@mutant("CFG-VALUE-001", "empty", defect="an empty list is an empty map", also=("CFG-SCHED-001", "CFG-VALUE-004"))
class EmptyListIsMap(_Changed):
    """Knows one kind of emptiness."""

    def change(self, value: Any) -> Any:
        """Turn empty lists into empty maps, at the top."""
        return {} if value == [] else value


@mutant("CFG-VALUE-001", "large", defect="integers over 2^53 - 1 lose one", also=("CFG-SCHED-001",))
class LosesOne(_Changed):
    """Rounds large numbers."""

    def change(self, value: Any) -> Any:
        """Take one from large numbers."""
        return mapped(value, lambda v: v - 1 if isinstance(v, int | float) and abs(v) >= 2**53 else v)


@mutant(
    "CFG-VALUE-001",
    "later",
    defect="from the fourth answer for a path on strings have no blanks at their ends",
    also=("CFG-FETCH-011",),
    by_chance=True,
)
class TrimsLater(Original):
    """Has a cache that trims."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: Counter[tuple[str, ...]] = Counter()

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Trim what comes from the cache."""
        found = super().fetch(path, context=context)
        self._asked[tuple(path)] += 1
        return mapped(found, _trimmed) if self._asked[tuple(path)] >= 4 else found


def _trimmed(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


class _Fetch(V1Servicer):
    """Changes the bytes of good answers to Fetch."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Return the changed bytes."""
        return answer

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer the changed bytes."""

        def work(call: CallContext) -> bytes:
            value = self.provider.fetch(messages.decode_fetch_request(request), context=call)
            answer = messages.encode_fetch_response(messages.wrap(value), max_bytes=1 << 26)
            return self.change(answer, value)

        return self.limited(context, "Fetch", work)


@mutant("CFG-VALUE-002", defect="null is an answer without a value", also=("CFG-VALUE-004",))
class NullIsNothing(_Fetch):
    """Leaves out what is null."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Answer nothing for null."""
        return b"" if value is None else answer


@mutant(
    "CFG-VALUE-003",
    defect="a null inside a map is a value without a kind",
    also=("CFG-SCHED-001", "CFG-VALUE-001", "CFG-VALUE-005"),
)
class UnsetKinds(_Fetch):
    """Leaves the kind of a null unset."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Take the kind out of each null."""
        # A null is field 1 as a varint of 0 in a Value: two bytes, whose loss shortens the lengths around them. An
        # unknown field of the same length takes their place.
        return answer.replace(b"\x12\x02\x08\x00", b"\x12\x02\x78\x00") if isinstance(value, dict) else answer


@mutant("CFG-VALUE-004", defect="a boolean is wrapped as result", also=("CFG-SCHED-001", "CFG-VALUE-001"))
class WrapsAsResult(_Fetch):
    """Has its own wrapper."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Wrap booleans under another key."""
        if not isinstance(value, bool):
            return answer
        return field(1, encode_struct({"result": value}))


@mutant("CFG-VALUE-005", defect="a wildcard answers the list of the names", also=("CFG-SCHED-001", "CFG-VALUE-001"))
class WildcardLists(Original):
    """Lists for a wildcard."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer the names."""
        found = super().fetch(path, context=context)
        return sorted(found) if path and path[-1] == "*" and isinstance(found, dict) else found


@mutant("CFG-VALUE-006", defect="an index beyond the end counts from the start again", also=("CFG-FETCH-010",))
class IndexWraps(Original):
    """Takes the index modulo the length."""

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Try smaller indexes."""
        try:
            return super().fetch(path, context=context)
        except ProviderError as error:
            at = next((i for i, s in enumerate(path) if re.fullmatch(r"[^\[\]]+\[\d+\]", s)), None)
            if error.code != "NOT_FOUND" or at is None:
                raise
            name = path[at].partition("[")[0]
            try:
                return super().fetch([*path[:at], f"{name}[0]", *path[at + 1 :]], context=context)
            except ProviderError:
                raise error from None


@mutant(
    "CFG-VALUE-007",
    defect="values are wrapped in twelve maps more",
    also=("CFG-SCHED-001", "CFG-VALUE-001", "CFG-VALUE-005", "CFG-VALUE-006"),
)
class NestsDeeply(_Changed):
    """Adds levels."""

    def change(self, value: Any) -> Any:
        """Wrap maps."""
        if isinstance(value, dict) and value:
            for _ in range(12):
                value = {"config": value}
        return value


@mutant(
    "CFG-VALUE-009",
    defect="maps carry five megabytes of comments",
    also=("CFG-SCHED-001", "CFG-VALUE-001", "CFG-VALUE-005", "CFG-VALUE-006"),
)
class Padded(_Fetch):
    """Sends more than a caller takes."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Pad maps."""
        if not isinstance(value, dict) or not value:
            return answer
        return field(1, encode_struct({**value, "comment": "x" * 5_000_000}))


@mutant(
    "CFG-VALUE-008",
    defect="maps carry eleven megabytes of comments",
    also=("CFG-SCHED-001", "CFG-VALUE-001", "CFG-VALUE-005", "CFG-VALUE-009"),
)
class PaddedMore(_Fetch):
    """Sends far more than a caller takes."""

    def change(self, answer: bytes, value: Any) -> bytes:
        """Pad one map."""
        if not isinstance(value, dict) or "ciphers" not in value:
            return answer
        return field(1, encode_struct({**value, "comment": "x" * 11_000_000}))


@mutant(
    "CFG-VALUE-010",
    defect="characters beyond the basic plane are question marks",
    also=("CFG-SCHED-001", "CFG-VALUE-001"),
)
class BasicPlane(_Changed):
    """Counts characters in 16 bits."""

    def change(self, value: Any) -> Any:
        """Replace what does not fit."""
        return mapped(value, lambda v: "".join(c if c < "\U00010000" else "?" for c in v) if isinstance(v, str) else v)
