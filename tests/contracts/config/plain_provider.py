"""A configuration provider written straight on grpc, with habits (legal choices) and faults to choose from.

It shares no code with the reference providers, so that the contract is tried on somebody else's way of writing one.
Start: ``plain_provider.py [habit-or-fault,…]``.
"""

# ruff: noqa: N802, N818, PTH113, PTH116, PTH118 # gRPC names the methods, and faults join paths as text on purpose

from __future__ import annotations

import base64
import json
import math
import os
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2

from nomos_proto.v1 import provider_pb2 as pb
from nomos_proto.v1 import provider_pb2_grpc

KNOWN = {"directory", "depth", "token", "mode"}
CODES = grpc.StatusCode


class Refused(Exception):
    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def not_found(path: tuple[str, ...], segment: str) -> Refused:
    return Refused(CODES.NOT_FOUND, f"{'/'.join(path)[:200]}: no {segment[:200]!r}")


def log(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Plain(provider_pb2_grpc.ProviderServiceServicer):
    """The correct one; faults override single steps."""

    version = "1.4.2"
    kind = "plain"
    habits: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.alias = ""
        self.root: Path | None = None
        self.config: dict[str, Any] = {}
        self.down = threading.Event()
        self.lock = threading.Lock()

    # --- Init
    def Init(self, request: pb.InitRequest, context: grpc.ServicerContext) -> pb.InitResponse:
        try:
            self.init(request.alias, self.read_config(request), request.source_file_path)
        except Refused as refused:
            context.abort(refused.code, str(refused))
        return pb.InitResponse()

    def read_config(self, request: pb.InitRequest) -> dict[str, Any]:
        return json_format.MessageToDict(request.config) if request.HasField("config") else {}

    def init(self, alias: str, config: dict[str, Any], source: str) -> None:
        if self.root is not None and "refuse-reinit" in self.habits:
            raise Refused(CODES.FAILED_PRECONDITION, "already initialised")
        if self.root is not None and (not config or "keep-first" in self.habits):
            return
        self.check_alias(alias)
        root = self.check_config(config, source)
        self.install(alias, root, config)

    def check_alias(self, alias: str) -> None:
        if not alias:
            raise Refused(CODES.INVALID_ARGUMENT, "alias is empty")

    def check_config(self, config: dict[str, Any], source: str) -> Path:
        if "refuse-unknown" in self.habits and not KNOWN.issuperset(config):
            raise Refused(CODES.INVALID_ARGUMENT, f"unknown key {min(set(config) - KNOWN)[:80]!r}")
        directory = config.get("directory")
        if not isinstance(directory, str) or not directory or "\x00" in directory:
            raise Refused(CODES.INVALID_ARGUMENT, "directory: a non-empty string is required")
        self.check_depth(config.get("depth", 3))
        if "token" in config and not isinstance(config["token"], str):
            raise Refused(CODES.INVALID_ARGUMENT, "token: a string is required")
        root = Path(source).parent.joinpath(directory)
        return self.check_root(root)

    def check_depth(self, depth: Any) -> None:
        if isinstance(depth, str) and depth.isdigit():
            depth = int(depth)
        if isinstance(depth, bool) or not isinstance(depth, int | float):
            raise Refused(CODES.INVALID_ARGUMENT, "depth: a number is required")

    def check_root(self, root: Path) -> Path:
        try:
            there = root.is_dir()
        except OSError:
            there = False
        if not there:
            raise Refused(CODES.FAILED_PRECONDITION, "directory: there is no such folder")
        return root

    def install(self, alias: str, root: Path, config: dict[str, Any]) -> None:
        with self.lock:
            self.alias, self.root, self.config = alias, root, config

    # --- Fetch
    def Fetch(self, request: pb.FetchRequest, context: grpc.ServicerContext) -> pb.FetchResponse:
        try:
            return self.answer(tuple(request.path), context)
        except Refused as refused:
            context.abort(refused.code, str(refused))
            raise AssertionError from refused

    def answer(self, path: tuple[str, ...], context: grpc.ServicerContext) -> pb.FetchResponse:
        return pb.FetchResponse(value=self.wrap(self.fetch(path, context)))

    def wrap(self, value: Any) -> struct_pb2.Struct:
        return json_format.ParseDict(value if isinstance(value, dict) else {"value": value}, struct_pb2.Struct())

    def fetch(self, path: tuple[str, ...], context: grpc.ServicerContext) -> Any:
        root = self.root
        self.check_ready(root)
        assert root is not None
        self.check_path(path)
        if path[:1] == ("slow",):
            self.wait(context)
        if path[:1] == ("forbidden",):
            raise Refused(self.forbidden, f"{path[0]}: not permitted")
        return self.look_up(root, path)

    forbidden = CODES.PERMISSION_DENIED

    def wait(self, context: grpc.ServicerContext) -> None:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            if not context.is_active():
                raise Refused(CODES.CANCELLED, "the caller has left")
            time.sleep(0.02)

    def check_ready(self, root: Path | None) -> None:
        if root is None:
            raise Refused(CODES.FAILED_PRECONDITION, "no Init yet")

    def check_path(self, path: tuple[str, ...]) -> None:
        if not path and "empty-path-refused" in self.habits:
            raise Refused(CODES.INVALID_ARGUMENT, "the path is empty")
        for position, segment in enumerate(path):
            if not segment:
                raise Refused(CODES.INVALID_ARGUMENT, f"segment {position} of {'/'.join(path)[:200]!r} is empty")
            if segment in {".", ".."} or any(mark in segment for mark in "/\\\x00%"):
                raise Refused(CODES.INVALID_ARGUMENT, f"segment {position} ({segment[:100]!r}) is no name")

    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        if path in {(), ("*",)}:
            return {stem: self.load(self.file(root, stem, path), path) for stem in self.stems(root)}
        if path[-1] == "*" and "no-wildcard" not in self.habits:
            value = self.look_up(root, path[:-1])
            if not isinstance(value, dict):
                raise not_found(path, "*")
            return value
        return self.walk(self.load(self.file(root, path[0], path), path), path)

    def stems(self, root: Path) -> list[str]:
        return sorted(f.stem for f in root.glob("*.json") if f.stem != "broken" and not f.is_symlink())

    def file(self, root: Path, name: str, path: tuple[str, ...]) -> Path:
        file = root / f"{name}.json"
        if len(name) > 100 or not file.is_file() or root.resolve() not in file.resolve().parents:
            raise not_found(path, name)
        return file

    def load(self, file: Path, path: tuple[str, ...]) -> Any:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise Refused(CODES.FAILED_PRECONDITION, f"{'/'.join(path)[:200]}: the source is no JSON") from None

    def walk(self, value: Any, path: tuple[str, ...]) -> Any:
        for segment in path[1:]:
            value = self.step(value, segment, path)
        return value

    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        name, _, index = segment.partition("[")
        if index and "no-index" not in self.habits:
            digits = index.removesuffix("]")
            if not index.endswith("]") or not digits.isdigit() or len(digits) > 9:
                raise Refused(CODES.INVALID_ARGUMENT, f"{segment[:100]!r} holds no index")
            value = self.step(value, name, path)
            if not isinstance(value, list) or int(digits) >= len(value):
                raise not_found(path, segment)
            return value[int(digits)]
        if not isinstance(value, dict) or segment not in value:
            raise not_found(path, segment)
        return value[segment]

    # --- the rest
    def Info(self, request: pb.InfoRequest, context: grpc.ServicerContext) -> pb.InfoResponse:
        return pb.InfoResponse(alias=self.alias, version=self.version, type=self.kind)

    def Health(self, request: pb.HealthRequest, context: grpc.ServicerContext) -> pb.HealthResponse:
        status, message = self.health()
        return pb.HealthResponse(status=status, message=message)

    def health(self) -> tuple[Any, str]:
        if self.root is None:
            return pb.HealthResponse.STATUS_STARTING, "waiting for Init"
        if self.config.get("mode") == "degraded":
            return pb.HealthResponse.STATUS_DEGRADED, "mode: runs degraded; set another mode"
        return pb.HealthResponse.STATUS_OK, ""

    def Shutdown(self, request: pb.ShutdownRequest, context: grpc.ServicerContext) -> pb.ShutdownResponse:
        self.down.set()
        return pb.ShutdownResponse()


FAULTS: dict[str, type[Plain]] = {}


def fault(cls: type[Plain]) -> type[Plain]:
    FAULTS[cls.__name__] = cls
    return cls


@fault
class MissingKeyDefaults(Plain):
    def check_config(self, config: dict[str, Any], source: str) -> Path:
        return super().check_config({"directory": "/tmp", **config}, source)


@fault
class SecondBadInitTaken(Plain):
    tries = 0

    def check_depth(self, depth: Any) -> None:
        self.tries += 1
        if self.tries % 2:
            super().check_depth(depth)


@fault
class NullIsText(Plain):
    def check_config(self, config: dict[str, Any], source: str) -> Path:
        directory = config.get("directory")
        if directory is None and "directory" in config:
            raise Refused(CODES.FAILED_PRECONDITION, "directory: there is no folder None")
        return super().check_config(config, source)


@fault
class DependencyInvalid(Plain):
    def check_root(self, root: Path) -> Path:
        try:
            return super().check_root(root)
        except Refused as refused:
            raise Refused(CODES.INVALID_ARGUMENT, str(refused)) from None


@fault
class InitInternal(Plain):
    def check_depth(self, depth: Any) -> None:
        if isinstance(depth, list):
            raise Refused(CODES.INTERNAL, "depth: list")
        super().check_depth(depth)


@fault
class AliasTakenFirst(Plain):
    def check_alias(self, alias: str) -> None:
        super().check_alias(alias)
        self.alias = alias


@fault
class AliasStripped(Plain):
    def fetch(self, path: tuple[str, ...], context: grpc.ServicerContext) -> Any:
        return super().fetch(path[1:] if len(path) > 1 and path[0] == self.alias else path, context)


@fault
class AliasOptional(Plain):
    def fetch(self, path: tuple[str, ...], context: grpc.ServicerContext) -> Any:
        try:
            return super().fetch(path, context)
        except Refused:
            if path[:1] != (self.alias,):
                raise
            return super().fetch(path[1:], context)


@fault
class DeadAfterFailedInit(Plain):
    failed = False

    def init(self, alias: str, config: dict[str, Any], source: str) -> None:
        if self.failed:
            raise Refused(CODES.FAILED_PRECONDITION, "a former Init failed")
        try:
            super().init(alias, config, source)
        except Refused:
            self.failed = True
            raise


@fault
class NoStrings(Plain):
    def check_depth(self, depth: Any) -> None:
        if isinstance(depth, str):
            raise Refused(CODES.INVALID_ARGUMENT, "depth: a number is required")
        super().check_depth(depth)


@fault
class RelativeToWorkingFolder(Plain):
    def check_config(self, config: dict[str, Any], source: str) -> Path:
        return super().check_config(config, "")


@fault
class CrashWithoutConfig(Plain):
    def read_config(self, request: pb.InitRequest) -> dict[str, Any]:
        if not request.HasField("config"):
            os._exit(3)
        return super().read_config(request)


@fault
class HalfPublished(Plain):
    def install(self, alias: str, root: Path, config: dict[str, Any]) -> None:
        self.root = Path("/nonexistent")
        time.sleep(0.01)
        super().install(alias, root, config)


@fault
class ReinitForgets(Plain):
    def init(self, alias: str, config: dict[str, Any], source: str) -> None:
        again = self.root is not None
        super().init(alias, config, source)
        if again:
            self.root = Path("/nonexistent")


@fault
class ReinitInternal(Plain):
    def init(self, alias: str, config: dict[str, Any], source: str) -> None:
        if self.root is not None:
            raise Refused(CODES.INTERNAL, "twice")
        super().init(alias, config, source)


@fault
class EmptyReinitRefused(Plain):
    def init(self, alias: str, config: dict[str, Any], source: str) -> None:
        if not config:
            raise Refused(CODES.INVALID_ARGUMENT, "directory is missing")
        super().init(alias, config, source)


@fault
class EmptyReinitTaken(Plain):
    def init(self, alias: str, config: dict[str, Any], source: str) -> None:
        if self.root is not None and not config:
            self.root = Path("/nonexistent")
        super().init(alias, config, source)


@fault
class RefusedReinitSpoils(Plain):
    def check_config(self, config: dict[str, Any], source: str) -> Path:
        try:
            return super().check_config(config, source)
        except Refused:
            if self.root is not None:
                self.root = Path("/nonexistent")
            raise


@fault
class MergedConfigs(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.cache: dict[tuple[str, ...], Any] = {}

    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        if path not in self.cache:
            self.cache[path] = super().look_up(root, path)
        return self.cache[path]


@fault
class FallsBack(Plain):
    """What the second folder does not hold comes from the first."""

    below: Path | None = None

    def install(self, alias: str, root: Path, config: dict[str, Any]) -> None:
        self.below = self.below or root
        super().install(alias, root, config)

    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        try:
            return super().look_up(root, path)
        except Refused as refused:
            if refused.code is not CODES.NOT_FOUND or self.below is None:
                raise
            return super().look_up(self.below, path)


@fault
class ModeStays(Plain):
    """A setting of the first configuration outlives it."""

    def install(self, alias: str, root: Path, config: dict[str, Any]) -> None:
        degraded = {"mode": "degraded"} if self.root not in {None, root} else {}
        super().install(alias, root, {**config, **degraded})


@fault
class LazyDefault(Plain):
    """Before Init it looks into a default folder, the second time."""

    asked = 0

    def check_ready(self, root: Path | None) -> None:
        self.asked += 1
        if root is None and self.asked > 1:
            raise Refused(CODES.NOT_FOUND, "not there")
        super().check_ready(root)


@fault
class FailedInitCounts(Plain):
    tried = False

    def init(self, alias: str, config: dict[str, Any], source: str) -> None:
        self.tried = True
        super().init(alias, config, source)

    def check_ready(self, root: Path | None) -> None:
        if root is None and self.tried:
            raise Refused(CODES.NOT_FOUND, "nothing there")
        super().check_ready(root)


@fault
class ParentForScalar(Plain):
    """Below a scalar it answers the scalar."""

    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        return value if not isinstance(value, dict | list) else super().step(value, segment, path)


@fault
class MissingIsNull(Plain):
    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict) and segment not in value and len(path) > 2:
            return None
        return super().step(value, segment, path)


@fault
class DeepMissingInvalid(Plain):
    def walk(self, value: Any, path: tuple[str, ...]) -> Any:
        try:
            return super().walk(value, path)
        except Refused as refused:
            raise (Refused(CODES.INVALID_ARGUMENT, str(refused)) if len(path) > 3 else refused) from None


@fault
class EmptyLastIgnored(Plain):
    def check_path(self, path: tuple[str, ...]) -> None:
        super().check_path(path[:-1] if len(path) > 1 and not path[-1] else path)

    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        return super().look_up(root, path[:-1] if len(path) > 1 and not path[-1] else path)


@fault
class EmptySegmentNotFound(Plain):
    def check_path(self, path: tuple[str, ...]) -> None:
        if "" in path[2:]:
            raise not_found(path, "")
        super().check_path(path)


@fault
class DotSkipped(Plain):
    def fetch(self, path: tuple[str, ...], context: grpc.ServicerContext) -> Any:
        return super().fetch(tuple(segment for segment in path if segment != "."), context)


@fault
class BackslashSplits(Plain):
    def fetch(self, path: tuple[str, ...], context: grpc.ServicerContext) -> Any:
        return super().fetch(tuple(part for segment in path for part in segment.split("\\")), context)


@fault
class Unquoted(Plain):
    def fetch(self, path: tuple[str, ...], context: grpc.ServicerContext) -> Any:
        parts = [part for segment in path for part in urllib.parse.unquote(segment).split("/")]
        return super().fetch(tuple(parts), context)


@fault
class NaiveJoin(Plain):
    """The classic: the path goes to the file system as it is."""

    def check_path(self, path: tuple[str, ...]) -> None:
        if "" in path:
            super().check_path(path)

    def file(self, root: Path, name: str, path: tuple[str, ...]) -> Path:
        try:
            file = Path(f"{root}/{name}.json")
            if file.is_file():
                return file
        except (OSError, ValueError):
            pass
        raise not_found(path, name)


@fault
class NaiveJoinAll(NaiveJoin):
    """All segments are a file's path, without its ending."""

    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        for cut in range(len(path), 0, -1):
            file = os.path.join(root, *path[:cut])
            try:
                if os.path.isfile(file):
                    return self.walk(json.loads(Path(file).read_text()), path[cut - 1 :])
            except ValueError:
                continue
        return super().look_up(root, path)


@fault
class PrefixRoot(Plain):
    """Resolved and compared, but as text: `root-kept` begins like `root`."""

    def check_path(self, path: tuple[str, ...]) -> None:
        if "" in path:
            super().check_path(path)

    def file(self, root: Path, name: str, path: tuple[str, ...]) -> Path:
        file = os.path.realpath(f"{root}/{name}.json") if "\x00" not in name and len(name) < 200 else ""
        if file.startswith(str(root.resolve())) and os.path.isfile(file):
            return Path(file)
        raise not_found(path, name)


@fault
class DecodedAfterCheck(Plain):
    """Dots are refused, then the segment is decoded."""

    def check_path(self, path: tuple[str, ...]) -> None:
        super().check_path(tuple(segment.replace("%", "") or "." for segment in path))

    def file(self, root: Path, name: str, path: tuple[str, ...]) -> Path:
        try:
            file = Path(f"{root}/{urllib.parse.unquote(name)}.json")
            if file.is_file():
                return file
        except (OSError, ValueError):
            pass
        raise not_found(path, name)


@fault
class LinkFollowed(Plain):
    def file(self, root: Path, name: str, path: tuple[str, ...]) -> Path:
        file = root / f"{name}.json"
        if len(name) < 100 and file.is_file():
            return file
        raise not_found(path, name)


@fault
class LinkComparedAsText(Plain):
    def file(self, root: Path, name: str, path: tuple[str, ...]) -> Path:
        file = root / f"{name}.json"
        for part in path[1:] if len(name) < 100 and (root / name).is_dir() else ():
            file = root / name / f"{part}.json"
        if len(name) > 100 or not file.is_file() or not str(file.resolve()).startswith(str(root.resolve())):
            raise not_found(path, name)
        return file

    def walk(self, value: Any, path: tuple[str, ...]) -> Any:
        return value if isinstance(value, dict) and "token" in value else super().walk(value, path)


@fault
class PrefixMatch(Plain):
    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict) and segment not in value and len(segment) > 1 and "[" not in segment:
            for key in value:
                if key.startswith(segment):
                    return value[key]
        return super().step(value, segment, path)


