"""Faults: what can be done to a running provider, as frozen values that can be written down, combined and read back.

A fault says what, never how: whoever injects it chooses a mechanism that the machine offers, and names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]
Direction = Literal["downstream", "upstream"]
"""Which way the bytes go: ``downstream`` from the provider to its caller, ``upstream`` to the provider."""


class FaultError(ValueError):
    """Words that name no fault, or one that cannot be; the message says which word and what would do."""


class Fault(BaseModel):
    """Something done to a running provider; ``&`` combines two that are in force together."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    main: ClassVar[str] = ""
    """The field that a bare number sets where a fault is written as text."""

    def __and__(self, other: Fault) -> Together:
        return Together(faults=(*self.parts, *other.parts))

    @property
    def parts(self) -> tuple[Single, ...]:
        """The faults that it is made of, in the order in which they are injected."""
        return (self,)  # type: ignore[return-value]  # every class but Together is one of Single

    @property
    def words(self) -> str:
        """The fault as text, as `parse_fault` reads it."""
        shown = [
            f"{name}={value}"
            for name, value in self.model_dump(exclude_defaults=True).items()
            if name not in {"kind", self.main}
        ]
        first = [text] if self.main and (text := str(getattr(self, self.main))) else []
        kind = str(self.model_dump()["kind"])
        return f"{kind}({', '.join([*first, *shown])})" if first or shown else kind


class NetworkFault(Fault):
    """A fault of the connection, on the way in one direction.

    Attributes:
        direction: which way.
        toxicity: the share of connections that it strikes, above 0 and at most 1.
    """

    direction: Direction = "downstream"
    toxicity: Annotated[float, Field(gt=0, le=1)] = 1.0


class Latency(NetworkFault):
    """Bytes arrive *ms* later, give or take *jitter*; connecting is not delayed."""

    main: ClassVar[str] = "ms"
    kind: Literal["latency"] = "latency"
    ms: Milliseconds
    jitter: Milliseconds = 0


class Bandwidth(NetworkFault):
    """At most *rate* kilobytes a second; 0 lets nothing through."""

    main: ClassVar[str] = "rate"
    kind: Literal["bandwidth"] = "bandwidth"
    rate: Annotated[int, Field(ge=0, le=1_000_000)]


class SlowClose(NetworkFault):
    """A connection that one end closed stays open *ms* longer for the other."""

    main: ClassVar[str] = "ms"
    kind: Literal["slow_close"] = "slow_close"
    ms: Milliseconds


class Silence(NetworkFault):
    """Nothing gets through; after *ms* the connection is closed, never where it is 0 (Toxiproxy: `timeout`)."""

    main: ClassVar[str] = "ms"
    kind: Literal["silence"] = "silence"
    ms: Milliseconds = 0


class Reset(NetworkFault):
    """Connections are reset (RST) *ms* after they carry data, those that are open at once included."""

    main: ClassVar[str] = "ms"
    kind: Literal["reset"] = "reset"
    ms: Milliseconds = 0


class Slices(NetworkFault):
    """Bytes arrive in slices of *size*, give or take *variation*, with *delay* microseconds between them."""

    main: ClassVar[str] = "size"
    kind: Literal["slices"] = "slices"
    size: Annotated[int, Field(ge=1, le=1_000_000)]
    variation: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    delay: Annotated[int, Field(ge=0, le=10_000_000)] = 0


class Truncate(NetworkFault):
    """The connection is closed after *after* bytes (Toxiproxy: `limit_data`)."""

    main: ClassVar[str] = "after"
    kind: Literal["truncate"] = "truncate"
    after: Annotated[int, Field(ge=0, le=1_000_000_000)]


class Down(Fault):
    """Nobody listens any more, and connections that were open are closed."""

    kind: Literal["down"] = "down"


class Pause(Fault):
    """The process is stopped (SIGSTOP) until the fault ends (SIGCONT)."""

    kind: Literal["pause"] = "pause"


