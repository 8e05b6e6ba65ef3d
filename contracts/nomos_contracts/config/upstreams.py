"""The upstream of a provider breaks: what its callers are told meanwhile, and how soon all is well again.

The kit's proxy stands between the provider and the server that its configuration names. A provider that has read
everything at Init needs its upstream no more: it goes on answering rightly, and that is right.
"""

from __future__ import annotations

import time
from typing import Final

from nomos_contracts.chaos import Chaos, Experiment, Injected
from nomos_contracts.clause import clause
from nomos_contracts.config.asking import BRIEF, Asked
from nomos_contracts.config.documents import told
from nomos_contracts.config.interface import HealthStatus
from nomos_contracts.config.probes import plain_samples
from nomos_contracts.config.samples import ConfigSamples, ValueSample
from nomos_contracts.contract import Contract
from nomos_contracts.fault import Down, Fault, Kill, Reset, Silence, Truncate
from nomos_contracts.process.traffic import POLL, soon
from nomos_contracts.provider import Answer, RunningProvider, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation

LONG: Final = 60.0
"""Seconds after which a fault ends whatever the check does."""

WAITING: Final = 4
"""Fetches that wait for an upstream which hangs: each could hold what the next one or Health needs."""

LEAST_TEXT: Final = 3
"""Characters of a value that can be told from others on its way."""


BROKEN: Final = frozenset({"DATA_LOSS"})
"""Codes that a source may have which is broken, and which a connection to callers has no use for."""


class _Many:
    """Several paths, asked for at once."""

    def __init__(self, samples: ConfigSamples, target: TargetFacts) -> None:
        self.each = [Asked(samples, target, sample.path) for sample in plain_samples(samples)]
        self.each = self.each or [Asked(samples, target)]
        for asked in self.each:
            asked.allowed |= BROKEN
        self.first = self.each[0]
        self.within = self.first.within

    def learn(self, provider: RunningProvider) -> None:
        """Ask for those that nobody has asked for yet: the steady state."""
        for asked in self.each:
            if asked.before is None:
                asked.probe(provider)

    def ask(self, provider: RunningProvider, during: str = "") -> list[bool]:
        """Ask for each at once; return which answers were right.

        Raises:
            Violation: *during* something, one was neither right nor an error that says that something is broken.
        """
        calls = [(asked, provider.start_fetch(asked.path, timeout=BRIEF)) for asked in self.each]
        answers = [(asked, call.answer()) for asked, call in calls]
        for asked, answer in answers if during else ():
            asked.expect_no_lie([answer], during)
        return [asked.right(answer) for asked, answer in answers]


