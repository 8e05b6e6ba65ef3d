"""Start a provider binary, call it, and see that it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import grpc

from nomos_proto import messages
from nomos_proto.v2 import provider_pb2 as v2
from nomos_proto.values import from_value, to_value

ROOT = Path(__file__).resolve().parents[3]
PROBE = str(Path(__file__).with_name("probe.py"))


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a provider of the suite needs, and nothing else."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "PYTHONPATH"}}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return kept | dict(extra or {})


class Binary:
    """A running provider binary."""

    def __init__(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environment(env),
            cwd=cwd,
            pass_fds=pass_fds,
            process_group=0,
        )
        self.stderr = b""
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self.lines = [self.out.readline()]
        self.address = ""
        if self.lines[0].startswith(b"UNIX="):
            self.address = "unix:" + self.lines[0].removeprefix(b"UNIX=").decode().rstrip("\n")
        elif self.lines[0]:
            self.lines.append(self.out.readline())
            self.address = f"127.0.0.1:{int(self.lines[0].removeprefix(b'PORT='))}"
        self.channel = grpc.insecure_channel(
            self.address or "127.0.0.1:9",
            options=[
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_metadata_size", 65536),
                ("grpc.absolute_max_metadata_size", 131072),
            ],
        )

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def _drain(self) -> None:
        assert self.process.stderr is not None
        self.stderr = self.process.stderr.read()

    def start(self, method: str, request: bytes, timeout: float | None = 10.0, metadata: Any = ()) -> Any:
        """Begin a call of version 1, or of any full method name."""
        name = method if method.startswith("/") else f"/{messages.SERVICE}/{method}"
        return self.channel.unary_unary(name).future(request, timeout=timeout, metadata=metadata, wait_for_ready=True)

    def call(self, method: str, request: bytes = b"", **options: Any) -> tuple[bytes, str, str]:
        """Return (answer, code, message)."""
        call = self.start(method, request, **options)
        try:
            return call.result(), "OK", ""
        except grpc.RpcError:
            return b"", call.code().name, call.details()

    def init(self, config: Mapping[str, Any], alias: str = "a", source: str = "") -> tuple[str, str]:
        return self.call("Init", messages.encode_init_request(alias, config, source))[1:]

    def fetch(self, *path: str, **options: Any) -> Any:
        """Return the map that came, or (code, message)."""
        answer, code, message = self.call("Fetch", messages.encode_fetch_request(path), **options)
        return messages.decode_fetch_response(answer) if code == "OK" else (code, message)

    def health(self) -> tuple[str, str]:
        answer = messages.decode_health_response(self.call("Health")[0])
        return answer.name, answer.message

    def function(self, name: str, args: Mapping[str, Any], **options: Any) -> Any:
        """Return the value that a function of version 2 answers, or (code, message)."""
        request = v2.CallRequest(function=name)
        for key, value in args.items():
            request.args[key].CopyFrom(to_value(value))
        method = "/nomos.provider.v2.ProviderService/Call"
        answer, code, message = self.call(method, request.SerializeToString(), **options)
        return from_value(v2.CallResponse.FromString(answer).result) if code == "OK" else (code, message)

    def wait(self, timeout: float = 10.0) -> int:
        """Wait for the end and return the exit code; stdout and stderr are complete then."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        self.lines += self.out.readlines()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
        self._reader.join(10)
        self.out.close()
        assert self.process.stderr is not None
        self.process.stderr.close()
