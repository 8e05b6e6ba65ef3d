"""A provider of version 2 for the host's tests: served by the kit's own helper, with functions and a schema."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nomos_proto.description import ProviderInfo
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, FunctionSpec, Health, HealthStatus, Info
from nomos_proto.serve import serve


class Streaming:
    """Counts, slowly."""

    def __init__(self) -> None:
        self.config: Mapping[str, Any] = {}

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        self.config = config

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        return dict(self.config)

    def info(self) -> Info:
        return Info("", "1.0.0", "streaming")

    def health(self) -> Health:
        return Health(HealthStatus.OK, "")

    def shutdown(self) -> None:
        pass

    def functions(self) -> Mapping[str, FunctionSpec]:
        return {
            "echo": FunctionSpec(lambda args, context: args["value"], required=("value",)),
            "fail": FunctionSpec(self.fail),
            "count": FunctionSpec(self.count, streaming=True, required=("to",), optional=("fail",)),
        }

    def fail(self, args: Mapping[str, Any], context: CallContext) -> Any:
        raise ProviderError("too many", "RATE_LIMIT_ERROR", provider="streaming", details={"limit": 5}, retry_after=1.5)

    def count(self, args: Mapping[str, Any], context: CallContext) -> Iterator[Any]:
        for number in range(args["to"]):
            if number:
                time.sleep(0.2)
            yield number
        if args.get("fail"):
            raise ProviderError("stopped counting", "NOT_FOUND")

    def describe(self) -> ProviderInfo:
        schema = {"type": "object", "required": ["directory"], "properties": {"directory": {"type": "string"}}}
        return ProviderInfo(name="streaming", type="streaming", version="1.0.0", config_schema=schema)


if __name__ == "__main__":
    sys.exit(serve(Streaming()))
