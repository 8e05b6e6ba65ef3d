"""Targets that are Python objects: registered providers, and factories named by ``python:``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from importlib import resources
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nomos_contracts.clause import CONTRACTS_OF
from nomos_contracts.factories import call_factory
from nomos_contracts.functions import UnknownInterfaceError, function_interface
from nomos_contracts.registry.interface import Registry
from nomos_proto.errors import ProviderError
from pytest_nomos.targets.ways import Make, Reach, TargetError

CONFIG = "config"


def registered(registry: Registry | None = None) -> tuple[str, ...]:
    """Return the names of the providers whose interface has a contract, for instance ``config/files``.

    Args:
        registry: where they are registered; the default one if none is given.
    """
    from nomos_reference.registry import names

    return tuple(name for name in names(registry) if name.partition("/")[0] in CONTRACTS_OF)


def broken_entry_points(registry: Registry | None = None) -> dict[str, str]:
    """Return the entry points that gave no provider, each with the reason; a registry that was given has none."""
    from nomos_reference.registry import problems

    return {problem.name: problem.words for problem in problems()} if registry is None else {}


def absence(name: str) -> str:
    """Return why a registered provider cannot work on this machine at all, empty where it can."""
    from nomos_reference.registry.builtin import LOCATED

    return LOCATED[name].absence() if name in LOCATED else ""


def registered_reach(name: str, registry: Registry | None = None) -> Reach:
    """Return how to reach a registered provider; one of a registry that was given lives in this process alone.

    Raises:
        TargetError: there is none of that name, or it is no object of a function interface and no program.
    """
    from nomos_reference.registry import create, problems

    known = registered(registry)
    if name not in known:
        broken = "".join(f"; {problem.words}" for problem in problems()) if registry is None else ""
        raise TargetError(f"registered:{name}: there is no such provider; there are {', '.join(known)}{broken}")
    command = (sys.executable, "-m", "nomos_reference", name) if registry is None else ()
    interface = name.partition("/")[0]
    subject = _home_of(name)
    if interface == CONFIG:
        if not command:
            raise TargetError(f"registered:{name}: only what the default registry holds can be started as a program")
        return Reach(command=command, subject=subject, interface=CONFIG)
    return object_reach(interface, command, lambda config: create(name, config, registry=registry), subject)


def object_reach(interface: str, command: tuple[str, ...], make: Make, subject: Path | None) -> Reach:
    """Return how to reach a provider object of a function interface, which *command* serves.

    Raises:
        TargetError: there is no such interface.
    """
    try:
        served = function_interface(interface).has_wire_form
    except UnknownInterfaceError as error:
        raise TargetError(str(error)) from error
    return Reach(command=command if served else (), subject=subject, make=make, interface=interface)


def python_reach(place: str, folder: Path, interface: str) -> Reach:
    """Return how to reach what the factory ``package.module:factory`` makes.

    Raises:
        TargetError: *place* names no factory.
    """
    module, _, factory = place.partition(":")
    if not factory or not all(part.isidentifier() for part in (*module.split("."), *factory.split("."))):
        raise TargetError(f"python:{place}: write python:package.module:factory")
    if interface == CONFIG:
        return Reach(command=(sys.executable, "-m", "nomos_proto", place, "--path", str(folder)))
    command = (sys.executable, "-m", "nomos_contracts", interface, place, "--path", str(folder))

    def make(config: Mapping[str, Any]) -> object:
        return call_factory(_imported(place, folder), config)

    return object_reach(interface, command, make, _module_home(module, folder))


def _imported(place: str, folder: Path) -> Any:
    """Return what *place* names; *folder* comes first while its module is imported, and stays at the end of the path.

    Raises:
        ProviderError: INVALID_SPEC; there is no such module or attribute.
    """
    module, _, factory = place.partition(":")
    sys.path.insert(0, str(folder))
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise ProviderError(f"python:{place}: {error}", "INVALID_SPEC") from error
    finally:
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    for part in factory.split("."):
        if not hasattr(found, part):
            raise ProviderError(f"python:{place}: {module} has no attribute {factory}", "INVALID_SPEC")
        found = getattr(found, part)
    return found


def _module_home(module: str, folder: Path) -> Path | None:
    """Return the file or folder of the outermost package of *module*, which is not imported."""
    top = module.partition(".")[0]
    for found in (folder / f"{top}.py", folder / top):
        if found.exists():
            return found
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin and Path(spec.origin).is_file() else None


def _home_of(name: str) -> Path | None:
    """Return the file or package folder of a registered provider, None where nothing tells."""
    for point in entry_points(group="nomos.providers"):
        if point.name == name:
            return _module_home(point.module, Path.cwd())
    from nomos_reference import PLACES
    from nomos_reference.registry.builtin import LOCATED

    return package_folder("nomos_reference") if name in PLACES or name in LOCATED else None


def package_folder(name: str) -> Path:
    """Return the folder of an installed package of ours."""
    return Path(str(resources.files(name)))
