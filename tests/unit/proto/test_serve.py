"""The helper that makes a binary of a Python object: real processes, each with a clean end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from nomos_proto import messages
from nomos_proto.errors import from_status
from nomos_proto.v2 import provider_pb2 as v2
from nomos_proto.values import from_value, to_value
from unit.proto.binaries import PROBE, Binary, environment

DEAF = """
import runpy, sys
from nomos_proto.workers import Workers
submit, calls = Workers.submit, []
def failing(self, *args, **kwargs):
    calls.append(args)
    if len(calls) > 1:
        raise MemoryError
    return submit(self, *args, **kwargs)
Workers.submit = failing
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""The probe on a machine that has no memory to give from the second call on."""


def start(*arguments: str, env: dict[str, str] | None = None, **options: Any) -> Binary:
    return Binary([PROBE, *arguments], env, **options)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.005)


def fails_to_start(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, bytes]:
    done = subprocess.run(
        [sys.executable, PROBE, *arguments], env=environment(env), capture_output=True, timeout=20, check=False
    )
    return done.returncode, done.stderr.decode(), done.stdout


def test_both_announcements_name_one_port_on_the_loopback_interface_only() -> None:
    with start() as binary:
        first, second = binary.lines
        assert re.fullmatch(rb"PORT=[0-9]+\n", first)
        assert second == b"PROVIDER_" + first
        found = psutil.Process(binary.process.pid).net_connections()
        listening = [one.laddr for one in found if one.status == psutil.CONN_LISTEN]
        # gRPC binds the address in its mapped form where the system has IPv6.
        addresses = [(one.ip.removeprefix("::ffff:"), one.port) for one in listening]
        assert addresses == [("127.0.0.1", int(first[5:]))]
        assert binary.call("Health")[1] == "OK"


def test_both_versions_are_served_and_nothing_else() -> None:
    with start() as binary:
        for method in ("Health", "Info", "/nomos.provider.v2.ProviderService/Describe"):
            assert binary.call(method)[1] == "OK", method
        for method in ("Call", "/nomos.provider.v3.ProviderService/Call", "/grpc.health.v1.Health/Check"):
            assert binary.call(method)[1] == "UNIMPLEMENTED", method


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_with_code_0_after_the_calls_in_flight(name: str, tmp_path: Path) -> None:
    with start(env={"PROBE_MARKS": str(tmp_path)}) as binary:
        call = binary.start("Fetch", messages.encode_fetch_request(["work", "0.5"]))
        wait_for(tmp_path / "started")
        binary.process.send_signal(signal.Signals[name])
        assert messages.decode_fetch_response(call.result()) == {"value": "done"}
        assert binary.wait() == 0
        assert (tmp_path / "shutdown").exists()
        assert binary.stderr == b""


def test_a_call_that_hangs_is_cut_off_after_the_grace(tmp_path: Path) -> None:
    with start("--grace", "0.3", env={"PROBE_MARKS": str(tmp_path)}) as binary:
        call = binary.start("Fetch", messages.encode_fetch_request(["hang"]), timeout=None)
        wait_for(tmp_path / "started")
        before = time.monotonic()
        binary.process.send_signal(signal.SIGTERM)
        assert binary.wait() == 0
        assert time.monotonic() - before < 4
        assert call.exception().code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def test_shutdown_answers_first_and_then_the_process_ends_with_code_0(tmp_path: Path) -> None:
    with start(env={"PROBE_MARKS": str(tmp_path)}) as binary:
        assert binary.call("Shutdown") == (b"", "OK", "")
        assert binary.wait() == 0
        assert (tmp_path / "shutdown").exists()


def test_shutdown_lets_a_call_in_flight_finish_even_when_sigterm_follows(tmp_path: Path) -> None:
    with start(env={"PROBE_MARKS": str(tmp_path)}) as binary:
        call = binary.start("Fetch", messages.encode_fetch_request(["work", "0.5"]))
        wait_for(tmp_path / "started")
        assert binary.call("Shutdown")[1] == "OK"
        binary.process.send_signal(signal.SIGTERM)
        assert messages.decode_fetch_response(call.result()) == {"value": "done"}
        assert binary.wait() == 0


@pytest.mark.parametrize("how", ["fail", "hang"])
def test_a_clean_up_that_fails_or_hangs_does_not_keep_the_process(how: str) -> None:
    with start("--grace=0.2", env={"PROBE_SHUTDOWN": how}) as binary:
        binary.process.send_signal(signal.SIGTERM)
        assert binary.wait(5) == 0
        assert b"hunter2" not in binary.stderr
    with start("--grace=0.2", env={"PROBE_SHUTDOWN": how}) as binary:
        _, code, _ = binary.call("Shutdown", timeout=1.0)
        assert code in {"INTERNAL", "DEADLINE_EXCEEDED"}
        assert binary.wait(5) == 0


def test_stray_prints_go_to_stderr_and_stdout_holds_the_announcement_only() -> None:
    with start() as binary:
        assert binary.fetch("print") == {"value": True}
        binary.call("Shutdown")
        assert binary.wait() == 0
        assert len(binary.lines) == 2
        assert b"stray" in binary.stderr
        assert b"straight to the descriptor" in binary.stderr


def test_health_answers_while_a_hundred_calls_hang_and_their_threads_are_gone_afterwards(tmp_path: Path) -> None:
    with start(env={"PROBE_MARKS": str(tmp_path)}) as binary:
        process = psutil.Process(binary.process.pid)
        binary.call("Health")
        before = process.num_threads()
        hanging = [binary.start("Fetch", messages.encode_fetch_request(["hang"]), timeout=None) for _ in range(100)]
        wait_for(tmp_path / "started")
        assert binary.call("Health", timeout=5.0)[1] == "OK"
        for call in hanging:
            call.cancel()
        deadline = time.monotonic() + 15
        while process.num_threads() > before + 4:
            assert time.monotonic() < deadline, f"{process.num_threads()} threads, {before} before"
            time.sleep(0.1)


def test_the_deadline_of_the_caller_ends_the_call_in_the_provider(tmp_path: Path) -> None:
    with start(env={"PROBE_MARKS": str(tmp_path)}) as binary:
        assert binary.fetch("hang", timeout=0.3)[0] == "DEADLINE_EXCEEDED"
        wait_for(tmp_path / "released")


def test_thirty_two_callers_at_once_get_their_own_answers() -> None:
    with start() as binary, ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda number: binary.fetch("value", str(number)), range(200)))
        assert [answer["rest"] for answer in answers] == [[str(number)] for number in range(200)]


def test_malformed_bytes_and_a_huge_segment_leave_it_alive() -> None:
    with start() as binary:
        assert binary.call("Fetch", b"\x0a\xff\xff\xff")[1] == "INTERNAL"
        assert binary.fetch("x" * 5_000_000)[0] == "NOT_FOUND"
        assert binary.fetch("value")["text"] == "x"


def test_an_error_of_version_2_carries_its_details() -> None:
    with start() as binary:
        request = v2.CallRequest(interface="config", function="fetch")
        request.args["path"].CopyFrom(to_value(["fail", "RATE_LIMIT_ERROR"]))
        call = binary.start("/nomos.provider.v2.ProviderService/Call", request.SerializeToString())
        failed = call.exception()
        details = dict(failed.trailing_metadata())["grpc-status-details-bin"]
        error = from_status(failed.code().name, failed.details(), details)
        assert (failed.code().name, error.code, error.retryable) == ("RESOURCE_EXHAUSTED", "RATE_LIMIT_ERROR", True)
        assert (error.details, error.retry_after) == ({"segment": "RATE_LIMIT_ERROR"}, 2.0)


def test_a_stream_arrives_in_parts_before_its_error() -> None:
    with start() as binary:
        request = v2.CallRequest(function="count")
        request.args["to"].CopyFrom(to_value(9))
        call = binary.channel.unary_stream("/nomos.provider.v2.ProviderService/CallStream")(
            request.SerializeToString(), timeout=10
        )
        parts = [from_value(v2.CallResponse.FromString(next(call)).result) for _ in range(3)]
        with pytest.raises(grpc.RpcError):
            next(call)
        assert (parts, call.code().name) == ([0, 1, 2], "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize("folder", ["plain", "with space", "100%25", "ü?#"])
def test_a_unix_socket_is_announced_private_and_gone_at_the_end(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / "s"
    with start(env={"NOMOS_LISTEN": f"unix:{path}"}) as binary:
        assert binary.lines == [f"UNIX={path}\n".encode()]
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
        binary.process.send_signal(signal.SIGTERM)
        assert binary.wait() == 0
        assert list((tmp_path / folder).iterdir()) == []


def test_a_unix_socket_answers_both_versions(tmp_path: Path) -> None:
    with start(env={"NOMOS_LISTEN": f"unix:{tmp_path}/s"}) as binary:
        assert binary.fetch("scalar") == {"value": 5.0}
        assert binary.function("echo", {"value": [1]}) == [1]


def test_a_socket_that_a_dead_server_left_is_replaced(tmp_path: Path) -> None:
    env = {"NOMOS_LISTEN": f"unix:{tmp_path}/s"}
    with start(env=env) as binary:
        binary.process.send_signal(signal.SIGKILL)
        binary.wait()
        assert (tmp_path / "s").exists()
    with start(env=env) as binary:
        assert binary.call("Health")[1] == "OK"


def test_a_socket_that_a_living_server_uses_is_refused_and_goes_on_working(tmp_path: Path) -> None:
    env = {"NOMOS_LISTEN": f"unix:{tmp_path}/s"}
    with start(env=env) as binary:
        code, errors, out = fails_to_start(env=env)
        assert (code, out) == (1, b"")
        assert "another server uses" in errors
        assert "Traceback" not in errors
        assert binary.call("Health")[1] == "OK"


@pytest.mark.parametrize(
    ("listen", "code", "words"),
    [
        ("unix:/" + "x" * 107, 1, "has 108 bytes, and 107 are possible"),
        ("unix:relative", 1, "must be absolute"),
        ("unix:/no/such/folder/s", 1, "cannot lock"),
        ("unix:/dev/null", 1, "exists and is no socket"),
        ("tcp:5", 2, "NOMOS_LISTEN takes unix:"),
    ],
)
def test_a_socket_that_cannot_be_made_is_one_clear_line(listen: str, code: int, words: str) -> None:
    found, errors, out = fails_to_start(env={"NOMOS_LISTEN": listen})
    assert (found, out) == (code, b"")
    assert words in errors
    assert len(errors.splitlines()) == 1
    assert not Path("/dev/null.lock").exists()


def test_it_ends_when_the_lifeline_ends(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with start(env={"NOMOS_LIFELINE_FD": str(reading), "PROBE_MARKS": str(tmp_path)}, pass_fds=[reading]) as binary:
        os.close(reading)
        os.write(writing, b"still here")
        call = binary.start("Fetch", messages.encode_fetch_request(["hang"]), timeout=None)
        wait_for(tmp_path / "started")
        assert binary.process.poll() is None
        os.close(writing)
        assert binary.wait(5) == 0
        assert call.exception().code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


@pytest.mark.parametrize("text", ["x", "-1", "9999", "1e3"])
def test_a_lifeline_that_is_no_descriptor_is_one_clear_line(text: str) -> None:
    code, errors, _ = fails_to_start(env={"NOMOS_LIFELINE_FD": text})
    assert (code, errors) == (2, "probe.py: NOMOS_LIFELINE_FD is not the number of an open descriptor\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nope"], "unknown argument '--nope'"),
        (["--log-level", "loud"], "--log-level takes one of debug, info"),
        (["--log-level"], "--log-level takes one of"),
        (["--grace", "soon"], "--grace takes seconds"),
        (["--grace=-1"], "--grace takes seconds"),
        (["--grace=nan"], "--grace takes seconds"),
    ],
)
def test_a_wrong_command_line_is_one_clear_line_and_code_2(arguments: list[str], words: str) -> None:
    code, errors, out = fails_to_start(*arguments)
    assert (code, out) == (2, b"")
    assert words in errors


def test_help_tells_the_options_and_the_environment() -> None:
    code, errors, out = fails_to_start("--help")
    assert (code, errors) == (0, "")
    for word in (b"--log-level", b"--grace", b"NOMOS_LISTEN", b"NOMOS_LIFELINE_FD"):
        assert word in out


def test_the_log_level_decides_what_is_on_stderr() -> None:
    with start("--log-level=DEBUG") as binary:
        binary.fetch("nowhere")
        binary.call("Shutdown")
        assert binary.wait() == 0
        assert b"Fetch answers NOT_FOUND" in binary.stderr
        assert len(binary.lines) == 2


def test_a_crash_inside_a_call_leaves_its_place_and_no_secret_in_the_log() -> None:
    with start() as binary:
        assert binary.fetch("crash")[0] == "INTERNAL"
        binary.call("Shutdown")
        binary.wait()
        assert b"ValueError at probe.py:" in binary.stderr
        assert b"hunter2" not in binary.stderr


def test_it_ends_where_calls_cannot_be_taken_any_more() -> None:
    with Binary(["-c", DEAF, PROBE]) as binary:
        assert binary.call("Health")[1] == "OK"
        assert binary.call("Health")[1] != "OK"
        assert binary.wait() == 1
        assert b"the thread that takes calls has ended" in binary.stderr


def test_a_closed_stdout_is_an_error_and_no_hang() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, PROBE], env=environment(), stdout=writing, stderr=subprocess.PIPE, timeout=20, check=False
    )
    os.close(writing)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
