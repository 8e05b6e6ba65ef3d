from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from nomos_contracts.provider import StartError, StartFailure
from nomos_mutants.mutant import ORIGINAL
from pytest_nomos.host import Launch, Limits, ProviderHost

SERVE = """
import socket, sys, time
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
print(f"PORT={server.getsockname()[1]}", flush=True)
"""


@pytest.fixture
def fails(host: ProviderHost, eventually: Callable[..., None]) -> Callable[..., StartError]:
    """Start a program that has to fail, in a host with the default limits, and see that nothing is left of it."""

    def start(launch: Launch, limits: Limits | None = None) -> StartError:
        began = time.monotonic()
        result = host.start(launch, "target", limits=limits or Limits())
        elapsed = time.monotonic() - began
        assert result.provider is None
        assert result.error is not None
        assert result.error.elapsed <= elapsed
        assert elapsed < 7
        assert host.providers == {}
        eventually(lambda: psutil.Process(host._reaping.pid).children() == [])
        return result.error

    return start


Fails = Callable[..., StartError]
Script = Callable[..., Launch]
PATIENT = Limits(announce=60)  # so that a failure under seven seconds has not waited for the limit
QUICK = Limits(announce=0.5, connect_backoff=0.05, connect_timeout=0.5)


def test_a_program_that_does_not_exist(fails: Fails, tmp_path: Path) -> None:
    error = fails(Launch((str(tmp_path / "absent"),)))
    assert error.failure is StartFailure.NOT_FOUND
    assert error.message.startswith("failed to start provider: ")
    assert "does not exist" in error.message


def test_a_bare_name_is_looked_for_on_path_only(fails: Fails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-provider").write_text("#!/bin/sh\n")
    error = fails(Launch(("my-provider",)))
    assert error.failure is StartFailure.NOT_FOUND
    assert "write ./my-provider" in error.message


def test_a_dangling_link_is_called_one(fails: Fails, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert "link to a file that does not exist" in fails(Launch((str(tmp_path / "link"),))).message


def test_no_command_at_all(fails: Fails) -> None:
    assert fails(Launch(())).failure is StartFailure.NOT_FOUND


def test_a_file_without_the_executable_bit(fails: Fails, script: Script) -> None:
    error = fails(script("exit 0", mode=0o644))
    assert error.failure is StartFailure.NOT_EXECUTABLE
    assert "chmod +x" in error.message


def test_a_folder(fails: Fails, tmp_path: Path) -> None:
    error = fails(Launch((str(tmp_path),)))
    assert error.failure is StartFailure.NOT_EXECUTABLE
    assert "is a folder" in error.message


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"#!/no/such/interpreter\nexit 0\n", "interpreter /no/such/interpreter does not exist"),
        (b"#!/bin/sh\r\nexit 0\r\n", "Windows line"),
        (b"echo no interpreter named\n", "names no interpreter"),
        (b"\xef\xbb\xbf#!/bin/sh\n", "byte order mark"),
        (b"", "the file is empty"),
        (b"MZ\x90\0\x03", "built for Windows"),
        (b"\xcf\xfa\xed\xfe\x07\0\0\x01", "built for macOS"),
        (
            b"\x7fELF\x02\x01\x01"
            + b"\0" * 9
            + b"\x02\0"
            + (183 if os.uname().machine == "x86_64" else 62).to_bytes(2, "little")
            + b"\0" * 44,
            "this machine is",
        ),
        (b"\0\1\2\3", "no program"),
    ],
)
def test_a_file_that_this_machine_cannot_execute(fails: Fails, tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "provider"
    path.write_bytes(content)
    path.chmod(0o755)
    error = fails(Launch((str(path),)))
    assert error.failure is StartFailure.SPAWN
    assert cause in error.message


def test_a_working_folder_that_does_not_exist(fails: Fails, script: Script, tmp_path: Path) -> None:
    error = fails(Launch(script("exit 0").command, cwd=tmp_path / "absent"))
    assert error.failure is StartFailure.SPAWN
    assert "working folder" in error.message


def test_an_environment_variable_that_cannot_be(fails: Fails, script: Script) -> None:
    error = fails(Launch(script("exit 0").command, env={"A=B": "x"}))
    assert error.failure is StartFailure.SPAWN
    assert "'A=B'" in error.message


def test_too_many_arguments(fails: Fails, script: Script) -> None:
    error = fails(Launch((*script("exit 0").command, "x" * 4_000_000)))
    assert error.failure is StartFailure.SPAWN
    assert "too long" in error.message


def test_one_that_exits_at_once_shows_code_and_stderr(fails: Fails, script: Script) -> None:
    error = fails(script("echo first >&2; echo cannot go on >&2; exit 3"))
    assert error.failure is StartFailure.EXITED
    assert (error.exit_code, error.signal) == (3, None)
    assert error.stderr == b"first\ncannot go on"
    assert "provider did not output port" in error.message
    assert "exited with code 3" in error.message
    assert "cannot go on" in error.message


def test_one_that_exits_with_code_0_is_told_to_stay(fails: Fails, script: Script) -> None:
    error = fails(script("exit 0"))
    assert (error.failure, error.exit_code) == (StartFailure.EXITED, 0)
    assert "in the foreground" in error.message


def test_one_that_is_killed_by_a_signal_names_it(fails: Fails, script: Script) -> None:
    error = fails(script("kill -SEGV $$"))
    assert (error.failure, error.exit_code, error.signal) == (StartFailure.EXITED, None, "SIGSEGV")
    assert "ended by SIGSEGV" in error.message


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("listen tcp :80: bind: address already in use", "bind port 0"),
        ("ModuleNotFoundError: No module named 'grpc'", "Python module"),
        ("env: ‘node’: No such file or directory", "not on PATH"),
        ("./p: error while loading shared libraries: libfoo.so: cannot open", "shared library"),
    ],
)
def test_what_it_says_on_stderr_points_to_the_cause(fails: Fails, script: Script, line: str, cause: str) -> None:
    error = fails(script(f'echo "{line}" >&2; exit 1'))
    assert cause in error.message.partition("Likely cause: ")[2]


