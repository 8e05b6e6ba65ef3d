"""Configuration from the JSON answers of an HTTP server."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, FunctionSpec, Health, HealthStatus
from nomos_reference.config.base_url import BaseUrl
from nomos_reference.config.documents import decode, parse_json
from nomos_reference.config.limits import Budget, Limits
from nomos_reference.config.provider import ConfigProvider
from nomos_reference.config.settings import Settings, invalid, unmet
from nomos_reference.config.walk import WILDCARD, at_positions, check_path, missing, shown_path, split_index, walk

if TYPE_CHECKING:
    from nomos_reference.config.http_client import HttpClient

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
_HEALTH_SECONDS = 0.5
URL_SEGMENTS = 16
"""Segments of a Fetch that may belong to the URL: each may cost a request, as any may be the last that is known."""


class HttpSource:
    """A server; the first segments of a path are the URL and the rest are keys of its JSON answer."""

    def __init__(self, client: HttpClient, limits: Limits) -> None:
        """Ask *client*."""
        self.client = client
        self._limits = limits

    @property
    def limits(self) -> Limits:
        """Its limits."""
        return self._limits

    def health(self) -> Health:
        """Return whether the server accepts connections."""
        if self.client.reachable(_HEALTH_SECONDS):
            return Health(HealthStatus.OK)
        return Health(
            HealthStatus.DEGRADED,
            "the server of the setting `base_url` accepts no connection; start it or call Init with another",
        )

    def fetch(self, path: Sequence[str], context: CallContext) -> Any:
        """Return the value at *path*: the longest URL that the server knows, then its keys."""
        from nomos_reference.config.http_client import Absent

        budget = Budget(self._limits, context)
        for segments, positions in self._places(path):
            used = len(segments)
            shown = shown_path(path[:used])
            try:
                body = self.client.get(segments, shown, budget, pages=False)
            except Absent:
                continue
            document = parse_json(body, shown, budget)
            if positions:
                document = at_positions(document, positions, path, used - 1)
            return walk(document, path, used)
        raise missing(path, len(path) - 1)

    @staticmethod
    def _places(path: Sequence[str]) -> Iterator[tuple[list[str], tuple[int, ...]]]:
        last = min(len(path) - 1 if path and path[-1] == WILDCARD else len(path), URL_SEGMENTS)
        for count in range(last, -1, -1):
            segments = list(path[:count])
            yield segments, ()
            if segments and (indexed := split_index(segments[-1])) is not None and indexed[0]:
                yield [*segments[:-1], indexed[0]], indexed[1]

    def get(self, path: Any, context: CallContext) -> tuple[bytes, str, Budget]:
        """Return the body at a path with slashes, what to call it in messages, and what is left of the budget.

        Raises:
            ProviderError: INVALID_SPEC for a path that could lead out, NOT_FOUND, or as `HttpClient.get`.
        """
        from nomos_reference.config.http_client import Absent

        if not isinstance(path, str):
            raise ProviderError("path: must be a string", "INVALID_SPEC")
        segments = path.split("/") if path else []
        try:
            check_path(segments)
        except ProviderError as error:
            raise ProviderError(f"invalid path: {error.message}", "INVALID_SPEC") from error
        budget, shown = Budget(self._limits, context), shown_path(segments)
        try:
            return self.client.get(segments, shown, budget), shown, budget
        except Absent as error:
            raise ProviderError(f"nothing at {shown}", "NOT_FOUND") from error


class HttpProvider(ConfigProvider):
    """The HTTP provider."""

    type: ClassVar[str] = "http"
    properties: ClassVar[Mapping[str, Any]] = {
        "base_url": {
            "type": "string",
            "pattern": "^https?://",
            "description": "URL below which everything is; without user, query and fragment.",
        },
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string", "minLength": 1},
            "description": "Header names to the names of the environment variables that hold their values.",
        },
    }
    required: ClassVar[tuple[str, ...]] = ("base_url",)

    def open(self, settings: Settings, context: CallContext) -> HttpSource:  # noqa: ARG002 # nothing is asked yet
        """Return the server that `base_url` names; it need not be there yet, Health tells."""
        from nomos_reference.config.http_client import HttpClient

        base = BaseUrl.parse(settings.text("base_url"), "base_url")
        names, limits = settings.texts("headers"), settings.limits()
        settings.finish()
        return HttpSource(HttpClient(base, _headers(names)), limits)

    def functions(self) -> Mapping[str, FunctionSpec]:
        """Return get and get_json."""
        return {
            "get": FunctionSpec(self._get, required=("path",)),
            "get_json": FunctionSpec(self._get_json, required=("path",)),
        }

    def _source(self) -> HttpSource:
        source = self.current().source
        if not isinstance(source, HttpSource):
            raise TypeError("the source of an HTTP provider is a server")
        return source

    def _get(self, args: Mapping[str, Any], context: CallContext) -> str:
        body, shown, _ = self._source().get(args["path"], context)
        return decode(body, shown)

    def _get_json(self, args: Mapping[str, Any], context: CallContext) -> Any:
        body, shown, budget = self._source().get(args["path"], context)
        return parse_json(body, shown, budget)


def _headers(names: Mapping[str, str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, variable in names.items():
        key = f"headers.{name}"
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise invalid("headers", "has a name that cannot be set")
        if not variable or "=" in variable or "\0" in variable:
            raise invalid(key, "must be the name of an environment variable")
        value = os.environ.get(variable)
        if value is None:
            raise unmet(key, "the environment variable that it names is not set")
        if not value.isascii() or not value.isprintable():
            raise unmet(key, "the environment variable that it names holds what no header may")
        headers[name] = value
    return headers
