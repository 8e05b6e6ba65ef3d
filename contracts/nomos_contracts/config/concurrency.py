"""Many callers at once get what each would get alone."""

from __future__ import annotations

import time
from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import asked
from nomos_contracts.config.probes import CALLERS, alike, fetch_all, made_up, plain_samples
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.provider import Answer, RunningProvider, Starter
from nomos_contracts.violation import Blocked, NotApplicable, Violation

ROUNDS = 12
"""Times that thirty-two calls are in flight; a race needs several to show."""


BESIDE = 1.5
"""Seconds for a Fetch beside one that runs; a slow path takes two at least."""

HEAD_START = 0.1
"""Seconds after which a slow Fetch is under way."""

TURNS = 3
"""Times that this is tried; on a busy machine a single one says little."""


class ConcurrencyContract(Contract):
    """A Fetch shares nothing with the Fetches beside it.

    Look for what lives outside the call: a parser, a buffer, a cursor, a cache that is filled without a lock.
    """

    @clause("CFG-CONC-001")
    def test_answers_thirty_two_callers_as_one(
        self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples, nomos_random: Random
    ) -> None:
        """Different paths at once, failing ones among them, each compared with its serial answer."""
        absent: list[Segments] = [(made_up(nomos_random),) for _ in range(3)]
        paths = [*dict.fromkeys(sample.path for sample in nomos_samples.values), *absent, ("",), ("..",)]
        alone = dict(zip(paths, fetch_all(nomos_provider, paths, at_once=1), strict=True))
        for turn in range(ROUNDS):
            asked = [paths[(turn + number) % len(paths)] for number in range(CALLERS)]
            if turn % 2:
                nomos_random.shuffle(asked)
            if turn == ROUNDS // 2:
                nomos_provider.reconnect()
            for path, answer in zip(asked, fetch_all(nomos_provider, asked), strict=True):
                if not alike(alone[path], answer):
                    expected = (
                        f"Fetch of {list(path)} beside {CALLERS - 1} others answers as alone, {alone[path].summary}"
                    )
                    raise Violation(expected, answer.summary, alone[path], answer)
                strangers = [name for (name, *_) in absent if name in answer.message and (name,) != path]
                if strangers:
                    expected = f"the message about {list(path)} is about no other caller's path"
                    raise Violation(expected, repr(answer.message), answer)


class SlowNeighbourContract(Contract):
    """A source that is slow holds up those who ask for it, and nobody else.

    Look for a lock that is held while a Fetch waits: take it for the state only, and let go before reading.
    """

    @clause("CFG-CONC-002")
    def test_answers_other_paths_while_a_slow_fetch_runs(
        self, nomos_fresh: RunningProvider, nomos_spawn: Starter, nomos_samples: ConfigSamples
    ) -> None:
        """One caller waits for the slow path, and others ask for paths that do not begin like it."""
        starts = {path[:1] for path in nomos_samples.slow}
        paths = [sample.path for sample in plain_samples(nomos_samples) if sample.path[:1] not in starts]
        if not paths:
            raise NotApplicable("every sample path begins like a slow one, and may have its source")
        initialised(nomos_fresh)
        alone = fetch_all(nomos_fresh, paths, at_once=1)
        paths = [path for path, answer in zip(paths, alone, strict=True) if answer.elapsed < BESIDE / 2]
        if not paths:
            raise NotApplicable("every sample path is slow itself")
        shown: list[Answer] = []
        for _ in range(TURNS):
            neighbour = nomos_fresh.start_fetch(nomos_samples.slow[0])
            time.sleep(HEAD_START)
            late = [now for now in fetch_all(nomos_fresh, paths, timeout=BESIDE) if now.code == "DEADLINE_EXCEEDED"]
            ended = neighbour.done()
            neighbour.cancel()
            slow = neighbour.answer()
            if ended and slow.elapsed < BESIDE / 2:
                raise Blocked("sample:slow", f"Fetch of {asked(slow)} is not slow: {slow.summary}")
            if not late:
                return
            shown = [slow, late[0]]
        control = running(nomos_spawn(init=True)).fetch(paths[0])
        if control.elapsed > BESIDE / 2:
            raise Blocked("environment", f"an ordinary Fetch takes {control.elapsed:.2f} s on this machine now")
        expected = f"Fetch of {asked(shown[1])} within {BESIDE} s while one of {asked(shown[0])} is running"
        raise Violation(expected, shown[1].summary, *shown)
