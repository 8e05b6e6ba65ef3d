"""Mutants whose service is wrong: methods, unknown fields, malformed bytes, instances."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from nomos_mutants.mutant import mutant, serve_with
from nomos_mutants.original import Original
from nomos_mutants.variations import serving
from nomos_proto import messages, servicer, wire
from nomos_proto.provider import CallContext, Info
from nomos_proto.servicer import V1Servicer


@mutant(
    "PROC-SURFACE-001",
    defect="Info is not implemented",
    also=(
        "CFG-INFO-001",
        "CFG-INFO-002",
        "CFG-INFO-003",
        "CFG-INFO-004",
        "CFG-INFO-006",
        "CFG-INFO-007",
        "CFG-SCHED-001",
    ),
)
class NoInfo(V1Servicer):
    """A service of four methods."""

    def Info(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer UNIMPLEMENTED."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")
        raise AssertionError("abort returned")


class _Anything(grpc.GenericRpcHandler):
    """Answers every method."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Answer with nothing."""
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")


@mutant("PROC-SURFACE-002", defect="methods that it does not have answer OK")
def answers_anything(argv: Sequence[str]) -> int:
    """Serve a catch-all behind the services."""
    made = servicer.handlers
    with serving("handlers", lambda v1, v2: (*made(v1, v2), _Anything())):
        return serve_with(argv)


@mutant("PROC-SURFACE-003", defect="a Fetch with field 2 is refused")
class RefusesFieldTwo(V1Servicer):
    """A service with a strict decoder."""

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Refuse what it does not know."""
        try:
            known = all(number == 1 for number, *_ in wire.read_fields(request))
        except wire.WireError:
            known = True
        if not known:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unknown field in FetchRequest")
        return super().Fetch(request, context)


@mutant("PROC-SURFACE-004", defect="a malformed Fetch is taken for one of the first good path")
class TakesGarbage(V1Servicer):
    """A service that ignores what it cannot decode."""

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer an empty map for garbage."""
        try:
            messages.decode_fetch_request(request)
        except wire.WireError:
            return messages.encode_fetch_response({}, max_bytes=100)
        return super().Fetch(request, context)


@mutant(
    "PROC-SURFACE-004",
    "dies",
    defect="a malformed Init ends the process",
    also=("CFG-FETCH-001", "CFG-INIT-009"),
)
class DiesOfGarbage(V1Servicer):
    """A service that does not survive garbage."""

    def Init(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Die of it."""
        try:
            messages.decode_init_request(request)
        except wire.WireError:
            os._exit(134)
        return super().Init(request, context)


@mutant("PROC-SURFACE-005", defect="a request over 4 MiB ends the process")
class DiesOfSize(V1Servicer):
    """A service with a buffer."""

    def Fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Overflow it."""
        if len(request) > 4 * 1024 * 1024:
            os._exit(139)
        return super().Fetch(request, context)


class _Question(grpc.GenericRpcHandler):
    """Takes note of who asks for the health service of gRPC."""

    def __init__(self) -> None:
        self.asked = False

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Note the question, and leave it to nobody."""
        self.asked = self.asked or handler_call_details.method.startswith("/grpc.health.")
        return None


@mutant("PROC-SURFACE-006", defect="after a question for grpc.health.v1 a Health fails")
def confuses_health(argv: Sequence[str]) -> int:
    """Serve two kinds of Health with one state."""
    made, question = servicer.handlers, _Question()

    class Confused(V1Servicer):
        """Fails once after the question."""

        def Health(self, request: bytes, context: grpc.ServicerContext) -> bytes:
            """Fail if the other one was asked for."""
            if question.asked:
                question.asked = False
                context.abort(grpc.StatusCode.INTERNAL, "which Health?")
            return super().Health(request, context)

    with serving("handlers", lambda v1, v2: (question, *made(v1, v2))):
        return serve_with(argv, service=Confused)


@mutant("PROC-SURFACE-007", defect="the key `type` of the configuration replaces the type")
class TakesType(Original):
    """A provider that reads the caller's keys."""

    _type = ""

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Note the type."""
        super().init(alias, config, source_file_path, context=context)
        self._type = str(config.get("type") or "")

    def info(self) -> Info:
        """Answer with it."""
        info = super().info()
        return Info(info.alias, info.version, self._type or info.type)


@mutant("PROC-SURFACE-008", defect="each alias keeps its configuration, and answers come from one after the other")
class ManyInstances(Original):
    """A provider of providers."""

    def __init__(self) -> None:
        super().__init__()
        self._sources: dict[str, Any] = {}
        self._turn = 0

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        """Keep every configuration."""
        super().init(alias, config, source_file_path, context=context)
        self._sources[alias] = self.current().source

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        """Answer from each in turn once there are several aliases with several folders."""
        roots = {id(source): source for source in self._sources.values()}
        if len(self._sources) > 1 and len(roots) > 1 and path and path[0] == "app":
            self._turn += 1
            return list(roots.values())[self._turn % len(roots)].fetch(path, context)
        return super().fetch(path, context=context)
