"""Providers of other packages: entry points of the group ``nomos.providers``.

``"config/acme" = "acme:new_acme"`` names a factory; ``acme = "acme.provider"`` a module that registers itself when it
is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from nomos_contracts.registry.interface import Registry

GROUP: Final = "nomos.providers"


@dataclass(frozen=True)
class Problem:
    """An entry point that gave no provider.

    Attributes:
        name: its name.
        value: what it points to.
        distribution: who has it, empty where unknown.
        reason: why it cannot be used.
    """

    name: str
    value: str
    distribution: str
    reason: str

    @property
    def words(self) -> str:
        """One line for a person."""
        whose = f" of {self.distribution}" if self.distribution else ""
        return f"the entry point {self.name} = {self.value}{whose} gives no provider: {self.reason}"


def register_found(registry: Registry, found: Iterable[EntryPoint] | None = None) -> Iterator[Problem]:
    """Add the providers of entry points to *registry*; yield a problem for each that cannot be added.

    Args:
        registry: has the packages.
        found: the entry points; None: those that are installed.
    """
    for point in entry_points(group=GROUP) if found is None else found:
        try:
            _register(registry, point)
        except (Exception, SystemExit) as error:  # noqa: BLE001 # what somebody else's module raises on import
            whose = "" if point.dist is None else f"{point.dist.name} {point.dist.version}"
            yield Problem(point.name, point.value, whose, f"{type(error).__name__}: {error}")


def _register(registry: Registry, point: EntryPoint) -> None:
    loaded = point.load()
    if not point.attr:
        return  # a module: its import was all that was wanted
    package, slash, name = point.name.partition("/")
    if not slash:
        raise ValueError("the name of an entry point for a factory is PACKAGE/PROVIDER, for instance config/acme")
    registry.register_provider(package, name, loaded)
