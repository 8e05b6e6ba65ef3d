"""Write the golden vectors of versions 1 and 2: messages as bytes and as JSON, for authors in other languages.

Usage: ``python tools/generate_vectors.py [OUTPUT_DIR]``. Without OUTPUT_DIR the committed ones in
``contracts/nomos_contracts/vectors`` are rewritten; a test compares.

The bytes come from the generated code, maps in the order of their keys; the JSON is protobuf's own JSON mapping, which
every protobuf library reads. What must be refused is written byte by byte.
"""

from __future__ import annotations

import base64
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from nomos_proto.errors import STATUS_NUMBERS, TABLE, ProviderError, to_status
from nomos_proto.v1 import provider_pb2 as v1
from nomos_proto.v2 import provider_pb2 as v2

OUTPUT = Path(__file__).resolve().parent.parent / "contracts" / "nomos_contracts" / "vectors"
UNICODE = "Zürich 漢字 \U0001f600 e\u0301 \u200f\u05d0"
STOCK_DEPTH = 30
"""Levels that stock libraries read; the protobuf default of 100 nested messages is about 32 levels of maps."""


def encoded(data: bytes) -> dict[str, str]:
    """Return bytes in both of the forms that vectors have."""
    return {"hex": data.hex(), "base64": base64.b64encode(data).decode()}


def readable(value: Message) -> Any:
    """Return a message in protobuf's JSON mapping, in the same words with every release and run.

    Keys are sorted, and whole numbers have no fraction.
    """

    def whole(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: whole(part[key]) for key in sorted(part)}
        if isinstance(part, list):
            return [whole(item) for item in part]
        if isinstance(part, float) and part.is_integer() and abs(part) <= 2**53 and str(part) != "-0.0":
            return int(part)
        return part

    return whole(MessageToDict(value))


def _entries(message: Message) -> int:
    """Return the size of the largest map in a message: with more than one entry its order is free."""
    largest = 0
    pending: list[Message] = [message]
    while pending:
        for field, value in pending.pop().ListFields():
            kind: Descriptor | None = field.message_type
            if kind is None:
                continue
            if kind.GetOptions().map_entry:
                largest = max(largest, len(value))
                if kind.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
                    pending.extend(value.values())
            elif field.is_repeated:
                pending.extend(value)
            else:
                pending.append(value)
    return largest


def message(name: str, value: Message, note: str = "", **more: Any) -> dict[str, Any]:
    """Return the vector of one message."""
    data = value.SerializeToString(deterministic=True)
    return {
        "name": name,
        "message": value.DESCRIPTOR.full_name,
        "note": note,
        **encoded(data),
        "json": readable(value),
        "exact": _entries(value) < 2,
        **more,
    }


def tolerated(name: str, kind: type[Message], data: bytes, note: str) -> dict[str, Any]:
    """Return the vector of bytes that nobody writes and everybody must read."""
    read = kind.FromString(data)
    read.DiscardUnknownFields()
    return {
        "name": name,
        "message": read.DESCRIPTOR.full_name,
        "note": note,
        **encoded(data),
        "json": readable(read),
    }


def fetched(name: str, value: Any, note: str = "") -> dict[str, Any]:
    """Return the vector of a Fetch answer that means *value*."""
    wrapped = value if isinstance(value, dict) else {"value": value}
    return message(f"fetch-answer-{name}", ParseDict({"value": wrapped}, v1.FetchResponse()), note, plain=value)


def nested(levels: int, leaf: Any) -> Any:
    """Return maps and lists in turn, *levels* of them around *leaf*."""
    value = leaf
    for level in range(levels - 1, -1, -1):
        value = [value] if level % 2 else {"k": value}
    return value


def init(name: str, note: str = "", **fields: Any) -> dict[str, Any]:
    """Return the vector of an Init request."""
    return message(f"init-request-{name}", ParseDict(fields, v1.InitRequest()), note)


def fetch(name: str, *path: str, note: str = "") -> dict[str, Any]:
    """Return the vector of a Fetch request."""
    return message(f"fetch-request-{name}", v1.FetchRequest(path=path), note)