@fault
class TrimsNames(Plain):
    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        return super().step(value, segment if isinstance(value, dict) and segment in value else segment.strip(), path)


@fault
class IgnoresCase(Plain):
    def file(self, root: Path, name: str, path: tuple[str, ...]) -> Path:
        return super().file(root, name.lower(), path)


@fault
class DecodesKeys(Plain):
    def check_path(self, path: tuple[str, ...]) -> None:
        super().check_path(tuple(urllib.parse.unquote_plus(segment) for segment in path))

    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        return super().step(value, urllib.parse.unquote_plus(segment), path)


@fault
class ReadsAttributes(Plain):
    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        if isinstance(value, str) and segment == "length":
            return len(value)
        return super().step(value, segment, path)


@fault
class RootUnknown(Plain):
    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        if not path:
            raise Refused(CODES.UNKNOWN, "list index out of range")
        return super().look_up(root, path)


@fault
class LongPathCrash(Plain):
    def check_path(self, path: tuple[str, ...]) -> None:
        if len(path) > 5000:
            raise RecursionError
        super().check_path(path)


@fault
class LongNameUnknown(Plain):
    def file(self, root: Path, name: str, path: tuple[str, ...]) -> Path:
        os.stat(root / f"{name}.json") if len(name) > 100 else None
        return super().file(root, name, path)