class Kill(Fault):
    """The process is killed (SIGKILL); ending the fault starts none again: that is the platform's part."""

    kind: Literal["kill"] = "kill"


class Terminate(Fault):
    """The process is asked to end (SIGTERM)."""

    kind: Literal["terminate"] = "terminate"


class Descriptors(Fault):
    """The process may have *spare* more descriptors than it has, 0 for none."""

    main: ClassVar[str] = "spare"
    kind: Literal["descriptors"] = "descriptors"
    spare: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Memory(Fault):
    """The process may have *spare* MiB more of data than it has."""

    main: ClassVar[str] = "spare"
    kind: Literal["memory"] = "memory"
    spare: Annotated[int, Field(ge=0, le=1_000_000)] = 1


class FileSize(Fault):
    """The process may write no file beyond *limit* bytes (EFBIG)."""

    main: ClassVar[str] = "limit"
    kind: Literal["file_size"] = "file_size"
    limit: Annotated[int, Field(ge=0)] = 0


class Cpu(Fault):
    """The process gets about *percent* of one CPU."""

    main: ClassVar[str] = "percent"
    kind: Literal["cpu"] = "cpu"
    percent: Annotated[int, Field(ge=1, le=99)]


class FullDisk(Fault):
    """Nothing more can be written below *folder*; empty for the folder that the process is started in."""

    main: ClassVar[str] = "folder"
    kind: Literal["full_disk"] = "full_disk"
    folder: Annotated[str, Field(pattern=r"^(/[^()&,=\x00-\x1f]*)?$")] = ""


class Clock(Fault):
    """The time of day is *shift* seconds off for the process; its monotonic clock goes on as it was."""

    main: ClassVar[str] = "shift"
    kind: Literal["clock"] = "clock"
    shift: Annotated[int, Field(ge=-315_360_000, le=315_360_000)]


class DriftFault(Fault):
    """Something done to an instance behind its provider's back, where the target offers a way to (`drift.Drift`)."""


class Deleted(DriftFault):
    """An instance is taken away; its provider is not asked."""

    main: ClassVar[str] = "instance"
    kind: Literal["deleted"] = "deleted"
    instance: str


class Changed(DriftFault):
    """An attribute of an instance is another one."""

    main: ClassVar[str] = "instance"
    kind: Literal["changed"] = "changed"
    instance: str


class Duplicated(DriftFault):
    """There is a second instance that looks like one that was spawned."""

    main: ClassVar[str] = "instance"
    kind: Literal["duplicated"] = "duplicated"
    instance: str


class HalfCreated(DriftFault):
    """There is what a spawn leaves that was cut off once the vendor had created the instance."""

    kind: Literal["half_created"] = "half_created"


Single = Annotated[
    Latency
    | Bandwidth
    | SlowClose
    | Silence
    | Reset
    | Slices
    | Truncate
    | Down
    | Pause
    | Kill
    | Terminate
    | Descriptors
    | Memory
    | FileSize
    | Cpu
    | FullDisk
    | Clock
    | Deleted
    | Changed
    | Duplicated
    | HalfCreated,
    Field(discriminator="kind"),
]


class Together(Fault):
    """Several faults at once: injected in this order, ended in the opposite one."""

    kind: Literal["together"] = "together"
    faults: Annotated[tuple[Single, ...], Field(min_length=1)]

    @property
    def parts(self) -> tuple[Single, ...]:
        """The faults that it is made of."""
        return self.faults

    @property
    def words(self) -> str:
        """The faults as text, joined by ``&``."""
        return "&".join(part.words for part in self.faults)


