"""The checks of the process contract on a correct provider, on its legal oddities, and on one defect at a time."""

from __future__ import annotations

import socket
import stat
import sys
from pathlib import Path

import pytest

from nomos_contracts.clause import clauses_of
from nomos_contracts.process.interface import START_CLAUSES
from nomos_contracts.process.output import strange_output
from nomos_contracts.process.slopes import for_loops, slopes
from nomos_contracts.provider import Announcement, StartFailure

SURFACE = tuple(f"PROC-SURFACE-00{number}" for number in range(1, 9))
ENDINGS = ("PROC-SIGNAL-001", "PROC-SIGNAL-002", "PROC-SHUTDOWN-001", "PROC-SHUTDOWN-002", "PROC-SHUTDOWN-005")
ANNOUNCEMENT = tuple(f"PROC-ANNOUNCE-00{number}" for number in range(1, 7))
CLEANUP, OUTPUT = "PROC-CLEANUP-001", "PROC-OUTPUT-001"


def test_a_correct_provider_breaks_nothing(target) -> None:
    session = target()
    outcomes = session.judge()
    assert {clause for clause, seen in outcomes.items() if seen & {"failed", "blocked"}} == {
        "PROC-SIGNAL-004",
        "PROC-LEAK-004",
    }
    assert set(outcomes) == {clause.id for clause in clauses_of(("process",)).values() if clause.testable}
    assert session.observed["announced form"] == "PORT"
    assert session.observed["second Init under another alias"] == "OK"


@pytest.mark.parametrize(
    ("oddity", "clauses"),
    [
        ("carriage-return", (*ANNOUNCEMENT, OUTPUT)),
        ("no-unix", ("PROC-LISTEN-003", CLEANUP)),
        ("init-once", SURFACE),
        ("init-refuses-unknown", SURFACE),
        ("lingers", ENDINGS),
        ("shutdown-exits-when-answered", (*ENDINGS, "PROC-SHUTDOWN-003", "PROC-SHUTDOWN-004")),
        ("default-signals", ENDINGS),
        ("mapped-loopback", ("PROC-LISTEN-001", "PROC-START-003")),
        ("no-log-level", (OUTPUT, CLEANUP)),
        ("child", ENDINGS),
    ],
)
def test_what_is_legal_is_not_held_against_a_provider(target, oddity: str, clauses: tuple[str, ...]) -> None:
    assert target(oddity).broken(*clauses) == set()