@fault
class ForbiddenNotFound(Plain):
    forbidden = CODES.NOT_FOUND


@fault
class BrokenIsUnknown(Plain):
    def load(self, file: Path, path: tuple[str, ...]) -> Any:
        return json.loads(file.read_text(encoding="utf-8"))


@fault
class BrokenIsEmpty(Plain):
    def load(self, file: Path, path: tuple[str, ...]) -> Any:
        try:
            return super().load(file, path)
        except Refused:
            return {"key": ""}


@fault
class NumbersAreText(Plain):
    def wrap(self, value: Any) -> struct_pb2.Struct:
        return super().wrap(str(value) if isinstance(value, float) and not value.is_integer() else value)


@fault
class TextWhenAlone(Plain):
    """A number is right in its map, and text when it is asked for by itself."""

    def walk(self, value: Any, path: tuple[str, ...]) -> Any:
        found = super().walk(value, path)
        return str(found) if path[1:2] == ("limits",) and isinstance(found, int | float) else found


@fault
class EmptyListDropped(Plain):
    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        found = super().step(value, segment, path)
        return {} if found == [] else found


@fault
class WrongSecondTime(Plain):
    seen: set[tuple[str, ...]]

    def __init__(self) -> None:
        super().__init__()
        self.seen = set()

    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        value = super().look_up(root, path)
        if path in self.seen and value is True:
            return "true"
        self.seen.add(path)
        return value