def v1_messages() -> list[dict[str, Any]]:
    """Return the messages of version 1."""
    status = v1.HealthResponse.Status
    return [
        init("empty", "nothing set: an empty message is no bytes at all"),
        init("alias", alias="settings"),
        init("config-string", alias="settings", config={"directory": "./settings"}),
        init("config-number", alias="settings", config={"depth": 5}),
        init("config-number-as-string", "what the nomos command line sends for 5", alias="a", config={"depth": "5"}),
        init("config-true", alias="settings", config={"strict": True}),
        init("config-true-as-string", "what the nomos command line sends for true", alias="a", config={"s": "true"}),
        init("config-null", "null is a value, not an absent key", alias="settings", config={"directory": None}),
        init("config-map", alias="settings", config={"server": {"url": "http://127.0.0.1:8080"}}),
        init("config-list", alias="settings", config={"files": ["a.json", "b.json"]}),
        init("config-empty", "second Init of a directory build: alias, an empty map, no source", alias="a", config={}),
        init(
            "full",
            "several keys: their order on the wire is free",
            alias="settings",
            config={"directory": "./settings", "depth": 5, "strict": False, "tags": ["a", None]},
            sourceFilePath="/home/me/app.csl",
        ),
        init("unicode", alias="größe", config={"ключ": UNICODE}, sourceFilePath="/tmp/漢字.csl"),
        message("init-answer", v1.InitResponse()),
        fetch("empty", note="the root, or INVALID_ARGUMENT, or NOT_FOUND: the provider's choice"),
        fetch("one", "database"),
        fetch("three", "database", "pool", "size"),
        fetch("same-twice", "a", "a", note="order and repetition count"),
        fetch("unicode", "größe", "漢字", "\U0001f600"),
        fetch("wildcard", "*", note="everything, as a map"),
        fetch("wildcard-below", "database", "*"),
        fetch("index", "servers", "hosts[0]", note="the index stands inside the segment"),
        fetched("string", "localhost", "a bare scalar is wrapped as exactly one key, `value`"),
        fetched("empty-string", ""),
        fetched("unicode", UNICODE),
        fetched("true", True),
        fetched("false", False),
        fetched("zero", 0),
        fetched("negative", -1.5),
        fetched("tenth", 0.1),
        fetched("2-to-53", 2**53, "the last integer before doubles leave gaps"),
        fetched("minus-2-to-53", -(2**53)),
        fetched("largest-double", 1.7976931348623157e308),
        fetched("smallest-double", 5e-324),
        fetched("null", None, "null is a value; a field that is not set is another thing"),
        fetched("empty-list", [], "not an empty map"),
        fetched("list", [1, "two", True, None, [], {}]),
        fetched("empty-map", {}, "not an empty list, and not an unset field: the field is there with length 0"),
        fetched("map", {"host": "localhost"}, "a map is sent as it is, without `value` around it"),
        fetched("map-of-many", {"host": "localhost", "port": 5432, "tls": True, "tags": [], "extra": {}, "none": None}),
        fetched("map-empty-key", {"": "empty key"}),
        fetched("map-value-and-more", {"value": 1, "unit": "s"}, "`value` beside another key is an ordinary map"),
        fetched("map-in-value", {"value": {"a": 1}}, 'callers read this as the map {"a": 1}'),
        fetched("nested-10", nested(10, "deep")),
        fetched(f"nested-{STOCK_DEPTH}", nested(STOCK_DEPTH, "deep"), "as deep as stock libraries read by default"),
        message("info-request", v1.InfoRequest()),
        message("info-answer-before-init", v1.InfoResponse(version="1.2.3", type="files")),
        message("info-answer", v1.InfoResponse(alias="settings", version="1.2.3-rc.1+build.5", type="files")),
        message("health-request", v1.HealthRequest()),
        message("health-answer-unspecified", v1.HealthResponse(), "the zero of the enum is not written"),
        message("health-answer-ok", v1.HealthResponse(status=status.STATUS_OK)),
        message(
            "health-answer-degraded", v1.HealthResponse(status=status.STATUS_DEGRADED, message="disk is read-only")
        ),
        message("health-answer-starting", v1.HealthResponse(status=status.STATUS_STARTING, message="größe …")),
        message("shutdown-request", v1.ShutdownRequest()),
        message("shutdown-answer", v1.ShutdownResponse()),
    ]