@pytest.mark.parametrize(
    ("defect", "broken", "looked_at"),
    [
        ("command-line-only", {"PROC-ANNOUNCE-005"}, (*ANNOUNCEMENT, OUTPUT)),
        ("written-only", {"PROC-ANNOUNCE-006"}, ANNOUNCEMENT),
        ("wrong-second", {"PROC-ANNOUNCE-006", OUTPUT}, (*ANNOUNCEMENT, OUTPUT)),
        ("third-line", {OUTPUT}, (*ANNOUNCEMENT, OUTPUT)),
        ("prints-tenth", {OUTPUT}, (OUTPUT,)),
        ("prints-goodbye", {OUTPUT}, (OUTPUT,)),
        ("debug-on-stdout", {OUTPUT}, (OUTPUT, "PROC-START-008")),
        ("no-log-level", {"PROC-START-008"}, ("PROC-START-008",)),
        ("exits-well-without-port", {"PROC-START-009"}, ("PROC-START-009",)),
        ("everywhere", {"PROC-LISTEN-001"}, ("PROC-LISTEN-001", "PROC-START-003")),
        ("listens-later-everywhere", {"PROC-LISTEN-001"}, ("PROC-LISTEN-001",)),
        ("low-port", {"PROC-LISTEN-002"}, ("PROC-LISTEN-001", "PROC-LISTEN-002")),
        ("fixed-port", {"PROC-START-006"}, ("PROC-START-006", "PROC-SHUTDOWN-002")),
        ("reuseport", {"PROC-START-006"}, ("PROC-START-006",)),
        ("without-Info", {"PROC-SURFACE-001"}, SURFACE),
        ("without-Shutdown", {"PROC-SURFACE-001"}, ("PROC-SURFACE-001",)),
        ("any-package", {"PROC-SURFACE-002"}, SURFACE),
        ("catch-all", {"PROC-SURFACE-002"}, SURFACE),
        ("strict-Health", {"PROC-SURFACE-003"}, SURFACE),
        ("strict-Fetch", {"PROC-SURFACE-003"}, SURFACE),
        ("strict-Init", {"PROC-SURFACE-003"}, SURFACE),
        ("strict-Init,init-once", {"PROC-SURFACE-003"}, SURFACE),
        ("strict-Shutdown", {"PROC-SURFACE-003"}, SURFACE),
        ("dies-of-garbage", {"PROC-SURFACE-004"}, SURFACE),
        ("takes-garbage", {"PROC-SURFACE-004"}, SURFACE),
        ("type-selects", {"PROC-SURFACE-007"}, SURFACE),
        ("version-from-config", {"PROC-SURFACE-007"}, SURFACE),
        ("wrong-value", set(), ("PROC-SURFACE-007",)),
        ("instances", {"PROC-SURFACE-008"}, SURFACE),
        ("wavering-instance", {"PROC-SURFACE-008"}, SURFACE),
        ("ignores-SIGTERM", {"PROC-SIGNAL-001", "PROC-SIGNAL-003"}, (*ENDINGS, "PROC-SIGNAL-003")),
        ("ignores-unused-SIGTERM", {"PROC-SIGNAL-001"}, ENDINGS),
        ("ignores-SIGINT", {"PROC-SIGNAL-002"}, ENDINGS),
        ("exit-4", {"PROC-SIGNAL-005"}, ("PROC-SIGNAL-001", "PROC-SIGNAL-005")),
        ("default-signals", {"PROC-SIGNAL-005", CLEANUP}, ("PROC-SIGNAL-005", CLEANUP)),
        ("shutdown-crashes", {"PROC-SHUTDOWN-001"}, ENDINGS),
        ("shutdown-exits-at-once", {"PROC-SHUTDOWN-001"}, ENDINGS),
        ("shutdown-hangs", {"PROC-SHUTDOWN-001", "PROC-SHUTDOWN-002"}, ENDINGS),
        ("ignores-shutdown", {"PROC-SHUTDOWN-002"}, ENDINGS),
        ("ignores-unused-shutdown", {"PROC-SHUTDOWN-002"}, ENDINGS),
        ("second-shutdown-fails", {"PROC-SHUTDOWN-003"}, (*ENDINGS, "PROC-SHUTDOWN-003")),
        ("fetch-after-shutdown", {"PROC-SHUTDOWN-005"}, ENDINGS),
        ("child,leaves-child", {CLEANUP}, (CLEANUP,)),
        ("leaves-files", {CLEANUP}, (CLEANUP,)),
        ("leaves-files-on-signal", {CLEANUP}, (CLEANUP,)),
        ("leaves-socket", {CLEANUP}, (CLEANUP, "PROC-LISTEN-003")),
        ("leaves-socket-on-signal", {CLEANUP}, (CLEANUP, "PROC-LISTEN-003")),
        ("prints-interrupt", {OUTPUT}, (OUTPUT,)),
        ("leaks-files", {"PROC-LEAK-001"}, ("PROC-LEAK-001", "PROC-LEAK-003")),
        ("leaks-memory", {"PROC-LEAK-002"}, ("PROC-LEAK-001", "PROC-LEAK-002")),
        ("slower", {"PROC-LEAK-003"}, ("PROC-LEAK-002", "PROC-LEAK-003")),
    ],
)
def test_a_defect_breaks_its_own_clause_and_no_other(
    target, defect: str, broken: set[str], looked_at: tuple[str, ...]
) -> None:
    session = target(*defect.split(","))
    assert session.broken(*looked_at) == broken, session.words