@fault
class NullUnset(Plain):
    def answer(self, path: tuple[str, ...], context: grpc.ServicerContext) -> pb.FetchResponse:
        value = self.fetch(path, context)
        return pb.FetchResponse() if value is None else pb.FetchResponse(value=self.wrap(value))


@fault
class NotANumber(Plain):
    def wrap(self, value: Any) -> struct_pb2.Struct:
        struct = super().wrap(value)
        if struct.fields.keys() == {"tiny", "big"}:
            struct.fields["extra"].number_value = math.nan
        return struct


@fault
class KindUnset(Plain):
    def wrap(self, value: Any) -> struct_pb2.Struct:
        if value is None:
            return struct_pb2.Struct(fields={"value": struct_pb2.Value()})
        return super().wrap(value)


@fault
class WrapsUnderResult(Plain):
    def wrap(self, value: Any) -> struct_pb2.Struct:
        return super().wrap({"result": value} if isinstance(value, list) else value)


@fault
class WildcardList(Plain):
    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        value = super().look_up(root, path)
        return sorted(value) if path[1:] and path[-1] == "*" else value


@fault
class IndexFromOne(Plain):
    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        if segment.endswith("[1]"):
            return super().step(value, segment[:-3] + "[0]", path)
        return super().step(value, segment, path)