class UpstreamContract(Contract):
    """What a provider cannot know at the moment, it does not make up, and it does not hide that.

    Give each request to the upstream the deadline of its call, hold no lock meanwhile, and take whatever breaks for
    an error; open a new connection for the next call.
    """

    @clause("CFG-CHAOS-013")
    def test_says_that_the_upstream_is_gone_and_takes_it_back(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Nobody listens there any more, then somebody does again, twice."""
        many = _Many(nomos_samples, nomos_target)
        with nomos_chaos.experiment(many.first.probe, upstream=True) as x:
            many.learn(x.direct)
            well = _status(x.direct.health())
            for _ in range(2):
                with x.inject(Down(), ttl=LONG) as fault:
                    for _ in range(3):
                        _felt(fault, many.ask(x.direct, f"{fault.words} of the upstream"))
                        x.direct.health()
                x.recover(many.within)
                if not soon(lambda: _status(x.direct.health()) == well, many.within):
                    answer = x.direct.health()
                    expected = f"within {many.within:g} s after its upstream is back, Health says {well} as before"
                    raise Violation(expected, answer.summary, answer)

    @clause("CFG-CHAOS-014")
    def test_does_not_say_ok_when_nothing_can_be_had(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Where at least one value can still be had, it may say what it likes."""
        many = _Many(nomos_samples, nomos_target)
        with nomos_chaos.experiment(many.first.probe, upstream=True) as x:
            many.learn(x.direct)
            with x.inject(Down(), ttl=2 * many.within + LONG) as fault:
                said = self._honest(x, many, fault)
            if said is not None:
                raise Violation(
                    f"{many.within:g} s after the upstream went, when every Fetch fails, Health says so",
                    said.summary,
                    said,
                    evidence={"fetched": [list(asked.path) for asked in many.each]},
                )

    @staticmethod
    def _honest(x: Experiment, many: _Many, fault: Injected) -> Answer | None:
        """Return what Health said at the end of the bound if that was OK while all failed, else None."""
        end = time.monotonic() + many.within
        while True:
            late = time.monotonic() > end
            right = many.ask(x.direct)
            _felt(fault, right)
            answer = x.direct.health()
            if any(right) or _status(answer) != HealthStatus.OK:
                return None
            if late:
                return answer
            time.sleep(10 * POLL)

    @clause("CFG-CHAOS-015")
    def test_goes_on_while_the_upstream_hangs(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Connections are accepted and no answer comes; callers would wait for longer than Health may take."""
        many = _Many(nomos_samples, nomos_target)
        patience = nomos_target.limits.get("announce", 5.0)
        with nomos_chaos.experiment(many.first.probe, upstream=True) as x:
            many.learn(x.direct)
            with x.inject(Silence(direction="upstream"), ttl=LONG + 8 * patience) as fault:
                paths = [many.each[number % len(many.each)].path for number in range(WAITING)]
                waiting = [x.direct.start_fetch(path, timeout=3 * patience) for path in paths]
                soon(lambda: all(call.done() for call in waiting), BRIEF)
                pings = [ask(timeout=patience) for ask in (x.direct.health, x.direct.info, x.direct.health)]
                for call in waiting:
                    call.cancel()
                for ping in pings:
                    if not ping.ok:
                        expected = f"{ping.method} answers within {patience:g} s while Fetches wait for the upstream"
                        raise Violation(expected, ping.summary, ping)
                _felt(fault, many.ask(x.direct, f"{fault.words} of the upstream"))
            x.recover(many.within)

    @clause("CFG-CHAOS-016")
    def test_takes_no_half_answer_for_a_whole_one(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Cut in the head, in the middle and before the last byte, and reset; then in peace between two calls."""
        many = _Many(nomos_samples, nomos_target)
        with nomos_chaos.experiment(many.first.probe, upstream=True) as x:
            many.learn(x.direct)
            cuts: list[Fault] = [Truncate(after=after) for after in x.upstream.cuts()]
            for cut in (*cuts, Reset(), Reset(ms=5)):
                with x.inject(cut, ttl=LONG) as fault:
                    for _ in range(2):
                        _felt(fault, many.ask(x.direct, f"{fault.words} of the upstream's answers"))
                x.recover(many.within, good=1)
            with x.inject(Down(), ttl=LONG) as fault:
                # What was kept open is closed, and nobody calls meanwhile.
                fault.bit("nobody listens before the upstream")
            x.recover(many.within)
            if not soon(lambda: all(many.ask(x.direct)), many.within):
                expected = f"within {many.within:g} s after connections to the upstream broke, all values as before"
                raise Violation(expected, "one of them fails", *x.direct.answers[-len(many.each) :])

    @clause("CFG-CHAOS-017")
    def test_answers_nothing_stale_after_a_restart(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Killed; a value is another one by the time a new process is started with the same configuration."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe, upstream=True) as x:
            sample, text = self._seen(x, nomos_samples)
            with x.inject(Kill()):
                pass
            changed = text[:-1] + (b"q" if text[-1:] != b"q" else b"z")
            x.upstream.change(text, changed)
            x.restart()
            answers: list[Answer] = []

            def is_new() -> bool:
                answers.append(x.direct.fetch(sample.path))
                return not answers[-1].ok or answers[-1].value != sample.value

            if not soon(is_new, asked.within):
                expected = f"{list(sample.path)} as its upstream has it since before this process was started"
                got = f"the value that an earlier process was told: {answers[-1].summary}"
                raise Violation(expected, got, answers[0], answers[-1])

    @staticmethod
    def _seen(x: Experiment, samples: ConfigSamples) -> tuple[ValueSample, bytes]:
        """Return a value that was seen on its way from the upstream, and its bytes.

        Raises:
            NotApplicable: none was: encrypted, compressed, or from elsewhere.
        """
        texts = [
            sample
            for sample in plain_samples(samples)
            if isinstance(sample.value, str) and sample.value.isascii() and sample.value.isprintable()
        ]
        for sample in sorted(texts, key=lambda sample: -len(sample.value)):
            text: bytes = sample.value.encode()
            if len(text) >= LEAST_TEXT and text[-1:].isalnum():
                answer = x.direct.fetch(sample.path)
                if answer.value == sample.value and x.upstream.carried(text):
                    return sample, text
        raise NotApplicable("no sample with a text was seen as it is on its way from the upstream")


def _status(answer: Answer) -> str:
    """Return the status of a Health, empty where it failed."""
    return str(told(answer).get("status", "")) if answer.ok else ""


def _felt(fault: Injected, right: list[bool]) -> None:
    """Say how the fault was felt: that it is in force was seen, and that the provider uses the upstream as well."""
    if all(right):
        fault.bit("every Fetch was answered rightly without the upstream")
    else:
        fault.bit(f"{right.count(False)} of {len(right)} Fetches were not answered")