@pytest.mark.parametrize(
    ("defect", "failure"),
    [
        ("exits", StartFailure.EXITED),
        ("silent", StartFailure.SILENT),
        ("closes-stdout", StartFailure.CLOSED),
        ("banner", StartFailure.MALFORMED),
        ("spaces", StartFailure.MALFORMED),
        ("no-newline", StartFailure.UNTERMINATED),
        ("port-range", StartFailure.PORT_RANGE),
        ("wrong-port", StartFailure.NOT_LISTENING),
        ("listens-late", StartFailure.MUTE),
        ("dies", StartFailure.DIED),
    ],
)
def test_a_dead_provider_breaks_one_clause_and_blocks_all_others(target, defect: str, failure: StartFailure) -> None:
    session = target(defect)
    session.limits = session.limits.model_copy(update={"announce": 1.5})
    outcomes = session.judge()
    clause = START_CLAUSES[failure]
    assert {name for name, seen in outcomes.items() if "failed" in seen} == {clause}
    others = {name: words for name, words in session.words.items() if not name.startswith(f"{clause} ")}
    unblocked = {
        name: words
        for name, words in others.items()
        if f"blocked clause:{clause}" not in words and "not applicable" not in words and "sample:" not in words
    }
    assert unblocked == {}


@pytest.mark.parametrize(
    ("command", "failure"),
    [(("/no/such/provider",), StartFailure.NOT_FOUND), ((__file__,), StartFailure.NOT_EXECUTABLE)],
)
def test_a_file_that_cannot_be_started_breaks_the_first_clause(target, command, failure: StartFailure) -> None:
    session = target(command=command)
    assert session.broken("PROC-START-001", "PROC-START-002", "PROC-SHUTDOWN-001") == {"PROC-START-001"}
    assert session.first.error.failure is failure


def test_a_web_server_breaks_the_clause_about_grpc(target) -> None:
    program = (
        "import http.server as h;s=h.HTTPServer(('127.0.0.1',0),h.BaseHTTPRequestHandler);"
        "print(f'PORT={s.server_port}',flush=True);s.serve_forever()"
    )
    session = target(command=(sys.executable, "-c", program))
    assert session.broken("PROC-START-003", "PROC-START-004", "PROC-START-005") == {"PROC-START-004"}


def test_a_first_answer_that_comes_late_breaks_the_clause_about_it(target) -> None:
    session = target("late-health")
    assert session.broken("PROC-START-003", "PROC-START-005") == {"PROC-START-005"}


def test_a_provider_whose_further_processes_fail_breaks_one_clause_and_blocks_the_rest_by_it(target) -> None:
    session = target("fixed-port")
    assert session.broken("PROC-START-006", "PROC-SIGNAL-001", "PROC-SHUTDOWN-005") == {"PROC-START-006"}
    assert any("blocked clause:PROC-START-006" in words for words in session.words.values())


def test_a_shell_wrapper_without_exec_leaves_its_provider_behind(target, tmp_path: Path) -> None:
    crooked = Path(__file__).with_name("crooked_provider.py")
    for name, word, expected in (("forks", "", {CLEANUP}), ("execs", "exec", set())):
        wrapper = tmp_path / name
        wrapper.write_text(f'#!/bin/sh\n{word} {sys.executable} {crooked} "" "$@"\n{"true" if not word else ""}\n')
        wrapper.chmod(0o755)
        session = target(command=(str(wrapper),))
        assert session.broken(CLEANUP) == expected, session.words


def test_a_slow_call_is_finished_by_a_patient_provider_and_cut_off_by_a_hasty_one(target) -> None:
    slow = {"slow": [["slow"]]}
    clauses = ("PROC-SIGNAL-003", "PROC-SIGNAL-004")
    assert target(samples=slow).broken(*clauses) == set()
    assert target("cuts-off", samples=slow).broken(*clauses) == {"PROC-SIGNAL-004"}


def test_a_provider_that_waits_without_limit_for_its_calls_is_convicted_by_a_patient_caller(target) -> None:
    clauses = ("PROC-SIGNAL-001", "PROC-SIGNAL-003", "PROC-SHUTDOWN-002")
    session = target("waits-for-calls", samples={"slow": [["slow"]]})
    assert session.broken(*clauses) == {"PROC-SIGNAL-003", "PROC-SHUTDOWN-002"}, session.words