def v1_tolerated() -> list[dict[str, Any]]:
    """Return bytes of version 1 that must be read."""
    path = v1.FetchRequest(path=["database"]).SerializeToString()
    head = v1.InitRequest(alias="settings").SerializeToString()
    tail = v1.InitRequest(source_file_path="x").SerializeToString()
    return [
        tolerated("fetch-request-reserved-field", v1.FetchRequest, path + bytes.fromhex("1203616263"), "field 2"),
        tolerated("fetch-request-unknown-varint", v1.FetchRequest, path + bytes.fromhex("7805"), "field 15"),
        tolerated(
            "fetch-request-unknown-fixed", v1.FetchRequest, bytes.fromhex("790102030405060708") + path, "field 15"
        ),
        tolerated(
            "fetch-request-unknown-group", v1.FetchRequest, path + bytes.fromhex("7b08017c"), "field 15, a group"
        ),
        tolerated("fetch-request-wrong-type", v1.FetchRequest, bytes.fromhex("0805") + path, "a varint in field 1"),
        tolerated("init-request-any-order", v1.InitRequest, tail + head, "fields may come in any order"),
        tolerated(
            "init-request-twice", v1.InitRequest, bytes.fromhex("0a0161") + head, "of a scalar the last one counts"
        ),
        tolerated(
            "init-request-config-in-parts",
            v1.InitRequest,
            b"".join(
                ParseDict({"config": part}, v1.InitRequest()).SerializeToString() for part in ({"a": 1}, {"b": 2})
            ),
            "the parts of a message field are merged",
        ),
        tolerated("info-request-unknown-field", v1.InfoRequest, bytes.fromhex("0a0161"), "field 1 of an empty message"),
        tolerated("fetch-request-long-varint", v1.FetchRequest, bytes.fromhex("0a810061"), "a length in two bytes"),
    ]


def v1_exchanges() -> list[dict[str, Any]]:
    """Return what is answered to what in version 1."""

    def error(code: str, text: str) -> dict[str, Any]:
        return {"code": code, "number": STATUS_NUMBERS[code], "message": text}

    def exchange(rpc: str, state: str, request: str, **outcome: Any) -> dict[str, Any]:
        return {"rpc": f"/nomos.provider.v1.ProviderService/{rpc}", "state": state, "request": request, **outcome}

    new, ready = "before Init", "after a good Init"
    return [
        exchange("Health", new, "health-request", answer="health-answer-starting"),
        exchange("Info", new, "info-request", answer="info-answer-before-init"),
        exchange("Fetch", new, "fetch-request-one", error=error("FAILED_PRECONDITION", "call Init first")),
        exchange("Fetch", new, "fetch-request-empty", error=error("FAILED_PRECONDITION", "call Init first")),
        exchange("Init", new, "init-request-config-null", error=error("INVALID_ARGUMENT", "directory: is null")),
        exchange("Init", new, "init-request-config-string", answer="init-answer"),
        exchange("Init", ready, "init-request-config-empty", answer="init-answer"),
        exchange("Health", ready, "health-request", answer="health-answer-ok"),
        exchange("Info", ready, "info-request", answer="info-answer"),
        exchange("Fetch", ready, "fetch-request-three", answer="fetch-answer-2-to-53"),
        exchange("Fetch", ready, "fetch-request-wildcard", answer="fetch-answer-map"),
        exchange("Fetch", ready, "fetch-request-one", error=error("NOT_FOUND", "database: there is no such key")),
        exchange("Shutdown", ready, "shutdown-request", answer="shutdown-answer"),
    ]