@fault
class IndexLoose(Plain):
    """What stands behind an index is not looked at."""

    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        name, mark, index = segment.partition("[")
        return super().step(value, f"{name}[{index.split(']')[0]}]" if mark and "]" in index else segment, path)


@fault
class HugeAnswer(Plain):
    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        value = super().look_up(root, path)
        return {**value, "padding": "x" * 4_300_000} if path in {(), ("*",)} else value


@fault
class AsciiOnly(Plain):
    def check_path(self, path: tuple[str, ...]) -> None:
        for segment in path:
            segment.encode("latin-1")
        super().check_path(path)


@fault
class CutWithinCharacters(Plain):
    def check_path(self, path: tuple[str, ...]) -> None:
        for segment in path:
            segment.encode()[-64:].decode()
        super().check_path(path)


@fault
class NumbersLost(Plain):
    """Damages everything but characters."""

    def wrap(self, value: Any) -> struct_pb2.Struct:
        return super().wrap(self.damaged(value))

    def damaged(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.damaged(part) for key, part in value.items() if part is not None}
        if isinstance(value, list):
            return [self.damaged(part) for part in value] or {}
        return value + 1 if isinstance(value, float | int) and not isinstance(value, bool) else value


@fault
class SharedCursor(Plain):
    """The path stands in the object while it is walked."""

    path: tuple[str, ...] = ()

    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        self.path = path
        time.sleep(0.0005)
        return super().look_up(root, self.path)


