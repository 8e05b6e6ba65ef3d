"""Launch: how a provider is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Launch:
    """What to execute.

    Attributes:
        command: program and arguments; a program with a slash is a path from the host's working folder, one without is
            looked for on PATH.
        cwd: working folder; None for the provider's own scratch folder.
        env: further environment variables.
        inherit_env: pass the host's whole environment on.
        unix: ask for a Unix socket.
    """

    command: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    inherit_env: bool = False
    unix: bool = False


@dataclass(frozen=True)
class Setup:
    """What a provider is told once it runs.

    Attributes:
        alias: the alias that Init sends; empty: the one that the provider was started under.
        config: the Init configuration.
        source_file_path: the file that declares the provider.
        metadata: metadata of every call, such as ``authorization``; values never appear in records.
        schema: JSON Schema of the configuration; None: the provider's own, where it describes one.
    """

    alias: str = ""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    source_file_path: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    schema: Mapping[str, Any] | None = None
