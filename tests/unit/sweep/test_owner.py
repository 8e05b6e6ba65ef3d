"""Whether a run is alive, told from the text that its resources carry."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from pytest_nomos.sweep.owner import Life, Owner


def test_this_process_is_alive_and_its_text_says_which_one_it_is() -> None:
    owner = Owner.of_process()
    assert owner.life is Life.ALIVE
    assert Owner.read(str(owner)) == owner


def test_a_process_that_has_ended_is_told_from_one_that_has_its_number_now() -> None:
    owner = Owner.of_process()
    assert replace(owner, started=owner.started - 1).life is Life.ENDED


def test_a_killed_process_has_ended_before_anybody_waits_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = Owner.of_process(process.pid)
        assert owner.life is Life.ALIVE
        process.kill()
        # Not waited for yet: it is a zombie, which holds nothing.
        import os

        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert owner.life is Life.ENDED
    assert owner.life is Life.ENDED


def test_whatever_ran_before_the_machine_was_started_has_ended() -> None:
    assert replace(Owner.of_process(), boot="0" * 8).life is Life.ENDED


def test_nothing_is_said_about_processes_of_another_machine() -> None:
    assert replace(Owner.of_process(), machine="0" * 8).life is Life.ELSEWHERE


@pytest.mark.parametrize("text", ["", "nomos", "nomos-1-2-3-4", "nomos-00000000-00000000-x-1", "ci-run-7"])
def test_a_text_that_names_no_owner_is_none(text: str) -> None:
    assert Owner.read(text) is None


def test_a_process_that_is_not_there_owns_nothing() -> None:
    with pytest.raises(ProcessLookupError):
        Owner.of_process(2**22 + 1)
