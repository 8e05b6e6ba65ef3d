"""An interface made for tests, and a provider of it that does everything which a provider may do, well and badly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from nomos_contracts.exposure import ServedInterface
from nomos_contracts.functions import interface_of
from nomos_proto.errors import ProviderError


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


@dataclass(frozen=True)
class Label:
    """What stands on a parcel."""

    to: str
    lines: tuple[str, ...] = ()
    notes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Parcel:
    """A parcel."""

    id: str
    size: Size
    weight: float
    label: Label | None = None
    sent: datetime | None = None
    seal: bytes | None = None


@dataclass(frozen=True)
class RichParcel(Parcel):
    """What a provider knows beyond the interface."""

    shelf: int = 0


class Parcels(Protocol):
    async def send(self, parcel: Parcel, express: bool = False) -> Parcel: ...

    def count(self) -> int: ...

    async def find(self, id: str) -> Parcel | None: ...  # noqa: A002 # as interfaces call it

    async def fail(self, code: str) -> None: ...

    async def crash(self) -> None: ...

    def leave(self) -> None: ...

    async def leave_later(self) -> None: ...

    def hang(self, seconds: float) -> None: ...

    async def linger(self, seconds: float) -> str: ...

    def misshapen(self, kind: str) -> Parcel: ...

    def each(self) -> Iterator[Parcel]: ...

    def each_in_time(self) -> AsyncIterator[Parcel]: ...


class SupportsReturns(Protocol):
    async def take_back(self, ids: Sequence[str]) -> int: ...


class SupportsInsurance(Protocol):
    async def insure(self, id: str) -> None: ...  # noqa: A002 # as interfaces call it


INTERFACE = interface_of(
    "parcels",
    Parcels,
    supports={"returns": SupportsReturns, "insurance": SupportsInsurance},
    capabilities=("returns", "insurance", "pickup"),
    idempotent=("count", "find"),
)


class Office:
    """A provider of parcels."""

    capabilities = frozenset({"returns"})

    def __init__(self, config: Mapping[str, Any]) -> None:
        if "capacity" not in config:
            raise ProviderError("capacity: must be set", "INVALID_SPEC")
        self.capacity = config["capacity"]
        self.kept: dict[str, Parcel] = {}
        self.never = threading.Event()
        self.cancelled = False
        self.closed = False

    async def send(self, parcel: Parcel, express: bool = False) -> Parcel:
        await asyncio.sleep(0)
        self.kept[parcel.id] = parcel
        return RichParcel(**vars(parcel), shelf=7)

    def count(self) -> int:
        return len(self.kept)

    async def find(self, id: str) -> Parcel | None:  # noqa: A002 # as interfaces call it
        return self.kept.get(id)

    async def fail(self, code: str) -> None:
        raise ProviderError("the shelves are full", code, provider="office", details={"shelf": 7}, retry_after=1.5)

    async def crash(self) -> None:
        raise LookupError("secret shelf")

    def leave(self) -> None:
        raise SystemExit(3)

    async def leave_later(self) -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    def hang(self, seconds: float) -> None:
        self.never.wait(seconds)

    async def linger(self, seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"

    def misshapen(self, kind: str) -> Any:
        return {
            "missing": {"id": "1"},
            "unknown": {"id": "1", "size": "small", "weight": 1.0, "colour": "red"},
            "other": 17,
            "nothing": None,
            "object": self,
            "nan": Parcel("1", Size.SMALL, float("nan")),
            "map": {"id": "1", "size": "small", "weight": 1.0},
        }[kind]

    def each(self) -> Iterator[Parcel]:
        yield from self.kept.values()

    async def each_in_time(self) -> AsyncIterator[Parcel]:
        for parcel in self.kept.values():
            await asyncio.sleep(0)
            yield parcel
        if not self.kept:
            raise ProviderError("there are no parcels", "NOT_FOUND")

    async def take_back(self, ids: Sequence[str]) -> int:
        return len([self.kept.pop(one) for one in ids if one in self.kept])

    async def close(self) -> None:
        self.closed = True
        self.never.set()


def served() -> ServedInterface:
    return ServedInterface(Office, INTERFACE, name="office", type="office", version="1.0.0")


WHEN = datetime(2026, 11, 21, 7, 30, 0, 123456, tzinfo=UTC)
PARCEL = Parcel("p-1", Size.LARGE, 2.5, Label("Zürich", ("a", "b"), {"k": "v"}), WHEN, b"\x00\xff")
