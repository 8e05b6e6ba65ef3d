"""A small provider in plain grpcio, correct unless told otherwise: python crooked_provider.py FAULT,FAULT."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent import futures
from pathlib import Path

FAULTS = set(filter(None, sys.argv[1].split(",")))
START = {
    "exits": lambda: sys.exit(3),
    "silent": lambda: time.sleep(60),
    "closes-stdout": lambda: (os.close(1), time.sleep(60)),
    "banner": lambda: print("welcome", flush=True),
}
for name, act in START.items():
    if name in FAULTS:
        act()

import grpc  # noqa: E402 # faults of the start come before the time that this takes
from google.protobuf.message import DecodeError  # noqa: E402

from nomos_proto.v1 import provider_pb2 as v1  # noqa: E402

SERVICE = "nomos.provider.v1.ProviderService"
temporary = Path(tempfile.mkdtemp())
(temporary / "cache").write_text("x")
config: dict = {}
by_alias: dict[str, dict] = {}
state = {"initialised": False, "down": False, "calls": 0, "alias": ""}
kept: list = []
done = threading.Event()


def cleanup() -> None:
    (temporary / "cache").unlink(missing_ok=True)
    temporary.rmdir()


def init(request, context):
    if "init-refuses-unknown" in FAULTS and set(request.config) - {"name"}:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unknown key")
    if "type-selects" in FAULTS and "type" in request.config:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unknown type")
    if "init-once" in FAULTS and state["initialised"]:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "initialised")
    config.clear()
    config.update(request.config)
    by_alias[request.alias] = dict(config)
    state.update(initialised=True, alias=request.alias)
    if "version-from-config" in FAULTS and "version" in request.config:
        state["version"] = request.config["version"]
    if "child" in FAULTS:
        kept.append(subprocess.Popen(["sleep", "30"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    if "listens-later-everywhere" in FAULTS and not kept:
        import socket

        kept.append(socket.create_server(("0.0.0.0", 0)))
    return v1.InitResponse()


def fetch(request, context):
    state["calls"] += 1
    if "prints-tenth" in FAULTS and state["calls"] == 10:
        print("debug", flush=True)
    if "leaks-files" in FAULTS:
        kept.append(open(__file__))  # noqa: PTH123, SIM115
    if "leaks-memory" in FAULTS:
        kept.append(b"x" * 200_000)
    if "slower" in FAULTS:
        time.sleep(state["calls"] * 0.00005)
    if not state["initialised"] or (state["down"] and "fetch-after-shutdown" not in FAULTS):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no Init")
    path = list(request.path)
    if path == ["slow"]:
        if "leaks-abandoned" in FAULTS:
            kept.append(open(__file__))  # noqa: PTH123, SIM115
        while context.is_active():
            time.sleep(0.01)
        return v1.FetchResponse()
    chosen = config
    if "instances" in FAULTS and path and path[0] in by_alias:
        chosen = by_alias[path.pop(0)]
    if "wavering-instance" in FAULTS and len(by_alias) > 1:
        chosen = list(by_alias.values())[state["calls"] % 2]
    response = v1.FetchResponse()
    if path == ["name"]:
        response.value["value"] = chosen["name"] + ("?" if "wrong-value" in FAULTS else "")
    elif path == ["list"]:
        response.value["value"] = [1, 2]
    else:
        context.abort(grpc.StatusCode.NOT_FOUND, f"no {path}")
    return response


def info(request, context):
    return v1.InfoResponse(alias=state["alias"], version=state.get("version", "1.2.3"), type="crooked")


def health(request, context):
    if "late-health" in FAULTS and time.monotonic() - began < 1.6:
        time.sleep(1.6)
    return v1.HealthResponse(status=1)


def shutdown(request, context):
    if "shutdown-crashes" in FAULTS:
        os._exit(7)
    if "shutdown-exits-at-once" in FAULTS:
        cleanup()
        os._exit(0)
    if "shutdown-exits-when-answered" in FAULTS:
        cleanup()
        context.add_callback(lambda: os._exit(0))
        return v1.ShutdownResponse()
    if "shutdown-hangs" in FAULTS:
        time.sleep(60)
    if "second-shutdown-fails" in FAULTS and state["down"]:
        context.abort(grpc.StatusCode.INTERNAL, "already down")
    state["down"] = True
    if "ignores-shutdown" not in FAULTS and not ("ignores-unused-shutdown" in FAULTS and not state["initialised"]):
        threading.Timer(0.4 if "lingers" in FAULTS else 0.05, done.set).start()
    return v1.ShutdownResponse()


METHODS = {
    "Init": (init, v1.InitRequest),
    "Fetch": (fetch, v1.FetchRequest),
    "Info": (info, v1.InfoRequest),
    "Health": (health, v1.HealthRequest),
    "Shutdown": (shutdown, v1.ShutdownRequest),
}


def parse(name, kind):
    def parser(data: bytes):
        try:
            message = kind.FromString(data)
        except DecodeError:
            if "dies-of-garbage" in FAULTS:
                os._exit(1)
            if "takes-garbage" in FAULTS and name == "Init":
                return kind()
            raise
        if f"strict-{name}" in FAULTS:
            size = message.ByteSize()
            message.DiscardUnknownFields()
            if message.ByteSize() != size:
                raise ValueError("unknown field")
        return message

    return parser


class Everything(grpc.GenericRpcHandler):
    def service(self, details):
        package, _, method = details.method.rpartition("/")
        found = METHODS.get(method) if package == f"/{SERVICE}" or "any-package" in FAULTS else None
        if found is None or f"without-{method}" in FAULTS:
            if "catch-all" not in FAULTS:
                return None
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
        run, kind = found
        return grpc.unary_unary_rpc_method_handler(run, parse(method, kind), lambda answer: answer.SerializeToString())


def on_signal(number, frame):
    if "prints-interrupt" in FAULTS and number == signal.SIGINT:
        os.write(1, b"interrupted\n")
    if "prints-goodbye" in FAULTS:
        os.write(1, b"bye\n")
    if f"ignores-{signal.Signals(number).name}" in FAULTS:
        return
    if "ignores-unused-SIGTERM" in FAULTS and not state["initialised"]:
        return
    if "leaves-files-on-signal" in FAULTS:
        os._exit(0)
    state["signalled"] = True
    done.set()


began = time.monotonic()
options = [("grpc.so_reuseport", 1 if "reuseport" in FAULTS else 0)]
server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Everything()], options=options)
wanted = os.environ.get("NOMOS_LISTEN", "").removeprefix("unix:") if "no-unix" not in FAULTS else ""
host = "0.0.0.0" if "everywhere" in FAULTS else "[::ffff:127.0.0.1]" if "mapped-loopback" in FAULTS else "127.0.0.1"
number = 47113 if FAULTS & {"fixed-port", "reuseport"} else 23117 + os.getpid() % 5000 if "low-port" in FAULTS else 0
try:
    port = server.add_insecure_port(f"unix:{wanted}" if wanted else f"{host}:{number}")
except RuntimeError:
    cleanup()
    sys.exit(0 if "exits-well-without-port" in FAULTS else 1)
for number in (signal.SIGTERM, signal.SIGINT):
    if "default-signals" in FAULTS:
        signal.signal(number, signal.SIG_DFL)
    else:
        signal.signal(number, on_signal)
if "listens-late" not in FAULTS:
    server.start()
lines = {
    "command-line-only": f"PROVIDER_PORT={port}\n",
    "written-only": f"PORT={port}\n",
    "wrong-second": f"PORT={port}\nPROVIDER_PORT={port + 1}\n",
    "third-line": f"PORT={port}\nPROVIDER_PORT={port}\nready\n",
    "no-newline": f"PORT={port}",
    "spaces": f"PORT={port} \n",
    "port-range": "PORT=80\n",
    "wrong-port": f"PORT={port - 1 if port > 30000 else port + 1}\n",
    "carriage-return": f"PORT={port}\r\nPROVIDER_PORT={port}\r\n",
}
line = next((text for fault, text in lines.items() if fault in FAULTS), f"PORT={port}\nPROVIDER_PORT={port}\n")
sys.stdout.write(f"UNIX={wanted}\n" if wanted else line)
sys.stdout.flush()
if "debug-on-stdout" in FAULTS and "debug" in sys.argv:
    print("debug log", flush=True)
if "no-log-level" in FAULTS and len(sys.argv) > 2:
    sys.exit(2)
if "dies" in FAULTS:
    os._exit(9)
while not done.wait(0.2):
    pass
if "waits-for-calls" in FAULTS:
    server.stop(60).wait()
server.stop(0.0 if "cuts-off" in FAULTS else 1.2).wait()
if wanted and ("leaves-socket" in FAULTS or ("leaves-socket-on-signal" in FAULTS and state.get("signalled"))):
    Path(wanted).touch()
elif wanted:
    Path(wanted).unlink(missing_ok=True)
if "leaves-files" not in FAULTS:
    cleanup()
if "leaves-child" not in FAULTS:
    for item in kept:
        if isinstance(item, subprocess.Popen):
            item.kill()
            item.wait()
os._exit(4 if "exit-4" in FAULTS else 0)
