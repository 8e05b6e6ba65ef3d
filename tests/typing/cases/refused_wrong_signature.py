"""A provider whose fetch takes one string and whose info answers a dict: refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nomos_proto.provider import CallContext, ConfigService, Health, HealthStatus


class Old:
    """Signatures of another protocol."""

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None: ...

    def fetch(self, path: int, *, context: CallContext) -> Any: ...

    def info(self) -> dict[str, str]:
        return {}

    def health(self) -> Health:
        return Health(HealthStatus.OK)

    def shutdown(self) -> None: ...


provider: ConfigService = Old()  # error: Incompatible types in assignment
