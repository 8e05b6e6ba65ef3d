"""Resilience: what a provider does while something around it breaks, and how soon it is well again.

Under a fault a call may fail, with an error that says so; it may not lie. Once the fault has ended, callers are
served as before, within the limit ``recovery``. Rows are the cases of the kit's chaos table.
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from nomos_contracts.chaos import Chaos, Experiment, Injected
from nomos_contracts.clause import clause
from nomos_contracts.config.asking import BRIEF, Asked
from nomos_contracts.config.probes import SHOWN, Steady, alike, is_special
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.fault import (
    Descriptors,
    Down,
    Fault,
    Kill,
    Latency,
    Pause,
    Reset,
    Silence,
    Slices,
    Truncate,
)
from nomos_contracts.process.slopes import BLOCKS, SETTLE, HandleSlopes, for_loops
from nomos_contracts.process.traffic import soon
from nomos_contracts.provider import Answer, PendingAnswer, TargetFacts
from nomos_contracts.violation import Violation

PATIENT: Final = 10.0
"""Seconds for calls that are to be answered in spite of a fault."""

ROUNDS: Final = 20
"""Connections that break, one after the other, before descriptors are counted again."""

POOL: Final = 150
"""Connections that break altogether, at least: a hundred are a usual number of places for them."""

MUTE: Final = 8
"""Connections on which nothing is ever said."""

CROWD: Final = 32
"""Connections that take the descriptors which are left: more than a pool of callers has."""


class ResilienceContract(Contract):
    """Faults pass, and nothing of them stays.

    Keep no state of a connection or a clock that a fault can leave half done: close what broke, go on accepting, take
    no lock across input or output, and let an error be an error.
    """

    @clause("CFG-CHAOS-001")
    def test_recovers_from_standing_still(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Stopped until eight callers have met their deadlines, then continued."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            with x.inject(Pause()) as fault:
                waiting = [x.direct.start_fetch(asked.path, timeout=BRIEF) for _ in range(8)]
                answers = [call.answer() for call in waiting]
                if all(answer.code == "DEADLINE_EXCEEDED" for answer in answers):
                    fault.bit("eight callers met their deadlines")
            asked.expect_no_lie(answers, fault.words)
            asked.recover(x)

    @clause("CFG-CHAOS-002")
    def test_answers_calls_that_came_while_it_stood_still(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Their callers have waited on; a moment is over, and nothing else has happened."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            with x.inject(Pause()) as fault:
                waiting = [x.direct.start_fetch(asked.path, timeout=PATIENT, patient=True) for _ in range(8)]
                # Sent, and too late for whoever takes a second of silence for the end of the world.
                if not soon(lambda: any(call.done() for call in waiting), 1.2):
                    fault.bit("eight calls were not answered")
            asked.expect_right(_answers(waiting), f"{fault.words}, for callers who wait")
            asked.recover(x)

    @clause("CFG-CHAOS-003")
    def test_answers_over_a_slow_connection(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Every byte comes late, both ways, from the first one of a connection."""
        slow = Latency(ms=150, jitter=30, direction="upstream") & Latency(ms=150, jitter=30)
        self._served_through(slow, 0.24, nomos_chaos, nomos_samples, nomos_target)

    @clause("CFG-CHAOS-004")
    def test_takes_what_arrives_byte_by_byte(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Each byte in a packet of its own, both ways."""
        slices = Slices(size=1, delay=1000, direction="upstream") & Slices(size=7)
        # The preface of a connection alone has 24 bytes.
        self._served_through(slices, 0.02, nomos_chaos, nomos_samples, nomos_target)

    def _served_through(
        self, fault: Fault, least: float, chaos: Chaos, samples: ConfigSamples, target: TargetFacts
    ) -> None:
        """See that calls over new connections are answered under *fault*, which takes each *least* seconds."""
        asked = Asked(samples, target)
        with chaos.experiment(asked.probe) as x:
            with x.inject(fault) as live:
                x.provider.reconnect()
                answers = _answers(
                    [x.provider.start_fetch(asked.path, timeout=PATIENT, patient=True) for _ in range(4)]
                )
                if min(answer.elapsed for answer in answers) >= least:
                    live.bit(f"no call took less than {least:g} s")
                asked.expect_right(answers, fault.words)
            asked.recover(x)

    @clause("CFG-CHAOS-005")
    def test_survives_connections_that_are_reset(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Twenty at a time, each while its caller is speaking; others are served all the while."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            handles = HandleSlopes(x.direct, "descriptors", settle=SETTLE)
            with x.inject(Reset(direction="upstream"), ttl=60) as fault:
                broken = 0

                def block() -> None:
                    nonlocal broken
                    self._break(x, asked, fault, ROUNDS)
                    broken += ROUNDS

                handles.seek(block, for_loops(BLOCKS, ROUNDS), ROUNDS // 2)
                if broken < POOL:
                    self._break(x, asked, fault, POOL - broken)
            asked.recover(x)
            handles.expect_none(f"blocks of {ROUNDS} broken connections")

    @clause("CFG-CHAOS-006")
    def test_survives_connections_that_end_in_the_middle_of_a_message(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Half a preface, half a frame of settings, half a call; others are served all the while."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            for after in (9, 30, 60, 120):
                with x.inject(Truncate(after=after, direction="upstream")) as fault:
                    self._break(x, asked, fault, 3)
            asked.recover(x)

    def _break(self, x: Experiment, asked: Asked, fault: Injected, rounds: int) -> None:
        broken = 0
        for number in range(rounds):
            x.provider.reconnect()
            answer = x.provider.fetch(asked.path, timeout=BRIEF)
            broken += not asked.right(answer)
            asked.expect_no_lie([answer], fault.words)
            if number % 3 == 0:
                x.direct.reconnect()
                answer = x.direct.fetch(asked.path, timeout=PATIENT)
                asked.expect_right([answer], f"{fault.words}, for another caller")
        if broken == rounds:
            fault.bit(f"no call over {rounds} connections was answered")

    @clause("CFG-CHAOS-007")
    def test_serves_others_while_a_connection_is_mute(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Eight callers connect and say nothing, eight more are not heard of; others come after them."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            # Of these it is certain that they come first, and that they outlast the patience of those who come then.
            with x.inject(Silence(direction="upstream")) as fault, crowd(x.direct.announcement.address, MUTE) as silent:
                x.provider.reconnect()
                mute = [x.provider.start_fetch(asked.path, timeout=BRIEF) for _ in range(8)]
                x.direct.reconnect()
                others = [x.direct.start_fetch(asked.path, timeout=PATIENT) for _ in range(4)]
                asked.expect_right(_answers(others), f"{fault.words} of another caller's connection")
                unheard = _answers(mute)
                if not any(asked.right(answer) for answer in unheard):
                    fault.bit("eight calls were not answered")
                asked.expect_no_lie(unheard, fault.words)
                _hear(silent)
            asked.recover(x)

    @clause("CFG-CHAOS-008")
    def test_takes_callers_back_whose_connections_were_cut(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Ten times, with calls in flight."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            for _ in range(10):
                calls = [x.provider.start_fetch(asked.path, timeout=BRIEF) for _ in range(4)]
                with x.inject(Down()) as fault:
                    late = x.provider.fetch(asked.path, timeout=BRIEF)
                    if not asked.right(late):
                        fault.bit("a call was not answered")
                    asked.expect_no_lie([late, *_answers(calls)], fault.words)
                x.recover(asked.within, good=1)
            asked.recover(x)

    @clause("CFG-CHAOS-009")
    def test_recovers_from_having_no_descriptors(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Not one is left, and callers want to connect; then there are as many as before."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            asked.expect_right([x.provider.fetch(asked.path)], "nothing, over a second connection")
            with x.inject(Descriptors(spare=0)) as fault, crowd(x.direct.announcement.address, CROWD):
                # A connection of before is heard, and what the call needs cannot be opened. Meanwhile nothing is given
                # back: what has to be opened once, to say that nothing can be, would find its place.
                answers = [x.provider.fetch(asked.path, timeout=2 * BRIEF) for _ in range(2)]
                # What was read before may be kept; of these nobody has asked anything yet.
                first = _told(x, unread(nomos_samples, asked.path))
                # What the connections of before give back is taken by the crowd.
                x.direct.reconnect()
                others = _answers([x.direct.start_fetch(asked.path, timeout=2 * BRIEF) for _ in range(4)])
                if not all(asked.right(answer) for answer in others):
                    fault.bit("calls over a new connection were not answered")
                answers += others
                # Any error is an answer to that; another value would be a lie, and so would "there is no such thing".
                asked.expect_right([answer for answer in answers if answer.code in {"OK", "NOT_FOUND"}], fault.words)
            # Who comes now needs a new connection.
            x.provider.reconnect()
            asked.recover(x)
            for path, told in first.items():
                now = x.provider.fetch(path)
                if not alike(now, told):
                    expected = f"during {fault.words}, for {list(path)} {now.summary} as afterwards, or an error"
                    raise Violation(expected, told.summary, told, now)

    @clause("CFG-CHAOS-010")
    def test_starts_again_after_it_was_killed(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """In the middle of its work; the platform starts another process with the same configuration."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            steady = Steady.of(x.direct, nomos_samples)
            calls = [x.direct.start_fetch(asked.path, timeout=BRIEF) for _ in range(8)]
            with x.inject(Kill()) as fault:
                asked.expect_no_lie(_answers(calls), fault.words)
            x.restart()
            asked.recover(x)
            steady.expect_same(x.direct, f"{fault.words} and a new start")


@contextmanager
def crowd(address: str, size: int) -> Generator[list[socket.socket]]:
    """Have *size* connections to *address* (``host:port`` or ``unix:/path``) on which nothing is said.

    The system takes them for the provider, which may then accept them or not; where it takes no more, they are fewer.
    """
    with ExitStack() as stack:
        ends: list[socket.socket] = []
        for _ in range(size):
            family = socket.AF_UNIX if address.startswith("unix:") else socket.AF_INET
            end = stack.enter_context(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            ends.append(end)
            host, _, port = address.rpartition(":")
            try:
                end.connect(port if family is socket.AF_UNIX else (host, int(port)))
            except BlockingIOError:
                continue
            except OSError:
                break
        yield ends


def unread(samples: ConfigSamples, read: Segments) -> list[Segments]:
    """Return paths beside *read*, each of which may have a source of its own: few, other beginnings first."""
    plain = [sample.path for sample in samples.values if sample.path and not any(map(is_special, sample.path))]
    chosen = [read]
    for depth in (1, 2, 3):
        for path in plain:
            if path[:depth] not in {known[:depth] for known in chosen}:
                chosen.append(path)
    return chosen[1 : 1 + SHOWN]


def _told(x: Experiment, paths: Sequence[Segments]) -> dict[Segments, Answer]:
    """Return what is told of *paths*, as a value or as not there, over a connection that is there already."""
    told: dict[Segments, Answer] = {}
    for path in paths:
        answer = x.provider.fetch(path, timeout=BRIEF)
        if answer.code in {"OK", "NOT_FOUND"}:
            told[path] = answer
        elif answer.code == "DEADLINE_EXCEEDED":
            break  # whoever waits for a descriptor waits for the others too
    return told


def _hear(ends: Sequence[socket.socket]) -> None:
    """Take what has come: a connection that is closed with something unread is reset."""
    for end in ends:
        with suppress(OSError):
            while end.recv(65536):
                pass


def _answers(calls: Sequence[PendingAnswer]) -> list[Answer]:
    return [call.answer() for call in calls]
