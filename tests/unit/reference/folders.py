"""Make folders of settings, and call a provider object as the server does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext


def make(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below *folder* and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def status_of(work: Callable[[], Any]) -> tuple[str, str]:
    """Return (status, message) of the ProviderError that *work* raises."""
    with pytest.raises(ProviderError) as caught:
        work()
    return caught.value.status, caught.value.message


def context(seconds: float = 30.0) -> CallContext:
    """Return a call with a deadline."""
    return CallContext(seconds)


class Object:
    """A provider object with the calls of a client."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider

    def init(self, config: Mapping[str, Any], alias: str = "a", source: str = "") -> Any:
        return self.provider.init(alias, config, source, context=context())

    def fetch(self, *path: str, seconds: float = 30.0) -> Any:
        return self.provider.fetch(path, context=context(seconds))

    def function(self, name: str, **args: Any) -> Any:
        return self.provider.functions()[name].run(args, context())
