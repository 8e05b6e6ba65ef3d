"""A mutant: what is wrong with it, which clauses it breaks, and how it runs."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from nomos_proto.provider import ConfigService

FOLDERS = {"PROC": "process", "CFG": "config", "CMP": "compute", "REG": "registry"}
"""Prefix of clause ids to the package that holds their mutants."""

_GRACE = "1.2"
"""Seconds for calls in flight at the end: less than the limits under which mutants are judged, not less than a call."""

ORIGINAL = "original"
"""What ``python -m nomos_mutants`` calls the correct provider."""

Run = Callable[[Sequence[str]], int]
"""Becomes the provider: takes the command line, returns the exit code."""


class MutantError(ValueError):
    """There is no mutant of that name; the message lists those near it."""


@dataclass(frozen=True)
class Mutant:
    """One defect.

    Attributes:
        clause: the clause that it is made for.
        variant: tells mutants of one clause apart, empty for the only one.
        defect: what is wrong, in one sentence.
        breaks: every clause that fails on it; all others pass, warn, do not apply or are blocked by one of these.
        run: becomes the provider.
        program: bytes of the provider's file, where the defect is in the file itself.
        mode: mode of that file.
        file: name of that file.
        by_chance: whether the defect strikes in some calls only, by chance or by how many came before: which further
            clauses meet it depends on the order of calls, and `breaks` names those that are made to find it.
        original: the correct provider that it is a variation of, ``files`` or ``http``.
    """

    clause: str
    variant: str
    defect: str
    breaks: frozenset[str]
    run: Run
    program: bytes = b""
    mode: int = 0
    file: str = "provider"
    by_chance: bool = False
    original: str = "files"

    @property
    def name(self) -> str:
        """The name after ``mutant:``."""
        return f"{self.clause}/{self.variant}" if self.variant else self.clause


def mutant(
    clause: str, variant: str = "", *, defect: str, also: Iterable[str] = (), by_chance: bool = False
) -> Callable[[Any], Any]:
    """Declare a mutant: above a provider class, a class of the v1 service, or a function that becomes the process.

    Args:
        clause: the clause that it is made for.
        variant: tells mutants of one clause apart.
        defect: what is wrong, in one sentence.
        also: further clauses that the defect breaks by its nature.
        by_chance: see `Mutant`.
    """

    def declare(subject: Any) -> Any:
        mode: int = getattr(subject, "__nomos_mode__", 0)
        made = Mutant(
            clause,
            variant,
            defect,
            frozenset({clause, *also}),
            _runner(subject),
            program=subject() if mode else b"",
            mode=mode,
            file=getattr(subject, "__nomos_file__", "provider"),
            by_chance=by_chance,
            original="http" if getattr(subject, "type", "") == "http" else "files",
        )
        subject.__nomos_mutants__ = (*getattr(subject, "__dict__", {}).get("__nomos_mutants__", ()), made)
        return subject

    return declare


def program(*, mode: int, file: str = "provider") -> Callable[[Any], Any]:
    """Say that a function returns the bytes of a provider's file, to be written as *file* with *mode*."""

    def note(subject: Any) -> Any:
        subject.__nomos_mode__ = mode
        subject.__nomos_file__ = file
        return subject

    return note


def _runner(subject: Any) -> Run:
    from nomos_proto.servicer import V1Servicer

    if isinstance(subject, type) and issubclass(subject, V1Servicer):
        return lambda argv: serve_with(argv, service=subject)
    if isinstance(subject, type):
        return lambda argv: serve_with(argv, provider=subject())
    run: Run = subject
    return run


def serve_with(argv: Sequence[str], *, provider: ConfigService | None = None, service: Any = None) -> int:
    """Serve the original, or *provider*, through *service* in place of the v1 service."""
    from nomos_mutants.original import Original
    from nomos_proto import serve

    if service is not None:
        setattr(serve, "V1Servicer", service)  # noqa: B010 # this process exists to be wrong
    return serve.serve(provider or Original(), ["--grace", _GRACE, *argv])


def _modules(package: str) -> Iterator[ModuleType]:
    folder = import_module(f"nomos_mutants.{package}")
    for entry in pkgutil.iter_modules(folder.__path__):
        yield import_module(f"nomos_mutants.{package}.{entry.name}")


def all_mutants(packages: Iterable[str] = tuple(FOLDERS.values())) -> dict[str, Mutant]:
    """Return all mutants by name.

    Raises:
        MutantError: two mutants have one name.
    """
    found: dict[str, Mutant] = {}
    for package in packages:
        for module in _modules(package):
            for subject in vars(module).values():
                if getattr(subject, "__module__", "") != module.__name__:
                    continue
                for made in getattr(subject, "__dict__", {}).get("__nomos_mutants__", ()):
                    if made.name in found:
                        raise MutantError(f"{made.name} stands twice")
                    found[made.name] = made
    return found


def find(name: str) -> Mutant:
    """Return the mutant *name*, a clause id or ``CLAUSE/variant``; an id alone gives its first mutant.

    Raises:
        MutantError: there is none of that name.
    """
    clause = name.partition("/")[0]
    package = FOLDERS.get(clause.partition("-")[0])
    mutants = all_mutants((package,)) if package else {}
    made = mutants.get(name) or next((m for m in mutants.values() if m.clause == name), None)
    if made is None:
        near = sorted(m for m in mutants if m.startswith(clause[:7]))
        raise MutantError(f"there is no mutant {name}" + (f"; near it: {', '.join(near)}" if near else ""))
    return made
