"""The original: the correct provider of which mutants of the configuration contract are variations."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nomos_proto.provider import CallContext, Health, HealthStatus
from nomos_reference.config.files_provider import FilesProvider


class Original(FilesProvider):
    """The files provider with one setting more, so that there is something which can work in part.

    ``overlay``: a folder that may be absent; Health then says STATUS_DEGRADED.
    """

    def __init__(self) -> None:
        super().__init__()
        self.overlay: Path | None = None

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Take ``overlay`` out of the configuration and leave the rest to the files provider."""
        rest = {key: value for key, value in config.items() if key != "overlay"}
        super().init(alias, rest, source_file_path, context=context)
        if rest:
            self.overlay = Path(str(config["overlay"])) if config.get("overlay") else None

    def health(self) -> Health:
        """Return whether folder and overlay are there."""
        found = super().health()
        if found.status is HealthStatus.OK and self.overlay is not None and not self.overlay.is_dir():
            return Health(HealthStatus.DEGRADED, "the folder of the setting `overlay` is not there; create it")
        return found


class Rooted(Original):
    """Notes the folder of its files, to which it goes past the original."""

    _root = Path("/nonexistent")

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Note the folder."""
        super().init(alias, config, source_file_path, context=context)
        if config.get("directory"):
            self._root = Path(os.path.dirname(source_file_path), str(config["directory"]))  # noqa: PTH120 # as the original


class Continued(Original):
    """Notices when it is continued after a stop: the signal that does that waits until somebody looks."""

    def __init__(self) -> None:
        super().__init__()
        # Every later thread inherits the mask; blocked or not, the signal continues the process.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})

    @staticmethod
    def stood_still() -> bool:
        """Whether it was continued since the last question."""
        return signal.sigtimedwait({signal.SIGCONT}, 0) is not None