def test_handles_of_slow_calls_go_with_their_callers(target) -> None:
    slow = {"slow": [["slow"]]}
    assert target(samples=slow).broken("PROC-LEAK-004") == set()
    assert target("leaks-abandoned", samples=slow).broken("PROC-LEAK-004") == {"PROC-LEAK-004"}


def test_a_file_that_everybody_can_write_is_a_violation(target, tmp_path: Path) -> None:
    file = tmp_path / "provider"
    file.touch()
    for mode, broken in ((0o755, set()), (0o777, {"PROC-START-007"}), (0o702, {"PROC-START-007"}), (0o700, set())):
        file.chmod(mode)
        assert stat.S_IMODE(file.stat().st_mode) == mode
        assert target(file=file).broken("PROC-START-007") == broken


def test_only_the_announcement_and_its_other_form_may_stand_on_stdout() -> None:
    def announced(line: bytes, form: str, port: int | None) -> Announcement:
        return Announcement(line, form, "127.0.0.1:1", port, 0.1)

    written = announced(b"PORT=5000", "PORT", 5000)
    assert strange_output(b"PORT=5000\n", written) == b""
    assert strange_output(b"PORT=5000\r\nPROVIDER_PORT=5000\r\n", written) == b""
    assert strange_output(b"PORT=5000\nPROVIDER_PORT=5001\n", written) == b"PROVIDER_PORT=5001\n"
    assert strange_output(b"PORT=5000\n\nPROVIDER_PORT=5000\n", written) == b"\nPROVIDER_PORT=5000\n"
    assert strange_output(b"PORT=5000\nPROVIDER_PORT=5000\nPORT=5000\n", written) == b"PORT=5000\n"
    assert strange_output(b"PORT=5000\nPROVIDER_PORT=5000", written) == b"PROVIDER_PORT=5000"
    assert (
        strange_output(b"PROVIDER_PORT=5000\nPORT=5000\n", announced(b"PROVIDER_PORT=5000", "PROVIDER_PORT", 5000))
        == b""
    )
    unix = announced(b"UNIX=/tmp/s", "UNIX", None)
    assert strange_output(b"UNIX=/tmp/s\n", unix) == b""
    assert strange_output(b"UNIX=/tmp/s\nPORT=5000\n", unix) == b"PORT=5000\n"


def test_a_slope_is_what_grows_in_every_block() -> None:
    series = {
        "leak": [0, 5, 10, 15, 20],
        "cache": [0, 9, 18, 18, 18],
        "steady": [3, 3, 3, 3, 3],
        "small": [0, 1, 2, 3, 4],
    }
    at = iter(range(5))
    blocks: list[int] = []

    def measure() -> dict[str, float]:
        index = next(at)
        return {name: float(values[index]) for name, values in series.items()}

    assert slopes(measure, lambda: blocks.append(1), 4, 4.0) == {"leak": [0.0, 5.0, 10.0, 15.0, 20.0]}
    assert len(blocks) == 5


def test_measuring_stops_when_nothing_grows_any_more() -> None:
    blocks: list[int] = []
    assert slopes(lambda: {"steady": 1.0}, lambda: blocks.append(1), 50, 1.0) == {}
    assert len(blocks) == 2


def test_with_a_lag_growth_may_show_one_block_late() -> None:
    held = iter([8, 8, 24, 24, 40])
    series = [{"late": float(next(held)), "pool": float(min(step, 2))} for step in range(5)]
    at = iter(series)
    assert slopes(lambda: next(at), lambda: None, 4, 4.0, lag=2) == {"late": [8.0, 8.0, 24.0, 24.0, 40.0]}
    again = iter(series)
    assert slopes(lambda: next(again), lambda: None, 4, 4.0) == {}


def test_a_pool_with_two_loops_for_each_processor_has_no_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 48)
    made = 0

    def connect() -> None:
        nonlocal made
        made += 5

    def loops() -> dict[str, float]:
        return {"threads": float(min(made, 96))}

    assert slopes(loops, connect, for_loops(7, 5), 8.0, lag=2) == {}
    made = 0
    assert slopes(loops, connect, 7, 8.0, lag=2)


def test_the_fixed_port_of_the_crooked_provider_is_free() -> None:
    with socket.create_server(("127.0.0.1", 47113)):
        pass
