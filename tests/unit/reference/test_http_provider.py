from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nomos_proto.provider import CallContext
from nomos_reference.config.base_url import BaseUrl
from nomos_reference.config.http_provider import HttpProvider
from unit.reference.folders import Object, status_of
from unit.reference.upstream import Upstream, answer, raw, serving

APP = {"name": "x", "list": [1, {"k": 2}], "größe": None}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serving() as server:
        server.answers = {
            "/base": answer(json.dumps({"app": "from the root", "root": {"k": 1}})),
            "/base/app": answer(json.dumps(APP)),
            "/base/db/main": answer('{"host": "h"}'),
            "/base/list": answer("[10, 20]"),
            "/base/text": answer("plain ü"),
            "/outside": answer('{"secret": "canary"}'),
        }
        yield server


@pytest.fixture
def http(upstream: Upstream) -> Object:
    provider = Object(HttpProvider())
    provider.init({"base_url": f"{upstream.url}/base/"})
    return provider


def test_the_longest_url_that_the_server_knows_is_walked_on_by_keys(http: Object, upstream: Upstream) -> None:
    assert http.fetch("app", "name") == "x"
    assert upstream.requests == ["/base/app/name", "/base/app"]
    assert http.fetch("app") == APP
    assert http.fetch("app", "list[1]", "k") == 2
    assert http.fetch("db", "main") == {"host": "h"}
    assert http.fetch("list[1]") == 20
    assert http.fetch("root", "k") == 1
    assert http.fetch("app", "größe") is None


def test_a_star_stands_for_the_map(http: Object) -> None:
    assert http.fetch("*") == http.fetch() == {"app": "from the root", "root": {"k": 1}}
    assert http.fetch("app", "*") == APP
    assert http.fetch("root", "*") == {"k": 1}


def test_segments_are_encoded_and_stay_segments(http: Object, upstream: Upstream) -> None:
    for segment in ("a b", "a?b=c", "a#b", "ü", "a;b", "a&b", "100%", "@host", "http:"):
        assert status_of(lambda segment=segment: http.fetch(segment))[0] == "NOT_FOUND"
    assert [path for path in upstream.requests if path != "/base"] == [
        *("/base/a%20b", "/base/a%3Fb%3Dc", "/base/a%23b", "/base/%C3%BC", "/base/a%3Bb", "/base/a%26b"),
        *("/base/100%25", "/base/%40host", "/base/http%3A"),
    ]


@pytest.mark.parametrize("segment", ["..", "%2e%2e", "a/b", "//host", "..%2foutside", "a\\b", "\0", ""])
def test_a_path_that_could_lead_out_sends_no_request(http: Object, upstream: Upstream, segment: str) -> None:
    assert status_of(lambda: http.fetch(segment, "secret"))[0] == "INVALID_ARGUMENT"
    if segment != "a/b":
        assert status_of(lambda: http.function("get", path=f"{segment}/x"))[0] == "INVALID_ARGUMENT"
    assert upstream.requests == []


def test_a_long_path_costs_a_limited_number_of_requests(http: Object, upstream: Upstream) -> None:
    assert status_of(lambda: http.fetch(*["a"] * 1000))[0] == "NOT_FOUND"
    assert len(upstream.requests) == 17
    deep: Any = "leaf"
    for _ in range(30):
        deep = {"k": deep}
    upstream.answers["/base/deep"] = answer(json.dumps(deep))
    assert http.fetch("deep", *["k"] * 30) == "leaf"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "NOT_FOUND"),
        (410, "NOT_FOUND"),
        (401, "PERMISSION_DENIED"),
        (403, "PERMISSION_DENIED"),
        (500, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (429, "UNAVAILABLE"),
        (400, "FAILED_PRECONDITION"),
        (204, "FAILED_PRECONDITION"),
        (304, "FAILED_PRECONDITION"),
    ],
)
def test_each_status_of_the_server_has_its_code(http: Object, upstream: Upstream, status: int, code: str) -> None:
    upstream.answers["/base/x"] = answer(status=status)
    upstream.answers["/base"] = answer("{}")
    found, message = status_of(lambda: http.fetch("x"))
    assert found == code
    assert "x" in message


