"""Configuration from a single JSON or YAML document."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_texts
from nomos_proto.provider import CallContext, FunctionSpec, Health, HealthStatus
from nomos_reference.config.documents import Parser, parse_json, parse_yaml
from nomos_reference.config.limits import Budget, Limits
from nomos_reference.config.provider import ConfigProvider
from nomos_reference.config.reading import read
from nomos_reference.config.settings import Settings, unmet
from nomos_reference.config.walk import check_path, walk


class DocumentSource:
    """One file, read anew for each call."""

    def __init__(self, file: Path, parser: Parser, limits: Limits) -> None:
        """Use *file*."""
        self.file = file
        self._parser = parser
        self._limits = limits

    @property
    def limits(self) -> Limits:
        """Its limits."""
        return self._limits

    def load(self, context: CallContext) -> Any:
        """Return the document.

        Raises:
            ProviderError: it cannot be read or parsed; the message names the setting `file`.
        """
        budget = Budget(self._limits, context)
        try:
            descriptor = os.open(self.file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                data = read(descriptor, "file", budget)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise unmet("file", "no such file") from error
        except PermissionError as error:
            raise ProviderError("file: may not be read by this provider", "PERMISSION_DENIED") from error
        except OSError as error:
            raise unmet("file", f"cannot be read ({os.strerror(error.errno or 0)})") from error
        return self._parser(data, "file", budget)

    def fetch(self, path: Sequence[str], context: CallContext) -> Any:
        """Return the value at *path*; the empty path is the document."""
        return walk(self.load(context), path)

    def health(self) -> Health:
        """Return whether the file can be read."""
        # Asked and not opened: the writer of a FIFO would take that for its reader.
        if not os.access(self.file, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            reason = "the file of the setting `file` cannot be opened any more; put it back or call Init again"
            return Health(HealthStatus.DEGRADED, reason)
        return Health(HealthStatus.OK)


def segments_of(path: Any) -> list[str]:
    """Return the segments of the argument `path`: a list of them, or one string with dots between them.

    Raises:
        ProviderError: INVALID_SPEC for anything else, or as `check_path`.
    """
    if isinstance(path, str):
        segments = path.split(".") if path else []
    elif is_texts(path):
        segments = path
    else:
        raise ProviderError("path: must be a string or a list of strings", "INVALID_SPEC")
    check_path(segments)
    return segments


class DocumentProvider(ConfigProvider):
    """What the JSON and the YAML provider share."""

    parser: ClassVar[Parser]
    properties: ClassVar[Mapping[str, Any]] = {
        "file": {
            "type": "string",
            "minLength": 1,
            "description": "The document; a relative path starts at the folder of source_file_path.",
        }
    }
    required: ClassVar[tuple[str, ...]] = ("file",)

    def open(self, settings: Settings, context: CallContext) -> DocumentSource:
        """Return the document that `file` names; one that cannot be parsed is refused here already."""
        file, limits = settings.path("file"), settings.limits()
        settings.finish()
        source = DocumentSource(file, type(self).parser, limits)
        try:
            source.load(context)
        except ProviderError as error:
            if error.code != "LIMIT_EXCEEDED":
                raise
            raise unmet("file", error.message) from error
        return source

    def functions(self) -> Mapping[str, FunctionSpec]:
        """Return get and exists."""
        return {
            "get": FunctionSpec(self._get, required=("path",)),
            "exists": FunctionSpec(self._exists, required=("path",)),
        }

    def _get(self, args: Mapping[str, Any], context: CallContext) -> Any:
        source = self.current().source
        return source.fetch(segments_of(args["path"]), context)

    def _exists(self, args: Mapping[str, Any], context: CallContext) -> bool:
        try:
            self._get(args, context)
        except ProviderError as error:
            if error.code == "NOT_FOUND":
                return False
            raise
        return True


class JsonProvider(DocumentProvider):
    """The JSON provider."""

    type: ClassVar[str] = "json"
    parser: ClassVar[Parser] = staticmethod(parse_json)


class YamlProvider(DocumentProvider):
    """The YAML provider."""

    type: ClassVar[str] = "yaml"
    parser: ClassVar[Parser] = staticmethod(parse_yaml)
