"""The ways to a target: a program to start, an address to connect to, or an object to make in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Transport = Literal["inproc", "wire"]
"""How checks reach a provider: as an object in this process, or as a program over gRPC."""

Make = Callable[[Mapping[str, Any]], object]
"""Makes a provider object of its configuration."""


class TargetError(ValueError):
    """A target string that cannot be used; the message says what to write instead."""


@dataclass(frozen=True)
class Reach:
    """The ways to one target.

    Attributes:
        command: program and arguments; empty where nothing is to be started.
        address: where it already runs, else empty.
        subject: file or folder whose digest identifies the provider, None where there is none.
        make: makes the provider object in this process, None where there is none to make.
        interface: the interface that it is known to implement, empty where the settings say so.
    """

    command: tuple[str, ...] = ()
    address: str = ""
    subject: Path | None = None
    make: Make | None = None
    interface: str = ""

    @property
    def transports(self) -> tuple[Transport, ...]:
        """The transports over which it can be reached; the first is taken where none is asked for."""
        found: tuple[Transport, ...] = ("inproc",) if self.make else ()
        return (*found, "wire") if self.command or self.address else found

    def over(self, transport: Transport) -> Reach:
        """Return the way over *transport* alone."""
        if transport == "inproc":
            return Reach(subject=self.subject, make=self.make, interface=self.interface)
        return Reach(self.command, self.address, self.subject, None, self.interface)


def parse_transports(text: str) -> tuple[Transport, ...]:
    """Return the transports of ``inproc``, ``wire`` or ``inproc,wire``, in the order given.

    Raises:
        TargetError: there is another word, or one stands twice.
    """
    found: list[Transport] = []
    for word in text.split(","):
        match word.strip():
            case "inproc" | "wire" as known if known not in found:
                found.append(known)
            case _:
                raise TargetError(f"--nomos-transport={text}: write inproc, wire or inproc,wire")
    return tuple(found)