@pytest.mark.parametrize(
    "body", ["", "<html>hunter2</html>", '{"a": hunter2}', "NaN", '{"a": 1, "a": 2}', "[" * 100_000]
)
def test_an_answer_that_is_no_json_is_told_and_not_quoted(http: Object, upstream: Upstream, body: str) -> None:
    upstream.answers["/base/x"] = answer(body)
    status, message = status_of(lambda: http.fetch("x"))
    assert status in {"FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"}
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "location",
    [
        *("/outside", "../outside", "//127.0.0.1:9/base/x", "http://example.invalid/base/app", "/base/../outside"),
        *("/base/%2e%2e/outside", "/base/..%2foutside", "/base\\..\\outside", "/basement", "file:///etc/passwd"),
        *("https://127.0.0.1/base/app", "{url}@evil.invalid/base/app", "/base/%252e%252e/outside", "", "/base/a b"),
        *("/base/app/%2e%2e/%2e%2e/outside", "http://[::1", "/base/a%5c..%5cb", "http://127.0.0.1:bad/base/app"),
    ],
)
def test_a_redirect_out_of_the_base_url_is_refused_and_not_followed(
    http: Object, upstream: Upstream, location: str
) -> None:
    upstream.answers["/base/x"] = answer(status=302, Location=location.format(url=upstream.url))
    status, message = status_of(lambda: http.fetch("x"))
    assert status in {"PERMISSION_DENIED", "FAILED_PRECONDITION"}
    assert "canary" not in message
    assert set(upstream.requests) <= {"/base/x"}


def test_a_redirect_inside_the_base_url_is_followed_and_a_circle_is_not(http: Object, upstream: Upstream) -> None:
    upstream.answers["/base/x"] = answer(status=301, Location="app?v=1")
    upstream.answers["/base/app?v=1"] = answer(status=307, Location=f"{upstream.url}/base/app")
    assert http.fetch("x") == APP
    upstream.answers["/base/y"] = answer(status=302, Location="/base/y")
    assert status_of(lambda: http.fetch("y"))[0] == "FAILED_PRECONDITION"
    assert upstream.requests.count("/base/y") == 6


def test_an_answer_over_the_limit_is_refused_with_and_without_a_length(upstream: Upstream) -> None:
    http = Object(HttpProvider())
    http.init({"base_url": f"{upstream.url}/base", "max_source_bytes": 1000})
    upstream.answers["/base/x"] = answer(b" " * 1001)
    upstream.answers["/base/y"] = upstream.endless
    upstream.answers["/base/z"] = answer("1" + " " * 999)
    assert status_of(lambda: http.fetch("x"))[0] == "RESOURCE_EXHAUSTED"
    assert status_of(lambda: http.fetch("y"))[0] == "RESOURCE_EXHAUSTED"
    assert upstream.left.wait(10)
    assert http.fetch("z") == 1


@pytest.mark.parametrize("fault", ["silent", "head", "body"])
def test_a_server_that_hangs_or_drips_obeys_the_deadline_and_leaves_nothing(
    http: Object, upstream: Upstream, fault: str
) -> None:
    upstream.answers["/base/x"] = upstream.silent if fault == "silent" else upstream.dripping(fault)
    before = time.monotonic()
    assert status_of(lambda: http.fetch("x", seconds=0.3))[0] == "DEADLINE_EXCEEDED"
    assert time.monotonic() - before < 5
    assert upstream.left.wait(10)
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_a_caller_who_leaves_ends_the_request(http: Object, upstream: Upstream) -> None:
    upstream.answers["/base/x"] = upstream.silent
    call = CallContext(30)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(lambda: status_of(lambda: http.provider.fetch(["x"], context=call)))
        while not upstream.requests:
            time.sleep(0.005)
        call.cancel()
        assert job.result(10)[0] == "CANCELLED"
    assert upstream.left.wait(10)


def test_a_silent_server_does_not_hold_up_the_others(http: Object, upstream: Upstream) -> None:
    upstream.answers["/base/x"] = upstream.silent
    with ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(lambda: status_of(lambda: http.fetch("x", seconds=1.0))[0]) for _ in range(7)]
        assert http.fetch("app", "name") == "x"
        assert {job.result(10) for job in slow} == {"DEADLINE_EXCEEDED"}


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_server_that_breaks_the_protocol_is_unavailable(reply: bytes) -> None:
    with raw(reply) as port:
        http = Object(HttpProvider())
        http.init({"base_url": f"http://127.0.0.1:{port}"})
        assert status_of(lambda: http.fetch("x"))[0] == "UNAVAILABLE"


def test_a_page_is_no_document_for_fetch_and_a_text_for_get(http: Object, upstream: Upstream) -> None:
    upstream.answers["/base"] = answer("<html>", Content_Type="text/html; charset=utf-8")
    upstream.answers["/base/x"] = answer("<html>", Content_Type="Text/HTML")
    for path in ([], ["*"], ["x"], ["y", "z"]):
        assert status_of(lambda path=path: http.fetch(*path))[0] == "NOT_FOUND"
    assert http.function("get", path="x") == "<html>"


def test_a_compressed_answer_is_refused(http: Object, upstream: Upstream) -> None:
    upstream.answers["/base/x"] = answer(b"\x1f\x8b", Content_Encoding="gzip")
    assert status_of(lambda: http.fetch("x"))[0] == "FAILED_PRECONDITION"
    assert upstream.headers[-1]["accept-encoding"] == "identity"