def test_one_that_never_announces(fails: Fails, script: Script) -> None:
    error = fails(script("exec sleep 1000"))
    assert error.failure is StartFailure.SILENT
    assert "timeout waiting for provider port" in error.message
    assert error.elapsed > 4.9


def test_one_that_announces_on_stderr(fails: Fails, script: Script) -> None:
    error = fails(script("echo PORT=5432 >&2; exec sleep 1000"), QUICK)
    assert error.failure is StartFailure.SILENT
    assert "on stderr" in error.message
    assert error.stderr == b"PORT=5432"


def test_one_that_closes_stdout(fails: Fails, script: Script) -> None:
    error = fails(script("exec sleep 1000 >&2"), PATIENT)
    assert error.failure is StartFailure.CLOSED


@pytest.mark.parametrize("end", ["exec sleep 1000", "exec sleep 1000 >&2"])
def test_one_that_announces_without_a_newline(fails: Fails, script: Script, end: str) -> None:
    error = fails(script(f"printf PORT=5432; {end}"), QUICK)
    assert error.failure is StartFailure.UNTERMINATED
    assert "'PORT=5432'" in error.message
    assert error.stdout == b"PORT=5432"


@pytest.mark.parametrize("line", ["hello", "PORT=abc", "PORT=-1", "PORT=5432 ", "\\000\\377"])
def test_any_other_first_line_is_refused_with_a_quote(fails: Fails, script: Script, line: str) -> None:
    error = fails(script(f"printf '{line}\\nPORT=5432\\n'; exec sleep 1000"), PATIENT)
    assert error.failure is StartFailure.MALFORMED
    assert "invalid port format: '" in error.message


def test_a_line_without_end_is_refused(fails: Fails, python: Callable[[str], Launch]) -> None:
    error = fails(python("import sys\nwhile True: sys.stdout.write('x' * 65536)"), PATIENT)
    assert error.failure is StartFailure.MALFORMED
    assert len(error.stdout) == 4096


@pytest.mark.parametrize("port", ["0", "80", "65536"])
def test_a_port_outside_the_range_is_never_dialled(fails: Fails, script: Script, port: str) -> None:
    error = fails(script(f"echo PORT={port}; exec sleep 1000"), PATIENT)
    assert error.failure is StartFailure.PORT_RANGE
    assert f"PORT={port}" in error.message