def value_messages() -> list[dict[str, Any]]:
    """Return answers of version 2 that hold each kind of value."""

    def result(name: str, fields: dict[str, Any], note: str = "") -> dict[str, Any]:
        return message(f"call-answer-{name}", ParseDict({"result": fields}, v2.CallResponse()), note)

    deep: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(STOCK_DEPTH):
        deep = {"mapValue": {"fields": {"k": deep}}}
    every = [
        {"nullValue": "NULL_VALUE"},
        {"boolValue": False},
        {"intValue": "0"},
        {"doubleValue": 0.0},
        {"stringValue": ""},
        {"bytesValue": ""},
        {"timestampValue": "1970-01-01T00:00:00Z"},
        {"listValue": {}},
        {"mapValue": {}},
    ]
    return [
        result("null", {"nullValue": "NULL_VALUE"}, "a kind that is set, though its number is 0"),
        result("true", {"boolValue": True}),
        result("false", {"boolValue": False}, "false is written, since the kind would be lost otherwise"),
        result("int-zero", {"intValue": "0"}),
        result("int-minus-one", {"intValue": "-1"}, "ten bytes: not zigzag"),
        result("int-max", {"intValue": str(2**63 - 1)}),
        result("int-min", {"intValue": str(-(2**63))}),
        result("int-beyond-2-to-53", {"intValue": str(2**53 + 1)}, "an integer is no double"),
        result("double-one", {"doubleValue": 1.0}, "a double is no integer, even when it is whole"),
        result("double-minus-zero", {"doubleValue": -0.0}),
        result("double-nan", {"doubleValue": "NaN"}),
        result("double-infinity", {"doubleValue": "Infinity"}),
        result("double-minus-infinity", {"doubleValue": "-Infinity"}),
        result("string", {"stringValue": UNICODE}),
        result("string-empty", {"stringValue": ""}),
        result("string-nul", {"stringValue": "a\0b"}, "NUL is a character like any other"),
        result("bytes-empty", {"bytesValue": ""}),
        result("bytes-all", {"bytesValue": base64.b64encode(bytes(range(256))).decode()}, "no text, no encoding"),
        result("timestamp-epoch", {"timestampValue": "1970-01-01T00:00:00Z"}),
        result("timestamp-nanos", {"timestampValue": "2026-12-01T12:30:00.123456789Z"}),
        result("timestamp-before-1970", {"timestampValue": "1969-12-31T23:59:59.500Z"}, "seconds -1, nanos 500000000"),
        result("timestamp-first", {"timestampValue": "0001-01-01T00:00:00Z"}),
        result("timestamp-last", {"timestampValue": "9999-12-31T23:59:59.999999999Z"}),
        result("list-empty", {"listValue": {}}, "not an empty map"),
        result("list-of-each-kind", {"listValue": {"values": every}}),
        result("map-empty", {"mapValue": {}}, "not an empty list"),
        result("map-one", {"mapValue": {"fields": {"größe": {"intValue": "5"}}}}),
        result("map-empty-key", {"mapValue": {"fields": {"": {"boolValue": True}}}}),
        result("map-many", {"mapValue": {"fields": {f"k{i}": value for i, value in enumerate(every)}}}),
        result(f"nested-{STOCK_DEPTH}", deep, "as deep as stock libraries read by default"),
    ]


def v2_messages() -> list[dict[str, Any]]:
    """Return the messages of version 2."""

    def call(name: str, fields: dict[str, Any], note: str = "") -> dict[str, Any]:
        return message(f"call-request-{name}", ParseDict(fields, v2.CallRequest()), note)

    described = {
        "protocolVersions": ["v1", "v2"],
        "name": "config-files",
        "type": "files",
        "version": "1.2.3",
        "interfaces": [
            {"name": "config", "version": "1"},
            {
                "functions": [
                    {"name": "read", "idempotent": True},
                    {"name": "write"},
                    {"name": "list", "streaming": True, "idempotent": True},
                ],
                "capabilities": ["write"],
            },
        ],
        "configSchema": '{"type":"object","required":["directory"]}',
    }
    detail = {
        "code": "RATE_LIMIT_ERROR",
        "category": "rate_limit",
        "retryable": True,
        "provider": "config-http",
        "details": {"limit": {"intValue": "100"}},
        "retryAfter": "1.500s",
    }
    return [
        message("describe-request", v2.DescribeRequest()),
        message(
            "describe-answer-least", v2.DescribeResponse(protocol_versions=["v1", "v2"], name="x", version="1.0.0")
        ),
        message("describe-answer", ParseDict(described, v2.DescribeResponse())),
        call("no-args", {"function": "list"}, "`interface` is empty for the provider's own functions"),
        call("own", {"function": "read", "args": {"path": {"stringValue": "app.json"}}}),
        call(
            "interface",
            {
                "interface": "compute",
                "function": "create_instance",
                "args": {"labels": {"mapValue": {"fields": {"team": {"stringValue": "core"}}}}},
                "idempotencyKey": "5f2c",
            },
        ),
        call("null-arg", {"function": "read", "args": {"encoding": {"nullValue": "NULL_VALUE"}}}, "null was passed"),
        call("many-args", {"function": "f", "args": {"a": {"intValue": "1"}, "b": {"listValue": {}}}}, "order is free"),
        *value_messages(),
        message("error-detail", ParseDict(detail, v2.ErrorDetail()), "travels in google.rpc.Status, see errors.json"),
        message("error-detail-least", v2.ErrorDetail(code="NOT_FOUND", category="not_found")),
    ]


