"""A provider whose methods do what a test tells them, as an object and as a binary of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, FunctionSpec, Health, HealthStatus, Info


class Probe:
    """Fetch does what its first segment says."""

    def __init__(self, marks: Path | None = None) -> None:
        self.inits: list[tuple[str, Mapping[str, Any], str]] = []
        self.runs: list[Mapping[str, Any]] = []
        self.shutdowns = 0
        self.marks = marks

    def mark(self, name: str) -> None:
        """Leave a file for a test in another process."""
        if self.marks is not None:
            (self.marks / name).touch()

    def init(self, alias: str, config: Mapping[str, Any], source_file_path: str, *, context: CallContext) -> None:
        self.inits.append((alias, config, source_file_path))
        if alias == "bad":
            raise KeyError("hunter2")

    def fetch(self, path: Sequence[str], *, context: CallContext) -> Any:
        what, *rest = path or ("nothing",)
        if what == "value":
            return {"text": "x", "rest": list(rest)}
        if what == "scalar":
            return 5
        if what == "deep":
            value: Any = "leaf"
            for _ in range(int(rest[0])):
                value = {"k": value}
            return value
        if what == "big":
            return "x" * int(rest[0])
        if what == "nan":
            return {"n": float("nan")}
        if what == "crash":
            raise ValueError("the secret is hunter2")
        if what == "fail":
            raise ProviderError(f"no {rest[0]}", rest[0], details={"segment": rest[0]}, retry_after=2.0)
        if what == "metadata":
            return dict(context.metadata)
        if what == "remaining":
            return context.remaining()
        if what == "print":
            print("stray")  # what the test is about
            os.write(1, b"straight to the descriptor\n")
            return True
        if what == "work":
            self.mark("started")
            time.sleep(float(rest[0]))
            return "done"
        if what == "hang":
            self.mark("started")
            try:
                while True:
                    context.wait(0.05)
            finally:
                self.mark("released")
        raise ProviderError("nothing there", "NOT_FOUND")

    def info(self) -> Info:
        return Info(self.inits[-1][0] if self.inits else "", "1.2.3", "probe")

    def health(self) -> Health:
        return Health(HealthStatus.DEGRADED, "as asked")

    def shutdown(self) -> None:
        self.shutdowns += 1
        self.mark("shutdown")
        if os.environ.get("PROBE_SHUTDOWN") == "hang":
            time.sleep(60)
        if os.environ.get("PROBE_SHUTDOWN") == "fail":
            raise RuntimeError("hunter2")

    def functions(self) -> Mapping[str, FunctionSpec]:
        def count(args: Mapping[str, Any], context: CallContext) -> Iterator[int]:
            for number in range(args["to"]):
                context.check()
                if number == 3:
                    raise ProviderError("three is too many", "CAPACITY_ERROR")
                yield number

        def echo(args: Mapping[str, Any], context: CallContext) -> Any:
            self.runs.append(args)
            if args["value"] == "fail once" and len(self.runs) == 1:
                raise ProviderError("not yet", "NETWORK_ERROR")
            return args["value"]

        return {
            "echo": FunctionSpec(echo, idempotent=False, required=("value",), optional=("note",)),
            "count": FunctionSpec(count, streaming=True, required=("to",)),
            "unsendable": FunctionSpec(lambda _args, _context: object()),
        }


if __name__ == "__main__":
    from nomos_proto.serve import run

    marks = os.environ.get("PROBE_MARKS")
    run(Probe(Path(marks) if marks else None), sys.argv[1:])
