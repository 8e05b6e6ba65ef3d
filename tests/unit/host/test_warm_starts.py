from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nomos_contracts.provider import Start, StartFailure
from pytest_nomos.host import Launch, Limits, ProviderHost
from pytest_nomos.host.warm import module_of

WARM = ("nomos_reference",)
SERVES = ("-m", "nomos_reference", "config/files")


@pytest.fixture
def warm(limits: Limits, tmp_path: Path) -> Iterator[ProviderHost]:
    with ProviderHost(limits, tmp_path, warm=WARM) as host:
        yield host


def started(host: ProviderHost, *arguments: str, **options: object) -> Start:
    return host.start(Launch((sys.executable, *arguments), **options), "warm")  # type: ignore[arg-type]


def test_a_loaded_module_serves_and_ends_as_ever(warm: ProviderHost) -> None:
    provider = started(warm, *SERVES).provider
    assert provider is not None
    assert provider.health().ok
    assert os.getpgid(provider.pid) == provider.pid
    provider.signal("SIGTERM")
    ended = provider.wait(5)
    assert ended is not None
    assert ended.code == 0


def test_it_has_variables_folder_and_signals_of_its_own(warm: ProviderHost) -> None:
    provider = started(warm, *SERVES, env={"NOMOS_TEST_WORD": "mine"}).provider
    assert provider is not None
    proc = Path(f"/proc/{provider.pid}")
    if not proc.exists():
        pytest.skip("needs /proc")
    assert (proc / "cwd").readlink() == provider.scratch.resolve()
    handled = {
        line.split()[0]: int(line.split()[1], 16)
        for line in (proc / "status").read_text().splitlines()
        if line.startswith(("SigBlk", "SigCgt"))
    }
    assert handled["SigBlk:"] == 0
    assert handled["SigCgt:"] >> (signal.SIGTERM - 1) & 1
    assert sorted(int(entry.name) for entry in (proc / "fd").iterdir())[:4] == [0, 1, 2, 3]


def test_its_arguments_and_exit_code_arrive(warm: ProviderHost) -> None:
    error = started(warm, "-m", "nomos_reference", "config/nothing").error
    assert error is not None
    assert error.failure is StartFailure.EXITED
    assert error.exit_code == 2
    assert b"config/nothing" in error.stderr


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    def make(text: str) -> str:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(text))
        return str(path)

    return make


def test_every_other_program_is_executed(warm: ProviderHost, script: Callable[[str], str]) -> None:
    error = started(warm, script("import sys; sys.exit(7 if 'grpc' in sys.modules else 6)")).error
    assert error is not None
    assert error.exit_code == 6


@pytest.mark.parametrize(
    ("argv", "module"),
    [
        (["python", "-m", "nomos_reference", "config/files"], "nomos_reference"),
        (["python", "-m", "http.server"], ""),
        (["python", "nomos_reference"], ""),
        (["python", "-c", "nomos_reference"], ""),
    ],
)
def test_only_a_loaded_module_of_this_interpreter_is_warm(argv: list[str], module: str) -> None:
    words = [os.fsencode(word) for word in argv]
    assert module_of({"program": os.fsencode(sys.executable), "argv": words}, WARM) == module
    assert module_of({"program": b"/usr/bin/other", "argv": words}, WARM) == ""