def v2_tolerated() -> list[dict[str, Any]]:
    """Return bytes of version 2 that must be read."""
    one = ParseDict({"result": {"intValue": "1"}}, v2.CallResponse()).SerializeToString()
    request = v2.CallRequest(function="read").SerializeToString()
    return [
        tolerated("call-answer-unknown-field", v2.CallResponse, one + bytes.fromhex("7a03616263"), "field 15"),
        tolerated(
            "call-answer-kind-twice", v2.CallResponse, bytes.fromhex("0a0410011801"), "of a oneof the last one counts"
        ),
        tolerated("call-request-unknown-field", v2.CallRequest, bytes.fromhex("7805") + request, "field 15"),
        tolerated(
            "call-request-key-twice",
            v2.CallRequest,
            request + bytes.fromhex("1a070a0161120218011a070a016112021802"),
            "of equal keys in a map the last one counts",
        ),
        tolerated("describe-request-unknown-field", v2.DescribeRequest, bytes.fromhex("0a0161"), "field 1"),
    ]


def errors() -> list[dict[str, Any]]:
    """Return one error for each code of the taxonomy, and some with more to say."""
    known = [ProviderError(f"what went wrong ({row.code})", row.code, provider="config-files") for row in TABLE]
    special = {
        "unknown-code": ProviderError("a code that no table has", "MOON_PHASE_ERROR"),
        "with-key": ProviderError("directory: is not a folder", "INVALID_SPEC", details={"key": "directory"}),
        "unicode": ProviderError(f"größe: {UNICODE}", "NOT_FOUND"),
        "retry-after": ProviderError("slow down", "RATE_LIMIT_ERROR", retry_after=1.5, provider="config-http"),
        "overridden": ProviderError("this time it may help", "PROVIDER_INTERNAL", category="network", retryable=True),
        "no-message": ProviderError("", "NOT_FOUND"),
    }
    named = {row.code.lower().replace("_", "-"): error for row, error in zip(TABLE, known, strict=True)} | special
    found: list[dict[str, Any]] = []
    for name, error in named.items():
        code, text, trailer = to_status(error)
        found.append(
            {
                "name": f"error-{name}",
                "status": code,
                "number": STATUS_NUMBERS[code],
                "message": text,
                "trailer": "grpc-status-details-bin",
                **encoded(trailer),
                "json": readable(Status.FromString(trailer)),
            }
        )
    return found


def broken_value(number: float | None) -> v1.InitRequest:
    """Return an Init request whose configuration holds *number*, or for None a value without a kind."""
    request = v1.InitRequest(alias="settings")
    value = request.config.fields["k"]
    if number is not None:
        value.number_value = number
    return request


def call_with(value: v2.Value) -> v2.CallRequest:
    """Return a call with one argument."""
    request = v2.CallRequest(function="read")
    request.args["path"].CopyFrom(value)
    return request


def malformed() -> list[dict[str, Any]]:
    """Return bytes that are no message of the kind."""
    fetch_request, init_request, call_request = (
        "nomos.provider.v1.FetchRequest",
        "nomos.provider.v1.InitRequest",
        "nomos.provider.v2.CallRequest",
    )
    table = [
        ("truncated-field", fetch_request, "0a056162", "the data end inside a field"),
        ("truncated-tag", fetch_request, "8a", "the data end inside a tag"),
        ("truncated-length", fetch_request, "0aff", "the data end inside a length"),
        ("length-beyond-the-end", fetch_request, "0affffffff07", "a length of 2 GiB in six bytes"),
        ("varint-of-eleven-bytes", fetch_request, "78ffffffffffffffffffff01", "a varint has ten bytes at most"),
        ("field-zero", fetch_request, "020161", "there is no field 0"),
        ("wire-type-6", fetch_request, "0e00", "there is no wire type 6"),
        ("wire-type-7", fetch_request, "0f00", "there is no wire type 7"),
        ("end-of-group-alone", fetch_request, "0c", "a group ends that never began"),
        ("group-without-end", fetch_request, "0b", "a group never ends"),
        ("segment-not-utf-8", fetch_request, "0a02c328", "a string is UTF-8"),
        ("lone-surrogate", fetch_request, "0a03eda080", "UTF-8 has no surrogates"),
        ("overlong-utf-8", fetch_request, "0a02c0ae", "two bytes for a dot"),
        ("alias-not-utf-8", init_request, "0a01ff", "a string is UTF-8"),
        ("config-truncated", init_request, "12030a0561", "the data end inside the configuration"),
        ("function-not-utf-8", call_request, "1201ff", "a string is UTF-8"),
        ("args-truncated", call_request, "1a030a0561", "the data end inside the arguments"),
    ]
    return [
        {
            "name": name,
            "message": kind,
            "level": "bytes",
            "why": why,
            "refused_by": "provider",
            "codes": ["INTERNAL", "INVALID_ARGUMENT"],
            **encoded(bytes.fromhex(data)),
        }
        for name, kind, data, why in table
    ]


