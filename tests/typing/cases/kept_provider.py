"""What an author writes, and a type checker accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, ConfigService, FunctionSpec, Health, HealthStatus, Info, SupportsFunctions
from nomos_proto.serve import serve


class Greetings:
    """A provider, without a base class."""

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        if "name" not in config:
            raise ProviderError("the key name is missing", "INVALID_ARGUMENT")

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        context.check()
        return {"greeting": f"hello {'/'.join(path)}"}

    def info(self) -> Info:
        return Info(alias="", version="1.0.0", type="greetings")

    def health(self) -> Health:
        return Health(HealthStatus.OK)

    def shutdown(self) -> None:
        pass

    def functions(self) -> Mapping[str, FunctionSpec]:
        return {"greet": FunctionSpec(run=lambda args, context: args["name"], required=("name",))}


provider: ConfigService = Greetings()
with_functions: SupportsFunctions = Greetings()


def main() -> int:
    return serve(Greetings())
