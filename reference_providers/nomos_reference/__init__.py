"""Reference providers: small, correct, each one usable as an object and as a binary of its own.

``python -m nomos_reference config/files`` starts one; `PROVIDERS` makes one in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from nomos_proto.provider import ConfigService

VERSION: Final = "0.1.0"
"""Version of every provider here, equal to that of the distribution (reading its metadata costs 20 ms a start)."""


PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "config/files": "files_provider:FilesProvider",
        "config/http": "http_provider:HttpProvider",
        "config/json": "document_provider:JsonProvider",
        "config/yaml": "document_provider:YamlProvider",
    }
)
"""Where the class of each configuration provider is, by registered name."""


def _factory(place: str) -> Callable[[], ConfigService]:
    # Imported when it is wanted: a provider must not pay for the others at its start.
    module, _, name = place.partition(":")

    def make() -> ConfigService:
        return cast("ConfigService", getattr(import_module(f"nomos_reference.config.{module}"), name)())

    return make


PROVIDERS: Final[Mapping[str, Callable[[], ConfigService]]] = MappingProxyType(
    {name: _factory(place) for name, place in PLACES.items()}
)
"""Our configuration providers of the default registry, each without Init; see `nomos_reference.registry`."""