def meaningless() -> list[dict[str, Any]]:
    """Return messages that can be read and that nobody can mean."""

    def entry(name: str, value: Message, why: str, *codes: str) -> dict[str, Any]:
        return {
            "name": name,
            "message": value.DESCRIPTOR.full_name,
            "level": "meaning",
            "why": why,
            "refused_by": "provider" if codes else "caller",
            "codes": list(codes),
            **encoded(value.SerializeToString()),
        }

    def path(name: str, *segments: str) -> dict[str, Any]:
        empty = "" in segments
        codes = ("INVALID_ARGUMENT",) if empty else ("INVALID_ARGUMENT", "NOT_FOUND")
        why = "an empty segment names no key" if empty else "a segment that a file system or a URL would follow"
        return entry(f"path-{name}", v1.FetchRequest(path=segments), why, *codes)

    late = v2.Value()
    late.timestamp_value.seconds = 253_402_300_800
    answer_nan = v1.FetchResponse(value=broken_value(math.nan).config)
    return [
        path("empty-segment", ""),
        path("empty-segment-first", "", "a"),
        path("empty-segment-inside", "a", "", "b"),
        path("empty-segment-last", "a", ""),
        path("dot", "."),
        path("dots", "..", "..", "etc", "passwd"),
        path("slash", "a/../../etc/passwd"),
        path("absolute", "/etc/passwd"),
        path("backslash", "..\\..\\secret"),
        path("nul", "a\0b"),
        path("percent-encoded", "%2e%2e%2fsecret"),
        entry("config-nan", broken_value(math.nan), "NaN is no JSON value", "INVALID_ARGUMENT"),
        entry("config-infinity", broken_value(math.inf), "an infinity is no JSON value", "INVALID_ARGUMENT"),
        entry(
            "config-no-kind", broken_value(None), "a value without a kind; null has one of its own", "INVALID_ARGUMENT"
        ),
        entry(
            "arg-no-kind", call_with(v2.Value()), "a value without a kind; null has one of its own", "INVALID_ARGUMENT"
        ),
        entry("arg-year-10000", call_with(late), "a point in time after the year 9999", "INVALID_ARGUMENT"),
        entry("fetch-answer-unset", v1.FetchResponse(), 'the field `value` is not set; null is {"value": null}'),
        entry("fetch-answer-nan", answer_nan, "NaN is no JSON value"),
        entry("call-answer-unset", v2.CallResponse(), "the field `result` is not set; null has a kind of its own"),
        entry("call-answer-no-kind", v2.CallResponse(result=v2.Value()), "a value without a kind"),
    ]


def documents() -> dict[str, dict[str, Any]]:
    """Return the vectors by file name."""
    return {
        "v1.json": {
            "protocol": "nomos.provider.v1",
            "messages": v1_messages(),
            "tolerated": v1_tolerated(),
            "exchanges": v1_exchanges(),
        },
        "v2.json": {"protocol": "nomos.provider.v2", "messages": v2_messages(), "tolerated": v2_tolerated()},
        "errors.json": {"trailer": "grpc-status-details-bin", "errors": errors()},
        "negative.json": {"refused": [*malformed(), *meaningless()]},
    }


def write(output: Path) -> None:
    """Write the files of vectors into the folder *output*, each of them at once."""
    output.mkdir(parents=True, exist_ok=True)
    for name, document in documents().items():
        # ASCII only, so that no editor, locale or Unicode normalisation changes what stands there.
        text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
        scratch = output / f".{name}.{os.getpid()}"
        scratch.write_text(text, encoding="ascii")
        scratch.replace(output / name)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT)