def test_one_that_announces_and_does_not_listen(fails: Fails, script: Script) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        error = fails(script(f"echo PORT={port}; exec sleep 1000"))
    assert error.failure is StartFailure.NOT_LISTENING
    assert f"nobody listens on 127.0.0.1:{port}" in error.message
    assert "failed to connect after 3 attempts: " in error.message
    assert error.elapsed > 1.4


def test_of_one_that_listens_late_the_first_refusal_is_kept(host: ProviderHost) -> None:
    started = {
        name: host.start(Launch((sys.executable, "-m", "nomos_mutants", name)), name.replace("/", "-"))
        for name in ("PROC-START-003/early", ORIGINAL)
    }
    said = {name: start.provider and start.provider.announcement.unheard for name, start in started.items()}
    assert "Connection refused" in str(said["PROC-START-003/early"]), started
    assert said[ORIGINAL] == "", started


def test_one_that_listens_on_another_port_than_it_announces(fails: Fails, python: Callable[[str], Launch]) -> None:
    text = SERVE.replace("getsockname()[1]", "getsockname()[1] - 1") + "time.sleep(1000)"
    error = fails(python(text), QUICK)
    assert error.failure is StartFailure.NOT_LISTENING
    assert "the provider listens on 127.0.0.1:" in error.message


def test_a_port_that_somebody_else_holds(fails: Fails, script: Script) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = fails(script(f"echo PORT={port}; exec sleep 1000"))
        taken.setblocking(False)
        with pytest.raises(BlockingIOError):
            taken.accept()
    assert error.failure is StartFailure.NOT_LISTENING
    assert f"process {os.getpid()}" in error.message
    assert "the port was taken" in error.message


def test_a_socket_that_is_not_there(fails: Fails, script: Script, tmp_path: Path) -> None:
    error = fails(script(f"echo UNIX={tmp_path}/absent; exec sleep 1000"), QUICK)
    assert error.failure is StartFailure.NOT_LISTENING
    assert "there is no socket at" in error.message


def test_a_socket_that_is_stale(fails: Fails, script: Script, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "stale"))
    error = fails(script(f"echo UNIX={tmp_path}/stale; exec sleep 1000"), QUICK)
    assert error.failure is StartFailure.NOT_LISTENING
    assert "nobody listens on unix:" in error.message


@pytest.mark.parametrize(
    ("answer", "failure", "seen"),
    [
        (
            "b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n'",
            StartFailure.NOT_GRPC,
            "speaks HTTP/1 ('HTTP/1.1 400 Bad Request')",
        ),
        ("b'\\x15\\x03\\x01\\0\\x02\\x02F'", StartFailure.NOT_GRPC, "speaks TLS"),
        ("b'220 mail ready\\r\\n'", StartFailure.NOT_GRPC, "does not speak HTTP/2"),
        ("b''", StartFailure.NOT_GRPC, "closes connections at once"),
    ],
)
def test_what_listens_there_is_no_grpc_server(
    fails: Fails, python: Callable[[str], Launch], answer: str, failure: StartFailure, seen: str
) -> None:
    serve = SERVE + (
        "while True:\n"
        "    connection, _ = server.accept()\n"
        "    connection.recv(100)\n"
        f"    connection.sendall({answer})\n"
        "    connection.close()\n"
    )
    error = fails(python(serve))
    assert error.failure is failure
    assert seen in error.message
    assert "failed to connect after 3 attempts" in error.message


def test_one_that_accepts_connections_and_says_nothing(fails: Fails, python: Callable[[str], Launch]) -> None:
    error = fails(python(SERVE + "time.sleep(1000)"))
    assert error.failure is StartFailure.MUTE
    assert "says nothing" in error.message


def test_one_whose_health_never_answers(fails: Fails, small: Callable[..., Launch]) -> None:
    error = fails(small("hanging-health"), Limits(connect_timeout=0.5, connect_backoff=0.05))
    assert error.failure is StartFailure.MUTE
    assert "does not answer calls" in error.message


def test_one_that_dies_after_announcing(fails: Fails, python: Callable[[str], Launch]) -> None:
    error = fails(python(SERVE + "connection, _ = server.accept()\nsys.exit(9)"))
    assert error.failure is StartFailure.DIED
    assert error.exit_code == 9
    assert "exited with code 9" in error.message


