"""Many callers at once get what each would get alone."""

from __future__ import annotations

from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.config.probes import CALLERS, alike, fetch_all, made_up
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.provider import RunningProvider
from nomos_contracts.violation import Violation

ROUNDS = 12
"""Times that thirty-two calls are in flight; a race needs several to show."""


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