@fault
class LockedWait(Plain):
    """A slow Fetch is waited for under a lock, whatever its caller does."""

    def wait(self, context: grpc.ServicerContext) -> None:
        time.sleep(2.5)

    def fetch(self, path: tuple[str, ...], context: grpc.ServicerContext) -> Any:
        with self.lock:
            return super().fetch(path, context)


@fault
class PollsOn(Plain):
    """Goes on polling for callers who have left, a third of the time."""

    polling = False

    def wait(self, context: grpc.ServicerContext) -> None:
        if not self.polling:
            self.polling = True
            threading.Thread(target=self.poll, daemon=True).start()
        super().wait(context)

    def poll(self) -> None:
        while True:
            end = time.thread_time() + 0.01
            while time.thread_time() < end:
                pass
            time.sleep(0.02)


@fault
class SickOfCallers(Plain):
    """A caller who leaves is taken for a part that does not work."""

    def wait(self, context: grpc.ServicerContext) -> None:
        try:
            super().wait(context)
        except Refused:
            self.config = {**self.config, "mode": "degraded"}
            raise


@fault
class SpinsOn(Plain):
    def wait(self, context: grpc.ServicerContext) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pass


@fault
class HealthWaits(Plain):
    def fetch(self, path: tuple[str, ...], context: grpc.ServicerContext) -> Any:
        with self.lock:
            return super().fetch(path, context)

    def health(self) -> tuple[Any, str]:
        with self.lock:
            return super().health()