def test_a_server_that_is_not_there_degrades_health_and_not_init() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    http = Object(HttpProvider())
    http.init({"base_url": f"http://127.0.0.1:{port}"})
    health = http.provider.health()
    assert (health.status, "`base_url`" in health.message) == ("STATUS_DEGRADED", True)
    assert status_of(lambda: http.fetch("x"))[0] == "UNAVAILABLE"
    with socket.create_server(("127.0.0.1", port)):
        assert http.provider.health().status == "STATUS_OK"


def test_health_believes_a_late_answer_and_no_longer_after_a_failure(upstream: Upstream) -> None:
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as port:
        http = Object(HttpProvider())
        http.init({"base_url": f"http://127.0.0.1:{port}"})
        assert http.fetch() == {}
    assert http.provider.health().status == "STATUS_OK"
    assert status_of(lambda: http.fetch())[0] == "UNAVAILABLE"
    assert http.provider.health().status == "STATUS_DEGRADED"


def test_headers_come_from_the_environment_and_are_never_shown(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "Bearer hunter2")
    http = Object(HttpProvider())
    http.init({"base_url": f"{upstream.url}/base", "headers": {"Authorization": "TOKEN"}})
    assert http.fetch("app", "name") == "x"
    assert upstream.headers[-1]["authorization"] == "Bearer hunter2"
    upstream.answers["/base/x"] = answer("Bearer hunter2", 403)
    assert "hunter2" not in status_of(lambda: http.fetch("x"))[1]
    assert "hunter2" not in repr(http.provider.describe())


@pytest.mark.parametrize(
    ("headers", "code", "key"),
    [
        ({"Authorization": "NO_SUCH_VARIABLE"}, "FAILED_PRECONDITION", "headers.Authorization"),
        ({"Authorization": "MULTILINE"}, "FAILED_PRECONDITION", "headers.Authorization"),
        ({"Authorization": ""}, "INVALID_ARGUMENT", "headers.Authorization"),
        ({"Authorization": 5}, "INVALID_ARGUMENT", "headers.Authorization"),
        ({"A: b\r\nC": "TOKEN"}, "INVALID_ARGUMENT", "headers"),
        ({"Host": "TOKEN"}, "INVALID_ARGUMENT", "headers"),
        ("TOKEN", "INVALID_ARGUMENT", "headers"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused_with_the_key(
    monkeypatch: pytest.MonkeyPatch, headers: Any, code: str, key: str
) -> None:
    monkeypatch.setenv("MULTILINE", "hunter2\r\nX: y")
    config = {"base_url": "http://127.0.0.1:9", "headers": headers}
    status, message = status_of(lambda: Object(HttpProvider()).init(config))
    assert (status, message.split(":")[0]) == (code, key)
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "url",
    [
        *("", "ftp://host", "http://", "//host", "host", "http:///path", "http://host:99999", "http://host:x"),
        *("http://user:hunter2@host", "http://hunter2@host", "http://host?q=hunter2", "http://host#hunter2"),
        *(
            "http://host/../x",
            "http://host/%2e%2e",
            "http://host//x",
            "http://ho st",
            "http://höst",
            "http://host/\r\n",
        ),
        *("http://[::1", "http://host?", 5),
    ],
)
def test_a_base_url_that_could_mean_something_else_is_refused_with_the_key(url: Any) -> None:
    status, message = status_of(lambda: Object(HttpProvider()).init({"base_url": url}))
    assert (status, message.split(":")[0]) == ("INVALID_ARGUMENT", "base_url")
    assert "hunter2" not in message


def test_an_ipv6_host_and_a_default_port_are_understood() -> None:
    base = BaseUrl.parse("https://[::1]/a/", "base_url")
    assert base == BaseUrl("https", "::1", 443, "/a")
    assert base.follow("/a/x", "https://[::1]/a/y") == "/a/y"
    assert base.follow("/a/x", "y/./z") is None
    assert BaseUrl.parse("http://h", "base_url").target([]) == "/"


def test_get_and_get_json_take_a_path_with_slashes(http: Object) -> None:
    assert http.function("get", path="text") == "plain ü"
    assert http.function("get", path="db/main") == '{"host": "h"}'
    assert http.function("get_json", path="db/main") == {"host": "h"}
    assert http.function("get_json", path="") == {"app": "from the root", "root": {"k": 1}}
    assert status_of(lambda: http.function("get", path="nope")) == ("NOT_FOUND", "nothing at nope")
    assert status_of(lambda: http.function("get_json", path="text"))[0] == "FAILED_PRECONDITION"
    for path in ("../outside", "/outside", "a//b", 5, None, "a\0"):
        assert status_of(lambda path=path: http.function("get", path=path))[0] == "INVALID_ARGUMENT"


def test_no_connection_is_left_open(http: Object, upstream: Upstream) -> None:
    from pathlib import Path

    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        http.fetch("app", "name")
    deadline = time.monotonic() + 10
    while len(list(Path("/proc/self/fd").iterdir())) > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
