"""How a target is reached: a program to start, an address to connect to, or an object to make in this process."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nomos_contracts.clause import CONTRACTS_OF, clauses_of
from pytest_nomos.targets.objects import object_reach, package_folder, python_reach, registered_reach
from pytest_nomos.targets.surroundings import Surroundings
from pytest_nomos.targets.ways import Reach, TargetError


def reach_of(spec: str, folder: Path, surroundings: Surroundings, interface: str) -> Reach:
    """Return how to reach the target *spec*.

    Args:
        spec: the target string.
        folder: where relative paths in it start.
        surroundings: files that a target needs are made there.
        interface: the interface that the settings give it.

    Raises:
        TargetError: it is no target, or its file is not there.
    """
    kind, _, rest = spec.partition(":")
    makers: Mapping[str, Any] = {
        "exec": lambda: program_of(shlex.split(rest), folder, spec),
        "python": lambda: python_reach(rest, folder, interface),
        "grpc": lambda: Reach(address=_host_and_port(rest)),
        "unix": lambda: Reach(address=f"unix:{Path(rest).absolute()}"),
        "registered": lambda: registered_reach(rest, surroundings.registry),
        "mutant": lambda: _mutant(rest, surroundings),
    }
    if spec.startswith(("./", "../", "/", "~")) or (kind not in makers and (folder / spec).is_file() and "/" in spec):
        return program_of((spec,), folder, spec)
    if kind in makers and rest:
        found: Reach = makers[kind]()
        return found
    if kind == "get":
        raise TargetError(f"{spec}: downloads are not part of this release; give the path of the binary")
    hint = f"; write ./{spec} for the file in this folder" if (folder / spec).exists() else ""
    raise TargetError(
        f"{spec}: this is no target{hint}. A target is a path (./provider), a name of a [targets.NAME] table, "
        "exec:COMMAND, python:package.module:factory, grpc:HOST:PORT, unix:/PATH, registered:config/files, "
        "mutant:CLAUSE or all"
    )


def program_of(command: Iterable[str], folder: Path, place: str) -> Reach:
    """Return how to reach a program by its command line; *place* says in errors where it was written.

    Raises:
        TargetError: there is no such program.
    """
    words = tuple(command)
    if not words:
        raise TargetError(f"{place}: there is no program to start")
    program = Path(words[0]).expanduser()
    if "/" in words[0] or words[0].startswith("~"):
        program = (folder / program).absolute()
        if not program.exists():
            raise TargetError(f"{place}: there is no file {program}; build the provider first, or correct the path")
        if program.is_dir():
            raise TargetError(f"{place}: {program} is a folder; give the program in it")
        return Reach(command=(str(program), *words[1:]), subject=program)
    found = shutil.which(words[0])
    if found is None:
        raise TargetError(f"{place}: there is no program {words[0]} on PATH")
    return Reach(command=(found, *words[1:]), subject=Path(found))


def _host_and_port(rest: str) -> str:
    host, _, port = rest.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise TargetError(f"grpc:{rest}: write grpc:HOST:PORT, for instance grpc:127.0.0.1:50051")
    return rest


def original_of(rest: str) -> str:
    """Return which correct provider the mutant *rest* is a variation of; those of no mutant are the files provider."""
    from nomos_mutants import MutantError, find

    try:
        return find(rest).original
    except MutantError:
        return "files"


def capabilities_of(rest: str) -> tuple[str, ...]:
    """Return what the mutant *rest* has to declare so that the clauses that it breaks are asked of it."""
    from nomos_mutants import MutantError, find

    try:
        broken = find(rest).breaks
    except MutantError:
        return ()
    clauses = clauses_of(CONTRACTS_OF["config"])
    return tuple(sorted({name for clause in broken if clause in clauses for name in clauses[clause].capabilities}))


def _mutant(rest: str, surroundings: Surroundings) -> Reach:
    from nomos_mutants import MutantError, find
    from nomos_mutants.functions import FunctionMutant

    try:
        made = find(rest)
    except MutantError as error:
        raise TargetError(f"mutant:{rest}: {error}") from error
    command, subject = (sys.executable, "-m", "nomos_mutants", made.name), package_folder("nomos_mutants")
    if isinstance(made, FunctionMutant):
        reach = object_reach(made.interface, command, made.make, subject)
        return reach.over("wire") if made.outside else reach
    if not made.mode:
        return Reach(command=command, subject=subject)
    # The defect is in the file, so there has to be one.
    file = surroundings.folders.make("mutant") / made.file
    file.write_bytes(made.program)
    file.chmod(made.mode)
    return Reach(command=(str(file),), subject=file)