@fault
class CancelLeaksSlot(Plain):
    """A call that was cancelled keeps one of its eight slots."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = threading.Semaphore(8)

    def fetch(self, path: tuple[str, ...], context: grpc.ServicerContext) -> Any:
        if not self.slots.acquire(timeout=0.5):
            raise Refused(CODES.UNAVAILABLE, "busy")
        value = super().fetch(path, context)
        time.sleep(0.003)
        if context.is_active():
            self.slots.release()
        return value


@fault
class InfoNeedsInit(Plain):
    def Info(self, request: pb.InfoRequest, context: grpc.ServicerContext) -> pb.InfoResponse:
        if self.root is None:
            context.abort(CODES.FAILED_PRECONDITION, "no Init yet")
        return super().Info(request, context)


@fault
class VersionWithV(Plain):
    version = "v1.4.2"


@fault
class VersionLeadingZero(Plain):
    version = "1.04.2"


@fault
class TypeChanges(Plain):
    @property
    def kind(self) -> str:  # type: ignore[override]
        return "plain" if self.root is None else "plain-ready"


@fault
class TypeEmpty(Plain):
    kind = ""


@fault
class HealthNeedsInit(Plain):
    def Health(self, request: pb.HealthRequest, context: grpc.ServicerContext) -> pb.HealthResponse:
        if self.root is None:
            context.abort(CODES.INTERNAL, "no Init yet")
        return super().Health(request, context)


@fault
class AlwaysStarting(Plain):
    def health(self) -> tuple[Any, str]:
        return pb.HealthResponse.STATUS_STARTING, "soon"


@fault
class StatusUnset(Plain):
    def health(self) -> tuple[Any, str]:
        return (0, "fine") if self.root is not None else super().health()


@fault
class DegradedIsOk(Plain):
    def health(self) -> tuple[Any, str]:
        return pb.HealthResponse.STATUS_OK if self.root else pb.HealthResponse.STATUS_STARTING, ""


@fault
class TiredHealth(Plain):
    pings = 0

    def health(self) -> tuple[Any, str]:
        self.pings += 1
        if self.pings % 20 == 0:
            return pb.HealthResponse.STATUS_DEGRADED, "tired"
        return super().health()


@fault
class MuteRefusal(Plain):
    """No message, but only for an empty segment that is not the first."""

    def check_path(self, path: tuple[str, ...]) -> None:
        if "" in path[1:]:
            raise Refused(CODES.INVALID_ARGUMENT, "")
        super().check_path(path)


@fault
class NamelessKey(Plain):
    def check_config(self, config: dict[str, Any], source: str) -> Path:
        try:
            return super().check_config(config, source)
        except Refused as refused:
            raise Refused(refused.code, "the configuration is invalid") from None


@fault
class HeaderSegmentUnknown(Plain):
    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        if segment.startswith("{"):
            raise KeyError(segment)
        return super().step(value, segment, path)


@fault
class PrintsConfig(Plain):
    def check_config(self, config: dict[str, Any], source: str) -> Path:
        try:
            return super().check_config(config, source)
        except Refused as refused:
            raise Refused(refused.code, f"{refused} in {config}") from None


@fault
class LogsConfig(Plain):
    def install(self, alias: str, root: Path, config: dict[str, Any]) -> None:
        log(f"{alias}: initialised with {json.dumps(config)}")
        super().install(alias, root, config)


@fault
class LogsConfigAtDebug(Plain):
    def install(self, alias: str, root: Path, config: dict[str, Any]) -> None:
        if "debug" in sys.argv:
            log(f"{alias}: initialised with {json.dumps(config)}")
        super().install(alias, root, config)


@fault
class LogsConfigInHex(Plain):
    def install(self, alias: str, root: Path, config: dict[str, Any]) -> None:
        log(f"{alias}: initialised with {json.dumps(config).encode().hex()}")
        super().install(alias, root, config)


@fault
class LogsConfigInBase64(Plain):
    def install(self, alias: str, root: Path, config: dict[str, Any]) -> None:
        log(f"{alias}: initialised with {base64.b64encode(json.dumps(config).encode()).decode()}")
        super().install(alias, root, config)


@fault
class LogsToken(Plain):
    def install(self, alias: str, root: Path, config: dict[str, Any]) -> None:
        log(f"{alias}: token {config.get('token')}")
        super().install(alias, root, config)


@fault
class QuotesScalar(Plain):
    def step(self, value: Any, segment: str, path: tuple[str, ...]) -> Any:
        if isinstance(value, str):
            raise Refused(CODES.NOT_FOUND, f"cannot look for {segment[:100]!r} in {value!r}")
        return super().step(value, segment, path)


@fault
class LogsValuesAtDebug(Plain):
    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        value = super().look_up(root, path)
        if "debug" in sys.argv:
            log(f"fetched {str(value)[:100]}")
        return value


@fault
class LogsValues(Plain):
    def look_up(self, root: Path, path: tuple[str, ...]) -> Any:
        value = super().look_up(root, path)
        log(f"fetched {'.'.join(path)[:100]} -> {str(value)[:100]}")
        return value


def main() -> int:
    words = set(filter(None, (sys.argv[1:] or [""])[0].split(",")))
    chosen = [FAULTS[word] for word in words if word in FAULTS]
    kind = chosen[0] if chosen else Plain
    provider = kind()
    provider.habits = frozenset(words - FAULTS.keys())
    server = grpc.server(ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
    provider_pb2_grpc.add_ProviderServiceServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"PORT={port}", flush=True)
    print(f"PROVIDER_PORT={port}", flush=True)
    log("serving")
    provider.down.wait()
    server.stop(0.2).wait()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
