from __future__ import annotations

from typing import Any

import pytest

from nomos_contracts.verdict import Outcome
from pytest_nomos.report.jsontext import plain
from pytest_nomos.report.timeline import Bar, Dot, Timeline, compact, timelines_of
from unit.report import made, paged

FIRST = paged.FIRST


def with_probes(codes: str) -> Timeline:
    """A letter for each probe: small ones are good, the code is the letter."""
    probes = tuple(Dot(at=n / 10, ok=code.islower(), code=code) for n, code in enumerate(codes))
    return paged.timeline().model_copy(update={"probes": probes, "seconds": len(codes) / 10})


@pytest.mark.parametrize("where", ["observed", "evidence"])
def test_a_timeline_comes_back_from_a_record(where: str) -> None:
    timeline = paged.timeline()
    several: list[Any] = [timeline.evidence(), paged.timeline(met=False).evidence()]
    assert timelines_of(made.record(FIRST, **{where: {"timeline": timeline.evidence()}})) == (timeline,)
    assert timelines_of(made.record(FIRST, **{where: {"timeline": several}})) == (timeline, paged.timeline(met=False))


@pytest.mark.parametrize("noted", [None, 1, "x", [], {}, {"seconds": "long"}, [1, None], {"faults": 1, "probes": {}}])
def test_what_is_no_timeline_is_none(noted: object) -> None:
    assert timelines_of(made.record(FIRST, observed={"timeline": noted})) == ()


def test_a_timeline_of_many_probes_fits_into_a_record_and_keeps_every_change() -> None:
    timeline = with_probes("a" * 300 + "X" + "a" * 50 + "YYY" + "a" * 400)
    evidence = timeline.evidence()
    assert plain(evidence) == evidence
    (found,) = timelines_of(made.record(FIRST, evidence={"timeline": evidence}))
    assert len(found.probes) + found.left_out == len(timeline.probes)
    assert next(dot.code for dot in found.probes if not dot.ok) == "X"
    assert {dot.at for dot in found.probes} >= {0.0, 29.9, 30.0, 30.1, 35.0, 35.1, 35.3, 35.4, 75.3}
    assert len(found.probes) > 80
    assert f"{len(found.probes)} shown of {len(timeline.probes)} probes" in found.words


def test_probes_that_change_all_the_time_are_thinned_too() -> None:
    timeline = with_probes("aX" * 400)
    assert plain(timeline.evidence()) == timeline.evidence()


def test_a_timeline_that_was_cut_by_a_record_is_still_read() -> None:
    timeline = with_probes("a" * 150)
    record = made.record(FIRST, observed={"timeline": timeline.model_dump(mode="json")})
    (found,) = timelines_of(record)
    assert len(found.probes) == 99


def test_the_words_tell_what_the_picture_shows() -> None:
    words = paged.timeline().words
    assert "pause by SIGSTOP from 1.00 s to 3.00 s; felt: state T." in words
    assert "latency(200ms) by embedded proxy from 1.00 s to 2.00 s; nothing showed that it was felt." in words
    assert "18 probes, 8 bad (UNAVAILABLE 8)." in words
    assert words.endswith("Recovered after 420 ms (bound 1 s).")
    assert paged.timeline(met=False).words.endswith("Not recovered within the bound of 1 s (waited 1.50 s).")


def test_the_terminal_shows_a_line_for_each_fault_for_probes_and_recovery() -> None:
    lines = compact(paged.timeline(), 60).splitlines()
    assert [line.split("|")[0].strip() for line in lines[:4]] == [
        "pause SIGSTOP",
        "latency(200ms) emb..",
        "probes",
        "recovery",
    ]
    pause, probes, healing = (lines[n].split("|")[1] for n in (0, 2, 3))
    assert pause.strip() == "#" * len(pause.strip())
    assert probes.count(".") + probes.count("x") == 18
    assert probes.index("x") == pause.index("#")
    assert healing.index("=") == pause.rindex("#")
    assert lines[-1] == "Recovered after 420 ms (bound 1 s)"


@pytest.mark.parametrize("width", [-1, 0, 20, 21, 33, 80, 200])
@pytest.mark.parametrize("text", ["pause", *paged.HOSTILE])
def test_no_line_is_wider_than_the_terminal_or_other_than_ascii(width: int, text: str) -> None:
    drawn = compact(paged.hostile_timeline(text), width)
    assert all(len(line) <= max(width, 20) for line in drawn.splitlines())
    assert drawn.replace("\n", "").isascii()
    assert drawn.replace("\n", "").isprintable()


def test_an_experiment_in_which_nothing_happened_can_be_drawn() -> None:
    empty = Timeline(clause=FIRST, target="provider", seconds=0)
    assert compact(empty, 40).splitlines()[0].startswith("probes")
    assert empty.words == "No fault was injected. 0 probes, 0 bad."


def test_a_bad_probe_is_seen_among_good_ones_of_the_same_column() -> None:
    assert "x" in compact(with_probes("a" * 500 + "X" + "a" * 500), 30)


def test_a_record_of_a_failed_check_keeps_its_timeline_over_disk() -> None:
    record = made.record(FIRST, Outcome.FAILED, evidence={"timeline": paged.timeline().evidence()})
    again = type(record).model_validate_json(record.model_dump_json())
    assert timelines_of(again) == (paged.timeline(),)


def test_a_fault_that_came_again_and_again_is_one_line() -> None:
    down = tuple(Bar(fault="down", start=n, end=n + 0.5, bit="cut" if n else "") for n in range(4))
    overlapping = Bar(fault="down", start=3.2, end=3.4, bit="cut")
    timeline = paged.timeline().model_copy(update={"faults": (*down, overlapping)})
    assert timeline.lanes == (down, (overlapping,))
    assert "down 4 times from 0.00 s to 3.50 s; felt 3 times of 4: cut." in timeline.words
    first, second = compact(timeline, 80).splitlines()[:2]
    assert len(first.split("|")[1].split()) == 4
    assert len(second.split("|")[1].split()) == 1