@pytest.mark.parametrize("announces", [False, True])
def test_one_that_floods_stdout_and_stderr(fails: Fails, python: Callable[[str], Launch], announces: bool) -> None:
    first = "print('PORT=5432', flush=True)" if announces else "pass"
    error = fails(
        python(
            f"""
            import sys, threading
            {first}
            def flood(stream):
                while True:
                    stream.write("y" * 9999 + "\\n")
            threading.Thread(target=flood, args=(sys.stderr,)).start()
            flood(sys.stdout)
            """
        ),
    )
    assert error.failure in ((StartFailure.NOT_LISTENING,) if announces else (StartFailure.MALFORMED,))
    assert len(error.stdout) <= 4096


def test_each_failure_leaves_folder_descriptors_and_threads_as_they_were(
    host: ProviderHost, script: Script, python: Callable[[str], Launch], tmp_path: Path
) -> None:
    launches = [
        script("exit 1", name="a"),
        script("echo hello; sleep 1000", name="b"),
        Launch((str(tmp_path / "absent"),)),
        script("exit 1", name="c", interpreter="/absent"),
    ]
    host.start(launches[0], "warm")
    before = psutil.Process().num_fds(), threading.active_count(), sorted(host._folder.iterdir())
    for _ in range(3):
        for launch in launches:
            assert host.start(launch, "target").error is not None
    after = psutil.Process().num_fds(), threading.active_count(), sorted(host._folder.iterdir())
    assert after == before


def test_a_host_without_descriptors_says_so(fails: Fails, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, int]] = []
    real = os.pipe

    def pipe() -> tuple[int, int]:
        if len(made) == 2:
            raise OSError(errno.EMFILE, "too many")
        made.append(real())
        return made[-1]

    monkeypatch.setattr(os, "pipe", pipe)
    error = fails(script("exit 0"))
    monkeypatch.undo()
    assert error.failure is StartFailure.SPAWN
    assert "pipes for stdout and stderr: Too many open files" in error.message
    for pair in made:
        for descriptor in pair:
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(descriptor)


def test_a_file_that_is_being_written_is_waited_for_a_moment(fails: Fails, host: ProviderHost, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    shutil.copy2("/bin/sleep", binary)
    with binary.open("ab"):
        error = fails(Launch((str(binary), "1000")))
    assert error.failure is StartFailure.SPAWN
    assert "still building it" in error.message
    writer = binary.open("ab")
    threading.Timer(0.25, writer.close).start()
    assert fails(Launch((str(binary), "1000")), QUICK).failure is StartFailure.SILENT


BURN = """
import os, time
os.sched_setaffinity(0, {{{cpu}}})
end = time.process_time() + {seconds}
while time.process_time() < end:
    pass
"""


@pytest.fixture
def one_processor() -> Iterator[int]:
    """A processor for which many others compete as long as the test runs."""
    cpu = min(os.sched_getaffinity(0))
    hogs = [subprocess.Popen([sys.executable, "-c", BURN.format(cpu=cpu, seconds=60)]) for _ in range(6)]
    yield cpu
    for hog in hogs:
        hog.kill()
        hog.wait()


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not tell who starves")
def test_a_busy_machine_is_not_held_against_a_provider(
    host: ProviderHost, one_processor: int, python: Callable[[str], Launch]
) -> None:
    work = BURN.format(cpu=one_processor, seconds=0.45)  # two seconds are enough for that, not for seven times that
    result = host.start(python(work + SERVE + "time.sleep(60)"), "target", limits=Limits(announce=2, connect=1))
    # What it announced was reached, although there is nothing behind it.
    assert result.error is not None
    assert result.error.failure is not StartFailure.SILENT, result.error.message
    assert result.error.elapsed > 2


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not tell who starves")
def test_a_busy_machine_is_no_excuse_for_a_provider_that_sleeps(
    host: ProviderHost, one_processor: int, python: Callable[[str], Launch]
) -> None:
    idle = BURN.format(cpu=one_processor, seconds=0) + "time.sleep(20)"
    result = host.start(python(idle + SERVE), "target", limits=Limits(announce=3))
    assert result.error is not None
    assert result.error.failure is StartFailure.SILENT
    assert result.error.elapsed < 12
