"""Victims that no test outlives, and a journal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.journal import Journal
from victims import Victim

if sys.platform != "linux":
    collect_ignore_glob = ["test_*"]  # they look into /proc


@pytest.fixture
def victims() -> Generator[Callable[..., Victim]]:
    made: list[Victim] = []

    def make(**how: bool) -> Victim:
        made.append(Victim(**how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def victim(victims: Callable[..., Victim]) -> Victim:
    return victims()


@pytest.fixture
def stack(tmp_path: Path) -> Generator[Stack]:
    with Stack(Journal(tmp_path / "chaos.jsonl")) as stack:
        yield stack
