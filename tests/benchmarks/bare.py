"""A bare script that does what a traced run did: the same process starts, calls and signals, and nothing else.

Usage: ``python bare.py TRACE``. Calls overlap where they did in the trace. It knows nothing of the kit: a provider is a
Popen, a line read from its stdout and a gRPC channel.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc


class Provider:
    """One process and its channel."""

    def __init__(self, event: dict[str, Any]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        env = dict(event["env"])
        if "NOMOS_LISTEN" in env:
            env["NOMOS_LISTEN"] = f"unix:{self.folder.name}/s"
        self.process = subprocess.Popen(
            event["argv"],
            env=env,
            cwd=self.folder.name,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        name, _, where = self.process.stdout.readline().decode().strip().partition("=")
        address = f"unix:{where}" if name == "UNIX" else f"ipv4:127.0.0.1:{where}"
        self.channel: Any = grpc.insecure_channel(address)

    def end(self) -> None:
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.folder.cleanup()


def replay(events: list[dict[str, Any]]) -> dict[str, int]:
    """Do what the events say; return how many starts and calls there were."""
    providers: dict[int, Provider] = {}
    flying: list[tuple[float, Any, int]] = []
    counts = {"start": 0, "call": 0}

    def settle(until: float) -> None:
        """Wait for the calls that had ended before *until*."""
        for ended, future, _ in list(flying):
            if ended <= until:
                with contextlib.suppress(grpc.RpcError, grpc.FutureCancelledError):
                    future.result()
                flying[:] = [item for item in flying if item[1] is not future]

    for event in sorted(events, key=lambda event: event["began"]):
        settle(event["began"])
        number = event["process"]
        if event["kind"] == "start":
            providers[number] = Provider(event)
            counts["start"] += 1
            continue
        provider = providers.get(number)
        if provider is None:
            continue
        if event["kind"] == "end":
            settle(float("inf"))
            provider.end()
            del providers[number]
        elif event["kind"] == "signal":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(provider.process.pid, event["number"])
            if event["number"] == signal.SIGTERM:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    provider.process.wait(5)
        else:
            counts["call"] += 1
            request = base64.b64decode(event["request"])
            if event.get("stream"):
                with contextlib.suppress(grpc.RpcError):
                    list(provider.channel.unary_stream(event["method"])(request, timeout=event["seconds"]))
                continue
            future = provider.channel.unary_unary(event["method"]).future(request, timeout=event["seconds"])
            if event.get("cancelled"):
                time.sleep(event["ended"] - event["began"])
                future.cancel()
            flying.append((event["ended"], future, number))
    settle(float("inf"))
    for provider in providers.values():
        provider.end()
    return counts


if __name__ == "__main__":
    print(json.dumps(replay(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
