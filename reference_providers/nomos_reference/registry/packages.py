"""The packages of the default registry, for modules that register their provider when they are imported.

``packages.config.register_global("acme", new_acme)`` is all that such a module does.
"""

from __future__ import annotations

from typing import Final

from nomos_reference.registry.default import default_registry
from nomos_reference.registry.package import RegistryPackage

config: Final = RegistryPackage("config", default_registry)
compute: Final = RegistryPackage("compute", default_registry)
registry: Final = RegistryPackage("registry", default_registry)
