from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nomos_contracts.fault import Pause
from pytest_nomos.chaos.journal import Journal, JournalError, Resumed, read_journal
from pytest_nomos.chaos.striking import process_fault
from victims import Victim, kill


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "chaos.jsonl")


def test_a_line_that_was_cut_off_is_tolerated_and_said(journal: Journal, victim: Victim) -> None:
    fault = process_fault(Pause(), victim.subject)
    first = journal.planned(fault)
    whole = journal.path.read_bytes()
    journal.planned(fault)
    both = journal.path.read_bytes()
    for end in range(len(whole) + 1, len(both) - 1):
        journal.path.write_bytes(both[:end])
        record = read_journal(journal.path)
        assert [entry.id for entry in record.open] == [first]
        assert record.torn == (2,)
    journal.path.write_bytes(both[:-1])  # only the end of the line is missing
    assert len(read_journal(journal.path).open) == 2


def test_what_is_written_after_a_line_that_was_cut_off_stands_alone(journal: Journal, victim: Victim) -> None:
    identity = journal.planned(process_fault(Pause(), victim.subject))
    with journal.path.open("ab") as file:
        file.write(b'{"at":1,"wa')
    journal.reverted(identity)
    record = read_journal(journal.path)
    assert record.torn == (2,)
    assert isinstance(record.entries[1], Resumed)
    assert record.open == ()


def test_a_journal_whose_writer_is_killed_while_it_writes_can_be_read(tmp_path: Path, victim: Victim) -> None:
    path = tmp_path / "killed.jsonl"
    program = (
        "import sys; from pathlib import Path; from nomos_contracts.fault import Pause\n"
        "from pytest_nomos.chaos.journal import Journal\n"
        "from pytest_nomos.chaos.striking import process_fault\n"
        "from pytest_nomos.chaos.subject import ProcessSubject\n"
        "fault = process_fault(Pause(), ProcessSubject.of(int(sys.argv[2])))\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "while True: print(journal.planned(fault), flush=True)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(victim.pid)], stdout=subprocess.PIPE, text=True
    )
    with run:
        assert run.stdout is not None
        told = [run.stdout.readline().strip() for _ in range(20)]
        kill(run)
        told += run.stdout.read().split()
    # Whatever was said to be planned is on disk.
    assert [entry.id for entry in read_journal(path).open][: len(told)] == told


def test_many_threads_write_whole_lines(journal: Journal, victim: Victim) -> None:
    fault = process_fault(Pause(), victim.subject)
    threads = [
        threading.Thread(target=lambda: [journal.reverted(journal.planned(fault)) for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = read_journal(journal.path)
    assert len(record.entries) == 80
    assert record.open == ()


def _line(**changes: object) -> str:
    fields = {
        "at": 1.5,
        "wall": "2026-11-21T11:00:00Z",
        "id": "a",
        "event": "planned",
        "fault": {"kind": "pause"},
        "mechanism": "SIGSTOP",
        "undo": None,
        "owner": "nomos-01234567-89abcdef-12-34",
    }
    return json.dumps({name: value for name, value in {**fields, **changes}.items() if value != "absent"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello\n", "line 1 is no entry of a journal"),
        ("hello", "line 1 is no entry of a journal"),
        ('{"half\n', "line 1 is no entry of a journal"),
        (_line() + '\n{"half\n' + _line(id="b") + "\n", "line 2 is no entry of a journal"),
        ("[]\n", "line 1: "),
        ("{}\n", "line 1: "),
        (_line() + "\n\n", "line 2 is no entry"),
        (_line(event="exploded"), "line 1: "),
        (_line(id=""), "line 1, planned.id: "),
        (_line(extra=1), "line 1, planned.extra: "),
        (_line(wall="yesterday"), "line 1, planned.wall: "),
        (_line(wall="2026-11-21T11:00:00"), "line 1, planned.wall: "),
        (_line(at="NaN"), "line 1, planned.at: "),
        (_line(fault={"kind": "flood"}), "line 1, planned.fault: "),
        (_line(owner="somebody"), "line 1, planned.owner: "),
        (_line(owner="absent"), "line 1, planned.owner: "),
        (_line(undo={}), "a recipe has a kind"),
        (_line(undo={"kind": "continue"}), "line 1, planned.undo: "),
        (_line(undo={"kind": "continue", "pid": 1, "started": 1, "group": None}), "line 1, planned.undo: "),
        (_line(undo={"kind": "rlimit", "pid": 9, "started": 1, "limit": "RLIMIT_CPU", "soft": 1}), "line 1, planned"),
        (_line(undo={"kind": "cgroup", "path": "/etc", "home": "/"}), "line 1, planned.undo: "),
        (_line(undo={"kind": "toxiproxy", "api": "a:1/x?", "proxy": "p"}), "line 1, planned.undo: "),
        (
            _line() + "\n" + '{"at":1,"wall":"2026-11-21T11:00:00Z","id":"b","event":"applied"}\n',
            "line 2: applied of a",
        ),
    ],
)
def test_what_is_no_journal_gets_one_clear_error(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(JournalError) as failed:
        read_journal(path)
    assert expected in str(failed.value)
    assert str(failed.value).startswith(str(path))
    assert "\n" not in str(failed.value)


def test_a_line_of_the_test_itself_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "good.jsonl"
    path.write_text(_line(undo={"kind": "of the future", "what": 1}) + "\n", encoding="utf-8")
    assert len(read_journal(path).open) == 1


def test_a_journal_that_cannot_be_made_or_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be written: No such file"):
        Journal(tmp_path / "nowhere" / "chaos.jsonl")
    with pytest.raises(JournalError, match="cannot be read: Is a directory"):
        read_journal(tmp_path)
