"""A provider for the host's own tests: version 1 over generic handlers, and one misbehaviour for each word given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from nomos_proto import messages
from nomos_proto.structs import encode_struct
from nomos_proto.wire import field

BEHAVIOUR = set(sys.argv[1:])


def announce(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class Service(grpc.GenericRpcHandler):
    """Echoes what Init got; Fetch takes commands in its path."""

    def __init__(self) -> None:
        self.server: grpc.Server | None = None
        self.config: object = None
        self.alias = ""
        self.calls: dict[str, int] = {}
        self.peers: set[str] = set()
        self.lock = threading.Lock()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        name = details.method.rpartition("/")[2]
        run = getattr(self, name.lower(), None)
        if not details.method.startswith("/nomos.provider.v1.") or run is None:
            return None

        def counted(request: bytes, context: grpc.ServicerContext) -> bytes:
            with self.lock:
                self.calls[name] = self.calls.get(name, 0) + 1
                self.peers.add(context.peer())
            return run(request, context)

        return grpc.unary_unary_rpc_method_handler(counted)

    def init(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        decoded = messages.decode_init_request(request)
        self.alias, self.config = decoded.alias, decoded.config
        return b""

    def fetch(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        command, *rest = messages.decode_fetch_request(request) or ("",)
        if command == "env":
            return self.value(dict(os.environ))
        if command == "config":
            return self.value(self.config)
        if command == "calls":
            return self.value(dict(self.calls))
        if command == "peers":
            return self.value(sorted(self.peers))
        if command == "metadata":
            return self.value(
                {pair.key: pair.value for pair in context.invocation_metadata()} | {"left": context.time_remaining()}
            )
        if command == "where":
            return self.value(
                {
                    "cwd": str(Path.cwd()),
                    "pid": os.getpid(),
                    "pgid": os.getpgid(0),
                    "fds": sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir()),
                }
            )
        if command == "sleep":
            time.sleep(float(rest[0]))
            return self.value("slept")
        if command == "print":
            print(rest[0], flush=True)
            print(rest[0], file=sys.stderr, flush=True)
            return self.value("printed")
        if command == "flood":
            for stream in (sys.stdout, sys.stderr):
                stream.write("x" * 99 + "\n")
                stream.write(("y" * 99 + "\n") * (int(rest[0]) // 100))
                stream.flush()
            return self.value("flooded")
        if command == "child":
            child = subprocess.Popen(["sleep", "1000"], start_new_session="away" in rest)
            return self.value(child.pid)
        if command == "die":
            os.kill(os.getpid(), getattr(signal, rest[0]))
        if command == "nothing":
            return b""
        if command == "nan":
            return field(1, field(1, field(1, b"x") + field(2, b"\x11\x00\x00\x00\x00\x00\x00\xf8\x7f")))
        if command == "garbage":
            return b"\x0a\xff\xff\xff\xff\x0f"
        if command == "deep":
            value: object = 1
            for _ in range(int(rest[0])):
                value = {"d": value}
            return self.value(value)
        if command == "big":
            return self.value("b" * int(rest[0]))
        if command == "long-error":
            context.abort(grpc.StatusCode.NOT_FOUND, "e" * int(rest[0]))
        context.abort(grpc.StatusCode.NOT_FOUND, f"nothing at {command!r}")
        raise AssertionError("abort raises")

    def value(self, value: object) -> bytes:
        return field(1, encode_struct(value if isinstance(value, dict) and value else {"value": value}))

    def info(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        return messages.encode_info_response(messages.InfoResponse(self.alias, "1.2.3", "small"))

    def health(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if "unimplemented-health" in BEHAVIOUR:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no Health here")
        if "unavailable-health" in BEHAVIOUR:
            context.abort(grpc.StatusCode.UNAVAILABLE, "warming up")
        if "hanging-health" in BEHAVIOUR:
            time.sleep(1000)
        if "strange-health" in BEHAVIOUR:
            return b"\x08\x63"
        return messages.encode_health_response(messages.HealthResponse(1, ""))

    def shutdown(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if "mute-shutdown" in BEHAVIOUR:
            time.sleep(1000)
        return b""


def main() -> None:
    if "ignore-term" in BEHAVIOUR:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    service = Service()
    server = service.server = grpc.server(
        ThreadPoolExecutor(120, thread_name_prefix="call"),
        options=[("grpc.so_reuseport", 0), ("grpc.max_metadata_size", 1 << 20)],
    )
    server.add_generic_rpc_handlers((service,))
    listen = os.environ.get("NOMOS_LISTEN", "")
    if listen:
        server.add_insecure_port(listen)
        line = f"UNIX={listen.removeprefix('unix:')}\n"
    else:
        line = f"PORT={server.add_insecure_port('127.0.0.1:0')}\n"
    server.start()
    if "late" in BEHAVIOUR:
        time.sleep(0.3)
    for piece in line if "slowly" in BEHAVIOUR else (line,):
        announce(piece)
    if "child" in BEHAVIOUR:
        away = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!"], stdout=subprocess.PIPE, start_new_session=True)
        subprocess.Popen(["sleep", "1000"])
        sys.stderr.write(f"away {away.stdout.readline().decode()}")
        sys.stderr.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