_ANY: Final[TypeAdapter[Any]] = TypeAdapter(Annotated[Single | Together, Field(discriminator="kind")])
KINDS: Final[Mapping[str, type[Fault]]] = {
    kind.model_fields["kind"].default: kind
    for kind in (
        *(Latency, Bandwidth, SlowClose, Silence, Reset, Slices, Truncate, Down),
        *(Pause, Kill, Terminate, Descriptors, Memory, FileSize, Cpu),
        *(Deleted, Changed, Duplicated, HalfCreated),
        *(FullDisk, Clock),
    )
}
"""Every single fault by its name."""

_CALL: Final = re.compile(r"\s*([a-z_]+)\s*(?:\(([^()&]*)\))?\s*")
_NUMBER: Final = re.compile(r"(-?\d+(?:\.\d+)?)\s*(ms|s|h|d|%|MiB|kB)?")
_UNITS: Final[Mapping[str, Mapping[str, Callable[[float], float]]]] = {
    "ms": {"ms": lambda n: n, "s": lambda n: n * 1000},
    "jitter": {"ms": lambda n: n, "s": lambda n: n * 1000},
    "rate": {"kB": lambda n: n},
    "spare": {"MiB": lambda n: n},
    "percent": {"%": lambda n: n},
    "shift": {"s": lambda n: n, "h": lambda n: n * 3600, "d": lambda n: n * 86_400},
}


def read_fault(data: object) -> Fault:
    """Return the fault that plain JSON types describe, as ``fault.model_dump()`` gives them.

    Raises:
        FaultError: they describe none.
    """
    try:
        fault: Fault = _ANY.validate_python(data)
    except ValidationError as error:
        raise FaultError(_first(error)) from None
    return fault


def parse_fault(text: str) -> Fault:
    """Return the fault that *text* names, for instance ``latency(200ms, jitter=50ms)&pause``.

    Raises:
        FaultError: it names none; the message says where and what would do.
    """
    parts = [_parse_one(part) for part in text.split("&")]
    return parts[0] if len(parts) == 1 else read_fault({"kind": "together", "faults": [p.model_dump() for p in parts]})


def _parse_one(text: str) -> Fault:
    found = _CALL.fullmatch(text)
    if found is None:
        raise FaultError(f"{text.strip()!r} is no fault: write a name and arguments, as in latency(200ms)")
    name, arguments = found[1], found[2] or ""
    if name not in KINDS:
        raise FaultError(f"there is no fault {name!r}; there are {', '.join(KINDS)}")
    kind = KINDS[name]
    values: dict[str, Any] = {"kind": name}
    for number, word in enumerate(filter(None, (part.strip() for part in arguments.split(",")))):
        field, equals, value = word.partition("=")
        if not equals:
            if number or not kind.main:
                raise FaultError(f"{name}: {word!r} has no name; {name} takes {_fields(kind)}")
            field, value = kind.main, word
        if field.strip() not in kind.model_fields or field.strip() == "kind":
            raise FaultError(f"{name} has no {field.strip()!r}; it takes {_fields(kind)}")
        values[field.strip()] = _value(name, field.strip(), value.strip())
    return read_fault(values)


def _value(name: str, field: str, text: str) -> object:
    if KINDS[name].model_fields[field].annotation is str:
        return text
    found = _NUMBER.fullmatch(text)
    if found is None:
        if text and text[0].isdigit():
            raise FaultError(f"{name}: {field}={text}: write a number, with its unit if you like, as in 200ms")
        return text
    number = float(found[1])
    if found[2]:
        units = _UNITS.get(field, {})
        if found[2] not in units:
            known = f"knows {', '.join(units)}" if units else "has no unit"
            raise FaultError(f"{name}: {field}={text}: {field} {known}")
        number = units[found[2]](number)
    return int(number) if number == int(number) else number


def _fields(kind: type[Fault]) -> str:
    return ", ".join(name for name in kind.model_fields if name != "kind") or "no arguments"


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    place = ".".join(str(part) for part in found["loc"] if part not in KINDS)
    return f"{place or 'fault'}: {found['msg']}, got {found.get('input')!r}"
