"""A provider without health: refused where it is used as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nomos_proto.provider import CallContext, Info
from nomos_proto.serve import serve


class Mute:
    """Everything but health."""

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None: ...

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any: ...

    def info(self) -> Info:
        return Info("", "1.0.0", "mute")

    def shutdown(self) -> None: ...


serve(Mute())  # error: "Mute" is missing following "ConfigService" protocol member
